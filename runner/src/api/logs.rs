//! `GET /containers/{id}/logs`.

use super::error::{Answer, Error};
use super::hijack::Framing;
use super::moment;
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::engine::log_reader::Reader;
use crate::engine::output::{Chunk, Line, Stream};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;

/// How much is on its way to a client at most: so many pieces of about so many bytes.
const PIECES: usize = 8;
const PIECE: usize = 64 << 10;
/// As long as nobody waits.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// Which lines, and how they look.
struct Wanted {
    stdout: bool,
    stderr: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    timestamps: bool,
    details: bool,
    framing: Framing,
}

/// The handler.
pub(super) async fn logs(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    spoken: Version,
    Query(p): Query<Parameters>,
) -> Answer {
    let container = engine.find(&id)?;
    let wanted = Wanted {
        stdout: p.on("stdout"),
        stderr: p.on("stderr"),
        since: moment::of(&p, "since")?,
        until: moment::of(&p, "until")?,
        timestamps: p.on("timestamps"),
        details: p.on("details"),
        framing: Framing::of(container.record().config.tty),
    };
    if !wanted.stdout && !wanted.stderr {
        return Err(Error::bad("Bad parameters: you must choose at least one stream"));
    }
    // As Docker does, what is no number is all.
    let tail = p.text("tail").and_then(|n| n.parse::<usize>().ok());
    let unread = || {
        let words = "configured logging driver does not support reading";
        Error::new(hyper::StatusCode::NOT_IMPLEMENTED, words)
    };
    let reader = container.output.read().ok_or_else(unread)?;
    // In this order: a process that ends meanwhile is either over, or will end the reading.
    let follow = p.on("follow") && container.state().alive().is_some() && !container.output.over();
    let kind = wanted.framing.content_type(spoken);
    let (sender, receiver) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let mut job = Job { reader, wanted, sender };
        if job.past(tail).await.is_some() && follow {
            job.live().await;
        }
    });
    let all = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let response = Response::builder().header(hyper::header::CONTENT_TYPE, kind);
    response.body(Body::from_stream(all)).map_err(|e| Error::bad(e.to_string()))
}

/// A log on its way to a client.
struct Job {
    reader: Reader,
    wanted: Wanted,
    sender: mpsc::Sender<std::io::Result<Vec<u8>>>,
}

impl Job {
    /// What was there when the client asked; `None` if the client is gone, or the log cannot be read.
    async fn past(&mut self, tail: Option<usize>) -> Option<()> {
        let mut last = VecDeque::new();
        let mut piece = Vec::new();
        loop {
            match self.reader.past() {
                Err(e) => {
                    // Whoever reads sees that it broke off.
                    self.sender.send(Err(e)).await.unwrap_or_default();
                    return None;
                }
                Ok(None) => break,
                Ok(Some(line)) if !self.wanted.has(&line) => {}
                Ok(Some(line)) => match tail {
                    Some(tail) => {
                        last.push_back(line);
                        if last.len() > tail {
                            last.pop_front();
                        }
                    }
                    None => {
                        piece.extend(self.wanted.show(&line));
                        if piece.len() >= PIECE {
                            self.sender.send(Ok(std::mem::take(&mut piece))).await.ok()?;
                        }
                    }
                },
            }
        }
        for line in last {
            piece.extend(self.wanted.show(&line));
        }
        // Also if it is empty: the head of the answer goes out with the first piece.
        self.sender.send(Ok(piece)).await.ok()
    }

    /// What comes, until the container ends, the client leaves, or the time is up.
    async fn live(&mut self) {
        let left = self.wanted.until.map(|until| until.duration_since(Timestamp::now()));
        let left = left.map_or(FOR_EVER, |left| Duration::try_from(left).unwrap_or(Duration::ZERO));
        let over = tokio::time::sleep(left.min(FOR_EVER));
        tokio::pin!(over);
        let gone = self.sender.clone();
        loop {
            let line = tokio::select! {
                line = self.reader.next() => line,
                () = &mut over => return,
                () = gone.closed() => return,
            };
            let piece = match line {
                Ok(Some(line)) if self.wanted.until.is_some_and(|until| line.time > until) => return,
                Ok(Some(line)) if self.wanted.has(&line) => Ok(self.wanted.show(&line)),
                Ok(Some(_)) => continue,
                Ok(None) => return,
                Err(e) => Err(e),
            };
            if self.sender.send(piece).await.is_err() {
                return;
            }
        }
    }
}

impl Wanted {
    fn has(&self, line: &Line) -> bool {
        let stream = match line.stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        };
        stream && self.since.is_none_or(|s| line.time >= s) && self.until.is_none_or(|u| line.time <= u)
    }

    fn show(&self, line: &Line) -> Vec<u8> {
        let mut text = String::new();
        if self.timestamps {
            text.push_str(&format!("{:.9} ", line.time));
        }
        if self.details {
            let pair = |(key, value): (&String, &String)| {
                url::form_urlencoded::Serializer::new(String::new()).append_pair(key, value).finish()
            };
            let shown = line.attrs.iter().map(pair);
            text.push_str(&shown.collect::<Vec<_>>().join(","));
            text.push(' ');
        }
        text.push_str(&line.log);
        self.framing.encode(&Chunk { stream: line.stream, bytes: Bytes::from(text) })
    }
}

//! `GET /containers/{id}/logs`.

use super::error::{Answer, Error};
use super::hijack::Framing;
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::engine::output::{Chunk, Follow, Line, Stream};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;

/// Which lines, and how they look.
struct Wanted {
    stdout: bool,
    stderr: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    timestamps: bool,
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
        since: moment(&p, "since")?,
        until: moment(&p, "until")?,
        timestamps: p.on("timestamps"),
        framing: Framing::of(container.record().config.tty),
    };
    if !wanted.stdout && !wanted.stderr {
        return Err(Error::bad("Bad parameters: you must choose at least one stream"));
    }
    let tail = match p.text("tail") {
        None | Some("all") => None,
        Some(n) => Some(n.parse::<usize>().map_err(|_| Error::bad(format!("tail: {n} is no number")))?),
    };
    let alive = container.state().alive().is_some();
    let follow = if p.on("follow") && alive { Follow::Yes } else { Follow::No };
    let (lines, receiver) = container.output.lines(follow).map_err(|e| Error::bad(e.to_string()))?;
    let mut first: Vec<Line> = lines.into_iter().filter(|l| wanted.has(l)).collect();
    if let Some(tail) = tail {
        first.drain(..first.len().saturating_sub(tail));
    }
    let framing = wanted.framing;
    let head: Vec<u8> = first.iter().flat_map(|line| wanted.show(line)).collect();
    let rest = futures_util::stream::unfold((receiver, wanted), |(receiver, wanted)| async move {
        let mut receiver = receiver?;
        loop {
            let line = receiver.recv().await?;
            if wanted.until.is_some_and(|until| line.time > until) {
                return None;
            }
            if wanted.has(&line) {
                let shown = wanted.show(&line);
                return Some((shown, (Some(receiver), wanted)));
            }
        }
    });
    use futures_util::StreamExt;
    let all =
        futures_util::stream::once(async move { head }).chain(rest).map(Ok::<_, std::convert::Infallible>);
    let response = Response::builder().header(hyper::header::CONTENT_TYPE, framing.content_type(spoken));
    response.body(Body::from_stream(all)).map_err(|e| Error::bad(e.to_string()))
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
        let text = if self.timestamps { format!("{:.9} {}", line.time, line.log) } else { line.log.clone() };
        self.framing.encode(&Chunk { stream: line.stream, bytes: Bytes::from(text) })
    }
}

/// Seconds since 1970, with a fraction if need be; 0 is none.
fn moment(p: &Parameters, name: &str) -> Answer<Option<Timestamp>> {
    let Some(text) = p.text(name).filter(|t| *t != "0") else { return Ok(None) };
    let parsed = text.parse::<Timestamp>().ok().or_else(|| {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
        let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        Timestamp::new(seconds.parse().ok()?, nanos).ok()
    });
    parsed.map(Some).ok_or_else(|| Error::bad(format!("{name}: {text} is no time")))
}

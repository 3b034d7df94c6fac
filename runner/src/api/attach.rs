//! `POST /containers/{id}/attach`: the streams of a first process over a connection that was taken over.

use super::detach::Keys;
use super::error::{Answer, Error};
use super::hijack::{Framing, Taken, take_over};
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::output::{Chunk, Stream};
use axum::extract::{Path, Query, Request, State};
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::sync::mpsc;

/// What the client takes part in.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Wanted {
    fn has(self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }
}

/// The handler.
pub(super) async fn attach(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    spoken: Version,
    Query(p): Query<Parameters>,
    mut request: Request,
) -> Answer {
    let container = engine.find(&id)?;
    let record = container.record();
    if record.state.word() == "paused" {
        return Err(Error::new(
            hyper::StatusCode::CONFLICT,
            format!("Container {id} is paused, unpause it before attaching"),
        ));
    }
    let framing = Framing::of(record.config.tty);
    let keys = Keys::parse(p.text("detachKeys").unwrap_or_default())?;
    let keys = record.config.tty.then_some(keys);
    let wanted = Wanted {
        stdin: p.on("stdin") && record.config.open_stdin,
        stdout: p.on("stdout"),
        stderr: p.on("stderr"),
    };
    // Listening begins before the head of the answer goes out: the client starts the container when it has that.
    let (earlier, output) = if p.on("logs") {
        let (output, reader) = container.output.attach_and_read();
        (Some(reader), output)
    } else {
        (None, container.output.attach())
    };
    let stream = p.on("stream");
    let (response, connection) = take_over(&mut request, framing, spoken)?;
    engine.events.container("attach", &container);
    tokio::spawn(async move {
        let Some(io) = connection.await else { return };
        let (reader, mut writer) = tokio::io::split(io);
        let mut earlier = earlier;
        while let Some(Ok(Some(line))) = earlier.as_mut().map(crate::engine::log_reader::Reader::past) {
            if !wanted.has(line.stream) {
                continue;
            }
            let chunk = Chunk { stream: line.stream, bytes: Bytes::from(line.log) };
            if writer.write_all(&framing.encode(&chunk)).await.is_err() {
                return;
            }
        }
        if stream {
            let (left, leaving) = tokio::sync::oneshot::channel();
            let typing = (reader, keys, left);
            let shared = Arc::clone(&container);
            let input = wanted.stdin.then(|| tokio::spawn(feed(engine.clone(), shared, typing)));
            tokio::select! {
                () = pass_on(output, &mut writer, framing, wanted) => {}
                Ok(()) = leaving => engine.events.container("detach", &container),
            }
            if let Some(input) = input {
                input.abort();
            }
        }
        writer.shutdown().await.unwrap_or_default();
    });
    Ok(response)
}

async fn pass_on(
    mut output: mpsc::Receiver<Chunk>,
    writer: &mut (impl AsyncWriteExt + Unpin),
    framing: Framing,
    wanted: Wanted,
) {
    while let Some(chunk) = output.recv().await {
        if wanted.has(chunk.stream) && writer.write_all(&framing.encode(&chunk)).await.is_err() {
            return;
        }
    }
}

/// What the client types goes to the process; its end ends the process's input, if it was to be written once.
async fn feed(
    engine: Engine,
    container: Arc<Container>,
    (mut reader, mut keys, left): (ReadHalf<Taken>, Option<Keys>, tokio::sync::oneshot::Sender<()>),
) {
    // A client attaches before it starts the container: what it types meanwhile waits in its socket.
    container.wait_until_alive().await;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(n) => {
                let (typed, leaves) = match &mut keys {
                    Some(keys) => keys.pass(&buffer[..n]),
                    None => (buffer[..n].to_vec(), false),
                };
                if !typed.is_empty() && engine.write_stdin(&container, &typed).await.is_err() {
                    return;
                }
                if leaves {
                    // Whoever waits for it may be gone.
                    left.send(()).unwrap_or_default();
                    return;
                }
            }
        }
    }
    let config = container.record().config;
    if config.stdin_once && !config.tty {
        engine.close_stdin(&container).await;
    }
}

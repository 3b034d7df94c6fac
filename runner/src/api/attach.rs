//! `POST /containers/{id}/attach`: the streams of a first process over a connection that was taken over.

use super::detach::Keys;
use super::error::{Answer, Error};
use super::hijack::{Framing, take_over};
use super::query::Parameters;
use super::version::Version;
use super::websocket;
use crate::engine::Engine;
use crate::engine::container::Container;
use crate::engine::log_reader::Reader;
use crate::engine::output::{Chunk, Stream};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Query, Request, State};
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// What the client takes part in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
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

/// What a client takes part in, from before its connection is taken over: it starts the container when it has the head of
/// the answer, and misses nothing.
pub(super) struct Attachment {
    engine: Engine,
    container: Arc<Container>,
    framing: Framing,
    keys: Option<Keys>,
    wanted: Wanted,
    earlier: Option<Reader>,
    output: mpsc::Receiver<Chunk>,
    lasting: Lasting,
}

/// How long a client stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    /// While the process runs.
    Stream,
    /// As long as it takes to tell what was printed before.
    Past,
}

impl Attachment {
    /// Begins to listen as a call asks for.
    ///
    /// # Errors
    /// When there is no such container, or it is paused, or the keys to leave by are none.
    pub(super) fn of(engine: Engine, id: &str, p: &Parameters, wanted: Wanted) -> Answer<Self> {
        let container = engine.find(id)?;
        let record = container.record();
        if record.state.word() == "paused" {
            return Err(Error::new(
                hyper::StatusCode::CONFLICT,
                format!("Container {id} is paused, unpause it before attaching"),
            ));
        }
        let keys = Keys::parse(p.text("detachKeys").unwrap_or_default())?;
        let keys = record.config.tty.then_some(keys);
        let wanted = Wanted { stdin: wanted.stdin && record.config.open_stdin, ..wanted };
        let (earlier, output) = if p.on("logs") {
            let (output, reader) = container.output.attach_and_read();
            (Some(reader), output)
        } else {
            (None, container.output.attach())
        };
        // In this order: a process that ends meanwhile is either over, or will end the streams.
        let ending = container.state().alive().is_some() && container.output.over();
        let lasting = if p.on("stream") && !ending { Lasting::Stream } else { Lasting::Past };
        let framing = Framing::of(record.config.tty);
        Ok(Self { engine, container, framing, keys, wanted, earlier, output, lasting })
    }

    /// The same, its output not framed, whatever the container has.
    pub(super) fn raw(self) -> Self {
        Self { framing: Framing::Raw, ..self }
    }

    /// Leads the streams over a connection until one of both ends.
    pub(super) async fn run(self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self { engine, container, framing, keys, wanted, mut earlier, output, lasting } = self;
        let (reader, mut writer) = tokio::io::split(io);
        while let Some(Ok(Some(line))) = earlier.as_mut().map(Reader::past) {
            if !wanted.has(line.stream) {
                continue;
            }
            let chunk = Chunk { stream: line.stream, bytes: Bytes::from(line.log) };
            if writer.write_all(&framing.encode(&chunk)).await.is_err() {
                return;
            }
        }
        if lasting == Lasting::Stream {
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
    }

    fn told(&self) {
        self.engine.events.container("attach", &self.container);
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
    let wanted = Wanted { stdin: p.on("stdin"), stdout: p.on("stdout"), stderr: p.on("stderr") };
    let attachment = Attachment::of(engine, &id, &p, wanted)?;
    let (response, connection) = take_over(&mut request, attachment.framing, spoken)?;
    attachment.told();
    tokio::spawn(async move {
        let Some(io) = connection.await else { return };
        attachment.run(io).await;
    });
    Ok(response)
}

/// `GET /containers/{id}/attach/ws`: the same over a WebSocket, both outputs as one.
pub(super) async fn attach_by_socket(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Version(spoken): Version,
    Query(p): Query<Parameters>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    // Before 1.42 a client had all three, whatever it asked for.
    let on = |name: &str| spoken < 42 || p.on(name);
    let wanted = Wanted { stdin: on("stdin"), stdout: on("stdout"), stderr: on("stderr") };
    let attachment = Attachment::of(engine, &id, &p, wanted)?.raw();
    let upgrade = upgrade.map_err(|e| Error::new(e.status(), e.body_text()))?;
    attachment.told();
    Ok(upgrade.max_message_size(websocket::MESSAGE).on_upgrade(|socket| websocket::serve(socket, attachment)))
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
    (mut reader, mut keys, left): (impl AsyncRead + Unpin, Option<Keys>, tokio::sync::oneshot::Sender<()>),
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

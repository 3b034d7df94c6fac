//! Executions: `docker exec`.

use super::body::{Body, wrong};
use super::detach::Keys;
use super::error::{Answer, Error};
use super::hijack::{Framing, take_over};
use super::query::Parameters;
use super::version::Version;
use crate::engine::Engine;
use crate::engine::exec::{Attached, Exec, ExecState, Request as Wanted};
use crate::engine::output::Stream;
use crate::engine::streams::Reader;
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::response::IntoResponse;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// The longest body of a start.
const BODY: usize = 64 << 10;

/// How long output may still come after the process itself has ended: its children may hold the pipe for ever.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(500);

/// `POST /containers/{id}/exec`
pub(super) async fn create(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Body(wanted): Body<Wanted>,
) -> Answer {
    let id = engine.exec_create(&id, wanted)?;
    Ok((StatusCode::CREATED, Json(json!({ "Id": id }))).into_response())
}

/// The body of a start.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Start {
    detach: bool,
    console_size: Option<[u16; 2]>,
}

/// `POST /exec/{id}/start`
pub(super) async fn start(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    spoken: Version,
    request: Request,
) -> Answer {
    let exec = engine.exec(&id)?;
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY).await.map_err(|e| Error::bad(e.to_string()))?;
    let mut request = Request::from_parts(parts, axum::body::Body::empty());
    let framing = Framing::of(exec.request.tty);
    let wanted: Start = if bytes.is_empty() {
        Start::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|e| wrong(&e))?
    };
    let [rows, cols] = wanted.console_size.filter(|s| s.iter().all(|n| *n > 0)).unwrap_or([24, 80]);
    let keys = Keys::parse(exec.request.detach_keys.as_deref().unwrap_or_default())?;
    let attached = match engine.exec_start(&id, cols, rows).await {
        Err(crate::engine::Error::Start(failure)) if !wanted.detach => {
            return told(&mut request, framing, spoken, failure.to_string());
        }
        other => other?,
    };
    if wanted.detach {
        // Nobody reads: what it prints is dropped, so that it does not stand still.
        tokio::spawn(async move {
            let mut output = merge(attached.readers);
            while output.recv().await.is_some() {}
        });
        return Ok(StatusCode::OK.into_response());
    }
    let (response, connection) = take_over(&mut request, framing, spoken)?;
    let keys = exec.request.tty.then_some(keys);
    tokio::spawn(async move {
        let Some(io) = connection.await else { return };
        if let Over::Left = converse(attached, io, framing, keys, &exec).await {
            engine.exec_left(&exec);
        }
    });
    Ok(response)
}

/// Why a command could not be run, said where its output would be, as Docker does: its code is asked for afterwards.
fn told(request: &mut Request, framing: Framing, spoken: Version, words: String) -> Answer {
    let (response, connection) = take_over(request, framing, spoken)?;
    tokio::spawn(async move {
        let Some(mut io) = connection.await else { return };
        let bytes = axum::body::Bytes::from(words + "\r\n");
        let chunk = crate::engine::output::Chunk { stream: Stream::Stdout, bytes };
        // Whoever asked may be gone.
        io.write_all(&framing.encode(&chunk)).await.unwrap_or_default();
        io.shutdown().await.unwrap_or_default();
    });
    Ok(response)
}

/// How a conversation ends.
enum Over {
    /// The process has ended, or the client is gone.
    Ended,
    /// The client left by the keys for it.
    Left,
}

async fn converse(
    attached: Attached,
    io: impl AsyncReadExt + AsyncWriteExt + Send + Unpin + 'static,
    framing: Framing,
    keys: Option<Keys>,
    exec: &Exec,
) -> Over {
    let mut state = exec.state.subscribe();
    let wanted = |stream| match stream {
        Stream::Stdout => exec.request.attach_stdout,
        Stream::Stderr => exec.request.attach_stderr,
    };
    let leaving = std::sync::Arc::new(tokio::sync::Notify::new());
    let left = std::sync::Arc::clone(&leaving);
    let mut keys = keys;
    let Attached { input, readers } = attached;
    let (mut reader, mut writer) = tokio::io::split(io);
    let typing = tokio::spawn(async move {
        let Some(input) = input else { return };
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            let (typed, leaves) = match &mut keys {
                Some(keys) => keys.pass(&buffer[..n]),
                None => (buffer[..n].to_vec(), false),
            };
            if !typed.is_empty() && input.write(&typed).await.is_err() {
                return;
            }
            if leaves {
                left.notify_one();
                return;
            }
        }
        // The end of what was typed is the end of the input, by dropping it.
    });
    let mut output = merge(readers);
    let mut over = state.clone();
    let ended = async {
        state.wait_for(|s| matches!(s, ExecState::Ended(_))).await.map(drop).unwrap_or_default();
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::pin!(ended);
    loop {
        let chunk = tokio::select! {
            chunk = output.recv() => chunk,
            () = &mut ended => None,
            () = leaving.notified() => {
                writer.shutdown().await.unwrap_or_default();
                // What the process prints from now on is dropped, so that it does not stand still.
                tokio::spawn(async move { while output.recv().await.is_some() {} });
                return Over::Left;
            }
        };
        let Some(chunk) = chunk else { break };
        if wanted(chunk.stream) && writer.write_all(&framing.encode(&chunk)).await.is_err() {
            break;
        }
    }
    // Whoever sees the end asks for the exit code, which comes another way and may be later than the end of the output.
    over.wait_for(|s| matches!(s, ExecState::Ended(_))).await.map(drop).unwrap_or_default();
    typing.abort();
    writer.shutdown().await.unwrap_or_default();
    Over::Ended
}

fn merge(readers: Vec<Reader>) -> mpsc::Receiver<crate::engine::output::Chunk> {
    let (sender, receiver) = mpsc::channel(16);
    for reader in readers {
        let sender = sender.clone();
        tokio::spawn(async move {
            while let Some(chunk) = reader.next().await {
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// `POST /exec/{id}/resize`
pub(super) async fn resize(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer<StatusCode> {
    let (cols, rows) = p.size()?;
    engine.exec_resize(&id, cols, rows).await?;
    Ok(StatusCode::CREATED)
}

/// `GET /exec/{id}/json`
pub(super) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Answer<Json<Value>> {
    let exec = engine.exec(&id)?;
    let (running, code, pid) = match *exec.state.borrow() {
        ExecState::Created => (false, None, 0),
        ExecState::Running(pid) => (true, None, pid),
        ExecState::Ended(code) => (false, Some(code), 0),
    };
    let command = exec.request.cmd.split_first();
    let mut process = json!({
        "tty": exec.request.tty,
        "entrypoint": command.map(|c| c.0),
        "arguments": command.map(|c| c.1),
        "privileged": false,
    });
    if let Some(user) = exec.request.user.as_ref().filter(|user| !user.is_empty()) {
        process["user"] = json!(user);
    }
    Ok(Json(json!({
        "ID": exec.id,
        "ContainerID": exec.container,
        "Running": running,
        "ExitCode": code,
        "Pid": pid,
        "OpenStdin": exec.request.attach_stdin,
        "OpenStdout": exec.request.attach_stdout,
        "OpenStderr": exec.request.attach_stderr,
        "CanRemove": false,
        "DetachKeys": "",
        "ProcessConfig": process,
    })))
}

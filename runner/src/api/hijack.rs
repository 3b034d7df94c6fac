//! Connections that stop speaking HTTP: streams of a process, and descriptors.

use super::error::{Answer, Error};
use super::version::Version;
use crate::engine::output::{Chunk, Stream};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt;
use hyper::StatusCode;
use hyper::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use hyper_util::rt::TokioIo;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

/// Bytes that may be on their way to a client without an upgrade.
const PIPE: usize = 64 * 1024;
/// How often, and how many times at most, a connection is looked at before what comes after the head is sent.
const LOOK: Duration = Duration::from_millis(1);
const LOOKS: usize = 600;
/// The first are close together: a client that waits for the head has it after some microseconds.
const QUICK: usize = 100;

/// How output is put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// As it is: a terminal.
    Raw,
    /// Frames with a head of 8 bytes that says of which stream they are.
    Multiplexed,
}

impl Framing {
    pub(super) fn of(tty: bool) -> Self {
        if tty { Self::Raw } else { Self::Multiplexed }
    }

    /// Before 1.42 there was one name for both.
    pub(super) fn content_type(self, Version(spoken): Version) -> &'static str {
        match self {
            _ if spoken < 42 => "application/vnd.docker.raw-stream",
            Self::Raw => "application/vnd.docker.raw-stream",
            Self::Multiplexed => "application/vnd.docker.multiplexed-stream",
        }
    }

    /// A piece of output as it goes on the wire.
    pub(super) fn encode(self, chunk: &Chunk) -> Vec<u8> {
        match self {
            Self::Raw => chunk.bytes.to_vec(),
            Self::Multiplexed => {
                let stream = match chunk.stream {
                    Stream::Stdout => 1,
                    Stream::Stderr => 2,
                };
                let len = u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
                let mut frame = vec![stream, 0, 0, 0, len[0], len[1], len[2], len[3]];
                frame.extend_from_slice(&chunk.bytes);
                frame
            }
        }
    }
}

/// What is read from a client and written to it, once HTTP is out of the way.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Both ways of a connection that was taken over.
pub(super) type Taken = Box<dyn Io>;

/// The answer to a call that takes its connection over, and the connection once it has been sent.
///
/// A client that asks for no upgrade gets what is printed as the body of a 200; what it sends is the body of its request.
///
/// # Errors
/// 400 if the connection cannot be taken over.
pub(super) fn take_over(
    request: &mut Request,
    framing: Framing,
    spoken: Version,
) -> Answer<(Response, impl Future<Output = Option<Taken>> + Send + use<>)> {
    let response = Response::builder().header(CONTENT_TYPE, framing.content_type(spoken));
    let (response, connection): (_, Pin<Box<dyn Future<Output = Option<Taken>> + Send>>) =
        if request.headers().contains_key(UPGRADE) {
            let upgrade = hyper::upgrade::on(&mut *request);
            let response = response
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(CONNECTION, "Upgrade")
                .header(UPGRADE, "tcp");
            let taken = async move {
                let upgraded = upgrade.await.ok()?;
                Some(head_read(upgraded).await)
            };
            (response.body(Body::empty()), Box::pin(taken))
        } else {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            let (printed, mut typed) = tokio::io::split(theirs);
            let body = std::mem::take(request.body_mut()).into_data_stream();
            let body = body.map(|piece| piece.map_err(io::Error::other));
            tokio::spawn(async move {
                let mut body = tokio_util::io::StreamReader::new(body);
                // The end of the request, or the client's: either way nothing more is typed.
                tokio::io::copy(&mut body, &mut typed).await.map(drop).unwrap_or_default();
                typed.shutdown().await.unwrap_or_default();
            });
            let body = Body::from_stream(tokio_util::io::ReaderStream::new(printed));
            (response.body(body), Box::pin(async move { Some(Box::new(ours) as Taken) }))
        };
    Ok((response.map_err(|e| Error::bad(e.to_string()))?, connection))
}

/// The connection once the client has read the head of the answer, or a little later. Some clients (docker-py for one) read the
/// head through a buffer and what follows past it: what came together with the head would be lost to them.
async fn head_read(upgraded: hyper::upgrade::Upgraded) -> Taken {
    let parts = match upgraded.downcast::<TokioIo<UnixStream>>() {
        Ok(parts) => parts,
        Err(other) => return Box::new(TokioIo::new(other)),
    };
    let stream = parts.io.into_inner();
    let unread = || sandlot_sys::unread::unread(stream.as_fd()).unwrap_or(0);
    for look in 0..LOOKS {
        if unread() == 0 {
            break;
        }
        if look < QUICK {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(LOOK).await;
        }
    }
    let (reading, writing) = stream.into_split();
    Box::new(tokio::io::join(io::Cursor::new(parts.read_buf).chain(reading), writing))
}

/// Answers 101 and sends descriptors once the client has said that it is ready for them.
///
/// # Errors
/// 400 if the connection cannot be taken over.
pub(super) fn hand_over(
    mut request: Request,
    header: Option<(&'static str, &str)>,
    descriptors: Vec<OwnedFd>,
) -> Answer {
    let upgrade = hyper::upgrade::on(&mut request);
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, sandlot_wire::UPGRADE);
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        if let Err(e) = send(upgraded, descriptors).await {
            tracing::warn!("a descriptor was not handed over: {e}");
        }
    });
    response.body(Body::empty()).map_err(|e| Error::bad(e.to_string()))
}

async fn send(upgraded: hyper::upgrade::Upgraded, descriptors: Vec<OwnedFd>) -> io::Result<()> {
    let parts = upgraded
        .downcast::<TokioIo<UnixStream>>()
        .map_err(|_| io::Error::other("the connection is no unix socket"))?;
    let mut stream = parts.io.into_inner();
    let mut ready = [0];
    if parts.read_buf.first() != Some(&sandlot_wire::READY) {
        stream.read_exact(&mut ready).await?;
        if ready[0] != sandlot_wire::READY {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client sent something else than ready",
            ));
        }
    }
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    loop {
        stream.writable().await?;
        let sent = stream.try_io(tokio::io::Interest::WRITABLE, || {
            sandlot_sys::scm::send(stream.as_fd(), &[sandlot_wire::HANDOVER], &borrowed)
        });
        match sent {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return other.map(drop),
        }
    }
}

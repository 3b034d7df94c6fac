//! Streams over a connection that was taken over: what is typed goes in, what comes out is shown; signals and the
//! terminal's size are passed on meanwhile. Knows no command.

use super::client::{Call, Client, Connection};
use super::error::Error;
use super::terminal::{self, Detach, Typed};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::Method;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// Bytes that are moved at once.
const PIECE: usize = 32 << 10;
/// The length of a frame's head: stream, three zeros, length.
const HEAD: usize = 8;

/// How output comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// As it is: a terminal.
    Raw,
    /// In frames that say of which stream they are.
    Multiplexed,
}

impl Framing {
    /// What processes with or without a terminal have.
    pub(super) fn of(tty: bool) -> Self {
        if tty { Self::Raw } else { Self::Multiplexed }
    }
}

/// What is done with standard input.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// Nothing.
    Ignored,
    /// It is passed on to its end.
    Piped,
    /// It is typed; these keys detach.
    Typed(Detach),
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The other end closed.
    Closed,
    /// The keys that detach were typed.
    Detached,
}

/// Passes everything on until the other end closes or the user detaches.
pub(super) async fn converse(connection: Connection, framing: Framing, input: Input) -> Result<End, Error> {
    let (reader, writer) = tokio::io::split(connection);
    let typing = async {
        match input {
            Input::Ignored => std::future::pending().await,
            Input::Piped => feed(writer, None).await,
            Input::Typed(keys) => feed(writer, Some(keys)).await,
        }
    };
    tokio::select! {
        shown = show(reader, framing) => shown.map(|()| End::Closed),
        () = typing => Ok(End::Detached),
    }
}

/// Passes standard input on; comes back only if the user detaches.
async fn feed(mut writer: impl AsyncWrite + Unpin, mut keys: Option<Detach>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; PIECE];
    // A read error is an end as good as any other, and a write error means that the other end says the rest.
    while let Ok(n @ 1..) = stdin.read(&mut buffer).await {
        let typed = keys.as_mut().map(|keys| keys.type_in(&buffer[..n]));
        let (bytes, detached) = match &typed {
            None => (&buffer[..n], false),
            Some(Typed::Input(bytes)) => (&bytes[..], false),
            Some(Typed::Detach(bytes)) => (&bytes[..], true),
        };
        if writer.write_all(bytes).await.is_err() || writer.flush().await.is_err() {
            break;
        }
        if detached {
            return;
        }
    }
    // The half-close ends the process's input; its output still comes.
    writer.shutdown().await.unwrap_or_default();
    std::future::pending().await
}

/// Shows output to its end.
pub(super) async fn show(mut reader: impl AsyncRead + Unpin, framing: Framing) -> Result<(), Error> {
    let mut out = tokio::io::stdout();
    let mut err = tokio::io::stderr();
    let mut buffer = vec![0; PIECE];
    let broken = |e: std::io::Error| Error::Protocol(e.to_string());
    loop {
        let (stream, mut left) = match framing {
            Framing::Raw => (1, usize::MAX),
            Framing::Multiplexed => {
                let mut head = [0; HEAD];
                if let Err(e) = reader.read_exact(&mut head).await {
                    return if e.kind() == std::io::ErrorKind::UnexpectedEof {
                        Ok(())
                    } else {
                        Err(broken(e))
                    };
                }
                (head[0], u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize)
            }
        };
        while left > 0 {
            let room = left.min(PIECE);
            let n = reader.read(&mut buffer[..room]).await.map_err(broken)?;
            if n == 0 {
                return Ok(());
            }
            left -= n;
            let bytes = &buffer[..n];
            let shown = match stream {
                2 => async { err.write_all(bytes).await.and(err.flush().await) }.await,
                _ => async { out.write_all(bytes).await.and(out.flush().await) }.await,
            };
            shown.map_err(Error::io("standard output"))?;
        }
    }
}

/// Signals that are passed on to a container.
pub(super) const PROXIED: [(&str, i32); 6] =
    [("HUP", 1), ("INT", 2), ("QUIT", 3), ("USR1", 10), ("USR2", 12), ("TERM", 15)];

/// Passes signals on to the container, for ever.
pub(super) async fn proxy_signals(client: &Client, id: &str) {
    let watch = |(name, number): (&'static str, i32)| async move {
        let Ok(mut signals) = signal(SignalKind::from_raw(number)) else {
            return std::future::pending().await;
        };
        while signals.recv().await.is_some() {
            let call = Call::container(Method::POST, id, "kill").query("signal", name);
            // A container that has just ended needs none.
            client.done(call).await.unwrap_or_default();
        }
    };
    PROXIED.into_iter().map(watch).collect::<FuturesUnordered<_>>().collect::<()>().await;
}

/// Tells the engine the terminal's size, now and whenever it changes, for ever. `target`: `/containers/ID`, `/exec/ID`.
pub(super) async fn pass_size_on(client: &Client, target: &str) {
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return std::future::pending().await };
    loop {
        if let Some((columns, rows)) = terminal::size() {
            let call = Call::post(format!("{target}/resize")).query("w", columns.to_string());
            // It may not run yet, or not any more.
            client.done(call.query("h", rows.to_string())).await.unwrap_or_default();
        }
        changes.recv().await;
    }
}

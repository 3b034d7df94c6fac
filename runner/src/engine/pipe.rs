//! From a thread that writes to a stream that is read: an archive on its way to a client.

use bytes::Bytes;
use futures_util::Stream;
use std::io::{self, Write};
use tokio::sync::mpsc;

/// How much is on its way at most: so many pieces of so many bytes.
const PIECES: usize = 8;
const PIECE: usize = 128 << 10;

/// The end that is written to.
#[derive(Debug)]
pub struct Writer {
    sender: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
    ended: bool,
}

impl Writer {
    /// Lets `work` write, and ends the stream: as it should, or with the error, which whoever reads gets to see as well.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn fill<E: std::fmt::Display>(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let outcome = work(&mut self);
        self.ended = true;
        let last = match &outcome {
            Ok(()) => self.flush(),
            Err(e) => {
                self.sender.blocking_send(Err(io::Error::other(e.to_string()))).map_err(io::Error::other)
            }
        };
        // A reader that left misses nothing.
        last.unwrap_or_default();
        outcome
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::replace(&mut self.waiting, Vec::with_capacity(PIECE)));
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.pass_on() }
    }
}

impl Drop for Writer {
    /// What was not ended is broken: an archive that stops short must not look whole.
    fn drop(&mut self) {
        if !self.ended {
            self.sender.try_send(Err(io::Error::other("it broke off"))).unwrap_or_default();
        }
    }
}

/// Both ends. Writing blocks, so it is for a thread of its own.
pub fn pipe() -> (Writer, impl Stream<Item = io::Result<Bytes>> + Send + Unpin + use<>) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (Writer { sender, waiting: Vec::with_capacity(PIECE), ended: false }, Box::pin(stream))
}

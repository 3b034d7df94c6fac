//! Reading ahead on a thread of its own: what is read here was decompressed there meanwhile.
//!
//! It knows bytes only. A few buffers go round between the two threads; a reader that ends early ends the thread.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Scope;

/// Bytes of a buffer.
const PIECE: usize = 256 << 10;
/// How many go round.
const PIECES: usize = 4;

/// What is read on another thread.
pub(super) struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    piece: Vec<u8>,
    begin: usize,
}

impl Ahead {
    /// Begins to read what `open` opens; that is done on the other thread, too.
    pub(super) fn start<'s, R: BufRead>(
        scope: &'s Scope<'s, '_>,
        open: impl FnOnce() -> io::Result<R> + Send + 's,
    ) -> io::Result<Self> {
        let (sender, full) = sync_channel(PIECES);
        let (empty, receiver) = channel();
        for _ in 0..PIECES {
            empty.send(Vec::with_capacity(PIECE)).map_err(io::Error::other)?;
        }
        std::thread::Builder::new()
            .name("inflate".to_owned())
            .spawn_scoped(scope, move || fill(open, &sender, &receiver))?;
        Ok(Self { full, empty, piece: Vec::new(), begin: 0 })
    }
}

/// Fills empty buffers until there is nothing more to read, or nobody who reads.
fn fill<R: BufRead>(
    open: impl FnOnce() -> io::Result<R>,
    full: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    let mut source = match open() {
        Ok(source) => source,
        Err(e) => return full.send(Err(e)).unwrap_or_default(),
    };
    while let Ok(mut piece) = empty.recv() {
        piece.clear();
        match take(&mut source, &mut piece) {
            Ok(()) if piece.is_empty() => return,
            Ok(()) => {
                if full.send(Ok(piece)).is_err() {
                    return;
                }
            }
            Err(e) => {
                // What came before the error is read before it.
                let _nobody_reads = full.send(Ok(piece)).and_then(|()| full.send(Err(e)));
                return;
            }
        }
    }
}

/// Fills a buffer, as far as there is something to fill it with.
fn take(source: &mut impl BufRead, piece: &mut Vec<u8>) -> io::Result<()> {
    while piece.len() < PIECE {
        let some = source.fill_buf()?;
        if some.is_empty() {
            return Ok(());
        }
        let n = some.len().min(PIECE - piece.len());
        piece.extend_from_slice(&some[..n]);
        source.consume(n);
    }
    Ok(())
}

impl BufRead for Ahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.begin == self.piece.len() {
            let used = std::mem::take(&mut self.piece);
            if used.capacity() > 0 {
                // The other thread may have ended.
                self.empty.send(used).unwrap_or_default();
            }
            self.begin = 0;
            match self.full.recv() {
                Ok(piece) => self.piece = piece?,
                Err(_ended) => break,
            }
        }
        Ok(&self.piece[self.begin..])
    }

    fn consume(&mut self, amount: usize) {
        self.begin = self.piece.len().min(self.begin + amount);
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut piece = self.fill_buf()?;
        let n = piece.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn all_comes_in_order_and_errors_come_last() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        std::thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, || Ok(&bytes[..])).unwrap();
            let mut read = Vec::new();
            ahead.read_to_end(&mut read).unwrap();
            assert!(read == bytes);
            let broken = || Ok(BufReader::new((&bytes[..]).chain(Broken)));
            let mut ahead = Ahead::start(scope, broken).unwrap();
            read.clear();
            assert_eq!(ahead.read_to_end(&mut read).unwrap_err().to_string(), "broken");
            assert!(read == bytes);
            let mut ahead =
                Ahead::start(scope, || Err::<BufReader<Broken>, _>(io::Error::other("closed"))).unwrap();
            assert_eq!(ahead.read_to_end(&mut read).unwrap_err().to_string(), "closed");
            // Left early: the scope ends all the same.
            Ahead::start(scope, || Ok(BufReader::new(io::repeat(1))))
                .unwrap()
                .read_exact(&mut [0; 10])
                .unwrap();
        });
    }
}

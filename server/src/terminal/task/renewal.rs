//! A terminal that goes on with another pty: the viewers and the page's typing stay, the screen is cleared, and words say why.

use super::Task;
use super::sizes::set_size;
use crate::terminal::{Error, Line, Phase};
use rustix::pipe::{PipeFlags, pipe_with};
use sandlot_wire::ring::Ring;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Brings any emulator back to its beginning (RIS), whatever the last program did to it, and forgets what was scrolled out.
const CLEAR: &str = "\x1bc\x1b[3J";

impl Task {
    /// Goes on with `line`; what it held before is let go.
    pub(super) fn renew(&mut self, line: Line, words: &str) -> Result<(), Error> {
        let Line { master, ring, resized, .. } = line;
        let mut ring = Ring::attach(ring)?;
        rustix::io::ioctl_fionbio(&master, true).map_err(io::Error::from)?;
        set_size(&master, self.size)?;
        if let Some(resized) = &resized {
            resized.send_replace(self.size);
        }
        #[expect(deprecated, reason = "its successor is unsafe for types that may lie; an OwnedFd is true")]
        let master = AsyncFd::with_interest(master, Interest::READABLE | Interest::WRITABLE)?;
        // The words stand in the ring before all that the new program prints, so that who comes later reads them, too.
        let said = put(&mut ring, &format!("{CLEAR}{words}\r\n\r\n"))?;
        self.flush();
        (self.master, self.ring, self.resized) = (master, ring, resized);
        self.pending.clear();
        self.tail.clear();
        self.screen = None;
        self.unsent = said;
        self.tape.iter().for_each(|tape| tape.marker("reset"));
        self.flush();
        let _ = self.phase.send(Phase::Open);
        Ok(())
    }
}

/// Writes text to a ring as if a program had printed it; how many bytes.
fn put(ring: &mut Ring, text: &str) -> Result<usize, io::Error> {
    let (read, write): (OwnedFd, OwnedFd) = pipe_with(PipeFlags::CLOEXEC)?;
    // Less than a pipe holds.
    rustix::io::write(&write, text.as_bytes())?;
    drop(write);
    let mut total = 0;
    while total < text.len() {
        match ring.read_from(read.as_fd(), text.len() - total)?.n {
            0 => break,
            n => total += n,
        }
    }
    Ok(total)
}

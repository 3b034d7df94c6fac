//! The outer ends of a process's streams, as tokio reads and writes them.

use super::output::{Chunk, Stream};
use crate::spawner::client::StdioFds;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// The write end of a process's standard input, or its terminal.
#[derive(Debug)]
pub struct Input(pipe::Sender);

impl Input {
    /// # Errors
    /// What registering the descriptor answers.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        // Unchecked: a terminal's master is waited for just like a pipe.
        Ok(Self(pipe::Sender::from_file_unchecked(File::from(fd))?))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What `write(2)` answers: `EPIPE` when nobody reads any more.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Tells a terminal its size.
    ///
    /// # Errors
    /// What the ioctl answers: `ENOTTY` for a pipe.
    pub fn resize(&self, cols: u16, rows: u16) -> io::Result<()> {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.0, size)?)
    }
}

/// The read end of what a process prints.
#[derive(Debug)]
pub struct Reader(pipe::Receiver, Stream);

impl Reader {
    fn new(fd: OwnedFd, stream: Stream) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self(pipe::Receiver::from_file_unchecked(File::from(fd))?, stream))
    }

    /// The next piece; `None` at the end. A terminal whose last process closed it ends with `EIO`.
    pub async fn next(&self) -> Option<Chunk> {
        loop {
            self.0.readable().await.ok()?;
            // Nothing is kept for what is still to come, and of what came no more than that: many pieces may wait somewhere.
            let mut buffer = vec![0; READ];
            match self.0.try_read(&mut buffer) {
                Ok(n @ 1..) => {
                    buffer.truncate(n);
                    buffer.shrink_to_fit();
                    return Some(Chunk { stream: self.1, bytes: Bytes::from(buffer) });
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }
}

/// The streams of a process: where to write, and what to read.
#[derive(Debug)]
pub struct Streams {
    /// Standard input, or the terminal.
    pub input: Option<Input>,
    /// Output and error, or the terminal.
    pub readers: Vec<Reader>,
}

impl Streams {
    /// # Errors
    /// What registering the descriptors answers.
    pub fn new(stdio: StdioFds) -> io::Result<Self> {
        Ok(match stdio {
            StdioFds::Null => Self { input: None, readers: Vec::new() },
            StdioFds::Terminal(master) => Self {
                input: Some(Input::new(master.try_clone()?)?),
                readers: vec![Reader::new(master, Stream::Stdout)?],
            },
            StdioFds::Pipes { stdin, stdout, stderr } => Self {
                input: stdin.map(Input::new).transpose()?,
                readers: vec![Reader::new(stdout, Stream::Stdout)?, Reader::new(stderr, Stream::Stderr)?],
            },
        })
    }
}

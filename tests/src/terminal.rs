//! A person at a terminal: a program on a real pty, typed at and read.

use crate::wait::PATIENCE;
use anyhow::{Context, Result, bail};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// The program, its pty, and what it printed so far.
pub struct Person {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    child: Box<dyn Child + Send + Sync>,
    seen: String,
}

impl Person {
    /// Starts `command` on a terminal of that many columns and rows.
    ///
    /// # Errors
    /// When there is no pty or no such program.
    pub fn start(command: CommandBuilder, cols: u16, rows: u16) -> Result<Self> {
        let pair = native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })?;
        let child = pair.slave.spawn_command(command)?;
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader()?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            keyboard: pair.master.take_writer()?,
            master: pair.master,
            output,
            child,
            seen: String::new(),
        })
    }

    /// Types.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn type_in(&mut self, text: &str) -> Result<()> {
        self.keyboard.write_all(text.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Changes the window's size.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, cols: u16, rows: u16) -> Result<()> {
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
    }

    /// Reads until `text` was printed; what came up to it is consumed and answered.
    ///
    /// # Errors
    /// When it is not, with what was printed instead.
    pub fn until(&mut self, text: &str) -> Result<String> {
        loop {
            if let Some(found) = self.seen.find(text) {
                return Ok(self.seen.drain(..found + text.len()).collect());
            }
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("waited in vain for {text:?}; printed: {:?}", self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("ended before {text:?}; printed: {:?}", self.seen)
                }
            }
        }
    }

    /// Waits for the program's end; its exit code.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn end(&mut self) -> Result<u32> {
        Ok(self.child.wait().context("the program's end")?.exit_code())
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
    }
}

//! The terminal's size: it is its driver's, and the others are told.

use super::Task;
use crate::terminal::protocol::{NoticeLevel, ServerMessage, TerminalMode};
use crate::terminal::{Error, ViewerId};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use sandlot_wire::Size;
use std::io;
use std::os::fd::AsFd;

/// The size of a terminal whose pty has none.
const DEFAULT: Size = Size { cols: 80, rows: 24 };

impl Task {
    pub(super) fn resize(&mut self, id: ViewerId, size: Size) {
        let Some(viewer) = self.viewers.get_mut(id) else { return };
        if viewer.mode == TerminalMode::View {
            return viewer.refuse();
        }
        if size.clamped() != size {
            let text = format!(
                "a terminal of {} × {} is refused: both must be between 1 and {}",
                size.cols,
                size.rows,
                Size::MAX
            );
            return viewer.outbox.push_message(ServerMessage::Notice { level: NoticeLevel::Warning, text });
        }
        match self.viewers.sized(id, size) {
            Some(size) => self.take_size(size, Some(id)),
            // Not the driver's: the viewer is told which size there is.
            None if size != self.size => {
                let Size { cols, rows } = self.size;
                self.viewers.tell(id, ServerMessage::Size { cols, rows });
            }
            None => (),
        }
    }

    /// Who is there has changed: everybody is told, and the size may be another's now.
    pub(super) fn people_changed(&mut self) {
        let size = self.viewers.left();
        self.follow(size);
    }

    /// Follows the driver's size, if there is another driver.
    pub(super) fn follow(&mut self, size: Option<Size>) {
        if let Some(size) = size {
            self.take_size(size, None);
        }
    }

    fn take_size(&mut self, size: Size, teller: Option<ViewerId>) {
        if size == self.size {
            return;
        }
        if let Err(error) = self.change_size(size) {
            tracing::warn!(terminal = self.id, %error, "cannot resize the terminal");
            return;
        }
        self.viewers.announce(&ServerMessage::Size { cols: size.cols, rows: size.rows }, teller);
    }

    fn change_size(&mut self, size: Size) -> Result<(), Error> {
        if self.ring.seq()? > 0 {
            self.flip(size)?;
        }
        self.size = size;
        set_size(&self.master, size)?;
        if let Some(resized) = &self.resized {
            resized.send_replace(size);
        }
        if let Some(tape) = &self.tape {
            tape.resize(size);
        }
        Ok(())
    }
}

/// The size that a pty has; one without any gets the usual one.
pub(super) fn found(master: impl AsFd) -> io::Result<Size> {
    let found = tcgetwinsize(&master).map_err(io::Error::from)?;
    let mut size = Size { cols: found.ws_col, rows: found.ws_row };
    if size.clamped() != size {
        size = if size.cols == 0 || size.rows == 0 { DEFAULT } else { size.clamped() };
        set_size(&master, size)?;
    }
    Ok(size)
}

pub(super) fn set_size(master: impl AsFd, size: Size) -> io::Result<()> {
    let size = Winsize { ws_col: size.cols, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(tcsetwinsize(master, size)?)
}

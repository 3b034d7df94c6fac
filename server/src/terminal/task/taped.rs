//! A terminal's recording, as its task keeps it.

use super::Task;
use crate::terminal::Command;
use crate::terminal::protocol::{NoticeLevel, RecordingState, ServerMessage};
use crate::terminal::recording::{Held, Input, Stopped, Tape};
use bytes::Bytes;

impl Task {
    /// Begins the recording, or goes on with the one that is there: what was printed while nobody wrote it down is in
    /// the ring.
    pub(super) fn begin_tape(&mut self) {
        let Some(tape) = &mut self.tape else { return };
        let commands = self.commands.clone();
        let stopped = Box::new(move |why: Stopped| {
            if let Some(commands) = commands.upgrade() {
                let _ = commands.blocking_send(Command::Stopped(why));
            }
        });
        let held = match tape.begin(self.size, stopped) {
            Ok(held) => held,
            Err(error) => {
                tracing::error!(terminal = self.id, %error, "the terminal is not recorded");
                return self.tape_stopped(&Stopped::Disk(error.to_string()));
            }
        };
        let seq = self.ring.seq().unwrap_or(0);
        let missing = match held {
            Held::Nothing => (seq > 0).then_some(u64::MAX),
            Held::UpTo(held) => Some(seq.checked_sub(held).unwrap_or(u64::MAX)),
        };
        let filled = self.ring.filled() as u64;
        match missing {
            None | Some(0) => (),
            Some(missing) if missing <= filled => {
                let missing = usize::try_from(missing).unwrap_or(usize::MAX);
                if let Ok(bytes) = self.ring.last(missing) {
                    self.record(bytes.into());
                }
            }
            Some(_) => {
                let screen = self.replay();
                if let Some(tape) = &mut self.tape {
                    tape.screen(screen, seq);
                }
            }
        }
        if let (Held::UpTo(_), Some(tape)) = (held, &self.tape) {
            tape.resize(self.size);
        }
    }

    pub(super) fn record(&mut self, bytes: Bytes) {
        if let Some(tape) = &mut self.tape {
            tape.output(bytes, self.ring.seq().unwrap_or(0));
        }
    }

    /// Records the screen anew, if something was passed over and the time has come.
    pub(super) fn record_screen(&mut self) {
        if !self.tape.as_mut().is_some_and(Tape::wants_screen) {
            return;
        }
        let (screen, seq) = (self.replay(), self.ring.seq().unwrap_or(0));
        if let Some(tape) = &mut self.tape {
            tape.screen(screen, seq);
        }
    }

    /// What a viewer is told of the recording, if there is one.
    pub(super) fn recording(&self) -> Option<ServerMessage> {
        let input = self.tape.as_ref()?.input() == Input::Kept;
        Some(ServerMessage::Recording { state: RecordingState::On, input })
    }

    /// The recording goes on no longer; the terminal does.
    pub(super) fn tape_stopped(&mut self, why: &Stopped) {
        if self.tape.take().is_none() {
            return;
        }
        let notice = ServerMessage::Notice { level: NoticeLevel::Warning, text: why.to_string() };
        self.viewers.announce(&notice, None);
        let stopped = ServerMessage::Recording { state: RecordingState::Stopped, input: false };
        self.viewers.announce(&stopped, None);
    }
}

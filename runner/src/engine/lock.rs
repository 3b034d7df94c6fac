//! One engine at a time has a state: two would give the same ids to two containers.

use super::error::Error;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// The lock on a state, held until it is dropped, or its holder dies.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Takes it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another engine has it.
    pub(super) fn take(state: &Path) -> Result<Self, Error> {
        use super::error::Doing;
        let path = state.join("lock");
        let doing = || format!("locking {}", path.display());
        std::fs::create_dir_all(state).doing(doing)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).doing(doing)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _held: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Conflict(format!(
                "the state {} is in use by another engine, or by a command that runs one: wait for its end, or name another \
                 by --state or SANDLOT_STATE",
                state.display()
            ))),
            Err(other) => Err(other).doing(doing),
        }
    }
}

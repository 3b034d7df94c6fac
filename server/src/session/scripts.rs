//! What courses ask of whoever runs containers: a script run to its end in a session, by a shell that is not the session's.

use super::engine::Reply;
use super::policy::Caller;
use super::{Error, Sessions};
pub use sandlot_wire::{Script, ScriptEnd};

/// Scripts in containers.
pub trait Scripts: Send + Sync {
    /// Runs one to its end, or its time limit.
    fn run<'a>(&'a self, container: &'a str, script: &'a Script) -> Reply<'a, ScriptEnd>;
}

impl Sessions {
    /// Runs a script in a session.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, not offered, the engine.
    pub async fn run_script(&self, caller: &Caller, id: &str, script: &Script) -> Result<ScriptEnd, Error> {
        let (_, container) = self.up(caller, id)?;
        let scripts = self.inner.engine.scripts().ok_or(Error::NotOffered("checks of labs"))?;
        Ok(scripts.run(&container, script).await?)
    }
}

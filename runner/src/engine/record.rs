//! A container as it stands on disk, and the states it goes through.
//!
//! ```text
//! created ──start──▶ running ⇄ paused
//!    │                  │ its first process ends ──by its policy──▶ restarting ──▶ running
//!    │                  ▼
//!    └──remove──▶ (gone) ◀──remove── exited ──start──▶ running
//! ```

use super::error::{Doing, Error};
use super::model::{Config, HostConfig};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// One container's record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name, without a slash.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// The id of its image.
    pub image: String,
    /// What it is to be, the image's own configuration merged in.
    pub config: Config,
    /// What the host gives it.
    pub host: HostConfig,
    /// What is mounted in it.
    #[serde(default)]
    pub mounts: Vec<super::mount::Mount>,
    /// How its output is kept.
    #[serde(default)]
    pub logging: super::logging::Logging,
    /// How it is, if that is looked at.
    #[serde(default)]
    pub health: Option<super::health::Health>,
    /// The number of its range of ids.
    pub slot: u32,
    /// Which networks it is in.
    #[serde(default)]
    pub endpoints: Vec<super::networks::Endpoint>,
    /// Its ports that are published while it runs.
    #[serde(default)]
    pub published: Vec<super::networks::ports::Published>,
    /// Its checkpoints, by their names.
    #[serde(default)]
    pub checkpoints: BTreeMap<String, super::checkpoints::Saved>,
    /// What it is in.
    pub state: State,
    /// When it last ended, if it ever did.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// How often it was started again by its policy.
    #[serde(default)]
    pub restarts: u32,
    /// Whether a person stopped it: `unless-stopped` respects that.
    #[serde(default)]
    pub stopped_by_hand: bool,
    /// Whether it is frozen for the moment of a commit alone: if its engine dies meanwhile, the next one thaws it.
    #[serde(default)]
    pub held: bool,
}

/// What a container is in; see the diagram above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Never started.
    Created,
    /// Its first process runs.
    Running {
        /// The host's pid of that.
        pid: i32,
        /// Since when.
        since: Timestamp,
    },
    /// Frozen.
    Paused {
        /// The host's pid of its first process.
        pid: i32,
        /// When it was started.
        since: Timestamp,
    },
    /// Its first process has ended, and its policy starts it again in a moment.
    Restarting(Exit),
    /// Its first process has ended, or could not be started.
    Exited(Exit),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code; 128 plus the signal for a process that was killed.
    pub code: i32,
    /// Why it could not be started; empty otherwise.
    pub error: String,
    /// Whether the kernel killed something of it for memory.
    pub oom_killed: bool,
    /// When it was started; `None` if never.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

impl Exit {
    /// How long it ran.
    #[must_use]
    pub fn lasted(&self) -> Option<std::time::Duration> {
        Some(self.at.duration_since(self.started?).unsigned_abs())
    }
}

impl State {
    /// Docker's word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running { .. } => "running",
            Self::Paused { .. } => "paused",
            Self::Restarting(_) => "restarting",
            // One that could not be started has not been anything else yet.
            Self::Exited(exit) if exit.started.is_none() => "created",
            Self::Exited(_) => "exited",
        }
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit(&self) -> Option<&Exit> {
        match self {
            Self::Exited(exit) | Self::Restarting(exit) => Some(exit),
            _ => None,
        }
    }

    /// Whether Docker's words call it running: also in the pause before it is started again.
    #[must_use]
    pub fn active(&self) -> bool {
        self.alive().is_some() || matches!(self, Self::Restarting(_))
    }

    /// The pid of the first process, and since when it runs, paused or not.
    #[must_use]
    pub fn alive(&self) -> Option<(i32, Timestamp)> {
        match self {
            Self::Running { pid, since } | Self::Paused { pid, since } => Some((*pid, *since)),
            _ => None,
        }
    }
}

impl Record {
    /// It has ended: what it had in its networks is given back.
    pub(super) fn unplugged(&mut self) {
        self.endpoints.iter_mut().for_each(|e| e.live = None);
        self.published.clear();
    }

    /// Whether it is a session of the web server: its id there.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.config.labels.get(sandlot_wire::LABEL_SESSION).map(String::as_str)
    }

    /// Writes the record into the container's directory, in one piece or not at all.
    ///
    /// # Errors
    /// What the filesystem answers.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let what = || format!("writing the record of {}", self.id);
        let (new, path) = (dir.join("record.new"), dir.join("record.json"));
        let text = serde_json::to_vec(self).map_err(std::io::Error::other).doing(what)?;
        std::fs::write(&new, text).doing(what)?;
        std::fs::rename(&new, &path).doing(what)
    }

    /// Reads the record of a container's directory.
    ///
    /// # Errors
    /// What the filesystem answers, or that it is no record.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let what = || format!("reading the record of {}", dir.display());
        let text = std::fs::read(dir.join("record.json")).doing(what)?;
        serde_json::from_slice(&text).map_err(std::io::Error::other).doing(what)
    }
}

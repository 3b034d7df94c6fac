//! Arguments, environment and file become one valid [`Config`]; after that nobody checks again.
//!
//! Order: command line, then `SANDLOT_…`, then the file, then the default. Knows no server.

mod file;
mod options;
mod parse;
mod schedule;

use crate::session::Keeping;
use crate::session::engine::Limits;
use crate::session::policy::{Image, Policy, Recorded, Recording};
use crate::session::pool::Budget;
use crate::terminal::recording::{Input, Settings};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// Where a value came from, as an error names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command line argument or environment variable.
    Argument(String),
    /// A key of the file.
    File(PathBuf, String),
    /// The built-in default.
    Default(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "{name}"),
            Self::File(file, key) => write!(f, "{}: {key}", file.display()),
            Self::Default(key) => write!(f, "the default of {key}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments do not parse, or help was asked for; clap says the rest.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// The file cannot be read.
    #[error("{}: {error}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}: {error}", file.display())]
    Syntax {
        /// Which.
        file: PathBuf,
        /// Where and why.
        error: toml::de::Error,
    },
    /// The file has a key that is none.
    #[error("{}: there is no key {key:?}; there are: {known}", file.display())]
    UnknownKey {
        /// Which.
        file: PathBuf,
        /// The key.
        key: String,
        /// All keys.
        known: String,
    },
    /// A value is out of range.
    #[error("{origin}: {value:?} is not allowed: {allowed}")]
    Value {
        /// Where it came from.
        origin: Origin,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
}

/// Whom the server becomes once its port is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// `sandlot` if there is such a user, else the numbers of nobody.
    Usual,
    /// A user by name.
    Named(String),
    /// Numbers.
    Numbers {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// How long the web server waits for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a request's head.
    pub head: Duration,
    /// For a request with its body, answer included.
    pub request: Duration,
    /// For one write to a WebSocket.
    pub write: Duration,
    /// Between two pings of a quiet WebSocket; two unanswered ones end it.
    pub ping: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
            write: Duration::from_secs(30),
            ping: Duration::from_secs(30),
        }
    }
}

/// How the web server is reached, and by whom.
#[derive(Debug, Clone)]
pub struct Web {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How people reach it, if that is not simply where it listens.
    pub public_url: Option<Url>,
    /// Pages of these origins may use it, beside its own.
    pub allowed_origins: Vec<String>,
    /// Names by which it may be called, beside that of `public_url` and those of the loopback; empty: any name, unless
    /// it listens on the loopback or `public_url` is there.
    pub hosts: Vec<String>,
    /// The most bytes of one file that is uploaded.
    pub max_upload: u64,
    /// The domain below which ports of sessions are pages of their own; absent: they are not.
    pub preview_domain: Option<String>,
    /// The folder whose folders are courses.
    pub courses: Option<PathBuf>,
    /// The registry; `None`: there is none.
    pub registry: Option<Registry>,
    /// How long it waits.
    pub patience: Patience,
}

/// The registry that visitors push to and pull from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// The name spaces that every visitor may push to, repositories of their own, and pull from.
    pub spaces: Vec<String>,
    /// Those that every visitor may pull from alone.
    pub shared: Vec<String>,
    /// Where the engine serves it.
    pub socket: PathBuf,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Config {
    /// How it is reached.
    pub web: Web,
    /// What outlives the process.
    pub state: PathBuf,
    /// The engine's socket.
    pub engine: PathBuf,
    /// Whom it becomes.
    pub account: Account,
    /// The administrator's token; absent: one is made at the first start.
    pub admin_token: Option<String>,
    /// What sessions are allowed.
    pub policy: Policy,
}

impl Config {
    /// Reads arguments (the first is the program's name), `SANDLOT_…` and the file they name.
    ///
    /// # Errors
    /// [`Error`], which names the place, the value, and what is allowed.
    pub fn read(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, Error> {
        let options = options::Options::read(arguments)?;
        let catalogue = options.catalogue()?;
        let pool = Budget {
            count: options.get("pool-count", parse::size)?,
            memory: options.get("pool-memory", parse::memory)?,
            minimum: options.get("pool-minimum", parse::size)?,
        };
        let policy = Policy {
            limits: Limits {
                memory: options.get("memory", parse::memory)?,
                nano_cpus: options.get("cpus", parse::cpus)?,
                pids: options.get("pids", parse::pids)?,
                disk: options.get("disk", parse::disk)?,
            },
            idle: options.get("idle", parse::duration)?,
            lifetime: options.get("lifetime", parse::duration)?,
            extension: options.get("extend", parse::duration)?,
            extensions: options.get("extensions", parse::count)?,
            per_visitor: options.get("sessions-per-visitor", parse::positive)?,
            total: options.get("sessions", parse::positive)?,
            queue: options.get("queue", parse::size)?,
            terminals: options.get("terminals", parse::terminals)?,
            keeping: Keeping {
                count: options.get("keep", parse::size)?,
                size: options.get("keep-size", parse::disk)?,
            },
            pool,
            schedule: options.schedule(&catalogue, pool.count)?,
            recording: recording(&options, &catalogue)?,
            catalogue,
        };
        let public = options.get("public-url", parse::optional_url)?;
        Ok(Self {
            web: Web {
                listen: options.get("listen", parse::address)?,
                public_url: public.clone(),
                allowed_origins: options.get("allowed-origins", parse::origins)?,
                hosts: options.get("hosts", parse::hosts)?,
                max_upload: options.get("files-max-upload", parse::upload)?,
                preview_domain: options
                    .get("preview-domain", |text| parse::preview(text, public.as_ref()))?,
                courses: options.get("courses", |text| Ok((!text.is_empty()).then(|| text.into())))?,
                registry: registry(&options)?,
                patience: Patience::default(),
            },
            state: options.get("state", parse::path)?,
            engine: options.get("engine", parse::socket)?,
            account: options.get("user", parse::account)?,
            admin_token: options.get("admin-token", parse::token)?,
            policy,
        })
    }
}

/// The registry, if there is to be one.
fn registry(options: &options::Options) -> Result<Option<Registry>, Error> {
    let engine = options.get("engine", parse::socket)?;
    let named = options.get("registry-socket", parse::optional_socket)?;
    let spaces = options.get("registry", parse::spaces)?;
    let shared = options.get("registry-shared", parse::spaces)?;
    let socket = named.unwrap_or_else(|| engine.with_file_name("registry.sock"));
    Ok((!spaces.is_empty()).then_some(Registry { spaces, shared, socket }))
}

/// What is recorded, if anything is: an image may say so for itself.
fn recording(options: &options::Options, catalogue: &[Image]) -> Result<Option<Recording>, Error> {
    let input = if options.get("recording-input", parse::switch)? { Input::Kept } else { Input::Left };
    let largest = options.get("recording-largest", parse::recording)?;
    let age = options.get("recording-age", parse::duration)?;
    let total = options.get("recording-total", parse::recording)?;
    let usual = if options.get("recording", parse::switch)? { Recorded::Yes } else { Recorded::No };
    let any = usual == Recorded::Yes || catalogue.iter().any(|image| image.recorded == Some(Recorded::Yes));
    Ok(any.then_some(Recording { usual, each: Settings { input, largest }, age, total }))
}

/// What a browser of this machine calls a server that listens there.
#[must_use]
pub fn url(listen: std::net::SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        format!("http://localhost:{}/", listen.port())
    } else {
        format!("http://{listen}/")
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! What is done as root before the first request, and how root is given up for good.
//!
//! Runs while the process has one thread. Knows no server.

use crate::config::Account;
use nix::unistd::{Gid, Uid, chown, getresgid, getresuid, setgroups, setresgid, setresuid};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The usual account, where there is one.
const USUAL: &str = "sandlot";

/// Nobody, where there is no account.
const NOBODY: u32 = 65534;

/// The system's list of users, passwd(5).
const PASSWD: &str = "/etc/passwd";

/// How long an engine may take to listen.
const ENGINE: Duration = Duration::from_secs(15);

/// Why root could not be given up, or what needs it could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such account.
    #[error("there is no user {0:?}: make it, or set --user UID:GID")]
    NoUser(String),
    /// A system call failed.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: String,
        /// What the system answered.
        error: std::io::Error,
    },
    /// Root could be had again.
    #[error("root was given up, but can be had again: the server does not start like this")]
    NotDropped,
    /// The engine does not come up.
    #[error("no container engine listens on {} after {} s: start it, or see its log", .0.display(), ENGINE.as_secs())]
    NoEngine(PathBuf),
}

fn system<E: Into<std::io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    move |error| Error::System { what: what.into(), error: error.into() }
}

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}

/// The numbers of an account.
///
/// # Errors
/// [`Error::NoUser`].
pub fn resolve(account: &Account) -> Result<(Uid, Gid), Error> {
    match account {
        Account::Numbers { uid, gid } => Ok((Uid::from_raw(*uid), Gid::from_raw(*gid))),
        Account::Named(name) => look(name)?.ok_or_else(|| Error::NoUser(name.clone())),
        Account::Usual => Ok(look(USUAL)?.unwrap_or((Uid::from_raw(NOBODY), Gid::from_raw(NOBODY)))),
    }
}

/// A user in the system's own list. The C library's look-up is not used: a static program would load shared parts of
/// another version.
fn look(name: &str) -> Result<Option<(Uid, Gid)>, Error> {
    let list = std::fs::read_to_string(PASSWD).map_err(system(format!("cannot read {PASSWD}")))?;
    Ok(list.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        (fields.first() == Some(&name)).then(|| (Uid::from_raw(uid), Gid::from_raw(gid)))
    }))
}

/// Makes the server's folder in the state folder, its owner's alone; what is in it becomes theirs too.
///
/// # Errors
/// [`Error::System`].
pub fn prepare(state: &Path, owner: Option<(Uid, Gid)>) -> Result<PathBuf, Error> {
    let folder = state.join("server");
    let shown = folder.display().to_string();
    let mut builder = std::fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o755)
        .create(state)
        .map_err(system(format!("cannot make {}", state.display())))?;
    builder.mode(0o700).create(&folder).map_err(system(format!("cannot make {shown}")))?;
    if let Some((uid, gid)) = owner {
        open_way(state, gid)?;
        let entries = std::fs::read_dir(&folder).map_err(system(format!("cannot read {shown}")))?;
        let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        for path in paths.filter(|path| path.is_file() && !path.is_symlink()).chain([folder.clone()]) {
            chown(&path, Some(uid), Some(gid))
                .map_err(system(format!("cannot give away {}", path.display())))?;
        }
    }
    Ok(folder)
}

/// Lets the group pass through the state folder, where nobody but root may: not read it.
fn open_way(state: &Path, gid: Gid) -> Result<(), Error> {
    let failed = || format!("cannot let the server's group pass through {}", state.display());
    let mode = std::fs::metadata(state).map_err(system(failed()))?.permissions().mode();
    if mode & 0o001 == 0 {
        chown(state, None, Some(gid)).map_err(system(failed()))?;
        let mode = std::fs::Permissions::from_mode((mode & 0o7777) | 0o010);
        std::fs::set_permissions(state, mode).map_err(system(failed()))?;
    }
    Ok(())
}

/// Starts the container engine if none listens; it outlives this process, and serves its narrow socket to `uid`.
///
/// # Errors
/// [`Error::System`], [`Error::NoEngine`].
pub fn ensure_engine(socket: &Path, state: &Path, uid: Uid) -> Result<(), Error> {
    if UnixStream::connect(socket).is_ok() {
        return Ok(());
    }
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("sandlot"));
    let program = beside.filter(|path| path.exists()).unwrap_or_else(|| "sandlot".into());
    let what = format!("cannot start {} engine", program.display());
    let mut command = Command::new(program);
    command
        .arg("engine")
        .arg("--state")
        .arg(state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0);
    command.env("SANDLOT_SERVER_USER", uid.to_string());
    let mut child = command.spawn().map_err(system(what))?;
    let began = Instant::now();
    while began.elapsed() < ENGINE {
        if UnixStream::connect(socket).is_ok() {
            return Ok(());
        }
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Error::NoEngine(socket.to_owned()))
}

/// Gives up root, its groups and capabilities, and checks that none of it can be had again.
///
/// # Errors
/// [`Error::System`], [`Error::NotDropped`].
pub fn drop_to((uid, gid): (Uid, Gid)) -> Result<(), Error> {
    setgroups(&[gid]).map_err(system("cannot drop the groups of root"))?;
    setresgid(gid, gid, gid).map_err(system(format!("cannot become group {gid}")))?;
    setresuid(uid, uid, uid).map_err(system(format!("cannot become user {uid}")))?;
    let users = getresuid().map_err(system("cannot read the user"))?;
    let groups = getresgid().map_err(system("cannot read the group"))?;
    let dropped = [users.real, users.effective, users.saved].iter().all(|id| *id == uid)
        && [groups.real, groups.effective, groups.saved].iter().all(|id| *id == gid)
        && setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_err()
        && !uid.is_root();
    if dropped { Ok(()) } else { Err(Error::NotDropped) }
}

/// No program started from here on gains anything by a setuid bit.
///
/// # Errors
/// [`Error::System`].
pub fn forbid_gain() -> Result<(), Error> {
    nix::sys::prctl::set_no_new_privs().map_err(system("cannot set no_new_privs"))
}

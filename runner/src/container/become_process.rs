//! The last steps of a child: from the container's root with all its capabilities to the command that was asked for.
//!
//! Used for the first process and for every later one. Nothing returns from here but a failure.

use super::failure::Failure;
use super::spec::{Process, Stdio};
use super::user::{self, User};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use sandlot_sys::process as sys;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

/// Where a working directory that is missing comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workdir {
    /// It is made, as Docker does for a container's first process.
    Make,
    /// It must be there, as Docker wants for an execution.
    Expect,
}

/// The standard streams as the child got them from the spawner.
#[derive(Debug)]
pub enum Streams {
    /// Standard input (else `/dev/null`), output, error.
    Pipes(Option<OwnedFd>, OwnedFd, OwnedFd),
    /// A terminal's inner end.
    Terminal(OwnedFd),
    /// None.
    Null,
}

/// Opens a terminal of the container's own devpts: the master, and its inner end.
///
/// # Errors
/// What opening answers; `ENODEV` if what stands at `/dev/pts/ptmx` is not the multiplexer of a devpts: a container may
/// put anything there.
pub fn open_terminal(cols: u16, rows: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    const DEVPTS: u64 = 0x1cd1;
    let ptmx = rustix::fs::makedev(5, 2);
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let plain = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let found = openat2(CWD, "/dev/pts/ptmx", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), plain)?;
    let kind = u64::try_from(rustix::fs::fstatfs(&found)?.f_type).unwrap_or(0);
    if kind != DEVPTS || rustix::fs::fstat(&found)?.st_rdev != ptmx {
        return Err(rustix::io::Errno::NODEV.into());
    }
    let master = openat2(CWD, "/dev/pts/ptmx", flags, Mode::empty(), plain)?;
    if rustix::fs::fstat(&master)?.st_rdev != ptmx {
        return Err(rustix::io::Errno::NODEV.into());
    }
    rustix::pty::unlockpt(&master)?;
    let inner = rustix::pty::ioctl_tiocgptpeer(
        &master,
        rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY | rustix::pty::OpenptFlags::CLOEXEC,
    )?;
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&master, size)?;
    Ok((master, inner))
}

/// Becomes `spec`; comes back only with the reason why it cannot. With a program that was brought along, nothing of the container's
/// is looked for.
#[must_use]
pub fn become_process(
    spec: &Process,
    streams: Streams,
    workdir: Workdir,
    brought: Option<OwnedFd>,
) -> Failure {
    match prepare(spec, streams, workdir) {
        Ok((user, argv0)) => match brought {
            Some(program) => execute_brought(spec, &user, &program),
            None => execute(spec, &user, argv0),
        },
        Err(failure) => failure,
    }
}

/// There is no such user; Docker says no more.
fn unknown(error: user::Error) -> Failure {
    Failure { step: String::new(), message: error.to_string(), exit_code: 125 }
}

fn at<E: ToString>(step: &'static str) -> impl Fn(E) -> Failure {
    move |e| Failure::setup(step, &e)
}

/// Everything up to the exec. The order matters: capabilities are bounded while there is still the right to, ids change
/// after that, and the filter comes last, so that it need not allow what set-up needs.
fn prepare(spec: &Process, streams: Streams, workdir: Workdir) -> Result<(User, Option<String>), Failure> {
    sys::reset_signals();
    rustix::process::setsid().map_err(at("starting a session"))?;
    connect(streams).map_err(at("connecting the standard streams"))?;
    for limit in &spec.rlimits {
        sys::limit(limit.resource, limit.soft, limit.hard).map_err(at("setting a resource limit"))?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let (passwd, group) = (user::read("/etc/passwd"), user::read("/etc/group"));
    let who = user::find(&spec.user, &spec.groups, &passwd, &group).map_err(unknown)?;
    if workdir == Workdir::Make && !spec.cwd.is_empty() {
        make_directory(&spec.cwd).map_err(at("making the working directory"))?;
    }
    own_streams(spec, &who).map_err(at("giving the standard streams away"))?;
    bound(spec.capabilities).map_err(at("bounding capabilities"))?;
    switch(&who).map_err(at("changing to the user"))?;
    let keep = if who.uid == 0 { spec.capabilities } else { 0 };
    let set = CapabilitySet::from_bits_retain(keep);
    let sets = CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(at("setting capabilities"))?;
    enter_directory(&spec.cwd)?;
    // The spawner's death ends what nobody would look after. Changing ids would have taken this back.
    let parent = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    parent.map_err(at("tying to the parent"))?;
    rustix::thread::set_no_new_privs(true).map_err(at("setting no_new_privs"))?;
    sys::cloexec_from(3).map_err(at("closing descriptors"))?;
    for program in &spec.seccomp {
        sandlot_sys::seccomp::install(program).map_err(at("installing the system call filter"))?;
    }
    let login = spec.argv.is_empty().then(|| who.shell.clone());
    Ok((who, login))
}

fn connect(streams: Streams) -> io::Result<()> {
    use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
    match streams {
        Streams::Terminal(inner) => {
            rustix::process::ioctl_tiocsctty(&inner)?;
            dup2_stdin(&inner)?;
            dup2_stdout(&inner)?;
            dup2_stderr(&inner)?;
        }
        Streams::Pipes(input, output, error) => {
            match input {
                Some(input) => dup2_stdin(&input)?,
                None => dup2_stdin(null()?)?,
            }
            dup2_stdout(&output)?;
            dup2_stderr(&error)?;
        }
        Streams::Null => quiet()?,
    }
    Ok(())
}

/// Makes all three standard streams `/dev/null`.
pub(super) fn quiet() -> io::Result<()> {
    let null = null()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}

/// The user may open their standard streams by name: `/dev/stdout`, `/dev/pts/0`.
fn own_streams(spec: &Process, user: &User) -> io::Result<()> {
    use rustix::stdio::{stderr, stdin, stdout};
    let uid = Some(Uid::from_raw(user.uid));
    match spec.stdio {
        Stdio::Terminal { .. } => rustix::fs::fchown(stdin(), uid, None)?,
        Stdio::Pipes { stdin: input } => {
            if input {
                rustix::fs::fchown(stdin(), uid, None)?;
            }
            rustix::fs::fchown(stdout(), uid, None)?;
            rustix::fs::fchown(stderr(), uid, None)?;
        }
        Stdio::Null => {}
    }
    Ok(())
}

fn null() -> io::Result<OwnedFd> {
    let plain = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let null =
        openat2(CWD, "/dev/null", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty(), plain)?;
    // A container may have put another file there; what is written to it would be kept, and read back as input.
    if rustix::fs::fstat(&null)?.st_rdev != rustix::fs::makedev(1, 3) {
        return Err(rustix::io::Errno::NODEV.into());
    }
    Ok(null)
}

/// Takes every capability that is not in `keep` out of the bounding set.
fn bound(keep: u64) -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    for capability in CapabilitySet::all().iter() {
        if keep & capability.bits() == 0 {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // An older kernel does not know the newest.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(())
}

fn switch(user: &User) -> io::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}

fn make_directory(path: &str) -> io::Result<()> {
    match std::fs::create_dir_all(path) {
        // A read-only root, or a link to a directory: whether one can go there is found out by going.
        Err(_) if std::path::Path::new(path).is_dir() => Ok(()),
        Err(_) if std::path::Path::new(path).exists() => {
            Err(io::Error::other(format!("Cannot mkdir: {path} is not a directory")))
        }
        other => other,
    }
}

/// Goes to the working directory and makes sure that it is one of the container's: `getcwd(2)` answers no absolute path
/// for a directory outside the root (CVE-2024-21626).
fn enter_directory(path: &str) -> Result<(), Failure> {
    let path = if path.is_empty() { "/" } else { path };
    let failed = |e: io::Error| Failure {
        step: format!("entering the working directory {path}"),
        message: e.to_string(),
        exit_code: 127,
    };
    std::env::set_current_dir(path).map_err(failed)?;
    match rustix::process::getcwd(Vec::new()) {
        Ok(now) if now.as_bytes().starts_with(b"/") => Ok(()),
        Ok(_) => Err(failed(io::Error::other("it is outside the container"))),
        Err(e) => Err(failed(e.into())),
    }
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn execute(spec: &Process, user: &User, login: Option<String>) -> Failure {
    let command = login.clone().or_else(|| spec.argv.first().cloned()).unwrap_or_default();
    let failed =
        |message: String, exit_code| Failure { step: format!("exec: \"{command}\""), message, exit_code };
    let argv = match &login {
        // A dash before the name makes a login shell (login(1)).
        Some(shell) => vec![format!("-{}", shell.rsplit('/').next().unwrap_or(shell))],
        None => spec.argv.clone(),
    };
    let environment = environment(spec, user);
    let (Some(argv), Some(environment)) = (strings(&argv), strings(&environment)) else {
        return failed("a NUL byte in an argument or in the environment".into(), 125);
    };
    let mut refused = None;
    for candidate in candidates(&command, &environment) {
        // A failed exec costs ten times what looking does.
        if std::fs::metadata(&candidate).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            continue;
        }
        let Ok(path) = CString::new(candidate) else { continue };
        match nix::unistd::execve(&path, &argv, &environment) {
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => {}
            Err(other) => refused = Some(other),
            Ok(never) => match never {},
        }
    }
    match refused {
        Some(errno) => failed(errno.desc().to_lowercase(), 126),
        None if command.contains('/') => failed("no such file or directory".into(), 127),
        None => failed("executable file not found in $PATH".into(), 127),
    }
}

fn execute_brought(spec: &Process, user: &User, program: &OwnedFd) -> Failure {
    let failed = |message: String| Failure {
        step: "exec of the engine's own program".into(),
        message,
        exit_code: 126,
    };
    let (Some(argv), Some(environment)) = (strings(&spec.argv), strings(&environment(spec, user))) else {
        return failed("a NUL byte in an argument or in the environment".into());
    };
    match nix::unistd::execveat(program, c"", &argv, &environment, nix::fcntl::AtFlags::AT_EMPTY_PATH) {
        Err(errno) => failed(errno.desc().to_lowercase()),
        Ok(never) => match never {},
    }
}

fn strings(texts: &[String]) -> Option<Vec<CString>> {
    texts.iter().map(|t| CString::new(t.as_bytes()).ok()).collect()
}

fn environment(spec: &Process, user: &User) -> Vec<String> {
    let mut all = spec.env.clone();
    let mut add = |name: &str, value: &str| {
        if !all.iter().any(|e| e.split_once('=').is_some_and(|(n, _)| n == name)) {
            all.push(format!("{name}={value}"));
        }
    };
    add("PATH", PATH);
    add("HOME", &user.home);
    if matches!(spec.stdio, Stdio::Terminal { .. }) {
        add("TERM", "xterm-256color");
    }
    // As Docker has it: its own first, then what image and creator say, the home directory last.
    let place = |variable: &String| match variable.split('=').next() {
        Some("PATH") => 0,
        Some("HOSTNAME") => 1,
        _ => 2,
    };
    all.sort_by_key(place);
    all
}

fn candidates(command: &str, environment: &[CString]) -> Vec<String> {
    if command.contains('/') {
        return vec![command.to_owned()];
    }
    let path = environment.iter().filter_map(|e| e.to_str().ok()).find_map(|e| e.strip_prefix("PATH="));
    path.unwrap_or(PATH).split(':').filter(|d| !d.is_empty()).map(|d| format!("{d}/{command}")).collect()
}

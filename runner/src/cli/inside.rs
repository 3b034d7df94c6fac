//! `sandlot engine --inside`: the engine of a session, run by the session's init when somebody first connects. Rootless: it has the
//! rights of the session's root, in the session's namespaces, and its containers have what it has and no more.

use crate::container::cgroup;
use crate::engine::Settings;
use crate::spawner;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountPropagationFlags, mount_change};
use sandlot_sys::clone::{Alone, namespace, unshare};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// Threads that serve: most of the time none has anything to do.
const THREADS: usize = 2;
/// How long who waits is told why there is no engine.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// The most that is read of a question that is not answered.
const QUESTION: usize = 64 << 10;

/// Serves until it is told to end.
///
/// # Errors
/// Why it cannot; who had connected has been told.
pub(super) fn serve() -> anyhow::Result<()> {
    let listener = UnixListener::from(rustix::stdio::stdin().try_clone_to_owned()?);
    // Nothing that it starts has the socket.
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    listener.set_nonblocking(true)?;
    let copy = listener.try_clone()?;
    let served = prepare(&Settings::inside()).and_then(|()| work(listener));
    if let Err(why) = &served {
        apologise(&copy, &format!("the engine of this session cannot run: {why:#}"));
    }
    served
}

/// A mount namespace of its own, in which nobody sees what it mounts; the control groups; and a spawner. Before the first thread
/// is made.
fn prepare(settings: &Settings) -> anyhow::Result<()> {
    unshare(Alone::prove()?, namespace::MOUNT)?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
    std::fs::create_dir_all(&settings.run)?;
    cgroup::own::settle(&settings.run.join("cgroup"))?;
    spawner::ensure(&settings.spawner)?;
    Ok(())
}

fn work(listener: UnixListener) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(crate::api::run_on(listener, Settings::inside(), super::engine::told_to_stop()?).await?)
    })
}

/// Answers whoever waits. Init opens the door again a moment after this process's end.
fn apologise(listener: &UnixListener, why: &str) {
    let body = serde_json::json!({ "message": why }).to_string();
    let answer = format!(
        "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    while let Ok((mut stream, _)) = listener.accept() {
        let mut tell = || {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(LAST_WORDS))?;
            stream.set_write_timeout(Some(LAST_WORDS))?;
            // What was asked does not matter, but unread it would break the connection.
            let _some = stream.read(&mut [0; QUESTION])?;
            stream.write_all(answer.as_bytes())
        };
        // Who is gone needs no answer.
        tell().unwrap_or_default();
    }
}

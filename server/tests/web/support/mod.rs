//! A server with an engine of ordinary shells on ordinary ptys: an implementation like any other, handed in.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use futures_util::FutureExt;
use sandlot_server::config::{Patience, Web};
use sandlot_server::server::Server;
use sandlot_server::session::Keeping;
use sandlot_server::session::engine::{
    Engine, Error, Found, Handed, Limits, Network, Profile, Reply, Running, Spec,
};
use sandlot_server::session::policy::{Image, Policy};
use sandlot_server::session::pool::Budget;
use sandlot_wire::ring::Ring;
use sandlot_wire::{Kept, Meter, OpenTerminal, Terminal};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A shell on a pty.
struct Shell {
    child: Child,
    master: OwnedFd,
    ring: std::path::PathBuf,
}

/// A container that is none: its shells run on the host.
struct Container {
    found: Found,
    shells: BTreeMap<String, Shell>,
}

/// See the module.
pub(crate) struct Shells {
    dir: tempfile::TempDir,
    boxes: Mutex<BTreeMap<String, Container>>,
    next: Mutex<u32>,
    /// Counts how often every tag was moved.
    tag: AtomicU32,
    /// How many containers there may be.
    room: AtomicUsize,
}

impl Shells {
    pub(crate) fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        Arc::new(Self {
            dir,
            boxes: Mutex::default(),
            next: Mutex::default(),
            tag: AtomicU32::new(0),
            room: AtomicUsize::new(usize::MAX),
        })
    }

    /// Has room for no more containers than that.
    pub(crate) fn shrink(&self, room: usize) {
        self.room.store(room, Ordering::Relaxed);
    }

    /// Lets every tag mean another image.
    pub(crate) fn move_tags(&self) {
        self.tag.fetch_add(1, Ordering::Relaxed);
    }

    /// The ids of all containers.
    pub(crate) fn containers(&self) -> Vec<String> {
        self.boxes.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.boxes.lock().unwrap().len()
    }

    fn number(&self) -> u32 {
        let mut next = self.next.lock().unwrap();
        *next += 1;
        *next
    }

    fn with<T>(
        &self,
        container: &str,
        act: impl FnOnce(&mut Container) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut boxes = self.boxes.lock().unwrap();
        act(boxes.get_mut(container).ok_or_else(|| Error::NotFound(format!("no container {container}")))?)
    }

    fn hand(id: &str, shell: &Shell) -> Handed {
        let ring = File::options().read(true).write(true).open(&shell.ring).unwrap();
        Handed {
            id: id.to_owned(),
            master: shell.master.try_clone().unwrap(),
            ring: ring.into(),
            resized: None,
        }
    }

    fn open(&self, container: &str) -> Result<Handed, Error> {
        let pty = nix::pty::openpty(None, None).unwrap();
        let id = format!("t{}", self.number());
        let ring = self.dir.path().join(&id);
        Ring::create(&ring).unwrap();
        let ends = [pty.slave.try_clone().unwrap(), pty.slave.try_clone().unwrap(), pty.slave];
        let [a, b, c] = ends;
        let mut command = Command::new("setsid");
        command.args(["-c", "sh"]).env("PS1", "$ ").stdin(a).stdout(b).stderr(c);
        let child = command.spawn().unwrap();
        let shell = Shell { child, master: pty.master, ring };
        let handed = Self::hand(&id, &shell);
        self.with(container, |found| {
            found.shells.insert(id, shell);
            Ok(handed)
        })
    }
}

fn done<'a, T: Send + 'a>(result: Result<T, Error>) -> Reply<'a, T> {
    std::future::ready(result).boxed()
}

impl Drop for Shells {
    fn drop(&mut self) {
        for shell in self.boxes.lock().unwrap().values_mut().flat_map(|found| found.shells.values_mut()) {
            let _ = shell.child.kill();
            let _ = shell.child.wait();
        }
    }
}

impl Engine for Shells {
    fn create<'a>(&'a self, spec: &'a Spec) -> Reply<'a, String> {
        if spec.image == "broken" {
            return done(Err(Error::NotFound("no such image: broken".to_owned())));
        }
        if self.count() >= self.room.load(Ordering::Relaxed) {
            return done(Err(Error::Refused("there is no room".to_owned())));
        }
        let container = format!("c{}", self.number());
        let found = Found {
            container: container.clone(),
            session: spec.session.clone(),
            node: spec.node.clone(),
            running: Running::Created,
        };
        self.boxes.lock().unwrap().insert(container.clone(), Container { found, shells: BTreeMap::new() });
        done(Ok(container))
    }

    fn start<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        done(self.with(container, |found| {
            found.found.running = Running::Running;
            Ok(())
        }))
    }

    fn remove<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        if let Some(mut gone) = self.boxes.lock().unwrap().remove(container) {
            for shell in gone.shells.values_mut() {
                let _ = shell.child.kill();
                let _ = shell.child.wait();
            }
        }
        done(Ok(()))
    }

    fn list(&self) -> Reply<'_, Vec<Found>> {
        done(Ok(self.boxes.lock().unwrap().values().map(|found| found.found.clone()).collect()))
    }

    fn image<'a>(&'a self, reference: &'a str) -> Reply<'a, String> {
        done(Ok(format!("{reference}@{}", self.tag.load(Ordering::Relaxed))))
    }

    fn meter<'a>(&'a self, container: &'a str) -> Reply<'a, Meter> {
        done(self.with(container, |_| Ok(Meter { cpu_ns: 1, memory: 2, pids: 3, ..Meter::default() })))
    }

    fn pause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        done(self.with(container, |found| {
            found.found.running = Running::Paused;
            Ok(())
        }))
    }

    fn unpause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        self.start(container)
    }

    fn open_terminal<'a>(&'a self, container: &'a str, _: &'a OpenTerminal) -> Reply<'a, Handed> {
        done(self.open(container))
    }

    fn take_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, Handed> {
        done(self.with(container, |found| {
            let shell = found.shells.get(terminal);
            shell
                .map(|shell| Self::hand(terminal, shell))
                .ok_or_else(|| Error::NotFound("no terminal".to_owned()))
        }))
    }

    fn terminals<'a>(&'a self, container: &'a str) -> Reply<'a, Vec<Terminal>> {
        done(self.with(container, |found| {
            let all = found.shells.iter_mut().map(|(id, shell)| Terminal {
                id: id.clone(),
                pid: i32::try_from(shell.child.id()).unwrap(),
                exit_code: shell.child.try_wait().unwrap().and_then(|status| status.code()),
            });
            Ok(all.collect())
        }))
    }

    fn close_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, ()> {
        done(self.with(container, |found| {
            if let Some(mut shell) = found.shells.remove(terminal) {
                let _ = shell.child.kill();
                let _ = shell.child.wait();
            }
            Ok(())
        }))
    }

    fn wait_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, i32> {
        done(self.with(container, |found| {
            let shell =
                found.shells.get_mut(terminal).ok_or_else(|| Error::NotFound("no terminal".to_owned()))?;
            Ok(shell.child.wait().unwrap().code().unwrap_or(137))
        }))
    }

    fn keep<'a>(&'a self, container: &'a str, name: &'a str, most: u64) -> Reply<'a, Kept> {
        // Shells on the host write nothing of their own: what is kept is as large as this says.
        let kept = Kept { reference: format!("kept/{name}"), size: 1000 };
        if kept.size > most {
            return done(Err(Error::Refused("too large".to_owned())));
        }
        done(self.with(container, |_| Ok(kept)))
    }

    fn forget_kept<'a>(&'a self, _: &'a str) -> Reply<'a, ()> {
        done(Ok(()))
    }

    fn ping(&self) -> Reply<'_, ()> {
        done(Ok(()))
    }
}

/// A server that listens.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Shells>,
    pub(crate) state: Arc<tempfile::TempDir>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) const TOKEN: &str = "an-administrator-of-tests";

pub(crate) fn policy() -> Policy {
    let image = |name: &str, profile| Image {
        name: name.to_owned(),
        title: "A shell".to_owned(),
        description: String::new(),
        profile,
        network: Network::None,
        recorded: None,
    };
    Policy {
        limits: Limits { memory: 1 << 29, nano_cpus: 1_000_000_000, pids: 100, disk: 1 << 30 },
        idle: Duration::from_secs(600),
        lifetime: Duration::from_secs(3600),
        extension: Duration::from_secs(600),
        extensions: 2,
        per_visitor: 2,
        total: 3,
        queue: 2,
        terminals: 2,
        keeping: Keeping { count: 2, size: 5000 },
        pool: Budget::default(),
        schedule: vec![],
        recording: None,
        catalogue: vec![image("shell", Profile::Standard), image("broken", Profile::Standard)],
    }
}

pub(crate) async fn start(policy: Policy) -> Serving {
    start_with(policy, Shells::new(), Arc::new(tempfile::tempdir().unwrap())).await
}

pub(crate) async fn start_with(
    policy: Policy,
    engine: Arc<Shells>,
    state: Arc<tempfile::TempDir>,
) -> Serving {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Patience {
        head: Duration::from_secs(2),
        request: Duration::from_secs(3),
        write: Duration::from_secs(2),
        ping: Duration::from_secs(1),
    };
    let web = Web {
        listen: address,
        public_url: None,
        allowed_origins: vec![],
        hosts: vec![],
        max_upload: 1 << 20,
        preview_domain: Some("localhost".to_owned()),
        courses: None,
        registry: None,
        patience,
    };
    let server =
        Server::new(state.path(), engine.clone(), policy, web, Some(TOKEN.to_owned())).await.unwrap();
    let stop = server.stop();
    let task = tokio::spawn(server.listen(listener));
    Serving { address, engine, state, stop, task }
}

impl Serving {
    pub(crate) async fn shut_down(self) -> (Arc<Shells>, Arc<tempfile::TempDir>) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("did not end").unwrap();
        (self.engine, self.state)
    }
}

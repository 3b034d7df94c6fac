//! A real spawner and containers made by it from a layer of busybox: what the tests of its promises share.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub, missing_docs)]

use sandlot::container::rootfs;
use sandlot::container::spec::{Container, IdRange, Init, Network, Process, Profile, Stdio};
use sandlot::spawner::client::{Client, Error, Event, ExitStatus, INIT, StartFds, Started, StdioFds, Stream};
use sandlot::spawner::{Ensured, ensure_by};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc;

/// Docker's default capabilities.
pub const CAPABILITIES: u64 = 0xa804_25fb;

/// A spawner of the test's own; ended, with all that it made, when dropped.
pub struct Spawned {
    pub dir: tempfile::TempDir,
    pub client: Client,
    pub events: mpsc::Receiver<Event>,
    child: std::process::Child,
    userns: OwnedFd,
    pub range: IdRange,
    next: AtomicU32,
}

impl Spawned {
    pub async fn new() -> Self {
        let base = 1_000_000 + std::process::id() % 30_000 * 65_536;
        Self::of(Path::new(env!("CARGO_BIN_EXE_sandlot")), IdRange { base, count: 65_536 }).await
    }

    /// A spawner that is this program, of containers with these ids.
    pub async fn of(program: &Path, range: IdRange) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        layer(&dir.path().join("layer"));
        let socket = dir.path().join("spawner.sock");
        let Ensured::Started(child) = ensure_by(program, &socket).unwrap() else { panic!("whose is that?") };
        let (client, events) = Client::connect(&socket).await.unwrap();
        let userns = client.userns(range).await.unwrap();
        Self { dir, client, events, child, userns, range, next: AtomicU32::new(1) }
    }

    /// The spawner's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    /// A container that runs `process` as PID 1, and what it is made of.
    pub fn container(&self, init: Init, process: Option<Process>) -> (Container, StartFds) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let (upper, work) =
            (self.dir.path().join(format!("{n}/upper")), self.dir.path().join(format!("{n}/work")));
        for dir in [&upper, &work] {
            std::fs::create_dir_all(dir).unwrap();
            std::os::unix::fs::chown(dir, Some(self.range.base), Some(self.range.base)).unwrap();
        }
        let root = rootfs::assemble(&[self.layer()], &upper, &work, self.userns.as_fd()).unwrap();
        let files = rootfs::Files {
            hostname: "box\n".into(),
            hosts: "127.0.0.1 localhost\n".into(),
            resolv_conf: String::new(),
        };
        let volatile = rootfs::volatile(&files, self.range.base).unwrap();
        let spec = Container {
            id: format!("{n:064}"),
            range: self.range,
            hostname: "box".into(),
            domainname: String::new(),
            init,
            profile: Profile::Standard,
            network: Network::None,
            readonly: false,
            shm_size: 1 << 20,
            mounts: vec![],
            sysctls: vec![],
            process,
            engine: None,
        };
        (spec, StartFds { root, volatile, mounts: vec![] })
    }

    /// Runs a shell script as PID 1 of a fresh container to its end: exit code, and what it printed.
    pub async fn sh(&mut self, script: &str) -> (i32, String) {
        let (spec, fds) = self.container(Init::Command, Some(sh(script)));
        self.run(&spec, fds).await.unwrap()
    }

    /// Begins a container and tells it at once what it is.
    pub async fn start(&self, spec: &Container, fds: StartFds) -> Result<Started, Error> {
        self.start_in(spec, fds, &[]).await
    }

    async fn start_in(&self, spec: &Container, fds: StartFds, groups: &[OwnedFd]) -> Result<Started, Error> {
        self.client.begin(&spec.id, spec.range, spec.profile, groups).await?;
        self.client.start(spec, fds).await
    }

    pub async fn run(&mut self, spec: &Container, fds: StartFds) -> Result<(i32, String), Error> {
        self.run_in(spec, fds, &[]).await
    }

    /// The same in these control groups.
    pub async fn run_in(
        &mut self,
        spec: &Container,
        fds: StartFds,
        groups: &[OwnedFd],
    ) -> Result<(i32, String), Error> {
        let started = self.start_in(spec, fds, groups).await?;
        self.client.close(&spec.id, INIT, Stream::All).await?;
        let output = read(started.stdio).await;
        Ok((self.end(INIT).await.code(), output))
    }

    /// Runs a shell script in a running container.
    pub async fn exec(
        &mut self,
        container: &str,
        name: &str,
        process: Process,
    ) -> Result<(i32, String), Error> {
        let started = self.client.exec(container, name, &process, vec![]).await?;
        self.client.close(container, name, Stream::All).await?;
        let output = read(started.stdio).await;
        Ok((self.end(name).await.code(), output))
    }

    /// The next end of a process of that name.
    pub async fn end(&mut self, name: &str) -> ExitStatus {
        loop {
            let Event::Exited { process, status, .. } = self.events.recv().await.unwrap();
            if process == name {
                return status;
            }
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // Containers first: their parent's death would not end them.
        let task = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(task).unwrap_or_default();
        for pid in children.split_whitespace().filter_map(|p| p.parse().ok()) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).ok();
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn read(stdio: StdioFds) -> String {
    tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        match stdio {
            StdioFds::Pipes { stdout, stderr, .. } => {
                std::fs::File::from(stdout).read_to_end(&mut text).unwrap();
                std::fs::File::from(stderr).read_to_end(&mut text).unwrap();
            }
            StdioFds::Terminal(master) => {
                rustix::io::ioctl_fionbio(&master, false).unwrap();
                // The end of a terminal is told as EIO.
                std::fs::File::from(master).read_to_end(&mut text).ok();
            }
            StdioFds::Null => {}
        }
        String::from_utf8_lossy(&text).into_owned()
    })
    .await
    .unwrap()
}

pub fn process(argv: &[&str], stdio: Stdio) -> Process {
    Process {
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env: vec![],
        cwd: "/".into(),
        user: String::new(),
        groups: vec![],
        stdio,
        capabilities: CAPABILITIES,
        seccomp: vec![],
        rlimits: vec![],
        oom_score_adj: None,
    }
}

pub fn sh(script: &str) -> Process {
    process(&["/bin/sh", "-c", script], Stdio::Pipes { stdin: false })
}

/// A file tree of busybox.
pub fn layer(at: &Path) {
    for dir in ["bin", "etc", "tmp"] {
        std::fs::create_dir_all(at.join(dir)).unwrap();
    }
    std::fs::copy("/bin/busybox", at.join("bin/busybox")).unwrap();
    let list = std::process::Command::new("/bin/busybox").arg("--list").output().unwrap();
    for name in String::from_utf8(list.stdout).unwrap().lines().filter(|n| *n != "busybox") {
        std::os::unix::fs::symlink("busybox", at.join("bin").join(name)).unwrap();
    }
    std::fs::write(at.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
        .unwrap();
    std::fs::write(at.join("etc/group"), "root:x:0:\nann:x:1000:\nwheel:x:10:ann\n").unwrap();
}

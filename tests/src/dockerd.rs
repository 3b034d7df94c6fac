//! A stock `dockerd` (Debian's) with everything of its own: state, sockets, and a network namespace.
//!
//! Ended, with what it leaves mounted, when dropped; containers are first removed by whoever made them, or here.

use crate::netns::Netns;
use crate::process::{Running, run};
use crate::wait::until;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// See the module.
#[derive(Debug)]
pub struct Dockerd {
    daemon: Running,
    host: String,
    name: String,
}

impl Dockerd {
    /// Starts one whose files are all below `folder`, with more `options`, and waits until it answers. It has no network
    /// but `none`.
    ///
    /// # Errors
    /// When the package `docker.io` is missing, or it does not come up; the message carries its log.
    pub async fn start(folder: &Path, options: &[&str]) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args([
            "--net",
            "sh",
            "-c",
            "ip link set lo up; exec \"$@\"",
            "sh",
            "dockerd",
            "--bridge",
            "none",
        ]);
        command.args(options);
        Self::up(command, folder).await
    }

    /// The same in a network namespace that is there, with the bridge that is Docker's default.
    ///
    /// # Errors
    /// As [`Dockerd::start`].
    pub async fn bridged(folder: &Path, options: &[&str], netns: &Netns) -> Result<Self> {
        let mut command = netns.command("dockerd");
        command.args(options);
        Self::up(command, folder).await
    }

    async fn up(mut command: Command, folder: &Path) -> Result<Self> {
        let host = format!("unix://{}", folder.join("docker.sock").display());
        let below = |name: &str| folder.join(name).display().to_string();
        command.args(["--data-root", &below("data"), "--exec-root", &below("exec"), "--host", &host]);
        command.args(["--pidfile", &below("pid"), "--iptables=false"]);
        let daemon = Running::start(&mut command, &folder.join("dockerd.log"))?;
        let name = folder.file_name().context("a name")?.to_string_lossy().into_owned();
        let docker = Self { daemon, host, name };
        until("dockerd", || async { docker.run(&["info"]).ok() })
            .await
            .with_context(|| docker.daemon.log())?;
        Ok(docker)
    }

    /// Where it listens, as `DOCKER_HOST` has it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// A name that is its own: that of its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `docker …`, which must succeed; what it printed.
    ///
    /// # Errors
    /// When it fails; the message carries what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = run(Command::new("docker").env("DOCKER_HOST", &self.host).args(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _already_gone = self.run(&["stop", "--time=20", &self.name]);
        for id in self.run(&["ps", "--all", "--quiet"]).unwrap_or_default().lines() {
            let _already_gone = self.run(&["rm", "--force", "--volumes", id]);
        }
        let _already_gone = self.daemon.terminate();
        // dockerd leaves its network namespace mounted.
        for line in crate::traces::mounts(&self.name).unwrap_or_default() {
            let _already_gone =
                line.split(' ').nth(4).map(|path| Command::new("umount").args(["-l", path]).status());
        }
        // With `--cgroup-parent` of its own name, it leaves that behind.
        for group in crate::traces::groups_named(&self.name).unwrap_or_default() {
            let _already_gone = std::fs::remove_dir(group);
        }
    }
}

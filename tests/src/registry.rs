//! A real registry: Debian's `docker-registry` on a free loopback port with storage of its own.

use crate::netns::Netns;
use crate::process::{Running, run};
use crate::wait::until;
use anyhow::{Context, Result};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Who may use a guarded registry.
pub const USER: &str = "ann";
/// Her password.
pub const PASSWORD: &str = "a word of a test";
/// The same as docker-registry reads it: bcrypt.
const USERS: &str = "ann:$2b$04$NfqZMdEEzj5liZ6Kiuy7W.5DlOE/2qarO8YhAVPiqoJhGqFxEKhLa\n";

/// Who may use a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// [`USER`] with [`PASSWORD`].
    Guarded,
}

/// The process and its storage; both gone when dropped.
#[derive(Debug)]
pub struct Registry {
    process: Running,
    port: u16,
    _storage: TempDir,
}

impl Registry {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When the package `docker-registry` is missing or it does not come up.
    pub async fn start() -> Result<Self> {
        let registry = Self::serve("", free_port()?, None)?;
        registry.answers().await?;
        Ok(registry)
    }

    /// Starts one in a network namespace, at its loopback alone, and waits until it listens.
    ///
    /// # Errors
    /// When the package `docker-registry` is missing or it does not come up.
    pub async fn within(netns: &Netns) -> Result<Self> {
        Self::inside(netns, free_port()?, Access::Open).await
    }

    /// The same at a port that is named: two namespaces can have one each.
    ///
    /// # Errors
    /// As [`Registry::within`].
    pub async fn inside(netns: &Netns, port: u16, access: Access) -> Result<Self> {
        let users = if access == Access::Guarded { USERS } else { "" };
        let registry = Self::serve(users, port, Some(netns))?;
        let at = registry.host();
        let listens = || async { netns.inside(|| Ok(TcpStream::connect(&at)?)).ok() };
        until("the registry", listens).await.with_context(|| registry.process.log())?;
        Ok(registry)
    }

    /// Starts one that gives nothing to anybody but [`USER`] with [`PASSWORD`].
    ///
    /// # Errors
    /// When the package `docker-registry` is missing or it does not come up.
    pub async fn guarded() -> Result<Self> {
        let registry = Self::serve(USERS, free_port()?, None)?;
        registry.answers().await?;
        Ok(registry)
    }

    fn serve(users: &str, port: u16, netns: Option<&Netns>) -> Result<Self> {
        let storage = tempfile::Builder::new().prefix("sandlot-test-registry-").tempdir()?;
        let config = storage.path().join("config.yml");
        let data = storage.path().join("data");
        let passwords = storage.path().join("passwords");
        std::fs::write(&passwords, users)?;
        let guard = if users.is_empty() {
            String::new()
        } else {
            format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", passwords.display())
        };
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{guard}",
                data.display()
            ),
        )?;
        let log = storage.path().join("log");
        let program = "docker-registry";
        let mut command = netns.map_or_else(|| Command::new(program), |netns| netns.command(program));
        let process = Running::start(command.arg("serve").arg(&config), &log)
            .context("is the Debian package docker-registry installed?")?;
        Ok(Self { process, port, _storage: storage })
    }

    async fn answers(&self) -> Result<()> {
        let (client, url) = (crate::client::http()?, format!("http://{}/v2/", self.host()));
        let answer = || async {
            client.get(&url).send().await.ok().filter(|r| r.status().is_success() || r.status() == 401)
        };
        until("the registry", answer).await.with_context(|| self.process.log())?;
        Ok(())
    }

    /// `127.0.0.1:PORT`, as in a reference.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes an OCI layout as `name` (`busybox:latest`) by `skopeo`; answers the full reference.
    ///
    /// # Errors
    /// When `skopeo` fails.
    pub fn push(&self, layout: &Path, name: &str) -> Result<String> {
        let reference = format!("{}/{name}", self.host());
        run(Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"])
            .arg(format!("--dest-creds={USER}:{PASSWORD}"))
            .arg(format!("oci:{}", layout.display()))
            .arg(format!("docker://{reference}")))?;
        Ok(reference)
    }

    /// The pid, for whoever wants to stop or kill it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// A port of the loopback that was free a moment ago.
///
/// # Errors
/// When the kernel has none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

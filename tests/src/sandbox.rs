//! The whole system on state, sockets, ports and control groups of its own: spawner, engine, web server.
//!
//! The one place that knows the programs' command lines. When dropped, containers are ended first, then the three
//! processes, by their pids.

use crate::client::{Visitor, http};
use crate::netns::Netns;
use crate::process::Running;
use crate::reaper::Care;
use crate::registry::free_port;
use crate::wait::until;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The administrator's token of every sandbox.
pub const TOKEN: &str = "the-administrator-of-a-test";

/// One of the three processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Parent of the containers.
    Spawner,
    /// The container engine.
    Engine,
    /// The web server.
    Server,
}

/// See the module.
#[derive(Debug)]
pub struct Sandbox {
    spawner: Running,
    engine: Running,
    server: Option<Running>,
    port: u16,
    catalogue: Vec<String>,
    settings: Vec<String>,
    blanks: usize,
    engine_settings: Vec<(&'static str, &'static str)>,
    netns: Option<Netns>,
    dir: TempDir,
    _care: Care,
}

impl Sandbox {
    /// Spawner and engine; containers have no network where none is named, for the host's is no test's to change.
    ///
    /// # Errors
    /// When one does not come up; the message carries its log.
    pub async fn engine() -> Result<Self> {
        Self::made(None).await
    }

    async fn made(netns: Option<Netns>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("sandlot-test-").tempdir()?;
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let care = Care::folder(dir.path())?;
        let spawner = start_spawner(dir.path()).await?;
        let engine = start_engine(dir.path(), 0, &[], netns.as_ref())?;
        let sandbox = Self {
            spawner,
            engine,
            server: None,
            port: free_port()?,
            catalogue: Vec::new(),
            settings: Vec::new(),
            blanks: 0,
            engine_settings: Vec::new(),
            netns,
            dir,
            _care: care,
        };
        sandbox.engine_answers().await?;
        Ok(sandbox)
    }

    /// Spawner and engine, the engine in a network namespace of its own, with the network `bridge` where none is named.
    ///
    /// # Errors
    /// When one does not come up; the message carries its log.
    pub async fn networked() -> Result<Self> {
        Self::made(Some(Netns::new()?)).await
    }

    /// The network namespace of the engine, if it has one of its own.
    ///
    /// # Errors
    /// When it is the host's.
    pub fn netns(&self) -> Result<&Netns> {
        self.netns.as_ref().context("this engine is in the host's network namespace")
    }

    /// All three; `catalogue` are the images that visitors may choose, none for the built-in one.
    ///
    /// # Errors
    /// When one does not come up; the message carries its log.
    pub async fn whole(catalogue: &[&str]) -> Result<Self> {
        let mut sandbox = Self::engine().await?;
        sandbox.catalogue(catalogue);
        sandbox.start(Part::Server).await?;
        Ok(sandbox)
    }

    /// The images that visitors may choose once the web server is started (again).
    pub fn catalogue(&mut self, names: &[&str]) {
        self.catalogue = names.iter().map(|name| format!("[[images]]\nname = {name:?}\n")).collect();
    }

    /// The same, with all that is said of each, as the configuration file has it below `[[images]]`.
    pub fn images(&mut self, tables: &[&str]) {
        self.catalogue = tables.iter().map(|table| format!("[[images]]\n{table}\n")).collect();
    }

    /// How many containers the engine begins before anybody asks, once it is started (again).
    pub fn blanks(&mut self, number: usize) {
        self.blanks = number;
    }

    /// The engine's process.
    #[must_use]
    pub fn engine_pid(&self) -> u32 {
        self.engine.pid()
    }

    /// A setting of the engine by the name of its variable, once it is started (again).
    pub fn engine_setting(&mut self, name: &'static str, value: &'static str) {
        self.engine_settings.push((name, value));
    }

    /// More arguments of the web server, as `--sessions=1`, once it is started (again).
    pub fn settings(&mut self, arguments: &[&str]) {
        self.settings = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    }

    /// Where the web server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The folder of everything of this sandbox: state, sockets, logs. Its name marks mounts and groups as well.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What of this sandbox's name is in the host's mounts and groups.
    #[must_use]
    pub fn mark(&self) -> String {
        mark(self.dir.path())
    }

    /// `unix://…` of the engine.
    #[must_use]
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("engine.sock").display())
    }

    /// The directory below which this engine allows bind mounts.
    #[must_use]
    pub fn binds(&self) -> std::path::PathBuf {
        self.dir.path().join("binds")
    }

    /// Runs `docker …`, which must fail; answers its exit code and what it printed as errors.
    ///
    /// # Errors
    /// When it succeeds.
    pub fn refused(&self, arguments: &[&str]) -> Result<(i32, String)> {
        let output = self.docker(arguments)?;
        anyhow::ensure!(!output.status.success(), "docker {arguments:?} succeeded");
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Ok((output.status.code().unwrap_or(-1), said))
    }

    /// A command of the real `docker` client that talks to this engine.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_HOST", self.host()).env("DOCKER_CONFIG", self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    /// Runs `docker …` to its end.
    ///
    /// # Errors
    /// When the package `docker.io` is missing.
    pub fn docker(&self, arguments: &[&str]) -> Result<Output> {
        self.command(arguments).output().context("is the Debian package docker.io installed?")
    }

    /// Runs `docker …`, which must succeed; answers what it printed without the last line's end.
    ///
    /// # Errors
    /// When it fails; the message carries what it printed.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        let output = crate::process::run(&mut self.command(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// What `docker events` tells of all that has happened so far, a line each.
    ///
    /// # Errors
    /// When it fails.
    pub fn events(&self, filters: &[&str]) -> Result<String> {
        self.events_as("", filters)
    }

    /// The same in a format of `docker`'s.
    ///
    /// # Errors
    /// When it fails.
    pub fn events_as(&self, format: &str, filters: &[&str]) -> Result<String> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let until = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let mut arguments = vec!["events", "--since", "1", "--until", &until, "--format", format];
        filters.iter().for_each(|filter| arguments.extend(["--filter", filter]));
        self.ok(&arguments)
    }

    /// A command of `sandlot` itself that talks to this engine.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn own_command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(crate::program("sandlot")?);
        command.args(arguments).env("SANDLOT_HOST", self.host()).env("DOCKER_CONFIG", self.dir.path());
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Runs `sandlot …`, which must succeed; answers what it printed without the last line's end.
    ///
    /// # Errors
    /// When it fails; the message carries what it printed.
    pub fn sandlot(&self, arguments: &[&str]) -> Result<String> {
        let output = crate::process::run(&mut self.own_command(arguments)?)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Runs `sandlot …`; answers its exit code, and what it printed to both outputs.
    ///
    /// # Errors
    /// When the program was not built.
    pub fn said(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let output = self.own_command(arguments)?.output()?;
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        Ok((output.status.code(), said.into_owned()))
    }

    /// The administrator.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn administrator(&self) -> Result<Visitor> {
        Visitor::with_token(self.address(), TOKEN)
    }

    /// `kill -9` of one part.
    ///
    /// # Errors
    /// When it is not there to be killed.
    pub fn kill(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Spawner => self.spawner.kill(),
            Part::Engine => self.engine.kill(),
            Part::Server => self.server.as_mut().context("no server was started")?.kill(),
        }
    }

    /// Starts a part (again), and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up; the message carries its log.
    pub async fn start(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Spawner => self.spawner = start_spawner(self.dir.path()).await?,
            Part::Engine => {
                self.engine =
                    start_engine(self.dir.path(), self.blanks, &self.engine_settings, self.netns.as_ref())?;
                self.engine_answers().await?;
            }
            Part::Server => {
                self.server = Some(self.start_server()?);
                let (client, url) = (http()?, format!("http://{}/readyz", self.address()));
                let ready =
                    || async { client.get(&url).send().await.ok().filter(|a| a.status().is_success()) };
                until("the web server", ready).await.with_context(|| self.log(Part::Server))?;
            }
        }
        Ok(())
    }

    /// The pid of a part.
    ///
    /// # Errors
    /// When it is the server, and none was started.
    pub fn pid(&self, part: Part) -> Result<u32> {
        Ok(match part {
            Part::Spawner => self.spawner.pid(),
            Part::Engine => self.engine.pid(),
            Part::Server => self.server.as_ref().context("no server was started")?.pid(),
        })
    }

    /// What a part has logged.
    #[must_use]
    pub fn log(&self, part: Part) -> String {
        match part {
            Part::Spawner => self.spawner.log(),
            Part::Engine => self.engine.log(),
            Part::Server => self.server.as_ref().map(Running::log).unwrap_or_default(),
        }
    }

    async fn engine_answers(&self) -> Result<()> {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().unix_socket(self.dir.path().join("engine.sock")).build()?;
        let ping = || async {
            client.get("http://engine/_ping").send().await.ok().filter(|a| a.status().is_success())
        };
        until("the engine", ping).await.with_context(|| self.log(Part::Engine))?;
        Ok(())
    }

    fn start_server(&self) -> Result<Running> {
        let dir = self.dir.path();
        let config = dir.join("sandlot.toml");
        std::fs::write(&config, self.catalogue.concat())?;
        let mut command = Command::new(crate::program("sandlot-server")?);
        command.arg("--config").arg(config).arg("--state").arg(dir.join("server"));
        command.arg("--listen").arg(self.address().to_string());
        command.arg("--engine").arg(format!("unix://{}", dir.join("server.sock").display()));
        // Containers that nobody asked for would be in the way of tests that count them.
        command.args(&self.settings).env("SANDLOT_ADMIN_TOKEN", TOKEN).env("SANDLOT_POOL_COUNT", "0");
        Running::start(&mut command, &dir.join("server.log"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let listed = self.docker(&["ps", "--all", "--quiet", "--no-trunc"]).map(|output| output.stdout);
        let ids = String::from_utf8(listed.unwrap_or_default()).unwrap_or_default();
        for id in ids.lines() {
            let _already_gone = self.docker(&["rm", "--force", id]);
        }
        if std::thread::panicking() {
            for part in [Part::Spawner, Part::Engine, Part::Server] {
                eprintln!("── log of {part:?}:\n{}", self.log(part));
            }
        }
        // The engine ends by itself, so that it gives back what it holds; a kill is what is left if it does not.
        let _already_gone = self.server.as_mut().map(Running::terminate);
        let _already_gone = self.engine.terminate();
        let _already_gone = self.spawner.kill();
        crate::reaper::after_failure(self.dir());
    }
}

fn mark(dir: &Path) -> String {
    dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Comes back when it listens: an engine that finds none would start one of its own.
async fn start_spawner(dir: &Path) -> Result<Running> {
    let socket = dir.join("spawner.sock");
    let mut command = Command::new(crate::program("sandlot")?);
    command.arg("spawner").arg("--socket").arg(&socket);
    let running = Running::start(&mut command, &dir.join("spawner.log"))?;
    until("the spawner", || async { UnixStream::connect(&socket).ok() })
        .await
        .with_context(|| running.log())?;
    Ok(running)
}

fn start_engine(
    dir: &Path,
    blanks: usize,
    settings: &[(&str, &str)],
    netns: Option<&Netns>,
) -> Result<Running> {
    let program = crate::program("sandlot")?;
    let mut command = match netns {
        Some(netns) => netns.command(&program),
        None => Command::new(&program),
    };
    command.env("SANDLOT_DEFAULT_NETWORK", if netns.is_some() { "bridge" } else { "none" });
    command.arg("engine").arg("--state").arg(dir.join("state")).arg("--run").arg(dir);
    command.arg("--bind-root").arg(dir.join("binds"));
    // What there is of control groups is what the test made; a test of blanks asks for them.
    command.env("SANDLOT_CGROUP_PARENT", mark(dir)).env("SANDLOT_BLANKS", blanks.to_string());
    command.envs(settings.iter().copied());
    Running::start(&mut command, &dir.join("engine.log"))
}

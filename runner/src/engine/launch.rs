//! From a record to a running first process.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::model::{Resources, Throttle};
use super::mount::Source;
use super::networks::{self, Way};
use super::record::{Record, State};
use super::restore::Origin;
use super::validate::{self, Checked};
use super::view;
use crate::container::cgroup::{DeviceRate, Group, Limits, Machine, Wanted};
use crate::container::rootfs;
use crate::container::spec::{self, IdRange, Init, MountSource, Network, Process, Stdio};
use crate::container::{network, seccomp};
use crate::spawner::client::{INIT, StartFds};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

/// Bytes of `/dev/shm` where nothing else was said: Docker's.
const SHM: u64 = 64 << 20;
/// Processes and threads where nothing else was said.
const PIDS: i64 = 4096;

/// How long an attacher may take to read what a dead container had printed.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(5);

/// What failed when there is no control group.
const GROUP: &str = "making the control group";

impl Engine {
    /// Starts a container's first process; the caller holds the container's lock.
    pub(super) async fn launch(&self, container: &Arc<Container>, from: &Origin) -> Result<(), Error> {
        let record = container.record();
        container.output.begin();
        let started = self.try_launch(container, &record, from).await;
        if let Err(error) = &started {
            self.abandon(container).await;
            // One that was told what it is has been ended.
            self.spawner.abandon(&container.id).await.unwrap_or_default();
            self.release_group(container);
            self.networks.withdraw(&container.id);
            let (code, words) = match error {
                Error::Start(failure) => (failure.exit_code, failure.to_string()),
                other => (128, other.to_string()),
            };
            container.change(|record| {
                let exit = super::record::Exit {
                    code,
                    error: words,
                    oom_killed: false,
                    started: None,
                    at: jiff::Timestamp::now(),
                };
                record.state = State::Exited(exit);
            })?;
            container.output.end();
        }
        started
    }

    async fn try_launch(
        &self,
        container: &Arc<Container>,
        record: &Record,
        from: &Origin,
    ) -> Result<(), Error> {
        let checked = validate::check(&record.config, &record.host, &self.settings)?;
        let range = container.slot.range();
        let userns = self.mapping(range).await?;
        let image = self
            .images
            .resolve(&record.image)
            .map_err(|_| Error::not_found("image", record.image.clone()))?;
        let mut reserved = self.reserve(record)?;
        let mut files = networks::files(record, checked.way, &reserved.endpoints);
        let linked = self.linked(record)?;
        files.hosts.push_str(&linked.hosts);
        let (upper, work) = self.writable(container, checked.disk).await?;
        // It takes as long as the mounts, if it has not been done: side by side.
        let ahead = (!from.restores()).then(|| self.beginning(container, checked.profile));
        let root = rootfs::assemble(&image.layers, &upper, &work, userns.as_fd());
        let (volatile, join) = match ahead {
            Some(ahead) => (self.begun(container, checked.profile, ahead).await?, Vec::new()),
            None => (rootfs::devices(range.base)?, self.group_alone(container).await?),
        };
        let root = root?;
        rootfs::put_files(volatile.as_fd(), &files, range.base)?;
        let (mounts, mut sent) = self.mounts(container, &checked, userns.as_fd()).await?;
        let mut description = describe(record, &checked, range, mounts)?;
        if let Some(process) = &mut description.process {
            linked.tell(&mut process.env);
        }
        let prepared =
            std::mem::take(&mut *container.prepared.lock().unwrap_or_else(PoisonError::into_inner));
        prepared.add_to(&mut description, &mut sent);
        let own = (&checked, &*image.layers, &*upper, userns.as_fd());
        self.give_engine(container, own, &mut description, &mut sent)?;
        self.own_figures(&mut description, &mut sent);
        let held = super::checkpoints::held(&description.mounts, &sent)?;
        let fds = StartFds { root, volatile, mounts: sent };
        let mut started = match from {
            Origin::Nothing => self.spawner.start(&description, fds).await?,
            Origin::Checkpoint(archive) => self.restore(container, archive, &description, fds, &join).await?,
        };
        if checked.way != Way::None {
            match checked.way {
                Way::Internet => self.connect(container, started.pid).await?,
                _ => self.plug(container, &mut reserved, started.pid).await?,
            }
        }
        if from.restores() {
            started = self.let_go(container, &description, (started.pid, &held)).await?;
        } else if checked.way != Way::None {
            started = self.spawner.proceed(&container.id).await?;
        }
        if record.host.auto_remove {
            container.hold_mounts(started.pid);
        }
        self.read_output(container, started.stdio).await?;
        let since = jiff::Timestamp::now();
        let (endpoints, published) = reserved.keep();
        self.tell_of("connect", container, &endpoints);
        container.change(|record| {
            record.state = State::Running { pid: started.pid, since };
            record.health = record.config.check().map(|_| super::health::Health::default());
            record.endpoints = endpoints;
            record.published = published;
        })?;
        self.volume_events(container, "mount");
        self.events.container("start", container);
        self.refill_later();
        self.mind_health(container);
        Ok(())
    }

    /// The directories that hold what the container writes: on a disk of its own if its size is limited.
    pub(super) async fn writable(
        &self,
        container: &Arc<Container>,
        size: Option<u64>,
    ) -> Result<(PathBuf, PathBuf), Error> {
        let Some(size) = size else {
            return Ok((container.dir.join("upper"), container.dir.join("work")));
        };
        let (engine, id, range) = (self.clone(), container.id.clone(), container.slot.range());
        let disk = move || engine.disks.open(&id).or_else(|_| engine.disks.acquire(&id, Some(size), range));
        let disk = tokio::task::spawn_blocking(disk)
            .await
            .map_err(std::io::Error::other)
            .doing(|| "making the disk".into())?
            .map_err(|e| Error::Conflict(e.to_string()))?;
        let engine = self.clone();
        // The next one is made while nobody waits.
        tokio::task::spawn_blocking(move || {
            engine.disks.refill().map_err(|e| tracing::warn!("no disk is ready: {e}"))
        });
        Ok((disk.upper(), disk.work()))
    }

    /// Gives a container that waits for it a way to the internet.
    async fn connect(&self, container: &Container, pid: i32) -> Result<(), Error> {
        let (engine, slot, base) = (self.clone(), container.slot.number(), container.slot.range().base);
        let failed = |e: network::internet::Error| Error::Conflict(format!("the network internet: {e}"));
        networks::waited_for(move || {
            let internet = engine.networks.internet(engine.settings.internet_pool).map_err(failed)?;
            let netns = view::netns(pid, base)?;
            internet.connect(slot, netns.as_fd()).map(drop).map_err(failed)
        })
        .await
    }

    /// Takes a container's way to the internet back; its namespace has taken the inner end along.
    fn disconnect(&self, container: &Container) {
        if let Err(e) = self.networks.no_internet(container.slot.number()) {
            tracing::debug!("disconnecting: {e}");
        }
    }

    /// A container's control group, and what leads into it.
    pub(super) fn make_group(
        &self,
        id: &str,
        wanted: &Resources,
        delegate: Option<IdRange>,
    ) -> Result<(Group, Vec<OwnedFd>), Error> {
        let limits = limits(wanted)?;
        let doing = || GROUP.to_owned();
        let group = self
            .groups
            .create(&self.parent, id, &limits, delegate)
            .map_err(std::io::Error::other)
            .doing(doing)?;
        let join = group.join().map_err(std::io::Error::other).doing(doing)?;
        Ok((group, join))
    }

    /// Removes a container's control group, with whatever still runs in it.
    pub(super) fn release_group(&self, container: &Container) {
        let group = container.group.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(group) = group {
            // Freeing a group may take a moment: nobody waits for it but the next start.
            let leaving = tokio::task::spawn_blocking(move || super::ahead::remove(group));
            *container.leaving.lock().unwrap_or_else(PoisonError::into_inner) = Some(leaving);
        }
    }

    /// Connects the engine with the first process's streams.
    pub(super) async fn read_output(
        &self,
        container: &Arc<Container>,
        stdio: crate::spawner::client::StdioFds,
    ) -> Result<(), Error> {
        let streams =
            super::streams::Streams::new(stdio).doing(|| "reading the container's output".into())?;
        *container.stdin.lock().await = streams.input;
        let read = |reader: super::streams::Reader| {
            let output = container.output.clone();
            tokio::spawn(async move {
                while let Some(chunk) = reader.next().await {
                    output.take(chunk).await;
                }
            })
        };
        let tasks = streams.readers.into_iter().map(read).collect();
        *container.readers.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(())
    }

    /// The first process has ended.
    pub(super) async fn ended(self, container: Arc<Container>, status: crate::spawner::client::ExitStatus) {
        let _busy = container.busy.lock().await;
        let oom = container.with_group(|g| g.oom_killed().unwrap_or(0) > 0).unwrap_or(false);
        let removed = container.record().host.auto_remove;
        if !removed {
            // Else that is done when who waits for its end has heard of it.
            self.release_group(&container);
        }
        self.disconnect(&container);
        self.unplug(&container);
        self.drain(&container).await;
        if !removed {
            self.forget_all(&container.id).await;
        }
        let code = status.code();
        let change = |record: &mut Record| {
            let started = record.state.alive().map(|(_, since)| since);
            let error = std::mem::take(&mut *container.reason.lock().unwrap_or_else(PoisonError::into_inner));
            let at = jiff::Timestamp::now();
            let exit = super::record::Exit { code, error, oom_killed: oom, started, at };
            let again = super::restart::after_end(record, code);
            record.finished = Some(at);
            record.state = if again { State::Restarting(exit) } else { State::Exited(exit) };
            record.unplugged();
        };
        if removed {
            container.note(change);
        } else if let Err(e) = container.change(change) {
            tracing::warn!("{e}");
        }
        let record = container.record();
        self.events.died(&container, &record);
        self.volume_events(&container, "unmount");
        if removed {
            if let Err(e) = self.discard(&container) {
                tracing::warn!("{e}");
            }
            // Its id never comes again: nobody waited for that.
            self.forget_all(&container.id).await;
        } else if matches!(record.state, State::Restarting(_)) {
            self.restart_later(&container);
        }
    }

    /// Has the spawner forget a container's processes.
    async fn forget_all(&self, id: &str) {
        let first = self.spawner.forget(id, INIT);
        tokio::join!(first, self.forget_processes(id)).0.unwrap_or_default();
    }

    /// Takes in what the first process still had printed: its pipes and its terminal end when the last of the container's
    /// processes has, for nobody else holds an inner end.
    async fn drain(&self, container: &Arc<Container>) {
        *container.stdin.lock().await = None;
        let readers = std::mem::take(&mut *container.readers.lock().unwrap_or_else(PoisonError::into_inner));
        let all = futures_util::future::join_all(readers);
        // With the first process all others are dead, so the pipes end; an attacher that reads nothing is not waited for.
        tokio::time::timeout(LAST_WORDS, all).await.map(drop).unwrap_or_default();
        container.output.end();
    }
}

/// The limits that were asked for, in range.
pub(super) fn limits(wanted: &Resources) -> Result<Limits, Error> {
    let rates = |list: &[Throttle]| -> Vec<DeviceRate> {
        list.iter().map(|t| DeviceRate { path: t.path.clone().into(), rate: t.rate }).collect()
    };
    let wanted = Wanted {
        memory: wanted.memory,
        memory_swap: wanted.memory_swap,
        memory_reservation: wanted.memory_reservation,
        nano_cpus: wanted.nano_cpus,
        cpu_quota: wanted.cpu_quota,
        cpu_period: wanted.cpu_period,
        cpu_shares: wanted.cpu_shares,
        cpuset_cpus: wanted.cpuset_cpus.clone(),
        cpuset_mems: wanted.cpuset_mems.clone(),
        pids: wanted.pids_limit.filter(|p| *p != 0).unwrap_or(PIDS),
        blkio_weight: wanted.blkio_weight,
        read_bps: rates(&wanted.blkio_device_read_bps),
        write_bps: rates(&wanted.blkio_device_write_bps),
        read_iops: rates(&wanted.blkio_device_read_iops),
        write_iops: rates(&wanted.blkio_device_write_iops),
    };
    Limits::new(&wanted, &Machine::for_limits(&wanted)).map_err(|e| Error::invalid(e.to_string()))
}

fn describe(
    record: &Record,
    checked: &Checked,
    range: IdRange,
    mounts: Vec<spec::Mount>,
) -> Result<spec::Container, Error> {
    let (config, host) = (&record.config, &record.host);
    let argv: Vec<String> =
        config.entrypoint.iter().flatten().chain(config.cmd.iter().flatten()).cloned().collect();
    let stdio = match (config.tty, config.open_stdin) {
        (true, _) => Stdio::Terminal { cols: 80, rows: 24 },
        (false, stdin) => Stdio::Pipes { stdin },
    };
    let process = (checked.init != Init::Only).then(|| process(record, checked, argv, stdio)).transpose()?;
    Ok(spec::Container {
        id: record.id.clone(),
        range,
        hostname: config.hostname.clone(),
        domainname: config.domainname.clone(),
        init: checked.init,
        profile: checked.profile,
        network: if checked.way == Way::None { Network::None } else { Network::Routed },
        readonly: host.readonly_rootfs,
        shm_size: match (host.ipc_mode.as_str(), host.shm_size) {
            ("none", _) => 0,
            (_, 0) => SHM,
            (_, size) => u64::try_from(size).unwrap_or(SHM),
        },
        mounts,
        sysctls: host.sysctls.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        process,
        engine: None,
    })
}

/// A process as the container's configuration wants it.
pub(super) fn process(
    record: &Record,
    checked: &Checked,
    argv: Vec<String>,
    stdio: Stdio,
) -> Result<Process, Error> {
    let mut env = record.config.env.clone();
    if !env.iter().any(|e| e.starts_with("HOSTNAME=")) {
        env.push(format!("HOSTNAME={}", record.config.hostname));
    }
    let seccomp = seccomp::programs(checked.profile, checked.capabilities)
        .map_err(std::io::Error::other)
        .doing(|| "compiling the system call filter".into())?;
    Ok(Process {
        argv,
        env,
        cwd: record.config.working_dir.clone(),
        user: record.config.user.clone(),
        groups: record.host.group_add.clone(),
        stdio,
        capabilities: checked.capabilities,
        seccomp,
        rlimits: checked.rlimits.clone(),
        oom_score_adj: Some(record.host.oom_score_adj).filter(|a| *a != 0),
    })
}

/// The mounts in the form the spawner takes: those of the host by descriptor.
pub(super) fn specification(source: &Source, sent: usize) -> MountSource {
    match source {
        Source::Tmpfs(options) => MountSource::Tmpfs(options.clone()),
        Source::Bind(_) | Source::Volume(_) => MountSource::Detached(sent),
    }
}

//! Containers as a whole: lifecycle, state on disk, output, executions, events; knows no HTTP.
//!
//! One [`Engine`] holds what is shared; a [`container::Container`] each holds its own. What the engine forgets when it is
//! killed stands in the records, or is kept by the spawner.

mod ahead;
mod blanks;
pub mod browse;
pub mod build;
pub mod changes;
pub mod checkpoints;
pub mod commit;
pub mod container;
pub mod create;
mod defaults;
pub mod error;
pub mod events;
pub mod exec;
pub mod files;
pub mod health;
mod inner;
pub mod io;
pub mod keep;
mod launch;
pub mod lifecycle;
mod links;
mod listening;
mod lock;
mod log;
pub mod log_reader;
pub mod logging;
pub mod meter;
pub mod model;
pub mod mount;
mod mounting;
pub mod names;
pub mod networks;
pub mod output;
mod own_figures;
pub mod pipe;
mod pools;
mod populate;
mod prepared;
pub mod record;
mod recover;
mod restart;
mod restore;
pub mod script;
pub mod settings;
pub mod slots;
pub mod stats;
pub mod stop;
pub mod streams;
pub mod terminals;
pub mod top;
pub mod validate;
mod view;
pub mod volumes;

pub use error::Error;
pub use settings::Settings;

use crate::container::cgroup::Hierarchy;
use crate::container::disk::{self, Disks};
use crate::container::spec::IdRange;
use crate::container::views::Views;
use crate::image::distribution::Distribution;
use crate::image::{Limits, Store};
use crate::spawner::client::{Client, Event};
use container::Container;
use create::Force;
use error::Doing;
use events::Events;
use exec::Execs;
use slots::Slots;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, mpsc};

/// How many ends of processes a slow listener may be behind.
const ENDS: usize = 4096;

/// An engine; clones share it.
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

/// What all parts of an engine share.
#[derive(Debug)]
pub struct Shared {
    /// Its settings.
    pub settings: Settings,
    /// Its images.
    pub images: Store,
    /// The registry side of them.
    pub distribution: Distribution,
    /// What happened.
    pub events: Events,
    pub(super) spawner: Client,
    pub(super) groups: Hierarchy,
    pub(super) parent: String,
    pub(super) slots: Slots,
    /// Its networks.
    pub networks: networks::Networks,
    pub(super) disks: Disks,
    pub(super) execs: Execs,
    pub(super) shell: script::Shell,
    pub(super) places: Arc<tokio::sync::Semaphore>,
    pub(super) blanks: blanks::Blanks,
    pub(super) views: Mutex<Option<Views>>,
    pub(super) ends: broadcast::Sender<Event>,
    containers: Mutex<BTreeMap<String, Arc<Container>>>,
    _lock: lock::Lock,
    mappings: Mutex<HashMap<u32, Arc<OwnedFd>>>,
    /// Held while an empty volume is filled.
    pub(super) filling: Mutex<()>,
    pub(super) builds: build::Running,
    /// Read while work is being kept.
    pub(super) keeping: Arc<tokio::sync::RwLock<()>>,
}

impl std::ops::Deref for Engine {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Makes a directory that nobody else on this host may enter: layers hold programs that run as root (setuid) for whoever can
/// name them, and what containers wrote is theirs.
fn private(dir: &std::path::Path) -> Result<(), Error> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let made = std::fs::create_dir_all(dir).and_then(|()| std::fs::set_permissions(dir, mode));
    made.doing(|| format!("making {}", dir.display()))
}

impl Engine {
    /// Takes up the state that is there: containers go on, or are marked as ended, and what a crash left is removed.
    ///
    /// # Errors
    /// What opening the state, finding the control groups or reaching the spawner answers.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let lock = lock::Lock::take(&settings.state)?;
        for name in ["containers", "volumes", "images", "disks"] {
            private(&settings.state.join(name))?;
        }
        private(&settings.run.join("rings"))?;
        let images = Store::open(&settings.state)
            .map_err(std::io::Error::other)
            .doing(|| "opening the images".into())?
            .limited(Limits { bytes: settings.image_limit, ..Limits::default() });
        let registry = settings.registry.clone();
        let distribution = Distribution::new(images.clone(), registry.bounds, registry.mirrors);
        let groups =
            Hierarchy::detect().map_err(std::io::Error::other).doing(|| "finding control groups".into())?;
        let usual = disk::Settings {
            size: settings.disk,
            ready: settings.disks_ready,
            overcommit_percent: settings.overcommit_percent,
        };
        let disks = Disks::new(&settings.state, usual)
            .map_err(std::io::Error::other)
            .doing(|| "finding the disks".into())?;
        let (spawner, ends) = Client::connect(&settings.spawner).await?;
        let engine = Self(Arc::new(Shared {
            parent: groups.parent(&settings.cgroup_parent),
            disks,
            networks: networks::Networks::open(&settings.state, &settings.run, &settings.allowed_ranges)?,
            slots: settings.slots(),
            events: Events::default(),
            execs: Execs::default(),
            shell: script::Shell::default(),
            blanks: blanks::Blanks::default(),
            views: Mutex::default(),
            places: Arc::new(tokio::sync::Semaphore::new(ahead::PLACES)),
            ends: broadcast::Sender::new(ENDS),
            containers: Mutex::default(),
            _lock: lock,
            mappings: Mutex::default(),
            filling: Mutex::default(),
            builds: build::Running::default(),
            keeping: Arc::default(),
            distribution,
            settings,
            images,
            spawner,
            groups,
        }));
        engine.recover().await?;
        engine.sweep_builds().await?;
        engine.refill()?;
        tokio::spawn(engine.clone().watch(ends));
        tokio::spawn(engine.clone().mind_pools());
        Ok(engine)
    }

    /// Hears of every end of a process. When the spawner is gone, so is everything that this engine could do.
    async fn watch(self, mut ends: mpsc::Receiver<Event>) {
        while let Some(event) = ends.recv().await {
            let Event::Exited { container, process, status } = &event;
            if process == crate::spawner::client::INIT {
                if let Some(container) = self.by_id(container) {
                    tokio::spawn(self.clone().ended(container, *status));
                }
            } else {
                self.exec_ended(container, process, *status);
            }
            // Nobody need be listening.
            self.ends.send(event).map(drop).unwrap_or_default();
        }
        tracing::error!("the spawner is gone: ending, so that both are started again");
        std::process::exit(70);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Container>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All containers, the newest first.
    #[must_use]
    pub fn containers(&self) -> Vec<Arc<Container>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by_key(|c| std::cmp::Reverse(c.record().created));
        all
    }

    fn by_id(&self, id: &str) -> Option<Arc<Container>> {
        self.lock().get(id).cloned()
    }

    /// A container by its id, its name, or the unique beginning of its id.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] for a beginning that several have.
    pub fn find(&self, key: &str) -> Result<Arc<Container>, Error> {
        let all = self.lock();
        let name = key.trim_start_matches('/');
        if let Some(found) = all.get(key).or_else(|| all.values().find(|c| c.name() == name)) {
            return Ok(Arc::clone(found));
        }
        let hex = !key.is_empty() && key.bytes().all(|b| b.is_ascii_hexdigit());
        let mut matching = all.values().filter(|c| hex && c.id.starts_with(key));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(Arc::clone(one)),
            (Some(_), Some(_)) => Err(Error::Conflict(format!("several containers' ids begin with {key}"))),
            (None, _) => Err(Error::not_found("container", key)),
        }
    }

    /// The user namespace that maps a range, made once.
    async fn mapping(&self, range: IdRange) -> Result<Arc<OwnedFd>, Error> {
        let known = |shared: &Shared| {
            shared.mappings.lock().unwrap_or_else(PoisonError::into_inner).get(&range.base).cloned()
        };
        if let Some(userns) = known(self) {
            return Ok(userns);
        }
        let made = match sandlot_sys::userns::within() {
            // Nothing is mapped by it there.
            true => std::fs::File::open("/proc/self/ns/user")
                .doing(|| "opening the own user namespace".into())?
                .into(),
            false => self.spawner.userns(range).await?,
        };
        let userns = Arc::new(made);
        let mut mappings = self.mappings.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(mappings.entry(range.base).or_insert(userns)))
    }

    /// What the control groups of this host are, for `info`.
    #[must_use]
    pub fn groups(&self) -> &Hierarchy {
        &self.groups
    }
}

//! From the mounts that a `RUN` asks for to detached mounts in its container's ids.
//!
//! Each is found by descriptor inside the root that it stands in: a link planted there by an earlier command leads nowhere
//! else. What lies on a disk meanwhile goes with a guard.

use super::error::{During, Error};
use super::job::Job;
use super::layer::directories;
use super::mounts::{self, Bind, Cache, Mount, Secret, Sharing};
use crate::container::rootfs;
use crate::engine::prepared::{Prepared, PreparedMount};
use crate::image::Digest;
use crate::image::place::open_inside;
use rustix::fs::{CWD, OFlags};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// The most caches of one id that private use makes.
const PRIVATE: usize = 64;

const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

/// What must stay while the command runs.
#[derive(Default)]
pub(super) struct Kept {
    directories: Vec<TempDir>,
    readers: Vec<OwnedRwLockReadGuard<()>>,
    writers: Vec<OwnedRwLockWriteGuard<()>>,
}

/// In whose ids something is mounted.
pub(super) struct Ids<'a> {
    pub(super) userns: BorrowedFd<'a>,
    /// The host's id of root inside.
    pub(super) base: u32,
}

/// Prepares the mounts, in their order.
pub(super) async fn prepare(
    job: &Job,
    wanted: &[Mount],
    ids: &Ids<'_>,
    kept: &mut Kept,
) -> Result<Prepared, Error> {
    let mut prepared = Prepared::default();
    for mount in wanted {
        match mount {
            // The record's own business.
            Mount::Tmpfs { .. } => {}
            Mount::Bind(bind) => {
                let mount = bound(job, bind, ids, kept).await?;
                let (target, readonly) = (bind.target.clone(), !bind.writable);
                prepared.mounts.push(PreparedMount { mount, target, readonly });
            }
            Mount::Cache(cache) => {
                let mount = kept_cache(job, cache, ids, kept).await?;
                let (target, readonly) = (cache.target.clone(), cache.readonly);
                prepared.mounts.push(PreparedMount { mount, target, readonly });
            }
            Mount::Secret(secret) => reveal(job, secret, ids, (&mut prepared, kept))?,
        }
    }
    Ok(prepared)
}

async fn bound(job: &Job, bind: &Bind, ids: &Ids<'_>, kept: &mut Kept) -> Result<OwnedFd, Error> {
    let fail = |e: io::Error| Error::step(format!("--mount source={}: {e}", bind.source));
    let source = Path::new(bind.source.trim_start_matches('/'));
    let layers: Option<Vec<Digest>> = match &bind.from {
        Some(from) => Some(job.state_of(from).await?.layers),
        None => None,
    };
    let context = job.context_root()?;
    if layers.is_none() && !bind.writable {
        let found = open_inside(context.fd.as_fd(), source, OFlags::PATH).map_err(|e| fail(e.into()))?;
        let mount =
            open_tree(&found, "", CLONE | OpenTreeFlags::AT_EMPTY_PATH).map_err(|e| fail(e.into()))?;
        sandlot_sys::mount::idmap(mount.as_fd(), ids.userns).map_err(fail)?;
        return Ok(mount);
    }
    // Written or not: an upper directory of its own takes what is written, and goes.
    let made = job.images().workshop()?;
    let place = |name: &str| made.path().join(name);
    let below = match &layers {
        Some(layers) => directories(job.images(), layers, made.path())?,
        None => vec![job.context_path()?],
    };
    std::fs::create_dir(place("work")).and_then(|()| std::fs::create_dir(place("attached"))).map_err(fail)?;
    for name in ["tree", "work"] {
        chown(place(name), Some(ids.base), Some(ids.base)).map_err(fail)?;
    }
    let root = rootfs::assemble(&below, &place("tree"), &place("work"), ids.userns)
        .map_err(|e| Error::step(e.to_string()))?;
    let mount = rootfs::part(root, source, &place("attached")).map_err(fail)?;
    kept.directories.push(made);
    Ok(mount)
}

async fn kept_cache(job: &Job, cache: &Cache, ids: &Ids<'_>, kept: &mut Kept) -> Result<OwnedFd, Error> {
    let name = mounts::cache_name(&cache.id);
    let mut place = job.caches().join(&name);
    match cache.sharing {
        Sharing::Shared => kept.readers.push(job.cache_lock(&name).read_owned().await),
        Sharing::Locked => kept.writers.push(job.cache_lock(&name).write_owned().await),
        Sharing::Private => {
            let free = (0..PRIVATE).find_map(|n| {
                let name = if n == 0 { name.clone() } else { format!("{name}-{n}") };
                let lock: Arc<RwLock<()>> = job.cache_lock(&name);
                Some((name, lock.try_write_owned().ok()?))
            });
            let (name, guard) =
                free.ok_or_else(|| Error::step(format!("the cache {} is in use {PRIVATE} times", cache.id)))?;
            kept.writers.push(guard);
            place = job.caches().join(name);
        }
    }
    let doing = "making a cache";
    match std::fs::create_dir(&place) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => {
            other.during(doing)?;
            chown(&place, Some(cache.owner.0), Some(cache.owner.1)).during(doing)?;
            std::fs::set_permissions(&place, PermissionsExt::from_mode(cache.mode)).during(doing)?;
        }
    }
    std::fs::File::open(&place)
        .and_then(|dir| dir.set_modified(std::time::SystemTime::now()))
        .during("marking a cache as used")?;
    let mount = open_tree(CWD, &place, CLONE).during("mounting a cache")?;
    sandlot_sys::mount::idmap(mount.as_fd(), ids.userns).during("mounting a cache")?;
    Ok(mount)
}

fn reveal(
    job: &Job,
    secret: &Secret,
    ids: &Ids<'_>,
    (prepared, kept): (&mut Prepared, &mut Kept),
) -> Result<(), Error> {
    let Some(content) = job.secret(&secret.id) else {
        if secret.required {
            return Err(Error::step(format!("secret {}: not found", secret.id)));
        }
        return Ok(());
    };
    if let Some(name) = &secret.env {
        let text = String::from_utf8(content.to_vec());
        let text = text.ok().filter(|text| !text.contains('\0'));
        let text =
            text.ok_or_else(|| Error::step(format!("secret {}: it cannot be a variable", secret.id)))?;
        prepared.env.push(format!("{name}={text}"));
    }
    if let Some(target) = &secret.target {
        let owner = (ids.base + secret.owner.0, ids.base + secret.owner.1);
        let mount = passing(job, content, secret.mode, owner, kept)?;
        prepared.mounts.push(PreparedMount { mount, target: target.clone(), readonly: true });
    }
    Ok(())
}

/// A file that is there for the command alone, in the directory of what does not outlive a restart.
pub(super) fn passing(
    job: &Job,
    content: &[u8],
    mode: u32,
    owner: (u32, u32),
    kept: &mut Kept,
) -> Result<OwnedFd, Error> {
    let made: TempDir = job.passing_directory()?;
    let path: PathBuf = made.path().join("file");
    let write = || -> io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(content)?;
        chown(&path, Some(owner.0), Some(owner.1))?;
        file.set_permissions(PermissionsExt::from_mode(mode & 0o777))
    };
    write().during("handing a file to a command")?;
    let mount = open_tree(CWD, &path, CLONE).during("mounting a file for a command")?;
    kept.directories.push(made);
    Ok(mount)
}

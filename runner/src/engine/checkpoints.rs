//! Checkpoints of a container: a running one written to its directory, by name.
//!
//! What the images are made of stands in the record: a digest, and what CRIU is to be told when it reads them. They go with the
//! container. How one is put on its feet again stands in `restore`.

use super::Engine;
use super::container::Container;
use super::error::{Doing, Error};
use super::record::State;
use super::validate::{self, Checked};
use crate::container::checkpoint::dump::{After, dump};
use crate::container::checkpoint::mounted::{self, Held};
use crate::container::checkpoint::restore::{Pipe, Streams};
use crate::container::checkpoint::{self, verify};
use crate::container::spec::{self, Init, MountSource, Profile};
use crate::image::{Digest, Hasher};
use crate::spawner::client::{INIT, StdioFds};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest name.
const NAME: usize = 255;
/// The most checkpoints of one container: each is about as large as its memory.
const MOST: usize = 16;
/// What must be left of the filesystem beside what a container has in memory.
const SPARE: u64 = 64 << 20;
/// Below the directory of checkpoints: one that is being made. No name begins with a dot.
const NEW: &str = ".new";

/// A checkpoint, as the record has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// When it was made.
    pub created: jiff::Timestamp,
    /// The digest of all its files.
    pub digest: String,
    /// The names of what was mounted from outside.
    pub named: Vec<String>,
    /// What its standard streams were.
    pub streams: Streams,
}

impl Engine {
    /// Writes a running container down under a name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where this host cannot, [`Error::Invalid`] for a name or a kind of container that cannot be,
    /// [`Error::Conflict`] if it does not run or has one of that name, [`Error::Checkpoint`] with what CRIU says.
    pub async fn checkpoint(&self, key: &str, name: &str, after: After) -> Result<(), Error> {
        valid(name)?;
        let container = self.find(key)?;
        let _busy = container.busy.lock().await;
        let pid = match container.state() {
            State::Running { pid, .. } => pid,
            State::Paused { .. } => {
                return Err(Error::Conflict(format!(
                    "Container {} is paused, unpause it first",
                    container.id
                )));
            }
            _ => return Err(Error::Conflict(format!("Container {} is not running", container.id))),
        };
        let criu = tokio::task::spawn_blocking(checkpoint::possible).await;
        let criu = criu.map_err(std::io::Error::other).doing(|| "looking for criu".into())?;
        let criu = criu.map_err(|cannot| {
            Error::Unsupported(format!("this host can not make a checkpoint, because {cannot}"))
        })?;
        let known = container.record().checkpoints;
        if known.contains_key(name) {
            let words = format!("checkpoint with name {name} already exists for container {key}");
            return Err(Error::Conflict(words));
        }
        if known.len() >= MOST {
            let words = format!("container {key} has {MOST} checkpoints, which is the most: remove one");
            return Err(Error::Conflict(words));
        }
        let checked = self.can_be_written(&container, pid)?;
        let (mounts, sent) = {
            let userns = self.mapping(container.slot.range()).await?;
            self.mounts(&container, &checked, userns.as_fd()).await?
        };
        let streams = streams(self.spawner.take(&container.id, INIT).await?)?;
        let failed =
            |e: &dyn std::fmt::Display| Error::Checkpoint(format!("Cannot checkpoint container {key}: {e}"));
        let all = mounted::read(pid).map_err(|e| failed(&e))?;
        let named = mounted::named(&all, pid, &held(&mounts, &sent)?).map_err(|e| failed(&e))?;
        let made = Making::new(&container.dir)?;
        let (images, externals) = (made.0.clone(), named.clone());
        let dumped = tokio::task::spawn_blocking(move || {
            dump(&criu, pid, &images, &externals, after).map(|()| digest(&images))
        });
        let digest =
            dumped.await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        made.keep(name)?;
        let named = named.into_iter().map(|(_, name)| name).collect();
        let saved = Saved { created: jiff::Timestamp::now(), digest: digest.to_string(), named, streams };
        container.change(|record| {
            record.checkpoints.insert(name.to_owned(), saved);
            record.stopped_by_hand |= after == After::End;
        })?;
        self.events.container("checkpoint", &container);
        Ok(())
    }

    /// Whether a container is of a kind that can be written down, now, and there is room.
    fn can_be_written(&self, container: &Arc<Container>, pid: i32) -> Result<Checked, Error> {
        let record = container.record();
        let checked = validate::check(&record.config, &record.host, &self.settings)?;
        let not =
            |words: &str| Err(Error::invalid(format!("checkpoint not supported on containers {words}")));
        if record.config.tty {
            return not("with tty");
        }
        if checked.profile == Profile::Nested {
            return not("of the nested profile");
        }
        if checked.init != Init::Command {
            return not("with an init");
        }
        let (pids, memory) = container
            .with_group(|group| {
                let memory = group.stats().map(|stats| stats.memory.usage + stats.memory.swap);
                group.pids().and_then(|pids| Ok((pids, memory?)))
            })?
            .map_err(|e| Error::Conflict(e.to_string()))?;
        let family = verify::family(pid).doing(|| "looking at the container's processes".into())?;
        if pids.into_iter().collect::<BTreeSet<_>>().difference(&family).next().is_some() {
            return Err(Error::Conflict(format!(
                "processes of exec run in container {}, which cannot be written down: end them first",
                container.id
            )));
        }
        let disk = rustix::fs::statvfs(&container.dir).doing(|| "looking at the disk".into())?;
        let room = disk.f_bavail.saturating_mul(disk.f_frsize);
        if room < memory.saturating_add(SPARE) {
            return Err(Error::Conflict(format!(
                "no room for a checkpoint: container {} has {memory} bytes in memory, and the disk {room} left",
                container.id
            )));
        }
        Ok(checked)
    }

    /// The names of a container's checkpoints.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn checkpoints(&self, key: &str) -> Result<Vec<String>, Error> {
        Ok(self.find(key)?.record().checkpoints.into_keys().collect())
    }

    /// Removes a checkpoint.
    ///
    /// # Errors
    /// [`Error::NoCheckpoint`]; what removing it answers.
    pub async fn remove_checkpoint(&self, key: &str, name: &str) -> Result<(), Error> {
        let container = self.find(key)?;
        let _busy = container.busy.lock().await;
        saved(&container, name)?;
        let dir = directory(&container.dir).join(name);
        crate::image::remove::tree(&dir).doing(|| format!("removing checkpoint {name}"))?;
        container.change(|record| drop(record.checkpoints.remove(name)))
    }
}

/// A container's checkpoint of that name.
pub(super) fn saved(container: &Container, name: &str) -> Result<Saved, Error> {
    container
        .record()
        .checkpoints
        .remove(name)
        .ok_or_else(|| Error::NoCheckpoint { checkpoint: name.to_owned(), container: container.name() })
}

fn valid(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let begun = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begun && (2..=NAME).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(Error::invalid(format!("Invalid checkpoint ID ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")))
}

/// Where a container's checkpoints are: only root enters, as everywhere in the state.
pub(super) fn directory(container: &Path) -> PathBuf {
    container.join("checkpoints")
}

/// The directory of a checkpoint that is being made; it is removed again unless it is kept.
struct Making(PathBuf);

impl Making {
    fn new(container: &Path) -> Result<Self, Error> {
        let path = directory(container).join(NEW);
        let doing = || format!("making {}", path.display());
        // What a crash left.
        if path.exists() {
            crate::image::remove::tree(&path).doing(doing)?;
        }
        std::fs::create_dir_all(&path).doing(doing)?;
        // A restored process reads there as the container's root; the state above lets only the host's in.
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o755)).doing(doing)?;
        Ok(Self(path))
    }

    fn keep(self, name: &str) -> Result<(), Error> {
        let to = self.0.with_file_name(name);
        // One that the record does not know, for a crash came between.
        if to.exists() {
            crate::image::remove::tree(&to).doing(|| format!("removing {}", to.display()))?;
        }
        std::fs::rename(&self.0, &to).doing(|| format!("keeping checkpoint {name}"))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if self.0.exists()
            && let Err(e) = crate::image::remove::tree(&self.0)
        {
            tracing::warn!("half a checkpoint stays for now: {e}");
        }
    }
}

/// What the host's mounts of a container are, to be known again inside.
pub(super) fn held(mounts: &[spec::Mount], sent: &[OwnedFd]) -> Result<Vec<Held>, Error> {
    let readonly = |n: usize| mounts.iter().any(|m| m.readonly && m.source == MountSource::Detached(n));
    let held = |(n, fd): (usize, &OwnedFd)| {
        let stat = rustix::fs::fstat(fd).doing(|| "looking at a mount".into())?;
        Ok(Held { device: stat.st_dev, inode: stat.st_ino, readonly: readonly(n) })
    };
    sent.iter().enumerate().map(held).collect()
}

fn streams(stdio: StdioFds) -> Result<Streams, Error> {
    let StdioFds::Pipes { stdin, stdout, stderr } = stdio else { return Ok([None; 3]) };
    let known = |fd: Option<OwnedFd>| {
        let stat = fd.map(rustix::fs::fstat).transpose().doing(|| "looking at a stream".into())?;
        Ok::<_, Error>(stat.map(|stat| Pipe { inode: stat.st_ino, owner: stat.st_uid }))
    };
    Ok([known(stdin)?, known(Some(stdout))?, known(Some(stderr))?])
}

/// The digest of all files in a directory, by their names.
pub(super) fn digest(dir: &Path) -> std::io::Result<Digest> {
    let mut names =
        std::fs::read_dir(dir)?.map(|e| Ok(e?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
    names.sort_unstable();
    let (mut hasher, mut bytes) = (Hasher::default(), vec![0; 1 << 16]);
    let plain = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    for name in names {
        let mut file = std::fs::File::from(rustix::fs::open(dir.join(&name), plain, Mode::empty())?);
        let length = file.metadata()?.len();
        for part in [name.as_encoded_bytes(), &[0], &length.to_le_bytes()] {
            hasher.update(part);
        }
        loop {
            match file.read(&mut bytes)? {
                0 => break,
                n => hasher.update(&bytes[..n]),
            }
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for name in ["../one", "a/b", "", ".", "..", ".new", "-x", "a", "a b", "a\u{e9}", &"x".repeat(256)] {
            assert!(valid(name).is_err(), "{name}");
        }
        for name in ["one", "a.b", "2026-11-24_x"] {
            assert!(valid(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_digest_changes_with_every_name_and_byte() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("a", "one");
        let first = digest(dir.path()).unwrap();
        write("a", "two");
        let second = digest(dir.path()).unwrap();
        write("b", "");
        let third = digest(dir.path()).unwrap();
        assert!(first != second && second != third && first != third);
        std::fs::remove_file(dir.path().join("b")).unwrap();
        write("a", "one");
        assert_eq!(digest(dir.path()).unwrap(), first);
    }

    #[test]
    fn one_that_is_not_kept_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let making = Making::new(dir.path()).unwrap();
        std::fs::write(making.0.join("pages"), "x").unwrap();
        drop(making);
        assert_eq!(std::fs::read_dir(directory(dir.path())).unwrap().count(), 0);
        Making::new(dir.path()).unwrap().keep("one").unwrap();
        assert!(directory(dir.path()).join("one").is_dir());
    }
}

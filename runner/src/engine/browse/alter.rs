//! What is there removed, or called something else.

use super::spot::Spot;
use super::{Error, told, told_io};
use crate::engine::Engine;
use crate::image::remove;
use rustix::fs::{AtFlags, RenameFlags, renameat_with, unlinkat};
use rustix::io::Errno;
use sandlot_wire::files::Kind;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

impl Engine {
    /// Removes what is at `path`: a link itself, a directory with all that is in it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn take_away(&self, key: &str, path: PathBuf) -> Result<(), Error> {
        let container = self.find(key)?;
        self.with_root(container, move |root, _| Ok(take_away(root, &path))).await?
    }

    /// Gives what is at `from` the path `to`, where nothing must be.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn call_it(&self, key: &str, from: PathBuf, to: PathBuf) -> Result<(), Error> {
        let container = self.find(key)?;
        self.with_root(container, move |root, _| Ok(call_it(root, &from, &to))).await?
    }
}

fn take_away(root: BorrowedFd<'_>, path: &Path) -> Result<(), Error> {
    let spot = Spot::of(root, path)?;
    super::spot::real(spot.parent.as_fd(), path)?;
    let there = spot.stat()?.ok_or_else(|| told(path)(Errno::NOENT))?;
    match super::read::kind(&there) {
        Kind::Directory => {
            remove::tree_at(spot.parent.as_fd(), Path::new(&spot.name)).map_err(|e| told_io(path, e))
        }
        _ => unlinkat(&spot.parent, &spot.name, AtFlags::empty()).map_err(told(path)),
    }
}

fn call_it(root: BorrowedFd<'_>, from: &Path, to: &Path) -> Result<(), Error> {
    let (old, new) = (Spot::of(root, from)?, Spot::of(root, to)?);
    super::spot::real(old.parent.as_fd(), from)?;
    new.writable()?;
    old.stat()?.ok_or_else(|| told(from)(Errno::NOENT))?;
    let never = RenameFlags::NOREPLACE;
    renameat_with(&old.parent, &old.name, &new.parent, &new.name, never).map_err(told(to))
}

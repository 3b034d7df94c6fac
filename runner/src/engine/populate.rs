//! What the image has at a volume's place becomes the volume's first content, if it has none.

use super::container::Container;
use super::error::{Doing, Error};
use super::mount::{First, Mount, Source};
use super::{Engine, Force};
use crate::container::rootfs;
use crate::image::place::open_inside;
use crate::image::tree;
use rustix::fs::{Dir, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError};

impl Engine {
    /// Fills the empty volumes of a new container; one whose volumes cannot be filled is removed again.
    ///
    /// # Errors
    /// What copying answers.
    pub async fn fill_volumes(&self, container: &Arc<Container>) -> Result<(), Error> {
        let volumes: Vec<(Mount, String)> = container
            .record()
            .mounts
            .into_iter()
            .filter(|mount| mount.first == First::Image && mount.subpath.is_none())
            .filter_map(|mount| match mount.source.clone() {
                Source::Volume(name) => Some((mount, name)),
                Source::Bind(_) | Source::Tmpfs(_) => None,
            })
            .collect();
        if volumes.is_empty() {
            return Ok(());
        }
        let (engine, place, image) = (self.clone(), container.dir.join("sealed"), container.record().image);
        let filling = move || {
            let mut empty = Vec::new();
            for (mount, name) in &volumes {
                let data = engine.volume_data(name)?;
                if std::fs::read_dir(&data).is_ok_and(|mut all| all.next().is_none()) {
                    empty.push((mount, data));
                }
            }
            if empty.is_empty() {
                return Ok(());
            }
            let image = engine.images.resolve(&image).map_err(|e| Error::invalid(e.to_string()))?;
            let _one = engine.filling.lock().unwrap_or_else(PoisonError::into_inner);
            let root = rootfs::view(&image.layers, &place)?;
            empty.iter().try_for_each(|(mount, data)| fill(root.as_fd(), mount, data))
        };
        let filled = tokio::task::spawn_blocking(filling).await.map_err(std::io::Error::other);
        let filled = filled.doing(|| "filling the volumes".into()).and_then(|filled| filled);
        if filled.is_err() {
            self.remove(&container.id, Force::Yes).await?;
        }
        filled
    }
}

/// Copies what `root` has at the mount's place into the volume whose content is in that directory. A crash leaves it empty, or
/// whole but for names that are still to be moved; never with half a file.
fn fill(root: BorrowedFd<'_>, mount: &Mount, content: &Path) -> Result<(), Error> {
    let doing = || format!("copying {} of the image into its volume", mount.target);
    let source = match open_inside(root, Path::new(&mount.target), OFlags::RDONLY | OFlags::DIRECTORY) {
        // Nothing is there, or no directory: nothing to copy.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        other => other.doing(doing)?,
    };
    let data = tree::directory(content).doing(doing)?;
    if !is_empty(&data).doing(doing)? {
        return Ok(());
    }
    let copy = content.with_file_name("_copy");
    match crate::image::remove::tree(&copy) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).doing(doing),
        _ => {}
    }
    std::fs::create_dir(&copy).doing(doing)?;
    let made = tree::directory(&copy).doing(doing)?;
    let done = tree::copy(source.as_fd(), made.as_fd()).doing(doing).and_then(|()| {
        for name in names(&made).doing(doing)? {
            // A container that runs may have made one of that name in the meantime: that one stays.
            match renameat_with(&made, &name, &data, &name, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(other) => return Err(other).doing(doing),
            }
        }
        // The directory's own owner, mode and times, now that nothing is put into it any more.
        tree::alike(source.as_fd(), data.as_fd()).doing(doing)
    });
    crate::image::remove::tree(&copy).doing(doing)?;
    done
}

fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<std::ffi::CString>> {
    let all = Dir::read_from(directory)?.map(|e| e.map(|e| e.file_name().to_owned()));
    let all: Vec<_> = all.collect::<rustix::io::Result<_>>()?;
    Ok(all.into_iter().filter(|n| !matches!(n.to_bytes(), b"." | b"..")).collect())
}

fn is_empty(directory: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(names(directory)?.is_empty())
}

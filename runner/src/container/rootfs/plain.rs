//! Layers as the host sees them: stacked without any mapping of ids, to make a new layer of or to read from.
//!
//! Attached nowhere, as a container's root is; gone with the descriptor.

use super::{Error, again, at, distinct, made, passing, stack, stack_attached};
use rustix::fs::CWD;
use rustix::mount::{FsOpenFlags, OpenTreeFlags, fsconfig_set_string, fsopen, open_tree};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// `layers` (lowest first, at least one) below `upper`, which takes what is written. `work` is an empty directory of the
/// filesystem of `upper`.
///
/// # Errors
/// Names the layer or the step that failed.
pub fn writable(layers: &[PathBuf], upper: &Path, work: &Path) -> Result<OwnedFd, Error> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("opening an overlay"))?;
    let (attached, _clones) = lower(context.as_fd(), layers, work)?;
    for (key, path) in [("upperdir", upper), ("workdir", work)] {
        fsconfig_set_string(context.as_fd(), key, path).map_err(at("setting the upper directory"))?;
    }
    // A layer must say all by itself: nothing of it may lie in another.
    for key in ["redirect_dir", "metacopy", "index"] {
        // Within a user namespace there are no redirects, and the option is refused.
        if key != "redirect_dir" || !sandlot_sys::userns::within() {
            fsconfig_set_string(context.as_fd(), key, "off").map_err(at("setting the overlay up"))?;
        }
    }
    again(work).map_err(at("taking up what was left"))?;
    passing(context.as_fd())?;
    made(context.as_fd(), &attached)
}

/// The same, to be read only. `work` names a path beside which an older kernel attaches layers.
///
/// # Errors
/// As [`writable`].
pub fn readable(layers: &[PathBuf], work: &Path) -> Result<OwnedFd, Error> {
    let layers: Vec<PathBuf> = distinct(layers).cloned().collect();
    if let [only] = &layers[..] {
        return clone(only);
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("opening an overlay"))?;
    let (attached, _clones) = lower(context.as_fd(), &layers, work)?;
    made(context.as_fd(), &attached)
}

/// Adds the layers; what comes back must stay until the overlay is made, for a clone is gone with its descriptor.
fn lower(
    context: BorrowedFd<'_>,
    layers: &[PathBuf],
    work: &Path,
) -> Result<(Vec<PathBuf>, Vec<OwnedFd>), Error> {
    fsconfig_set_string(context, "source", "sandlot").map_err(at("naming the overlay"))?;
    let layers = distinct(layers).map(|layer| clone(layer)).collect::<Result<Vec<_>, _>>()?;
    let attached = match stack(context, &layers) {
        Ok(()) => Vec::new(),
        // Before Linux 6.15 an overlay takes no detached layers.
        Err(_) => stack_attached(context, &layers, work)?,
    };
    Ok((attached, layers))
}

fn clone(layer: &Path) -> Result<OwnedFd, Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, layer, flags).map_err(at(&format!("taking layer {}", layer.display())))
}

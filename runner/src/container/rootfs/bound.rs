//! A `/dev` within a user namespace, where the kernel makes no device nodes: each is a mount of the one that the own `/dev` has.

use super::{DEVICES, Error, at};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The small tmpfs with a node mounted on each of the files that stand for one: a detached tree again. It is attached for the
/// moment, in the mount namespace of this process, which must be its own: older kernels mount nothing on what is detached.
pub(super) fn with_nodes(dev: &OwnedFd) -> Result<OwnedFd, Error> {
    let place =
        tempfile::Builder::new().prefix("sandlot-dev-").tempdir().map_err(at("making a place for /dev"))?;
    move_mount(dev, "", CWD, place.path(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(at("attaching /dev"))?;
    let made = put(place.path());
    // What stays attached goes with this process.
    unmount(place.path(), UnmountFlags::DETACH).unwrap_or_default();
    made
}

fn put(place: &Path) -> Result<OwnedFd, Error> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    for (name, ..) in DEVICES {
        let doing = || format!("mounting /dev/{name}");
        let node = open_tree(CWD, Path::new("/dev").join(name), clone).map_err(at(&doing()))?;
        move_mount(&node, "", CWD, place.join(name), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(at(&doing()))?;
    }
    open_tree(CWD, place, clone | OpenTreeFlags::AT_RECURSIVE).map_err(at("taking /dev"))
}

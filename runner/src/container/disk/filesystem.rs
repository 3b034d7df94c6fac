//! The file with a filesystem in it that a disk is: made once for each size, copied, mounted, deleted.

use super::{Disk, Error, Kind, TEMPLATE, failed};
use rustix::fs::SeekFrom;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The filesystem of a size, made once.
pub(super) fn template(directory: &Path, size: u64, kind: Kind) -> Result<PathBuf, Error> {
    let (name, features) = match kind {
        Kind::Passing => ("", "^has_journal,^resize_inode"),
        Kind::Lasting => ("lasting-", "has_journal,^resize_inode"),
    };
    let path = directory.join(format!("{TEMPLATE}{name}{size}"));
    if path.exists() {
        return Ok(path);
    }
    let unfinished = directory.join(format!("unfinished-{name}{size}"));
    let file = File::create(&unfinished).map_err(failed("making", &unfinished))?;
    file.set_len(size).map_err(failed("sizing", &unfinished))?;
    let mut mkfs = Command::new("mkfs.ext4");
    // What is not written reads as zeroes: the file is sparse.
    mkfs.args([
        "-q",
        "-F",
        "-m",
        "0",
        "-b",
        "4096",
        "-E",
        "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
    ]);
    mkfs.args(["-O", features]).arg(&unfinished);
    let done = mkfs.stdin(Stdio::null()).env_clear().env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output();
    match done {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            return Err(Error::Mkfs(String::from_utf8_lossy(&output.stderr).trim().replace('\n', ", ")));
        }
        Err(error) => return Err(Error::Mkfs(error.to_string())),
    }
    std::fs::rename(&unfinished, &path).map_err(failed("naming", &path))?;
    Ok(path)
}

/// Copies the data of a file and leaves its holes out; shares it where the filesystem can.
pub(super) fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let source = File::open(from)?;
    let target = File::create_new(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    target.set_len(source.metadata()?.len())?;
    let mut at = 0;
    loop {
        let start = match rustix::fs::seek(&source, SeekFrom::Data(at)) {
            // Nothing but a hole is left.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            other => other?,
        };
        at = rustix::fs::seek(&source, SeekFrom::Hole(start))?;
        let (mut read, mut write) = (start, start);
        while read < at {
            let left = usize::try_from(at - read).unwrap_or(usize::MAX);
            if rustix::fs::copy_file_range(&source, Some(&mut read), &target, Some(&mut write), left)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Mounts the file of a new disk. Nothing of it is ever executed or opened as a device on the host; what is mounted of it in
/// containers has flags of its own. `noinit_itable`: a sparse file reads as zeroes, so the kernel need not write them.
pub(super) fn attach(disk: &Disk) -> Result<(), Error> {
    let image = disk.image();
    let file = File::options().read(true).write(true).open(&image).map_err(failed("opening", &image))?;
    let (device, path) = sandlot_sys::loopdev::attach(file.as_fd()).map_err(failed("attaching", &image))?;
    mount_device(disk, &path)?;
    // From here on the mount keeps the device.
    drop(device);
    Ok(())
}

/// Mounts the file of a disk that may be mounted elsewhere (in a container, by an engine in another mount namespace): by the
/// same device then.
pub(super) fn attach_again(disk: &Disk) -> Result<(), Error> {
    let image = disk.image();
    match sandlot_sys::loopdev::attached(&image).map_err(failed("looking for", &image))? {
        Some((device, path)) => {
            mount_device(disk, &path)?;
            drop(device);
            Ok(())
        }
        None => attach(disk),
    }
}

fn mount_device(disk: &Disk, path: &str) -> Result<(), Error> {
    let (image, place) = (disk.image(), disk.mount());
    match std::fs::create_dir(&place) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed("making", &place)(e)),
        _ => {}
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
    mount(path, &place, "ext4", flags, Some(c"noinit_itable,errors=remount-ro"))
        .map_err(failed("mounting", &image))?;
    for directory in [disk.upper(), disk.work()] {
        match std::fs::create_dir(&directory) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("making", &directory)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Unmounts a disk; one that is not mounted is.
pub(super) fn detach(disk: &Disk) -> Result<(), Error> {
    let place = disk.mount();
    match unmount(&place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {
            Ok(())
        }
        Err(e) => Err(failed("unmounting", &place)(e)),
    }
}

/// Unmounts and deletes what is in a disk's directory.
pub(super) fn release(directory: &Path) -> Result<(), Error> {
    let disk = Disk { directory: directory.to_owned() };
    detach(&disk)?;
    let place = disk.mount();
    // Not recursively: were it mounted again below, that is not ours to delete.
    let gone = |done: io::Result<()>| match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    if directory.is_file() {
        return gone(std::fs::remove_file(directory)).map_err(failed("deleting", directory));
    }
    gone(std::fs::remove_dir(&place)).map_err(failed("deleting", &place))?;
    gone(std::fs::remove_file(directory.join("image"))).map_err(failed("deleting", directory))?;
    gone(std::fs::remove_dir(directory)).map_err(failed("deleting", directory))
}

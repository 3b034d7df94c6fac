//! What a container that was begun is told to become: from the spawner to the child that waits.
//!
//! The description may be longer than a message, so it travels in a memory file; with it go all descriptors that the container is
//! made of.

use crate::container::setup::Materials;
use crate::container::spec::{Container, Stdio};
use sandlot_sys::scm;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

/// The inner ends of the pipes of a process: standard input (if it has one), output, error.
pub(super) type Pipes = Option<(Option<OwnedFd>, OwnedFd, OwnedFd)>;

/// All that a container is made of.
pub(super) struct Order {
    /// What it is.
    pub(super) spec: Container,
    /// The pipes of its first process.
    pub(super) pipes: Pipes,
    /// Its mounts.
    pub(super) materials: Materials,
}

impl Order {
    /// Sends it to the child at the other end of `sync`; it waits there until it is asked for.
    ///
    /// # Errors
    /// What making the memory file or sending answers.
    pub(super) fn send(&self, sync: BorrowedFd<'_>) -> io::Result<()> {
        let text = postcard::to_stdvec(&self.spec).map_err(io::Error::other)?;
        let file = rustix::fs::memfd_create(c"order", rustix::fs::MemfdFlags::CLOEXEC)?;
        let file = std::fs::File::from(file);
        file.write_all_at(&text, 0)?;
        let Materials { root, volatile, mounts } = &self.materials;
        let mut all = vec![file.as_fd(), root.as_fd(), volatile.as_fd()];
        if let Some((input, output, error)) = &self.pipes {
            all.extend(input.iter().chain([output, error]).map(AsFd::as_fd));
        }
        all.extend(mounts.iter().map(AsFd::as_fd));
        scm::send(sync, b"o", &all).map(drop)
    }

    /// In the child: waits for it; `None` if none will come.
    ///
    /// # Errors
    /// What receiving answers; `InvalidData` for what is none.
    pub(super) fn receive(sync: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        let (n, descriptors) = scm::receive(sync, &mut [0])?;
        if n == 0 {
            return Ok(None);
        }
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "descriptors are missing");
        let mut descriptors = descriptors.into_iter();
        let file = std::fs::File::from(descriptors.next().ok_or_else(missing)?);
        let mut text = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(0)];
        file.read_exact_at(&mut text, 0)?;
        let spec: Container = postcard::from_bytes(&text).map_err(io::Error::other)?;
        let mut next = || descriptors.next().ok_or_else(missing);
        let (root, volatile) = (next()?, next()?);
        let pipes = match spec.process.as_ref().map(|p| p.stdio) {
            Some(Stdio::Pipes { stdin: true }) => Some((Some(next()?), next()?, next()?)),
            Some(Stdio::Pipes { stdin: false }) => Some((None, next()?, next()?)),
            _ => None,
        };
        let materials = Materials { root, volatile, mounts: descriptors.collect() };
        Ok(Some(Self { spec, pipes, materials }))
    }
}

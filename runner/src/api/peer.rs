//! Who is at the other end of a connection: whether they are still there while they are only listening.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// The other end.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer(Option<Arc<OwnedFd>>);

impl Peer {
    /// That of a connection.
    pub(super) fn of(stream: &UnixStream) -> Self {
        use std::os::fd::AsFd;
        Self(stream.as_fd().try_clone_to_owned().ok().map(Arc::new))
    }

    /// Their connection once more; none if it can not be had.
    pub(super) fn stream(&self) -> Option<UnixStream> {
        let fd = self.0.as_ref()?.try_clone().ok()?;
        UnixStream::from_std(fd.into()).ok()
    }

    /// Returns when they are gone altogether; who has only stopped to send is not.
    pub(super) async fn gone(&self) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(fd) = &self.0 else { return std::future::pending().await };
        loop {
            let mut fds = [PollFd::new(fd, PollFlags::empty())];
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let hung_up = poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
                && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR);
            if hung_up {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn one_that_is_gone_is_noticed_and_one_that_listens_is_there() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let peer = Peer::of(&ours);
        theirs.shutdown().await.unwrap();
        tokio::time::timeout(LOOK * 2, peer.gone()).await.unwrap_err();
        drop(theirs);
        peer.gone().await;
    }
}

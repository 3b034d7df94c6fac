//! What a command of a build writes while it runs: the limit of a layer holds long before it has ended, and so does the end of the
//! host's disk, which is everybody's. The free space tells when it is worth the while to count.

use super::error::{During, Error, blocking};
use super::job::Job;
use crate::engine::changes;
use crate::engine::container::Container;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);
/// What is left free at least: a twentieth of the disk, and no more than this.
const RESERVE: u64 = 2 << 30;
/// Who has written less is not the one who fills a disk.
const LITTLE: u64 = 64 << 20;

/// Returns when a command must be ended, and why.
pub(super) async fn too_much(job: &Job, container: &Arc<Container>) -> Result<Error, Error> {
    let (most, state) = (job.most_bytes(), job.engine().settings.state.clone());
    let upper = job.engine().upper(container).await?;
    let caches = job.caches();
    let (at_first, _) = free(&state)?;
    loop {
        tokio::time::sleep(LOOK).await;
        let (now, reserve) = free(&state)?;
        let taken = at_first.saturating_sub(now);
        if taken < most.min(LITTLE) && now >= reserve {
            continue;
        }
        let (upper, caches) = (upper.clone(), caches.clone());
        let (written, kept) = blocking(move || Ok((changes::size(&upper), changes::size(&caches)))).await?;
        if written > most || kept > most {
            let what = if written > most { "its command" } else { "the caches of builds" };
            return Ok(Error::step(format!(
                "{what} would have more than {most} bytes, which this engine allows for a layer"
            )));
        }
        if now < reserve && written + kept > LITTLE {
            return Ok(Error::step(format!(
                "the disk of the host is full but for {now} bytes: the command was ended"
            )));
        }
    }
}

/// The bytes that are free, and those that are to stay so.
fn free(state: &Path) -> Result<(u64, u64), Error> {
    let disk = rustix::fs::statvfs(state).during("measuring the disk")?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Ok((bytes(disk.f_bavail), (bytes(disk.f_blocks) / 20).min(RESERVE)))
}

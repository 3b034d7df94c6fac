//! Garbage: uploads that nobody continues, blobs that no manifest names, manifests that nothing names. What a push under way
//! needs is younger than the grace, and stays.

use super::Distribution;
use super::catalogue::Repository;
use super::error::Error;
use super::manifests::now;
use crate::image::Digest;
use std::collections::BTreeSet;
use std::time::Duration;

/// What was thrown away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Uploads.
    pub uploads: usize,
    /// Manifests.
    pub manifests: usize,
    /// Blobs, of each repository that had them.
    pub blobs: usize,
}

impl Distribution {
    /// Throws away what nobody needs any more.
    ///
    /// # Errors
    /// What the filesystem answers.
    pub fn sweep(&self) -> Result<Swept, Error> {
        let grace = self.bounds.grace;
        let mut swept = Swept { uploads: self.uploads.expire(self.bounds.upload), ..Swept::default() };
        self.promised.expire(grace);
        let names: Vec<String> = self.store.lock().catalogue.repositories.keys().cloned().collect();
        for name in names {
            // Locked for one repository at a time: others go on in between.
            let mut shared = self.store.lock();
            let Some(there) = shared.catalogue.get(&name) else { continue };
            for digest in unnamed(there, grace) {
                shared.catalogue.remove(&name, &digest)?;
                swept.manifests += 1;
            }
            let Some(there) = shared.catalogue.get(&name) else { continue };
            let named = there.named();
            let old = there.blobs.iter().filter(|(_, linked)| linked.touched.elapsed() >= grace);
            let gone: Vec<Digest> = old.map(|(blob, _)| *blob).filter(|blob| !named.contains(blob)).collect();
            for blob in gone {
                shared.catalogue.unlink(&name, &blob)?;
                swept.blobs += 1;
            }
            shared.catalogue.forget_empty(&name)?;
        }
        self.store.collect()?;
        Ok(swept)
    }

    /// Sweeps now and then; ends never.
    pub async fn keep_swept(self) {
        let every = (self.bounds.upload.min(self.bounds.grace) / 4).max(Duration::from_secs(1));
        loop {
            tokio::time::sleep(every).await;
            let this = self.clone();
            match tokio::task::spawn_blocking(move || this.sweep()).await {
                Ok(Ok(swept)) if swept != Swept::default() => {
                    tracing::info!(?swept, "the registry was swept")
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the registry could not be swept"),
                Err(error) => tracing::warn!(%error, "the registry's sweep ended early"),
            }
        }
    }
}

/// The manifests that have no tag, that no index names, that are about nothing that is here, and that are old enough.
fn unnamed(there: &Repository, grace: Duration) -> Vec<Digest> {
    let tagged = there.tags.values().map(|tag| tag.digest);
    let children = there.manifests.values().flat_map(|entry| entry.children.iter().copied());
    let named: BTreeSet<Digest> = tagged.chain(children).collect();
    let since = now().saturating_sub(i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
    let idle = |digest: &Digest, subject: Option<Digest>, pushed: i64| {
        let about = subject.is_some_and(|subject| there.manifests.contains_key(&subject));
        !named.contains(digest) && !about && pushed <= since
    };
    let all = there.manifests.iter();
    all.filter(|(digest, entry)| idle(digest, entry.subject, entry.pushed))
        .map(|(digest, _)| *digest)
        .collect()
}

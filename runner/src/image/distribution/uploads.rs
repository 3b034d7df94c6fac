//! Blobs on their way in: begun, continued where they broke off, hashed while they come, and finished only if they are what
//! they were said to be.

use super::bounds::More;
use super::error::Error;
use super::{Distribution, Who};
use crate::image::digest::Hasher;
use crate::image::{Digest, Store};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Uploads under way at once, and of one person.
const ALL: usize = 512;
const ONES: usize = 64;
/// A client from which nothing comes for so long has broken off.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes after which the bounds are looked at again.
const STEP: u64 = 1 << 20;

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<HashMap<String, Known>>>);

/// What is known of one while somebody sends to it.
#[derive(Debug, Clone)]
struct Known {
    repository: String,
    owner: Option<String>,
    received: u64,
    touched: Instant,
    work: Arc<tokio::sync::Mutex<Work>>,
}

/// What came so far.
#[derive(Debug)]
struct Work {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    file: File,
    hasher: Hasher,
    received: u64,
}

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Its id.
    pub id: String,
    /// Bytes so far.
    pub received: u64,
}

impl Uploads {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of what somebody uploads at this moment.
    pub(super) fn underway(&self, owner: Option<&str>) -> u64 {
        self.lock().values().filter(|known| known.owner.as_deref() == owner).map(|known| known.received).sum()
    }

    /// Throws away those to which nothing came for so long.
    pub(super) fn expire(&self, age: Duration) -> usize {
        let mut all = self.lock();
        let before = all.len();
        // Who sends at this moment holds the work.
        all.retain(|_, known| known.touched.elapsed() < age || known.work.try_lock().is_err());
        before - all.len()
    }

    fn begin(&self, store: &Store, repository: &str, owner: Option<&str>) -> Result<Progress, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(std::io::Error::from)?;
        let id = hex::encode(random);
        let dir = store.making()?;
        let path = dir.path().join("blob");
        let file = File::create(&path)?;
        let work = Work { _dir: dir, path, file, hasher: Hasher::default(), received: 0 };
        let known = Known {
            repository: repository.to_owned(),
            owner: owner.map(ToOwned::to_owned),
            received: 0,
            touched: Instant::now(),
            work: Arc::new(tokio::sync::Mutex::new(work)),
        };
        let mut all = self.lock();
        if all.len() >= ALL {
            return Err(Error::TooMany("too many uploads at once: try again later"));
        }
        if owner.is_some() && all.values().filter(|k| k.owner == known.owner).count() >= ONES {
            return Err(Error::TooMany("you have too many uploads under way"));
        }
        all.insert(id.clone(), known);
        Ok(Progress { id, received: 0 })
    }

    /// One that is this repository's and this person's; for another it is not there.
    fn find(&self, repository: &str, who: Who<'_>, id: &str) -> Result<Known, Error> {
        let known = self.lock().get(id).cloned().ok_or(Error::UploadUnknown)?;
        let own =
            known.repository == repository && (who.owner.is_none() || who.owner == known.owner.as_deref());
        own.then_some(known).ok_or(Error::UploadUnknown)
    }

    fn note(&self, id: &str, received: u64) {
        if let Some(known) = self.lock().get_mut(id) {
            (known.received, known.touched) = (received, Instant::now());
        }
    }

    fn drop(&self, id: &str) {
        self.lock().remove(id);
    }
}

impl Distribution {
    /// Begins an upload.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn begin_upload(&self, who: Who<'_>, repository: &str) -> Result<Progress, Error> {
        self.writable(who, repository)?;
        self.room(who, repository, 1)?;
        self.uploads.begin(&self.store, repository, who.owner)
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`].
    pub fn upload(&self, who: Who<'_>, repository: &str, id: &str) -> Result<Progress, Error> {
        let known = self.uploads.find(repository, who, id)?;
        Ok(Progress { id: id.to_owned(), received: known.received })
    }

    /// Ends an upload; what came is thrown away.
    ///
    /// # Errors
    /// [`Error::UploadUnknown`].
    pub fn cancel_upload(&self, who: Who<'_>, repository: &str, id: &str) -> Result<(), Error> {
        self.uploads.find(repository, who, id)?;
        self.uploads.drop(id);
        Ok(())
    }

    /// Takes more bytes, which begin at `from` if that is said; answers how far it is then.
    ///
    /// # Errors
    /// [`Error::UploadRange`] if they do not follow what came; [`Error::BrokeOff`]: what came by then is kept; [`Error::Full`].
    pub async fn append<E: std::fmt::Display>(
        &self,
        who: Who<'_>,
        repository: &str,
        id: &str,
        from: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Progress, Error> {
        let known = self.uploads.find(repository, who, id)?;
        let Ok(mut work) = known.work.try_lock() else {
            return Err(Error::TooMany("somebody sends to this upload already"));
        };
        if from.is_some_and(|from| from != work.received) {
            return Err(Error::UploadRange { received: work.received });
        }
        let done = self.take(who, repository, id, &mut work, body).await;
        self.uploads.note(id, work.received);
        if let Err(Error::Full(_) | Error::Store(_) | Error::Io(_)) = &done {
            self.uploads.drop(id);
        }
        done.map(|()| Progress { id: id.to_owned(), received: work.received })
    }

    async fn take<E: std::fmt::Display>(
        &self,
        who: Who<'_>,
        repository: &str,
        id: &str,
        work: &mut Work,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), Error> {
        let mut body = std::pin::pin!(body);
        let mut looked = work.received;
        loop {
            let broke = |received, cause: String| Error::BrokeOff { received, cause };
            let piece = match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(piece))) => piece,
                Ok(Some(Err(e))) => return Err(broke(work.received, e.to_string())),
                Ok(None) => return Ok(()),
                Err(_) => {
                    return Err(broke(work.received, format!("nothing came for {} s", SILENCE.as_secs())));
                }
            };
            work.file.write_all(&piece).map_err(|source| crate::image::Error::Write {
                what: "a blob that is uploaded".to_owned(),
                source,
            })?;
            work.hasher.update(&piece);
            work.received += piece.len() as u64;
            if work.received - looked >= STEP {
                looked = work.received;
                self.uploads.note(id, work.received);
                self.room(who, repository, 1)?;
            }
        }
    }

    /// Finishes an upload: it becomes a blob of the repository, if it has that digest.
    ///
    /// # Errors
    /// [`Error::DigestWrong`]: nothing of it is kept then.
    pub async fn finish_upload(
        &self,
        who: Who<'_>,
        repository: &str,
        id: &str,
        said: Digest,
    ) -> Result<(), Error> {
        let known = self.uploads.find(repository, who, id)?;
        let Ok(work) = known.work.try_lock() else {
            return Err(Error::TooMany("somebody sends to this upload already"));
        };
        // From here on it is over, whatever comes.
        self.uploads.drop(id);
        let found = work.hasher.clone().finish();
        if found != said {
            return Err(Error::DigestWrong { said, found });
        }
        // The upload itself no longer counts.
        self.room(who, repository, work.received)?;
        let _hold = self.store.hold([said]);
        std::fs::rename(&work.path, self.store.blob(&said))?;
        let mut shared = self.store.lock();
        Ok(shared.catalogue.link(repository, who.owner, said, work.received)?)
    }

    /// Whether there is room for so much more.
    pub(super) fn room(&self, who: Who<'_>, repository: &str, bytes: u64) -> Result<(), Error> {
        let underway = if who.owner.is_some() { self.uploads.underway(who.owner) } else { 0 };
        let more = More { repository, owner: who.owner, bytes, underway };
        self.bounds.admit(&self.store.lock().catalogue, more)
    }
}

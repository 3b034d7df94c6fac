//! Work that is kept: a session's changes become an image of its owner's, and later sessions start from it.

use super::audit::Action;
use super::create::new_id;
use super::engine::Network;
use super::error::Error;
use super::policy::{Caller, Policy};
use super::service::{Sessions, now};
use crate::store::KeptRow;
use std::sync::{Mutex, PoisonError};

/// The longest title, in characters.
const TITLE: usize = 60;

/// How much a visitor may keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// How many images.
    pub count: usize,
    /// Bytes of each.
    pub size: u64,
}

/// All kept work of this server.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    all: Mutex<Vec<KeptRow>>,
    /// Those whose making came to nothing, or broke off at some point: whatever there is of them is to go.
    failed: Mutex<Vec<String>>,
}

/// A place on the shelf; it is free again when this is dropped and nothing was put there.
#[derive(Debug)]
struct Place<'s> {
    row: KeptRow,
    shelf: &'s Shelf,
    filled: Option<()>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.filled.is_none() {
            self.shelf.with(|all| all.retain(|row| row.id != self.row.id));
            self.shelf.failed(|failed| failed.push(self.row.id.clone()));
        }
    }
}

impl Shelf {
    /// What was kept before the start, and what was to be when the last server died.
    pub(super) fn new(rows: Vec<KeptRow>) -> Self {
        let (all, broken): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| !row.reference.is_empty());
        let failed = broken.into_iter().map(|row| row.id).collect();
        Self { all: Mutex::new(all), failed: Mutex::new(failed) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<KeptRow>) -> T) -> T {
        act(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn failed<T>(&self, act: impl FnOnce(&mut Vec<String>) -> T) -> T {
        act(&mut self.failed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The work whose image has that reference.
    pub(super) fn of(&self, reference: &str) -> Option<KeptRow> {
        self.with(|all| all.iter().find(|row| row.reference == reference).cloned())
    }

    fn reserve(&self, row: KeptRow, most: usize, caller: &Caller) -> Result<Place<'_>, Error> {
        self.with(|all| {
            let owned = all.iter().filter(|other| other.owner == row.owner).count();
            if owned >= most && *caller != Caller::Administrator {
                return Err(Error::TooMuchKept(most));
            }
            all.push(row.clone());
            Ok(())
        })?;
        Ok(Place { row, shelf: self, filled: None })
    }
}

impl Sessions {
    /// Keeps what a session has changed so far. The session stands still meanwhile and goes on then.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, too many or too large, the engine, the store.
    pub async fn keep(&self, caller: &Caller, id: &str, title: Option<&str>) -> Result<KeptRow, Error> {
        let (session, container) = self.up(caller, id)?;
        let keeping = self.policy().keeping;
        let from = self.inner.kept.of(&session.image);
        let base = from.as_ref().map_or_else(|| session.image.clone(), |from| from.base.clone());
        let usual = self.title(&session.image);
        let title = title.map(str::trim).filter(|title| !title.is_empty()).unwrap_or(&usual);
        let name = new_id()?;
        let row = KeptRow {
            id: name.clone(),
            owner: session.owner.clone(),
            title: title.chars().filter(|c| !c.is_control()).take(TITLE).collect(),
            base,
            profile: session.profile.name().to_owned(),
            reference: String::new(),
            session: id.to_owned(),
            size: 0,
            created_at: now(),
        };
        // The place first: twenty calls at once keep no more than is allowed.
        let mut place = self.inner.kept.reserve(row, keeping.count, caller)?;
        // Then the row, so that a server that starts after this one was killed knows what the engine may have made.
        self.inner.store.save_kept(&self.inner.node, &place.row).await?;
        let made = self.inner.engine.keep(&container, &name, keeping.size).await?;
        let size = i64::try_from(made.size).unwrap_or(i64::MAX);
        let row = KeptRow { reference: made.reference, size, ..place.row.clone() };
        self.inner.store.finish_kept(&self.inner.node, &row).await?;
        place.filled = Some(());
        self.inner.kept.with(|all| {
            if let Some(old) = all.iter_mut().find(|old| old.id == row.id) {
                *old = row.clone();
            }
        });
        self.note(caller, Action::Keep, Some(id), &row.id).await;
        Ok(row)
    }

    /// Removes what there is of work whose keeping failed; what the engine cannot remove now is tried again.
    pub(super) async fn clear_unkept(&self) {
        for name in self.inner.kept.failed(std::mem::take) {
            let gone = match self.inner.engine.forget_kept(&name).await {
                Ok(()) => self.inner.store.forget_kept(&self.inner.node, &name).await.map_err(Error::from),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = gone {
                tracing::warn!(name, %error, "work that was not kept stays in the engine for now");
                self.inner.kept.failed(|failed| failed.push(name));
            }
        }
    }

    /// What the caller kept, latest first; the administrator's is all.
    #[must_use]
    pub fn kept(&self, caller: &Caller) -> Vec<KeptRow> {
        let mine = |row: &&KeptRow| caller.may_use(&row.owner) && !row.reference.is_empty();
        self.inner.kept.with(|all| all.iter().rev().filter(mine).cloned().collect())
    }

    /// One of the caller's.
    pub(super) fn kept_one(&self, caller: &Caller, id: &str) -> Result<KeptRow, Error> {
        self.kept(caller).into_iter().find(|row| row.id == id).ok_or(Error::NothingKept)
    }

    /// Deletes kept work.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, a session runs from it, the engine, the store.
    pub async fn forget(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let row = self.kept_one(caller, id)?;
        let used = self.table(|table| {
            table.all().any(|session| session.image == row.reference && !session.state.is_ended())
        });
        if used {
            return Err(Error::KeptInUse);
        }
        self.inner.engine.forget_kept(id).await?;
        self.inner.store.forget_kept(&self.inner.node, id).await?;
        self.inner.kept.with(|all| all.retain(|row| row.id != id));
        self.note(caller, Action::Forget, Some(&row.session), id).await;
        Ok(())
    }

    /// What an image is called: by the catalogue, by who kept it, or else its reference.
    #[must_use]
    pub fn title(&self, image: &str) -> String {
        let listed = self.policy().image(image).map(|image| image.title.clone());
        let kept = || self.inner.kept.of(image).map(|row| row.title);
        listed.or_else(kept).unwrap_or_else(|| image.to_owned())
    }

    /// What sessions of an image reach: kept work reaches what its first session did.
    pub(super) fn reach(&self, image: &str) -> Network {
        let policy: &Policy = &self.inner.policy;
        policy.image(&self.base(image)).map(|image| image.network).unwrap_or_default()
    }

    /// The image that kept work came from; of other images, themselves.
    pub(super) fn base(&self, image: &str) -> String {
        self.inner.kept.of(image).map_or_else(|| image.to_owned(), |row| row.base)
    }
}

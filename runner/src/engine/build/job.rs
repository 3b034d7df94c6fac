//! One build: what its stages share.

use super::context::Context;
use super::dockerfile::Dockerfile;
use super::error::{During, Error};
use super::plan::{Origin, Plan};
use super::request::Request;
use super::sources::Root;
use super::state::{Given, State};
use crate::engine::Engine;
use crate::image::Store;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::{RwLock, Semaphore, watch};

/// See the module.
#[derive(Debug)]
pub(super) struct Job {
    engine: Engine,
    request: Request,
    context: Context,
    pub(super) file: Dockerfile,
    given: Given,
    clamp: Option<i64>,
    pub(super) plan: Plan,
    /// What each stage has become.
    done: Vec<watch::Sender<Option<State>>>,
    /// How many steps may be carried out at the same time.
    places: Semaphore,
}

impl Job {
    pub(super) fn new(
        engine: Engine,
        (request, context): (Request, Context),
        file: Dockerfile,
        (given, plan): (Given, Plan),
        clamp: Option<i64>,
    ) -> Self {
        let done = file.stages.iter().map(|_| watch::Sender::new(None)).collect();
        let places = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        Self { engine, request, context, file, given, clamp, plan, done, places: Semaphore::new(places) }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn images(&self) -> &Store {
        &self.engine.images
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn given(&self) -> &Given {
        &self.given
    }

    pub(super) fn escape(&self) -> char {
        self.file.escape
    }

    /// The second that no time lies behind, if there is one.
    pub(super) fn clamp(&self) -> Option<i64> {
        self.clamp
    }

    /// The most bytes of a layer.
    pub(super) fn most_bytes(&self) -> u64 {
        self.engine.settings.image_limit
    }

    pub(super) fn context_root(&self) -> Result<Root, Error> {
        self.context.root()
    }

    pub(super) fn context_path(&self) -> Result<PathBuf, Error> {
        Ok(self.context.path())
    }

    pub(super) fn secret(&self, id: &str) -> Option<&[u8]> {
        self.request.secrets.get(id).map(Vec::as_slice)
    }

    /// Where caches are kept.
    pub(super) fn caches(&self) -> PathBuf {
        self.engine.caches()
    }

    /// Who uses a cache.
    pub(super) fn cache_lock(&self, name: &str) -> Arc<RwLock<()>> {
        self.engine.builds.cache(name)
    }

    /// A directory for what a command alone may see.
    pub(super) fn passing_directory(&self) -> Result<TempDir, Error> {
        let run = &self.engine.settings.run;
        tempfile::Builder::new().prefix(super::PASSING).tempdir_in(run).during("handing a file to a command")
    }

    /// Waits for a place among the steps that are carried out at the same time.
    pub(super) async fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Error> {
        self.places.acquire().await.map_err(|_| Error::Canceled)
    }

    /// A stage is through.
    pub(super) fn finished(&self, stage: usize, state: State) {
        if let Some(done) = self.done.get(stage) {
            done.send_replace(Some(state));
        }
    }

    /// What a stage has become, when it is through.
    pub(super) async fn stage(&self, stage: usize) -> Result<State, Error> {
        let mut done = self.done.get(stage).ok_or(Error::Canceled)?.subscribe();
        let state = done.wait_for(Option::is_some).await.map_err(|_| Error::Canceled)?;
        state.clone().ok_or(Error::Canceled)
    }

    /// The stage or the image that a `from` names.
    pub(super) async fn state_of(&self, from: &str) -> Result<State, Error> {
        match self.plan.origin(&self.file, from) {
            Origin::Stage(stage) => self.stage(stage).await,
            Origin::Image => {
                let found = self.plan.images.get(from).cloned();
                found.ok_or_else(|| {
                    Error::step(format!("invalid from flag value {from}: no such stage or image"))
                })
            }
        }
    }
}

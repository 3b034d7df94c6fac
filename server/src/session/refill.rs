//! Keeps the pool as full as it is to be: one at a time, not while sessions are starting, and never longer than half of the
//! time, so that who is at a terminal does not notice.

use super::audit::Action;
use super::create::new_id;
use super::engine::{self, Spec};
use super::error::Error;
use super::life::FIRST;
use super::policy::Caller;
use super::pool::{Kind, Making, Member, Ready, Spoiled, Warmup};
use super::service::{Readiness, Sessions, now};
use super::table::Slot;
use super::terminals::request;
use crate::store::WarmupRow;
use crate::terminal::outbox::Item;
use crate::terminal::protocol::TerminalMode;
use crate::terminal::{Activity, Line, Terminal};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks when nothing happens, and between two questions whether images have changed.
const EVERY: Duration = Duration::from_secs(2);

/// How long to wait while the engine has visitors' work to do.
const BREATH: Duration = Duration::from_millis(50);

/// For so long after one was taken its visitor is still arriving.
const ARRIVAL: Duration = Duration::from_millis(250);

/// After so much waiting for a quiet moment one is made all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// A shell that has printed something and then nothing for so long stands at its prompt.
const QUIET: Duration = Duration::from_millis(50);

/// A shell that has printed nothing for so long prints no prompt.
const MUTE: Duration = Duration::from_secs(3);

/// How long the pool's containers may take to go when the server ends; the next start removes the rest.
const FAREWELL: Duration = Duration::from_secs(4);

/// Whose a container is in the engine's labels before anybody has it.
const OWNER: &str = "pool";

/// The pool as an administrator sees it.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// What it may take.
    pub budget: super::pool::Budget,
    /// Each kind.
    pub kinds: Vec<Ready>,
}

impl Sessions {
    /// Fills the pool once the sessions of before the start are taken up; ends never.
    pub(super) async fn keep_pool(self) {
        let mut readiness = self.inner.readiness.subscribe();
        let _ = readiness.wait_for(|now| *now == Readiness::Ready).await;
        match self.inner.store.warmups(&self.inner.node, now()).await {
            Ok(rows) => {
                rows.into_iter().filter_map(|row| self.warmup(row)).for_each(|w| self.pool().announce(w))
            }
            Err(error) => tracing::warn!(%error, "what was announced before the start cannot be read"),
        }
        let (mut looked, mut waiting) = (Instant::now(), None);
        loop {
            if looked.elapsed() >= EVERY {
                self.compare_images().await;
                looked = Instant::now();
            }
            let wanted = self.pool().wanted(Instant::now(), now());
            self.throw_away();
            let rest = match wanted {
                None => {
                    waiting = None;
                    let _ = tokio::time::timeout(EVERY, self.pool().woken()).await;
                    continue;
                }
                Some(_) if self.is_busy(*waiting.get_or_insert_with(Instant::now)) => BREATH,
                Some(kind) => {
                    waiting = None;
                    self.one_more(kind).await
                }
            };
            tokio::time::sleep(rest).await;
        }
    }

    /// Whether the engine has visitors' work to do, who go first unless that has lasted since long ago.
    fn is_busy(&self, since: Instant) -> bool {
        let arriving = self.pool().since_taken(Instant::now()).is_some_and(|ago| ago < ARRIVAL);
        (arriving || self.table(|table| table.starting()) > 0) && since.elapsed() < PATIENCE
    }

    /// Makes one; how long to rest then.
    async fn one_more(&self, kind: Kind) -> Duration {
        let began = Instant::now();
        match self.make(&kind).await {
            Ok(member) => {
                let took = began.elapsed();
                metrics::counter!("sandlot_pool_made_total").increment(1);
                self.pool().add(member);
                took.saturating_sub(QUIET)
            }
            // It is away for everybody, and nobody's fault.
            Err(Error::Engine(engine::Error::Unreachable(_))) => EVERY,
            Err(error) => {
                tracing::warn!(image = kind.image, %error, "no session could be made ahead");
                self.pool().failed(kind, Instant::now());
                BREATH
            }
        }
    }

    async fn make(&self, kind: &Kind) -> Result<Member, Error> {
        let making = self.pool().begin(new_id()?);
        let spec = self.spec_of(making.id(), OWNER, kind);
        let container = self.inner.engine.create(&spec).await?;
        let made = self.start(kind, &making, &spec, &container).await;
        if made.is_err() {
            self.spawn_remove(container);
        }
        made
    }

    async fn start(
        &self,
        kind: &Kind,
        making: &Making<'_>,
        spec: &Spec,
        container: &str,
    ) -> Result<Member, Error> {
        let engine = &self.inner.engine;
        engine.start(container).await?;
        self.furnish(making.id(), container).await;
        let handed = engine.open_terminal(container, &request(FIRST)).await?;
        let activity = Arc::<Activity>::default();
        let line = Line { master: handed.master, ring: handed.ring, resized: handed.resized, tape: None };
        let terminal = Terminal::open(handed.id.clone(), line, activity.clone())?;
        first_prompt(&terminal).await?;
        let memory = engine.meter(container).await?.memory;
        // A tag that moved meanwhile: what was made is of no use, which is seen when it is taken.
        let digest = engine.image(&spec.image).await?;
        let slot = Slot { id: handed.id, terminal: Some(terminal), ended: None };
        let (id, container) = (making.id().to_owned(), container.to_owned());
        Ok(Member { id, kind: kind.clone(), digest, container, slot, activity, memory })
    }

    /// Sorts out those whose image's reference means another image now.
    async fn compare_images(&self) {
        for image in self.pool().images() {
            if let Ok(digest) = self.inner.engine.image(&image).await {
                self.pool().spoil(Spoiled::Image, |one| one.kind.image == image && one.digest != digest);
            } else {
                self.pool().spoil(Spoiled::Image, |one| one.kind.image == image);
            }
        }
    }

    /// Removes those that were sorted out.
    pub(super) fn throw_away(&self) {
        for (member, why) in self.pool().spoiled() {
            metrics::counter!("sandlot_pool_discarded_total", "reason" => why.name()).increment(1);
            tracing::debug!(container = member.container, why = why.name(), "a ready session is thrown away");
            let sessions = self.clone();
            tokio::spawn(async move { sessions.remove_member(member).await });
        }
    }

    async fn remove_member(&self, member: Member) {
        if let Some(terminal) = member.slot.terminal {
            terminal.close().await;
        }
        self.inner.inside.close(&member.container);
        if let Err(error) = self.inner.engine.remove(&member.container).await {
            tracing::debug!(container = member.container, %error, "not removed yet");
        }
    }

    /// Removes all, for this server ends.
    pub(super) async fn empty_pool(&self) {
        self.pool().spoil(Spoiled::Engine, |_| true);
        let all = self.pool().spoiled().into_iter().map(|(member, _)| self.remove_member(member));
        let _ = tokio::time::timeout(FAREWELL, join_all(all)).await;
    }

    /// Gives back what the pool holds, for somebody was refused; whether there was anything. It is left empty for a while.
    pub(super) async fn yield_pool(&self) -> bool {
        self.pool().spoil(Spoiled::Surplus, |_| true);
        let members = self.pool().spoiled();
        let any = !members.is_empty();
        for (member, _) in &members {
            self.pool().failed(member.kind.clone(), Instant::now());
        }
        join_all(members.into_iter().map(|(member, _)| self.remove_member(member))).await;
        any
    }

    /// The pool as it is.
    ///
    /// # Errors
    /// [`Error::NotAdministrator`].
    pub fn pool_view(&self, caller: &Caller) -> Result<PoolView, Error> {
        if *caller != Caller::Administrator {
            return Err(Error::NotAdministrator);
        }
        Ok(PoolView { budget: self.pool().budget(), kinds: self.pool().view(Instant::now(), now()) })
    }

    /// How many are ready, and the bytes that they take.
    #[must_use]
    pub fn pooled(&self) -> (usize, u64) {
        let all = self.pool().view(Instant::now(), now());
        (all.iter().map(|kind| kind.ready).sum(), all.iter().map(|kind| kind.memory).sum())
    }

    /// Keeps `count` sessions of an image ready until second `until`, as before a class begins; none: no longer.
    ///
    /// # Errors
    /// [`Error`]: not the administrator, beyond the budget, the store.
    pub async fn warm(
        &self,
        caller: &Caller,
        asked: super::Request,
        count: usize,
        until: i64,
    ) -> Result<PoolView, Error> {
        if *caller != Caller::Administrator {
            return Err(Error::NotAdministrator);
        }
        let (image, profile) = self.choose(caller, asked)?;
        let kind = self.kind(&image, profile);
        let most = self.pool().budget().count;
        let left = most.saturating_sub(self.pool().announced(&kind, now()));
        if count > left {
            return Err(Error::TooWarm { most, left });
        }
        let row = WarmupRow {
            image,
            profile: profile.name().to_owned(),
            count: i64::try_from(count).unwrap_or(i64::MAX),
            until,
        };
        self.inner.store.save_warmup(&self.inner.node, &row).await?;
        self.note(caller, Action::Warm, None, &format!("{count} of {}", row.image)).await;
        self.pool().announce(Warmup { kind, count, until });
        self.pool_view(caller)
    }

    fn warmup(&self, row: WarmupRow) -> Option<Warmup> {
        let kind = self.kind(&row.image, super::engine::Profile::named(&row.profile)?);
        Some(Warmup { kind, count: usize::try_from(row.count).ok()?, until: row.until })
    }
}

/// Waits until the shell has printed its prompt.
async fn first_prompt(terminal: &Terminal) -> Result<(), Error> {
    let viewer = terminal.attach(TerminalMode::View).await?;
    let outbox = viewer.outbox();
    let latest = tokio::time::Instant::now() + MUTE;
    let mut until = latest;
    loop {
        match tokio::time::timeout_at(until, outbox.next()).await {
            Ok(Item::Bytes(bytes)) => {
                viewer.ack(bytes.len() as u64).await?;
                until = latest.min(tokio::time::Instant::now() + QUIET);
            }
            Ok(Item::Message(_)) => (),
            Ok(Item::End(_)) => return Err(Error::NoTerminal),
            Err(_) => return Ok(()),
        }
    }
}

//! Sessions that are ready before anybody asks: cloned, started, their first terminal at its first prompt.
//!
//! ```text
//!  making ──at its prompt──▶ ready ──taken──▶ a session (once; it never comes back)
//!                              │
//!                              └──its image, its shell or the need for it is gone──▶ spoiled ──▶ removed
//! ```
//! Pure data behind a lock that is never held across a wait; [`super::refill`] makes and removes.

mod demand;
mod timetable;

use super::engine::{Limits, Network, Profile};
use super::table::Slot;
use crate::terminal::{Activity, Phase, Terminal};
pub use demand::Budget;
use demand::{Demand, Want, share};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
pub(super) use timetable::Planned;
use timetable::Timetable;
pub use timetable::{Warmup, Window};
use tokio::sync::Notify;

/// Kinds whose demand is remembered; the one that nobody asked for longest is forgotten for a new one.
const KINDS: usize = 256;

/// How long a kind is left alone that could not be made.
const PENANCE: Duration = Duration::from_secs(30);

/// Bytes that one is taken to need before any was measured.
const GUESS: u64 = 4 << 20;

/// What must be the same for a session to be of use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The image's reference.
    pub image: String,
    /// Its walls.
    pub profile: Profile,
    /// What it reaches.
    pub network: Network,
    /// Its limits.
    pub limits: Limits,
}

/// One that is ready.
#[derive(Debug)]
pub(super) struct Member {
    /// The id of the session that it will be; its host name was made of it.
    pub(super) id: String,
    /// What it is.
    pub(super) kind: Kind,
    /// What the image's reference meant when it was made.
    pub(super) digest: String,
    /// Its container.
    pub(super) container: String,
    /// Its first terminal.
    pub(super) slot: Slot,
    /// Who is there: nobody yet.
    pub(super) activity: Arc<Activity>,
    /// Bytes that it took when it was ready.
    pub(super) memory: u64,
}

impl Member {
    fn is_open(&self) -> bool {
        self.slot.terminal.as_ref().is_some_and(|terminal: &Terminal| terminal.phase() == Phase::Open)
    }
}

/// Why one is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoiled {
    /// Its image's reference means another image now.
    Image,
    /// Its shell or its container has ended.
    Dead,
    /// Nobody is likely to ask for it any more.
    Surplus,
    /// The engine does not answer, or this server ends.
    Engine,
}

impl Spoiled {
    /// Its name in figures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Dead => "dead",
            Self::Surplus => "surplus",
            Self::Engine => "engine",
        }
    }
}

/// One kind as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Which.
    pub kind: Kind,
    /// How many are ready.
    pub ready: usize,
    /// How many there are to be.
    pub target: usize,
    /// Bytes that they take.
    pub memory: u64,
    /// What was announced.
    pub warmup: Option<Warmup>,
}

#[derive(Debug, Default)]
struct Shelf {
    ready: Vec<Member>,
    spoiled: Vec<(Member, Spoiled)>,
    making: HashSet<String>,
    asked: Vec<(Kind, Demand)>,
    warmups: Vec<Warmup>,
    failed: HashMap<Kind, Instant>,
    taken: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pool {
    budget: Budget,
    /// The catalogue's, each with the minimum.
    usual: Vec<Kind>,
    timetable: Timetable,
    shelf: Mutex<Shelf>,
    wake: Notify,
}

/// One that was taken; if it is not used, it goes back.
#[derive(Debug)]
pub(super) struct Taken<'p> {
    member: Option<Member>,
    pool: &'p Pool,
}

impl Taken<'_> {
    /// The id that its session will have.
    pub(super) fn id(&self) -> Option<&str> {
        self.member.as_ref().map(|member| member.id.as_str())
    }

    /// Uses it up.
    pub(super) fn used(mut self) -> Option<Member> {
        let member = self.member.take()?;
        self.pool.shelf(|shelf| shelf.taken = Some(Instant::now()));
        self.pool.wake.notify_one();
        Some(member)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let member = self.member.take();
        self.pool.shelf(|shelf| shelf.ready.extend(member));
    }
}

/// One that is being made: its container is nobody else's business until this is dropped.
#[derive(Debug)]
pub(super) struct Making<'p> {
    id: String,
    pool: &'p Pool,
}

impl Making<'_> {
    /// Its session's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.pool.shelf(|shelf| shelf.making.remove(&self.id));
    }
}

impl Pool {
    /// An empty one; `usual` are the kinds of which the minimum is always ready, `planned` those of set times.
    pub(super) fn new(budget: Budget, usual: Vec<Kind>, planned: Vec<Planned>) -> Self {
        Self { budget, usual, timetable: Timetable(planned), shelf: Mutex::default(), wake: Notify::new() }
    }

    fn shelf<T>(&self, act: impl FnOnce(&mut Shelf) -> T) -> T {
        act(&mut self.shelf.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it may take.
    pub(super) fn budget(&self) -> Budget {
        self.budget
    }

    /// Notes that somebody asks for a session of that kind; whether one might be ready.
    pub(super) fn ask(&self, kind: &Kind, now: Instant) -> bool {
        if self.budget.count == 0 {
            return false;
        }
        self.shelf(|shelf| {
            if !shelf.asked.iter().any(|(asked, _)| asked == kind) {
                if shelf.asked.len() >= KINDS {
                    let oldest = shelf.asked.iter().enumerate().min_by_key(|(_, (_, demand))| demand.last());
                    let oldest = oldest.map_or(0, |(at, _)| at);
                    shelf.asked.swap_remove(oldest);
                }
                shelf.asked.push((kind.clone(), Demand::default()));
            }
            let asked = shelf.asked.iter_mut().find(|(asked, _)| asked == kind);
            asked.into_iter().for_each(|(_, demand)| demand.note(now));
            shelf.ready.iter().any(|member| member.kind == *kind)
        })
    }

    /// Whether one of that kind might be ready.
    pub(super) fn has(&self, kind: &Kind) -> bool {
        self.shelf(|shelf| shelf.ready.iter().any(|member| member.kind == *kind))
    }

    /// One of that kind whose image is still the one that its reference means, and whose shell waits.
    pub(super) fn take(&self, kind: &Kind, digest: &str) -> Option<Taken<'_>> {
        self.spoil(Spoiled::Image, |member| member.kind == *kind && member.digest != digest);
        self.spoil(Spoiled::Dead, |member| member.kind == *kind && !member.is_open());
        let member = self.shelf(|shelf| {
            let at = shelf.ready.iter().position(|member| member.kind == *kind)?;
            Some(shelf.ready.remove(at))
        });
        member.map(|member| Taken { member: Some(member), pool: self })
    }

    /// Notes that one is being made under that session's id.
    pub(super) fn begin(&self, id: String) -> Making<'_> {
        self.shelf(|shelf| shelf.making.insert(id.clone()));
        Making { id, pool: self }
    }

    /// Puts one in that is ready.
    pub(super) fn add(&self, member: Member) {
        self.shelf(|shelf| shelf.ready.push(member));
    }

    /// Notes that none of that kind can be made for now.
    pub(super) fn failed(&self, kind: Kind, now: Instant) {
        self.shelf(|shelf| {
            shelf.failed.retain(|_, since| now.duration_since(*since) < PENANCE);
            shelf.failed.insert(kind, now);
        });
    }

    /// Whether the container that was cloned for that session is the pool's.
    pub(super) fn holds(&self, session: &str) -> bool {
        self.shelf(|shelf| {
            shelf.making.contains(session) || shelf.ready.iter().any(|member| member.id == session)
        })
    }

    /// Sorts out those that are of no use any more.
    pub(super) fn spoil(&self, why: Spoiled, which: impl Fn(&Member) -> bool) {
        let found = self.shelf(|shelf| {
            let (spoiled, ready) = std::mem::take(&mut shelf.ready).into_iter().partition(which);
            shelf.ready = ready;
            let found = !Vec::is_empty(&spoiled);
            shelf.spoiled.extend(spoiled.into_iter().map(|member| (member, why)));
            found
        });
        if found {
            self.wake.notify_one();
        }
    }

    /// Those that were sorted out, to be removed.
    pub(super) fn spoiled(&self) -> Vec<(Member, Spoiled)> {
        self.shelf(|shelf| std::mem::take(&mut shelf.spoiled))
    }

    /// The images of which some are ready.
    pub(super) fn images(&self) -> HashSet<String> {
        self.shelf(|shelf| shelf.ready.iter().map(|member| member.kind.image.clone()).collect())
    }

    /// The containers that are ready.
    pub(super) fn containers(&self) -> HashSet<String> {
        self.shelf(|shelf| shelf.ready.iter().map(|member| member.container.clone()).collect())
    }

    /// Waits until something was taken, spoiled or announced.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// How long ago one was taken.
    pub(super) fn since_taken(&self, now: Instant) -> Option<Duration> {
        self.shelf(|shelf| shelf.taken).map(|taken| now.duration_since(taken))
    }

    /// Announces that so many of a kind are to be ready until then; none: no longer.
    pub(super) fn announce(&self, warmup: Warmup) {
        self.shelf(|shelf| {
            shelf.warmups.retain(|old| old.kind != warmup.kind);
            if warmup.count > 0 {
                shelf.warmups.push(warmup);
            }
        });
        self.wake.notify_one();
    }

    /// How many were announced, of all kinds but that.
    pub(super) fn announced(&self, but: &Kind, second: i64) -> usize {
        let counts = |shelf: &mut Shelf| {
            let others = shelf.warmups.iter().filter(|old| old.kind != *but && old.until > second);
            others.map(|warmup| warmup.count).sum()
        };
        self.shelf(counts)
    }

    /// Every kind, the most wanted first; `second` is the time since 1970.
    pub(super) fn view(&self, now: Instant, second: i64) -> Vec<Ready> {
        self.shelf(|shelf| {
            shelf.warmups.retain(|warmup| warmup.until > second);
            shelf.asked.retain_mut(|(_, demand)| demand.peak(now) > 0);
            let announced = self.timetable.at(second, &shelf.warmups);
            shelf.asked.sort_by_key(|(_, demand)| std::cmp::Reverse(demand.last()));
            let mut kinds: Vec<Kind> = Vec::new();
            let all = shelf.asked.iter().map(|(kind, _)| kind).chain(&self.usual);
            let all = all.chain(announced.iter().map(|warmup| &warmup.kind));
            for kind in all.chain(shelf.ready.iter().map(|member| &member.kind)) {
                if !kinds.contains(kind) {
                    kinds.push(kind.clone());
                }
            }
            let wants: Vec<Want> = kinds.iter().map(|kind| self.want(shelf, kind, &announced, now)).collect();
            let shares = share(&wants, self.budget.count);
            let each = kinds.into_iter().zip(shares).map(|(kind, target)| Ready {
                ready: shelf.ready.iter().filter(|member| member.kind == kind).count(),
                memory: memory(shelf.ready.iter().filter(|member| member.kind == kind)),
                warmup: announced.iter().find(|warmup| warmup.kind == kind).cloned(),
                target,
                kind,
            });
            each.collect()
        })
    }

    fn want(&self, shelf: &mut Shelf, kind: &Kind, announced: &[Warmup], now: Instant) -> Want {
        let announced = announced.iter().find(|warmup| warmup.kind == *kind);
        let announced = announced.map_or(0, |warmup| warmup.count);
        let asked = shelf.asked.iter_mut().find(|(asked, _)| asked == kind);
        let peak = asked.map_or(0, |(_, demand)| demand.peak(now));
        let minimum = if self.usual.contains(kind) { self.budget.minimum } else { 0 };
        Want { announced, minimum, peak }
    }

    /// The kind of which one more is wanted and has room; those of which there are too many are sorted out.
    pub(super) fn wanted(&self, now: Instant, second: i64) -> Option<Kind> {
        let all = self.view(now, second);
        for surplus in all.iter().filter(|kind| kind.ready > kind.target) {
            let one = self.shelf(|shelf| {
                let member = shelf.ready.iter().find(|member| member.kind == surplus.kind);
                member.map(|member| member.id.clone())
            });
            self.spoil(Spoiled::Surplus, |member| Some(&member.id) == one.as_ref());
        }
        self.shelf(|shelf| {
            let most = shelf.ready.iter().map(|member| member.memory).max().unwrap_or(GUESS);
            let room = memory(shelf.ready.iter()).saturating_add(most) <= self.budget.memory;
            let may = |kind: &Kind| {
                shelf.failed.get(kind).is_none_or(|since| now.duration_since(*since) >= PENANCE)
            };
            let mut missing = all.into_iter().filter(|kind| room && kind.ready < kind.target);
            missing.find(|kind| may(&kind.kind)).map(|kind| kind.kind)
        })
    }
}

fn memory<'m>(members: impl Iterator<Item = &'m Member>) -> u64 {
    members.map(|member| member.memory).sum()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! Whether containers are well: a command is run in each again and again, and its exit code believed.
//!
//! ```text
//! starting ──a success──▶ healthy ⇄ unhealthy
//!     └────── so many failures on end ──▶ ┘
//! ```

use super::Engine;
use super::container::Container;
use super::error::Error;
use super::exec::{Attached, Request};
use super::model::Check;
use super::record::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many results are kept.
const KEPT: usize = 5;
/// How much of what a check prints is kept; the rest is read and dropped.
const OUTPUT: usize = 4096;
/// How long output may still come after the check itself has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The shortest pause between two checks: each costs the engine and the spawner more than it costs the container.
const PAUSE: Duration = Duration::from_millis(50);
/// What the exit code is of a check that was not done.
const NOT_DONE: i32 = -1;

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// Failures on end.
    pub failing_streak: u64,
    /// The last results, the oldest first.
    pub log: VecDeque<Outcome>,
}

/// How a container is, in Docker's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody knows yet.
    Starting,
    /// Well.
    Healthy,
    /// Not well.
    Unhealthy,
}

/// What one run of the check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outcome {
    /// When it was begun.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// 0: the container is well.
    pub exit_code: i32,
    /// What it printed.
    pub output: String,
}

impl Status {
    /// Docker's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { status: Status::Starting, failing_streak: 0, log: VecDeque::new() }
    }
}

impl Health {
    /// Takes a result in; a failure within the first `grace` counts nothing while nobody knows yet.
    fn note(&mut self, outcome: Outcome, started: Timestamp, check: &Check) {
        let age = outcome.start.duration_since(started);
        let grace = age.unsigned_abs() < check.start_period;
        match outcome.exit_code {
            0 => {
                self.failing_streak = 0;
                self.status = Status::Healthy;
            }
            _ if self.status == Status::Starting && grace => {}
            _ => {
                self.failing_streak += 1;
                if self.failing_streak >= check.retries {
                    self.status = Status::Unhealthy;
                }
            }
        }
        self.log.push_back(outcome);
        while self.log.len() > KEPT {
            self.log.pop_front();
        }
    }

    /// How long until the next run.
    fn pause(&self, started: Timestamp, check: &Check) -> Duration {
        let age = Timestamp::now().duration_since(started).unsigned_abs();
        if self.status == Status::Starting && age < check.start_period {
            return check.start_interval.max(PAUSE);
        }
        check.interval.max(PAUSE)
    }
}

impl Engine {
    /// Looks after a container that runs, if it has a check; whoever did before, stops.
    pub(super) fn mind_health(&self, container: &Arc<Container>) {
        let minding = container.record().config.check().map(|check| {
            tokio::spawn(self.clone().watch_health(Arc::clone(container), check)).abort_handle()
        });
        let mut place = container.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *place, minding) {
            before.abort();
        }
    }

    async fn watch_health(self, container: Arc<Container>, check: Check) {
        let mut watch = container.watch();
        let mut running = move || {
            let seen = watch.borrow_and_update().clone();
            let runs = matches!(seen, super::container::Seen::State(State::Running { .. }));
            (runs, watch.clone())
        };
        loop {
            let record = container.record();
            let Some((_, started)) = record.state.alive() else { return };
            let pause = record.health.clone().unwrap_or_default().pause(started, &check);
            let resting = tokio::time::sleep(pause);
            tokio::pin!(resting);
            loop {
                let (runs, mut changes) = running();
                if !runs {
                    return;
                }
                tokio::select! {
                    () = &mut resting => break,
                    changed = changes.changed() => if changed.is_err() { return },
                }
            }
            // A task of its own: it goes to its end, and ends what it began, also if nobody looks after the container any more.
            let one = tokio::spawn(self.clone().probe(Arc::clone(&container), check.clone()));
            let Ok(outcome) = one.await else { return };
            self.note_health(&container, outcome, started, &check);
        }
    }

    fn note_health(&self, container: &Arc<Container>, outcome: Outcome, started: Timestamp, check: &Check) {
        // What was found out about an earlier start says nothing of this one.
        if container.state().alive().is_none_or(|(_, since)| since != started) {
            return;
        }
        let before = container.record().health.unwrap_or_default();
        let mut now = before.clone();
        now.note(outcome, started, check);
        let status = now.status;
        if let Err(e) = container.change(|record| record.health = Some(now)) {
            tracing::warn!("{e}");
        }
        if status != before.status {
            self.events.container(&format!("health_status: {}", status.word()), container);
        }
    }

    /// One run.
    async fn probe(self, container: Arc<Container>, check: Check) -> Outcome {
        let start = Timestamp::now();
        let (exit_code, output) = match self.run_check(&container, &check).await {
            Ok(done) => done,
            Err(e) => (NOT_DONE, e.to_string()),
        };
        Outcome { start, end: Timestamp::now(), exit_code, output }
    }

    async fn run_check(&self, container: &Arc<Container>, check: &Check) -> Result<(i32, String), Error> {
        let request = Request {
            attach_stdout: true,
            attach_stderr: true,
            cmd: check.command.clone(),
            ..Request::default()
        };
        let id = self.exec_create(&container.id, request)?;
        let exec = self.exec(&id)?;
        let started = self.exec_start(&id, 80, 24).await;
        let Attached { readers, .. } = match started {
            Ok(attached) => attached,
            Err(e) => {
                self.forget_exec(&id);
                return Err(e);
            }
        };
        let output = Arc::new(std::sync::Mutex::new(Vec::new()));
        // They end with this: what a check left behind holds its pipes for as long as it likes, and each costs a descriptor here.
        let mut reading: JoinSet<()> =
            readers.into_iter().map(|reader| keep(reader, Arc::clone(&output))).collect();
        let code = match tokio::time::timeout(check.timeout, exec.code()).await {
            Ok(code) => {
                // What it printed last may still be on its way; who holds the pipe open is not waited for.
                let all = async { while reading.join_next().await.is_some() {} };
                let _late = tokio::time::timeout(LAST_WORDS, all).await;
                code
            }
            Err(_) => {
                self.end_exec(container, &exec).await;
                NOT_DONE
            }
        };
        drop(reading);
        self.forget_exec(&id);
        let kept = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
        let said = shown(&kept);
        if code == NOT_DONE {
            let words = format!("Health check exceeded timeout ({:?})", check.timeout);
            return Ok((code, if said.is_empty() { words } else { format!("{words}: {said}") }));
        }
        Ok((code, said))
    }
}

/// Reads all, keeps what is wanted of it.
async fn keep(reader: super::streams::Reader, output: Arc<std::sync::Mutex<Vec<u8>>>) {
    while let Some(chunk) = reader.next().await {
        let mut kept = output.lock().unwrap_or_else(PoisonError::into_inner);
        let room = (OUTPUT + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&chunk.bytes[..room.min(chunk.bytes.len())]);
    }
}

/// As text, with three points where something was left out.
fn shown(kept: &[u8]) -> String {
    let text = String::from_utf8_lossy(&kept[..kept.len().min(OUTPUT)]).into_owned();
    if kept.len() > OUTPUT { text + "..." } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(retries: u64, grace: u64) -> Check {
        Check {
            command: vec!["x".into()],
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(1),
            start_period: Duration::from_secs(grace),
            start_interval: Duration::from_secs(1),
            retries,
        }
    }

    fn outcome(exit_code: i32, after: i64) -> Outcome {
        let start = Timestamp::from_second(1000 + after).unwrap();
        Outcome { start, end: start, exit_code, output: String::new() }
    }

    #[test]
    fn failures_on_end_make_it_unhealthy_and_one_success_well() {
        let started = Timestamp::from_second(1000).unwrap();
        let mut health = Health::default();
        let mut after = |code, at, grace| {
            health.note(outcome(code, at), started, &check(2, grace));
            (health.status, health.failing_streak)
        };
        assert_eq!(after(1, 1, 10), (Status::Starting, 0), "within the grace");
        assert_eq!(after(1, 11, 10), (Status::Starting, 1));
        assert_eq!(after(0, 12, 10), (Status::Healthy, 0));
        assert_eq!(after(1, 13, 100), (Status::Healthy, 1), "the grace is over with the first success");
        assert_eq!(after(3, 14, 10), (Status::Unhealthy, 2));
        assert_eq!(after(0, 15, 10), (Status::Healthy, 0));
        assert_eq!(health.log.len(), KEPT);
    }

    #[test]
    fn what_is_shown_is_bounded() {
        assert_eq!(shown(b"ok"), "ok");
        assert_eq!(shown(&[b'x'; OUTPUT]).len(), OUTPUT);
        assert!(shown(&[b'x'; OUTPUT + 1]).ends_with("x..."));
    }
}

//! Restart policies: whether a container that ended is started again, and after which pause.
//!
//! ```text
//! running ──its process ends──▶ restarting ──a pause──▶ running
//!                                    └──stop, kill──▶ exited
//! ```

use super::Engine;
use super::container::Container;
use super::error::Error;
use super::model::{HostConfig, RestartPolicy};
use super::record::{Exit, Record, State};
use super::restore::Origin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// The first pause; each further one is twice as long as the one before, up to the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// A container that ran that long did well: its next pause is the first again.
const WELL: Duration = Duration::from_secs(10);

/// Checks a policy, with Docker's words.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn policy(policy: &RestartPolicy) -> Result<(), Error> {
    let bad = |why: &str| Err(Error::invalid(format!("invalid restart policy: {why}")));
    match (policy.name.as_str(), policy.maximum_retry_count) {
        (_, ..=-1) => bad("maximum retry count cannot be negative"),
        ("" | "no" | "always" | "unless-stopped", 1..) => {
            bad("maximum retry count can only be used with 'on-failure'")
        }
        ("" | "no" | "always" | "unless-stopped" | "on-failure", _) => Ok(()),
        (other, _) => bad(&format!(
            "unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )),
    }
}

/// The same for a new container.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn check(host: &HostConfig) -> Result<(), Error> {
    policy(&host.restart_policy)?;
    if host.auto_remove && restarts_at_all(&host.restart_policy) {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    Ok(())
}

/// Whether a policy ever starts anything again.
pub(super) fn restarts_at_all(policy: &RestartPolicy) -> bool {
    !matches!(policy.name.as_str(), "" | "no")
}

/// Whether a container that has just ended is started again.
pub(super) fn after_end(record: &Record, code: i32) -> bool {
    !record.stopped_by_hand && wanted(record, code)
}

/// Whether a container that does not run is started by an engine that starts: `always` means always.
fn after_crash(record: &Record) -> bool {
    let code = record.state.exit().map_or(0, |exit| exit.code);
    let always = record.host.restart_policy.name == "always";
    (always || !record.stopped_by_hand) && wanted(record, code)
}

fn wanted(record: &Record, code: i32) -> bool {
    let RestartPolicy { name, maximum_retry_count } = &record.host.restart_policy;
    match name.as_str() {
        "always" | "unless-stopped" => true,
        "on-failure" => {
            code != 0 && (*maximum_retry_count == 0 || i64::from(record.restarts) < *maximum_retry_count)
        }
        _ => false,
    }
}

/// The pause before the next start of one that ran for `lasted`, after a pause of `before`.
fn pause(before: Option<Duration>, lasted: Duration) -> Duration {
    match before {
        Some(before) if lasted < WELL => (before * 2).min(LONGEST),
        _ => FIRST,
    }
}

impl Engine {
    /// Starts a container again after a pause, unless somebody stops or removes it meanwhile.
    pub(super) fn restart_later(&self, container: &Arc<Container>) {
        let lasted = container.state().exit().and_then(Exit::lasted).unwrap_or_default();
        let pause = {
            let mut last = container.pause.lock().unwrap_or_else(PoisonError::into_inner);
            let next = pause(*last, lasted);
            *last = Some(next);
            next
        };
        let (engine, container) = (self.clone(), Arc::clone(container));
        tokio::spawn(async move {
            let mut watch = container.watch();
            let changed =
                watch.wait_for(|seen| !matches!(seen, super::container::Seen::State(State::Restarting(_))));
            if tokio::time::timeout(pause, changed).await.is_ok() {
                return;
            }
            let _busy = container.busy.lock().await;
            if !matches!(container.state(), State::Restarting(_)) || engine.by_id(&container.id).is_none() {
                return;
            }
            let again = container.change(|record| record.restarts += 1);
            if let Err(e) = again.and(engine.launch(&container, &Origin::Nothing).await) {
                tracing::warn!(container = container.id, "not started again: {e}");
            }
        });
    }

    /// A container that does not run when an engine starts: gone if it was to go, started again if it was to go on.
    pub(super) fn restart_or_discard(&self, container: &Arc<Container>) -> Result<(), Error> {
        let record = container.record();
        let Some(exit) = record.state.exit().cloned() else { return Ok(()) };
        if record.host.auto_remove || record.session().is_some() {
            return self.discard(container);
        }
        if after_crash(&record) {
            container.change(|record| record.state = State::Restarting(exit))?;
            self.restart_later(container);
        } else if matches!(record.state, State::Restarting(_)) {
            container.change(|record| record.state = State::Exited(exit))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew() {
        let short = Duration::from_secs(1);
        let mut all = Vec::new();
        let mut last = None;
        for _ in 0..12 {
            last = Some(pause(last, short));
            all.extend(last);
        }
        let millis: Vec<u128> = all.iter().map(Duration::as_millis).collect();
        assert_eq!(millis[..5], [100, 200, 400, 800, 1600]);
        assert_eq!(all.last(), Some(&LONGEST));
        assert_eq!(pause(last, WELL), FIRST);
    }

    #[test]
    fn policies_are_checked() {
        let made = |name: &str, maximum_retry_count| RestartPolicy { name: name.into(), maximum_retry_count };
        for good in [made("", 0), made("no", 0), made("always", 0), made("on-failure", 3)] {
            policy(&good).unwrap();
        }
        for (bad, word) in [
            (made("ever", 0), "unknown policy 'ever'"),
            (made("always", 1), "only be used with 'on-failure'"),
            (made("on-failure", -1), "cannot be negative"),
        ] {
            assert!(policy(&bad).unwrap_err().to_string().contains(word));
        }
        let host =
            HostConfig { auto_remove: true, restart_policy: made("always", 0), ..HostConfig::default() };
        assert!(check(&host).unwrap_err().to_string().contains("AutoRemove"));
    }
}

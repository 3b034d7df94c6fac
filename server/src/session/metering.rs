//! Reads what sessions use now and then, tells who comes against a limit, and keeps the totals.

use super::bounds::{Bound, Watch};
use super::engine::{Network, Usage};
use super::error::Error;
use super::policy::Caller;
use super::service::{Sessions, now};
use super::table::Session;
use super::used::Used;
use crate::terminal::protocol::{NoticeLevel, ServerMessage};
use sandlot_wire::Meter;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two readings, at least.
const EVERY: Duration = Duration::from_secs(2);

/// At most a twentieth of the time is spent reading.
const SHARE: u32 = 20;

/// Between two readings, at most.
const SELDOM: Duration = Duration::from_secs(30);

/// How long the last reading of a session that ends may take.
const LAST: Duration = Duration::from_secs(1);

impl Sessions {
    /// Reads for ever.
    pub(super) async fn keep_metered(self) {
        loop {
            let began = Instant::now();
            match self.inner.engine.meters().await {
                Ok(meters) => self.compare_meters(meters).await,
                Err(error) => tracing::debug!(%error, "what sessions use cannot be read now"),
            }
            tokio::time::sleep((began.elapsed() * SHARE).clamp(EVERY, SELDOM)).await;
        }
    }

    async fn compare_meters(&self, meters: Vec<Meter>) {
        let now = now();
        let meters: HashMap<String, Meter> =
            meters.into_iter().map(|meter| (meter.container.clone(), meter)).collect();
        let told: Vec<(Session, Vec<Bound>)> = self.table(|table| {
            let up = table.all_mut().filter(|session| session.state.is_up());
            let each = up.filter_map(|session| {
                let meter = meters.get(session.container.as_ref()?)?;
                let bounds = session.read(meter, &self.policy().limits, now);
                (!bounds.is_empty()).then(|| (session.clone(), bounds))
            });
            each.collect()
        });
        for (session, bounds) in told {
            for bound in bounds {
                self.tell(&session, bound).await;
            }
        }
    }

    async fn tell(&self, session: &Session, bound: Bound) {
        metrics::counter!("sandlot_limits_reached_total", "limit" => bound.name()).increment(1);
        tracing::debug!(session = session.id, limit = bound.name(), "a limit was reached");
        let network = self.network(&session.id);
        let text = bound.words(&self.policy().limits, network);
        self.announce(session, &ServerMessage::Notice { level: NoticeLevel::Info, text }).await;
    }

    /// What a session reaches.
    #[must_use]
    pub fn network(&self, id: &str) -> Network {
        let kind = self.table(|table| table.get(id).map(|session| (session.image.clone(), session.profile)));
        kind.map(|(image, profile)| self.kind(&image, profile).network).unwrap_or_default()
    }

    /// What a session uses now.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, the engine.
    pub async fn usage(&self, caller: &Caller, id: &str) -> Result<Usage, Error> {
        let (_, container) = self.up(caller, id)?;
        let meter = self.inner.engine.meter(&container).await?;
        let session = self.table(|table| {
            let session = table.get_mut(id)?;
            session.used = session.used.with(&meter);
            Some(session.clone())
        });
        let session = session.ok_or(Error::NoSession)?;
        Ok(Usage { used: session.total(now()), notes: session.watch.notes().to_vec(), meter })
    }

    /// Reads a session for the last time; what cannot be read any more is as it was last.
    pub(super) async fn last_reading(&self, id: &str) {
        let container = self.table(|table| {
            let session = table.get(id).filter(|session| session.state.is_up())?;
            session.container.clone()
        });
        let Some(container) = container else { return };
        let meter = tokio::time::timeout(LAST, self.inner.engine.meter(&container)).await;
        if let Ok(Ok(meter)) = meter {
            self.table(|table| {
                if let Some(session) = table.get_mut(id) {
                    session.used = session.used.with(&meter);
                }
            });
        }
    }
}

impl Session {
    /// Takes a reading; the limits of which viewers are to be told.
    fn read(&mut self, meter: &Meter, limits: &super::engine::Limits, now: i64) -> Vec<Bound> {
        self.used = self.used.with(meter);
        Watch::take(&mut self.watch, meter, limits, now)
    }

    /// What it has used in all until then.
    #[must_use]
    pub fn total(&self, now: i64) -> Used {
        let until = match &self.state {
            super::state::State::Ended(end) => end.at,
            _ => now,
        };
        let wall = self.started_at.map_or(0, |start| u64::try_from(until.saturating_sub(start)).unwrap_or(0));
        Used { wall_seconds: wall.max(self.used.wall_seconds), ..self.used.after(self.earlier) }
    }
}

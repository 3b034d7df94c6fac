//! How a session is brought up, and how it is taken down.

use super::audit::Action;
use super::bounds::Watch;
use super::engine::{self, Profile, Spec};
use super::error::Error;
use super::pool::Kind;
use super::service::{Sessions, now, seconds};
use super::state::{End, Reason, State};
use super::table::Session;
use crate::terminal::protocol::{NoticeLevel, ServerMessage};
use sandlot_wire::Size;
use std::time::Instant;

/// The size of a session's first terminal, until a viewer tells its own.
pub(super) const FIRST: Size = Size { cols: 80, rows: 24 };

/// Who ends sessions by itself.
const PLAYGROUND: &str = "playground";

impl Sessions {
    pub(super) fn spawn_start(&self, id: String) {
        let sessions = self.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            match sessions.begin(&id).await {
                Ok(start) => {
                    metrics::histogram!("sandlot_session_start_seconds", "start" => start)
                        .record(began.elapsed().as_secs_f64());
                }
                Err(error) => {
                    tracing::warn!(session = id, %error, "the session did not start");
                    sessions.end(&id, Reason::Failed, &outside(&error)).await;
                }
            }
        });
    }

    /// Brings a session up with what is ready, or from nothing; which.
    async fn begin(&self, id: &str) -> Result<&'static str, Error> {
        if self.hand_over(id).await? {
            return Ok("warm");
        }
        self.bring_up(id).await?;
        Ok("cold")
    }

    /// Gives a session that starts after it waited one that is ready; whether there was one. The container keeps the name and
    /// the label that it was made with: whose it is, is the table's to know.
    async fn hand_over(&self, id: &str) -> Result<bool, Error> {
        let asked = self.table(|table| table.get(id).map(|session| (session.image.clone(), session.profile)));
        let Some((image, profile)) = asked else { return Ok(false) };
        let kind = self.kind(&image, profile);
        if !self.pool().has(&kind) {
            return Ok(false);
        }
        let Ok(digest) = self.inner.engine.image(&image).await else { return Ok(false) };
        let lifetime = seconds(self.policy().lifetime);
        let adopted = self.table(|table| {
            // One that has ended meanwhile leaves ready what is.
            table.get(id).filter(|session| session.state == State::Starting)?;
            let member = self.pool().take(&kind, &digest)?.used()?;
            table.adopt(id, member.container, member.slot, member.activity);
            let session = table.get_mut(id)?;
            // Waiting does not count.
            (session.started_at, session.expires_at) = (Some(now()), now() + lifetime);
            Some(())
        });
        if adopted.is_none() {
            return Ok(false);
        }
        self.inner.writer.save(id).await?;
        self.record(id, &image).await;
        self.watch_ends(id);
        self.changed();
        Ok(true)
    }

    async fn bring_up(&self, id: &str) -> Result<(), Error> {
        let Some(spec) = self.table(|table| table.get(id).map(|session| self.spec(session))) else {
            return Ok(());
        };
        let engine = &self.inner.engine;
        let container = match engine.create(&spec).await {
            // What the pool holds is no reason to refuse anybody.
            Err(engine::Error::Refused(_) | engine::Error::Conflict(_)) if self.yield_pool().await => {
                engine.create(&spec).await?
            }
            other => other?,
        };
        let noted = self.table(|table| match table.get_mut(id) {
            Some(session) if session.state == State::Starting => {
                session.container = Some(container.clone());
                true
            }
            _ => false,
        });
        if !noted {
            return Ok(engine.remove(&container).await?);
        }
        self.inner.writer.save(id).await?;
        engine.start(&container).await?;
        self.furnish(id, &container).await;
        self.open(id, &container, FIRST).await?;
        self.table(|table| {
            if let Some(session) = table.get_mut(id).filter(|session| session.state == State::Starting) {
                session.state = State::Running;
                // Waiting does not count.
                session.expires_at = now() + seconds(self.inner.policy.lifetime);
                session.started_at = Some(now());
                session.watch = Watch::of_new();
                session.activity.touch();
            }
        });
        self.changed();
        Ok(self.inner.writer.save(id).await?)
    }

    fn spec(&self, session: &Session) -> Spec {
        self.spec_of(&session.id, &session.owner, &self.kind(&session.image, session.profile))
    }

    /// What the engine is asked for, for a session of that id.
    pub(super) fn spec_of(&self, id: &str, owner: &str, kind: &Kind) -> Spec {
        Spec {
            session: id.to_owned(),
            owner: owner.to_owned(),
            node: self.inner.node.clone(),
            image: kind.image.clone(),
            hostname: format!("box-{}", &id[..id.len().min(4)]),
            profile: kind.profile,
            share: match kind.profile {
                Profile::Engine => self.policy().catalogue.iter().map(|image| image.name.clone()).collect(),
                Profile::Standard | Profile::Nested => Vec::new(),
            },
            network: kind.network,
            limits: kind.limits,
            loopback: self.inner.inside.names(),
        }
    }

    /// Ends a session that is not over yet: viewers are told, the container is removed, who waits gets the place.
    pub(super) async fn end(&self, id: &str, reason: Reason, message: &str) {
        self.end_by(PLAYGROUND, id, reason, message).await;
    }

    /// The same, at somebody's wish.
    pub(super) async fn end_by(&self, actor: &str, id: &str, reason: Reason, message: &str) {
        self.last_reading(id).await;
        let end = End { reason, message: message.to_owned(), at: now() };
        let Some(before) = self.table(|table| table.end(id, end)) else { return };
        metrics::counter!("sandlot_sessions_ended_total", "reason" => reason.name()).increment(1);
        tracing::info!(session = id, reason = reason.name(), message, "the session has ended");
        self.note_of(actor, Action::End, Some(id), reason.name()).await;
        self.changed();
        if let Err(error) = self.inner.writer.save(id).await {
            tracing::error!(session = id, %error, "the session's end could not be stored");
        }
        let text = match before.started_at {
            Some(_) => format!("{message}: {}", before.total(now()).words()),
            None => message.to_owned(),
        };
        let notice = ServerMessage::Notice { level: NoticeLevel::Warning, text };
        self.announce(&before, &notice).await;
        for terminal in before.terminals.iter().filter_map(|slot| slot.terminal.as_ref()) {
            terminal.close().await;
        }
        if let Some(container) = before.container {
            self.spawn_remove(container);
        }
        self.promote();
    }

    /// Removes a container. If the engine cannot now, [`super::recovery`] tries again.
    pub(super) fn spawn_remove(&self, container: String) {
        self.inner.inside.close(&container);
        let engine = self.inner.engine.clone();
        tokio::spawn(async move {
            if let Err(error) = engine.remove(&container).await {
                tracing::warn!(container, %error, "the container could not be removed yet");
            }
        });
    }

    /// Starts those who wait and now have a place.
    pub(super) fn promote(&self) {
        let promoted = self.table(|table| table.promote(self.inner.policy.total));
        if !promoted.is_empty() {
            self.changed();
        }
        promoted.into_iter().for_each(|id| self.spawn_start(id));
    }
}

/// A failure as a visitor is told it: the engine's own words name paths and sockets only when it is broken.
fn outside(error: &Error) -> String {
    match error {
        Error::Engine(engine::Error::Unreachable(_) | engine::Error::Protocol(_)) | Error::Store(_) => {
            "the session could not be started: the container engine is not available, try again soon"
                .to_owned()
        }
        other => format!("the session could not be started: {other}"),
    }
}

//! A session that is asked for: from the pool if one is ready, cloned now if a place is free, queued otherwise.

use super::audit::Action;
use super::engine::Profile;
use super::error::Error;
use super::policy::{Caller, Image};
use super::pool::{Kind, Pool};
use super::service::{Origin, Request, Sessions, View, now, seconds};
use super::state::{Reason, State};
use super::table::Session;
use crate::store::SessionRow;
use std::time::Instant;

/// Bytes of randomness in a session's id.
const ID_BYTES: usize = 12;

/// How a session that was asked for goes on.
enum Begun {
    /// It is up: it came from the pool.
    Up,
    /// It is starting.
    Starting,
    /// It waits.
    Queued,
}

impl Sessions {
    /// Asks for a session. It is running, starting or queued when this answers.
    ///
    /// # Errors
    /// [`Error`]: the image, the limits, the store.
    pub async fn create(&self, caller: &Caller, request: Request) -> Result<View, Error> {
        let asked = Instant::now();
        let (image, profile) = self.choose(caller, request)?;
        let kind = self.kind(&image, profile);
        // Asked every time, for a tag may have moved just now.
        // What somebody kept is asked for by one person alone: none of it is made ahead.
        let digest = match self.inner.kept.of(&image).is_none() && self.pool().ask(&kind, asked) {
            true => self.inner.engine.image(&image).await.ok(),
            false => None,
        };
        let fresh = new_id()?;
        let (id, begun) = self.admit(caller, &kind, digest.as_deref(), fresh)?;
        if let Err(error) = self.inner.writer.save(&id).await {
            self.end(&id, Reason::Failed, "the session could not be stored").await;
            return Err(error.into());
        }
        self.note(caller, Action::Create, Some(&id), &image).await;
        match begun {
            Begun::Up => {
                self.record(&id, &image).await;
                self.watch_ends(&id);
                self.changed();
                let seconds = asked.elapsed().as_secs_f64();
                metrics::histogram!("sandlot_session_start_seconds", "start" => "warm").record(seconds);
            }
            Begun::Starting => self.spawn_start(id.clone()),
            Begun::Queued => (),
        }
        self.view(caller, &id)
    }

    /// Takes a session in, and one of the pool with it if there is one and a place is free.
    fn admit(
        &self,
        caller: &Caller,
        kind: &Kind,
        digest: Option<&str>,
        fresh: String,
    ) -> Result<(String, Begun), Error> {
        self.table(|table| {
            let place = table.has_place(&self.inner.policy);
            let taken = digest.filter(|_| place).and_then(|digest| self.pool().take(kind, digest));
            let id = taken.as_ref().and_then(|taken| taken.id().map(str::to_owned)).unwrap_or(fresh);
            let session = self.asked(caller, kind, id.clone());
            let state = table.admit(session, caller, &self.inner.policy)?;
            let member = taken.filter(|_| state == State::Starting).and_then(super::pool::Taken::used);
            Ok(match (member, state) {
                (Some(member), _) => {
                    table.adopt(&id, member.container, member.slot, member.activity);
                    (id, Begun::Up)
                }
                (None, State::Queued) => (id, Begun::Queued),
                (None, _) => (id, Begun::Starting),
            })
        })
    }

    fn asked(&self, caller: &Caller, kind: &Kind, id: String) -> Session {
        let now = now();
        let row = SessionRow {
            id,
            node: self.inner.node.clone(),
            owner: caller.name().to_owned(),
            image: kind.image.clone(),
            profile: kind.profile.name().to_owned(),
            state: State::Starting.name().to_owned(),
            reason: None,
            message: None,
            container: None,
            extensions: 0,
            created_at: now,
            expires_at: now + seconds(self.policy().lifetime),
            ended_at: None,
            started_at: None,
            used: None,
        };
        Session::from_row(row, now)
    }

    /// The image and the walls that the caller may have.
    pub(super) fn choose(&self, caller: &Caller, request: Request) -> Result<(String, Profile), Error> {
        if let Some(id) = &request.kept {
            let row = self.kept_one(caller, id)?;
            return Ok((row.reference, Profile::named(&row.profile).unwrap_or_default()));
        }
        let policy = self.policy();
        let name = match request.image {
            Some(name) => name,
            None => policy.catalogue.first().ok_or(Error::NoImages)?.name.clone(),
        };
        let listed = policy.image(&name).map(|image: &Image| image.profile);
        match (caller, listed, request.profile) {
            (Caller::Visitor(_) | Caller::Guest(_), None, _) => Err(Error::NoImage(name)),
            (
                Caller::Visitor(_) | Caller::Guest(_),
                Some(Profile::Standard),
                Some(Profile::Nested | Profile::Engine),
            ) if request.origin == Origin::Caller => Err(Error::NotNested(name)),
            (_, listed, asked) => Ok((name, wider(listed, asked))),
        }
    }

    /// What sessions of an image and walls are.
    pub(super) fn kind(&self, image: &str, profile: Profile) -> Kind {
        Kind { network: self.reach(image), ..self.inner.policy.kind(image, profile) }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.inner.pool
    }
}

/// A session's id: random.
pub(super) fn new_id() -> Result<String, Error> {
    let mut id = [0; ID_BYTES];
    getrandom::fill(&mut id)?;
    Ok(hex::encode(id))
}

/// Of an image's walls and the asked ones, the wider.
fn wider(listed: Option<Profile>, asked: Option<Profile>) -> Profile {
    listed.max(asked).unwrap_or_default()
}

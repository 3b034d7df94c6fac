//! Share links of a session: made, seen and revoked by its owner; whoever opens one is a numbered guest.
//!
//! A link's token is 32 random bytes that only its holders know: stored is what it hashes to. Knows no cookie.

use super::audit::Action;
use super::error::Error;
use super::policy::{Caller, Guest};
use super::service::{Sessions, now};
use crate::store::{GuestRow, ShareRow};
use crate::terminal::Person;
use crate::terminal::protocol::TerminalMode;
use sha2::{Digest, Sha256};

/// Bytes of a token and of a link's id.
const TOKEN: usize = 32;
const ID: usize = 8;

/// Links of one session, revoked ones included.
const LINKS: usize = 32;

/// Browsers that may come by one link.
const GUESTS: usize = 200;

/// A share link as its owner sees it.
#[derive(Debug, Clone)]
pub struct Share {
    /// Its id.
    pub id: String,
    /// What its guests may do.
    pub mode: TerminalMode,
    /// When it was made.
    pub created_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// Who came by it.
    pub guests: Vec<GuestRow>,
}

impl Guest {
    /// Who the guest is to others.
    #[must_use]
    pub fn person(&self) -> Person {
        Person { name: format!("Guest {}", self.number), share: Some(self.share.clone()) }
    }
}

/// Whether a word may be a token: other words are sessions' ids.
#[must_use]
pub fn is_token(word: &str) -> bool {
    word.len() == TOKEN * 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn random(bytes: usize) -> Result<String, Error> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)?;
    Ok(hex::encode(random))
}

fn mode(name: &str) -> TerminalMode {
    if name == "control" { TerminalMode::Control } else { TerminalMode::View }
}

impl Sessions {
    /// Makes a share link; it and its token, which is not told again.
    ///
    /// # Errors
    /// [`Error`]: not the caller's, not up, too many.
    pub async fn share(
        &self,
        caller: &Caller,
        id: &str,
        mode: TerminalMode,
    ) -> Result<(Share, String), Error> {
        self.up(caller, id)?;
        if self.inner.store.shares(id).await?.len() >= LINKS {
            return Err(Error::TooManyShares(LINKS));
        }
        let token = random(TOKEN)?;
        let name = if mode == TerminalMode::Control { "control" } else { "view" };
        let row = ShareRow {
            id: random(ID)?,
            session: id.to_owned(),
            mode: name.to_owned(),
            token_hash: hash(&token),
            created_at: now(),
            revoked_at: None,
        };
        self.inner.store.add_share(&row).await?;
        self.note(caller, Action::Share, Some(id), &format!("{} {name}", row.id)).await;
        Ok((share(row, &[]), token))
    }

    /// A session's share links, and who came by them.
    ///
    /// # Errors
    /// [`Error`]: not the caller's.
    pub async fn shares(&self, caller: &Caller, id: &str) -> Result<Vec<Share>, Error> {
        self.view(caller, id)?;
        let guests = self.inner.store.guests(id).await?;
        Ok(self.inner.store.shares(id).await?.into_iter().map(|row| share(row, &guests)).collect())
    }

    /// Revokes a share link: who came by it is let go at once, with words.
    ///
    /// # Errors
    /// [`Error::NoShare`], [`Error`]: not the caller's.
    pub async fn revoke(&self, caller: &Caller, id: &str, link: &str) -> Result<(), Error> {
        let session = self.view(caller, id)?.session;
        if !self.inner.store.revoke_share(id, link, now()).await? {
            return Err(Error::NoShare);
        }
        self.inner.revocations.send_replace(());
        self.note(caller, Action::Revoke, Some(id), link).await;
        for terminal in session.terminals.iter().filter_map(|slot| slot.terminal.as_ref()) {
            let _ = terminal.let_go(link).await;
        }
        Ok(())
    }

    /// Opens a share link: another guest of its session, or the one who has come by it `before`.
    ///
    /// # Errors
    /// [`Error::NoShare`], [`Error::Revoked`], [`Error::TooManyGuests`].
    pub async fn enter(&self, token: &str, before: Option<(String, i64)>) -> Result<Guest, Error> {
        let row = self.inner.store.share_of(&hash(token)).await?.ok_or(Error::NoShare)?;
        if row.revoked_at.is_some() {
            return Err(Error::Revoked);
        }
        if let Some((_, number)) = before.filter(|(share, _)| *share == row.id) {
            return self.guest(&row.session, &row.id, number).await;
        }
        let others = self.inner.store.guests(&row.session).await?;
        if others.iter().filter(|guest| guest.share == row.id).count() >= GUESTS {
            return Err(Error::TooManyGuests(GUESTS));
        }
        let number = self.inner.store.add_guest(&row.session, &row.id, now()).await?;
        let guest = Guest { session: row.session, share: row.id, number, mode: mode(&row.mode) };
        let (caller, what) =
            (Caller::Guest(guest.clone()), format!("{} as {}", guest.share, guest.person().name));
        self.note(&caller, Action::Enter, Some(&guest.session), &what).await;
        Ok(guest)
    }

    /// A guest who comes again, if the session is the link's and the link is not revoked.
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::Revoked`].
    pub async fn guest(&self, id: &str, link: &str, number: i64) -> Result<Guest, Error> {
        let guest = self.recall(id, link, number).await?;
        self.inner.store.greet_guest(id, number, now()).await?;
        Ok(guest)
    }

    /// The same of one who is there already: it is not noted when they came.
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::Revoked`].
    pub async fn recall(&self, id: &str, link: &str, number: i64) -> Result<Guest, Error> {
        let row = self.inner.store.share(link).await?.filter(|row| row.session == id);
        let row = row.ok_or(Error::NoSession)?;
        if row.revoked_at.is_some() {
            return Err(Error::Revoked);
        }
        Ok(Guest { session: row.session, share: row.id, number, mode: mode(&row.mode) })
    }
}

fn share(row: ShareRow, guests: &[GuestRow]) -> Share {
    let guests = guests.iter().filter(|guest| guest.share == row.id).cloned().collect();
    Share {
        mode: mode(&row.mode),
        id: row.id,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
        guests,
    }
}

//! Share links, and who came by them.

use super::{Error, Store};
use sqlx::FromRow;

/// A share link as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ShareRow {
    /// Its id.
    pub id: String,
    /// The session.
    pub session: String,
    /// What its guests may do.
    pub mode: String,
    /// What its token comes to.
    pub token_hash: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// A guest as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct GuestRow {
    /// The session.
    pub session: String,
    /// The guest's number in it, from 1.
    pub number: i64,
    /// The share link by which they came.
    pub share: String,
    /// When they came first.
    pub first_at: i64,
    /// When they came last.
    pub last_at: i64,
}

impl Store {
    /// Stores a new share link.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn add_share(&self, row: &ShareRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO shares (id, session, mode, token_hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&row.id)
        .bind(&row.session)
        .bind(&row.mode)
        .bind(&row.token_hash)
        .bind(row.created_at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A session's share links, oldest first.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn shares(&self, session: &str) -> Result<Vec<ShareRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM shares WHERE session = $1 ORDER BY created_at, id");
        Ok(query.bind(session).fetch_all(&self.pool).await?)
    }

    /// The share link of this id.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn share(&self, id: &str) -> Result<Option<ShareRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM shares WHERE id = $1");
        Ok(query.bind(id).fetch_optional(&self.pool).await?)
    }

    /// The share link whose token comes to this.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn share_of(&self, token_hash: &str) -> Result<Option<ShareRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM shares WHERE token_hash = $1");
        Ok(query.bind(token_hash).fetch_optional(&self.pool).await?)
    }

    /// Revokes a session's share link; whether there was one that was not.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn revoke_share(&self, session: &str, id: &str, at: i64) -> Result<bool, Error> {
        let query = sqlx::query(
            "UPDATE shares SET revoked_at = $3 WHERE session = $1 AND id = $2 AND revoked_at IS NULL",
        );
        Ok(query.bind(session).bind(id).bind(at).execute(&self.pool).await?.rows_affected() > 0)
    }

    /// Another guest of a share link; their number in the session.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn add_guest(&self, session: &str, share: &str, at: i64) -> Result<i64, Error> {
        let query = sqlx::query_scalar(
            "INSERT INTO guests (session, number, share, first_at, last_at) \
             SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $3 FROM guests WHERE session = $1 RETURNING number",
        );
        Ok(query.bind(session).bind(share).bind(at).fetch_one(&self.pool).await?)
    }

    /// A guest has come again.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn greet_guest(&self, session: &str, number: i64, at: i64) -> Result<(), Error> {
        let query = sqlx::query("UPDATE guests SET last_at = $3 WHERE session = $1 AND number = $2");
        query.bind(session).bind(number).bind(at).execute(&self.pool).await?;
        Ok(())
    }

    /// A session's guests, in the order of their coming.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn guests(&self, session: &str) -> Result<Vec<GuestRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM guests WHERE session = $1 ORDER BY number");
        Ok(query.bind(session).fetch_all(&self.pool).await?)
    }

    /// Forgets the share links of sessions that are no longer known.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn forget_shares(&self) -> Result<(), Error> {
        sqlx::query("DELETE FROM guests WHERE session NOT IN (SELECT id FROM sessions)")
            .execute(&self.pool)
            .await?;
        sqlx::query("DELETE FROM shares WHERE session NOT IN (SELECT id FROM sessions)")
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn guests_are_numbered_within_their_session_and_a_link_is_revoked_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        let row = |id: &str, session: &str| ShareRow {
            id: id.to_owned(),
            session: session.to_owned(),
            mode: "view".to_owned(),
            token_hash: format!("hash of {id}"),
            created_at: 1,
            revoked_at: None,
        };
        for (id, session) in [("a", "s"), ("b", "s"), ("c", "other")] {
            store.add_share(&row(id, session)).await.unwrap();
        }
        let numbers = [("s", "a"), ("s", "b"), ("other", "c"), ("s", "a")];
        for ((session, share), expected) in numbers.into_iter().zip([1, 2, 1, 3]) {
            assert_eq!(store.add_guest(session, share, 5).await.unwrap(), expected);
        }
        assert_eq!(store.guests("s").await.unwrap().len(), 3);
        assert_eq!(store.share_of("hash of b").await.unwrap(), Some(row("b", "s")));
        assert!(!store.revoke_share("other", "a", 9).await.unwrap(), "of another session");
        assert!(store.revoke_share("s", "a", 9).await.unwrap());
        assert!(!store.revoke_share("s", "a", 10).await.unwrap());
        assert_eq!(store.share("a").await.unwrap().unwrap().revoked_at, Some(9));
        store.forget_shares().await.unwrap();
        assert_eq!(store.shares("s").await.unwrap(), [], "there is no such session");
    }
}

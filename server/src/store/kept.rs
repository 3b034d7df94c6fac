//! Work that visitors kept: images made of their sessions.

use super::{Error, Store};
use sqlx::FromRow;

/// Kept work as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeptRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// What its owner calls it.
    pub title: String,
    /// The image of the catalogue that the first session was of.
    pub base: String,
    /// The profile's name.
    pub profile: String,
    /// The image's reference; empty while it is being made.
    pub reference: String,
    /// The session that it was made of.
    pub session: String,
    /// Bytes.
    pub size: i64,
    /// When, in seconds since 1970.
    pub created_at: i64,
}

impl Store {
    /// Writes one.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn save_kept(&self, node: &str, row: &KeptRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO kept (node, id, owner, title, base, profile, reference, session, size, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(node)
        .bind(&row.id)
        .bind(&row.owner)
        .bind(&row.title)
        .bind(&row.base)
        .bind(&row.profile)
        .bind(&row.reference)
        .bind(&row.session)
        .bind(row.size)
        .bind(row.created_at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that the image of one is there: its reference and size.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn finish_kept(&self, node: &str, row: &KeptRow) -> Result<(), Error> {
        let query = sqlx::query("UPDATE kept SET reference = $3, size = $4 WHERE node = $1 AND id = $2");
        query.bind(node).bind(&row.id).bind(&row.reference).bind(row.size).execute(&self.pool).await?;
        Ok(())
    }

    /// All of a node, oldest first; also those whose images were not finished.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn kept(&self, node: &str) -> Result<Vec<KeptRow>, Error> {
        let query = sqlx::query_as(
            "SELECT id, owner, title, base, profile, reference, session, size, created_at FROM kept \
             WHERE node = $1 ORDER BY created_at, id",
        );
        Ok(query.bind(node).fetch_all(&self.pool).await?)
    }

    /// Forgets one.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn forget_kept(&self, node: &str, id: &str) -> Result<(), Error> {
        let query = sqlx::query("DELETE FROM kept WHERE node = $1 AND id = $2");
        query.bind(node).bind(id).execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_kept_is_there_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        let text = |text: &str| text.to_owned();
        let row = KeptRow {
            id: text("1"),
            owner: text("o"),
            title: text("t"),
            base: text("b"),
            profile: text("standard"),
            reference: text("r"),
            session: text("s"),
            size: 5,
            created_at: 7,
        };
        store.save_kept("n", &row).await.unwrap();
        assert_eq!(store.kept("n").await.unwrap(), std::slice::from_ref(&row));
        let finished = KeptRow { reference: text("r2"), size: 9, ..row };
        store.finish_kept("n", &finished).await.unwrap();
        assert_eq!(store.kept("n").await.unwrap(), [finished]);
        assert_eq!(store.kept("other").await.unwrap(), []);
        store.forget_kept("n", "1").await.unwrap();
        assert_eq!(store.kept("n").await.unwrap(), []);
    }
}

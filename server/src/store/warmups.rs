//! What was announced: so many sessions of an image are to be ready until some time.

use super::{Error, Store};
use sqlx::FromRow;

/// An announcement as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WarmupRow {
    /// The image's reference.
    pub image: String,
    /// The profile's name.
    pub profile: String,
    /// How many.
    pub count: i64,
    /// Until when, in seconds since 1970.
    pub until: i64,
}

impl Store {
    /// Writes an announcement, in the place of an earlier one for the same sessions.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn save_warmup(&self, node: &str, row: &WarmupRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO warmups (node, image, profile, count, until) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (node, image, profile) DO UPDATE SET count = excluded.count, until = excluded.until",
        )
        .bind(node)
        .bind(&row.image)
        .bind(&row.profile)
        .bind(row.count)
        .bind(row.until)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What of a node's announcements is to hold after second `now`; the others are forgotten.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn warmups(&self, node: &str, now: i64) -> Result<Vec<WarmupRow>, Error> {
        let past = sqlx::query("DELETE FROM warmups WHERE node = $1 AND (until <= $2 OR count = 0)");
        past.bind(node).bind(now).execute(&self.pool).await?;
        let query = sqlx::query_as("SELECT image, profile, count, until FROM warmups WHERE node = $1");
        Ok(query.bind(node).fetch_all(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_announcement_holds_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        let row =
            |count, until| WarmupRow { image: "i".to_owned(), profile: "standard".to_owned(), count, until };
        store.save_warmup("n", &row(3, 10)).await.unwrap();
        store.save_warmup("n", &row(5, 20)).await.unwrap();
        assert_eq!(store.warmups("n", 15).await.unwrap(), [row(5, 20)]);
        assert_eq!(store.warmups("other", 15).await.unwrap(), []);
        assert_eq!(store.warmups("n", 20).await.unwrap(), []);
    }
}

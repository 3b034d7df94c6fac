//! Who did what: rows that are only added, and forgotten from the oldest on.

use super::{Error, Store};
use sqlx::FromRow;

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuditRow {
    /// Its number: later ones are greater.
    pub id: i64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Who: a visitor's id, `administrator`, or `playground`.
    pub actor: String,
    /// What.
    pub action: String,
    /// With which session.
    pub session: Option<String>,
    /// More of it.
    pub detail: Option<String>,
}

/// Which rows are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Before the row of this number.
    pub before: Option<i64>,
    /// Of this actor.
    pub actor: Option<String>,
    /// Of this session.
    pub session: Option<String>,
    /// At most so many.
    pub limit: i64,
}

impl Store {
    /// Adds rows, in one piece, and forgets those of numbers up to `oldest`.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn note(&self, node: &str, rows: &[AuditRow], oldest: i64) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        for row in rows {
            sqlx::query(
                "INSERT INTO audit (node, id, at, actor, action, session, detail) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(node)
            .bind(row.id)
            .bind(row.at)
            .bind(&row.actor)
            .bind(&row.action)
            .bind(&row.session)
            .bind(&row.detail)
            .execute(&mut *transaction)
            .await?;
        }
        let query = sqlx::query("DELETE FROM audit WHERE node = $1 AND id <= $2");
        query.bind(node).bind(oldest).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The greatest number of a node's rows; 0: there is none.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn last_noted(&self, node: &str) -> Result<i64, Error> {
        let query = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM audit WHERE node = $1");
        Ok(query.bind(node).fetch_one(&self.pool).await?)
    }

    /// Rows, the latest first.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn noted(&self, node: &str, filter: &AuditFilter) -> Result<Vec<AuditRow>, Error> {
        let query = sqlx::query_as(
            "SELECT id, at, actor, action, session, detail FROM audit WHERE node = $1 AND id < $2 \
             AND ($3 = '' OR actor = $3) AND ($4 = '' OR session = $4) ORDER BY id DESC LIMIT $5",
        );
        let query = query.bind(node).bind(filter.before.unwrap_or(i64::MAX));
        let query = query.bind(filter.actor.as_deref().unwrap_or_default());
        let query = query.bind(filter.session.as_deref().unwrap_or_default()).bind(filter.limit);
        Ok(query.fetch_all(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, actor: &str, session: &str) -> AuditRow {
        let (actor, session) = (actor.to_owned(), Some(session.to_owned()));
        AuditRow { id, at: id, actor, action: "create".to_owned(), session, detail: None }
    }

    #[tokio::test]
    async fn the_latest_come_first_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        assert_eq!(store.last_noted("n").await.unwrap(), 0);
        let rows = [row(1, "a", "s"), row(2, "b", "s"), row(3, "a", "t")];
        store.note("n", &rows, 0).await.unwrap();
        let all = AuditFilter { limit: 10, ..AuditFilter::default() };
        let ids = |rows: Vec<AuditRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(store.noted("n", &all).await.unwrap()), [3, 2, 1]);
        let of = AuditFilter { actor: Some("a".to_owned()), before: Some(3), ..all.clone() };
        assert_eq!(ids(store.noted("n", &of).await.unwrap()), [1]);
        let of = AuditFilter { session: Some("s".to_owned()), limit: 1, ..all.clone() };
        assert_eq!(ids(store.noted("n", &of).await.unwrap()), [2]);
        store.note("n", &[row(4, "a", "t")], 2).await.unwrap();
        assert_eq!(ids(store.noted("n", &all).await.unwrap()), [4, 3]);
        assert_eq!(store.last_noted("n").await.unwrap(), 4);
        assert_eq!(store.noted("other", &all).await.unwrap(), []);
    }
}

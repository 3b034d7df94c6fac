//! The database: what must outlive the server's process.
//!
//! Rows are plain text and numbers; what they mean is the business of whoever reads them. SQL is kept portable between
//! SQLite and PostgreSQL.

mod audit;
mod courses;
mod kept;
mod recordings;
mod shares;
mod warmups;

pub use audit::{AuditFilter, AuditRow};
pub use courses::{Attempt, LabSessionRow, ProgressRow, Verdict};
pub use kept::KeptRow;
pub use recordings::{FoundRow, RecordingRow};
pub use shares::{GuestRow, ShareRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{FromRow, SqlitePool};
use std::path::Path;
use std::time::Duration;
pub use warmups::WarmupRow;

/// Connections: one writes at a time anyway.
const CONNECTIONS: u32 = 4;

/// How long a statement waits for another's lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error("the database failed: {0}")]
    Statement(#[from] sqlx::Error),
    /// Its tables could not be brought to this version.
    #[error("cannot bring the database to this version: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// The server that holds it.
    pub node: String,
    /// Whose it is.
    pub owner: String,
    /// The image's reference.
    pub image: String,
    /// The profile's name.
    pub profile: String,
    /// The state's name.
    pub state: String,
    /// The end's name.
    pub reason: Option<String>,
    /// The end in words.
    pub message: Option<String>,
    /// Its container's id.
    pub container: Option<String>,
    /// How often it was extended.
    pub extensions: i64,
    /// When it was asked for.
    pub created_at: i64,
    /// When its lifetime is over.
    pub expires_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// When its first prompt was there.
    pub started_at: Option<i64>,
    /// What it used, once ended, as JSON.
    pub used: Option<String>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database file, making it and its tables where they are not there.
    ///
    /// # Errors
    /// [`Error`] when the file cannot be opened or its tables are of a later version.
    pub async fn open(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        sqlx::migrate!("src/store/migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Writes a session's row: a new one, or all that may change of one that is there.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn save(&self, row: &SessionRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO sessions (id, node, owner, image, profile, state, reason, message, container, extensions, \
             created_at, expires_at, ended_at, started_at, used) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, reason = excluded.reason, \
             message = excluded.message, container = excluded.container, extensions = excluded.extensions, \
             expires_at = excluded.expires_at, ended_at = excluded.ended_at, started_at = excluded.started_at, \
             used = excluded.used",
        )
        .bind(&row.id)
        .bind(&row.node)
        .bind(&row.owner)
        .bind(&row.image)
        .bind(&row.profile)
        .bind(&row.state)
        .bind(&row.reason)
        .bind(&row.message)
        .bind(&row.container)
        .bind(row.extensions)
        .bind(row.created_at)
        .bind(row.expires_at)
        .bind(row.ended_at)
        .bind(row.started_at)
        .bind(&row.used)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All sessions of a node, oldest first.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn sessions(&self, node: &str) -> Result<Vec<SessionRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM sessions WHERE node = $1 ORDER BY created_at, id");
        Ok(query.bind(node).fetch_all(&self.pool).await?)
    }

    /// Forgets the sessions of a node that ended before `time`; how many.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn forget_ended(&self, node: &str, time: i64) -> Result<u64, Error> {
        let query = sqlx::query("DELETE FROM sessions WHERE node = $1 AND ended_at < $2");
        Ok(query.bind(node).bind(time).execute(&self.pool).await?.rows_affected())
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Writes everything out and closes.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> SessionRow {
        SessionRow {
            id: id.to_owned(),
            node: "n".to_owned(),
            owner: "o".to_owned(),
            image: "i".to_owned(),
            profile: "standard".to_owned(),
            state: "running".to_owned(),
            reason: None,
            message: None,
            container: Some("c".to_owned()),
            extensions: 0,
            created_at: 1,
            expires_at: 2,
            ended_at: None,
            started_at: Some(1),
            used: None,
        }
    }

    #[tokio::test]
    async fn what_was_saved_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sandlot.db");
        let store = Store::open(&file).await.unwrap();
        store.save(&row("a")).await.unwrap();
        store.save(&row("b")).await.unwrap();
        let ended = SessionRow { state: "ended".to_owned(), ended_at: Some(5), ..row("b") };
        store.save(&ended).await.unwrap();
        store.close().await;
        let store = Store::open(&file).await.unwrap();
        assert_eq!(store.sessions("n").await.unwrap(), [row("a"), ended]);
        assert_eq!(store.sessions("other").await.unwrap(), []);
        assert_eq!(store.forget_ended("n", 6).await.unwrap(), 1);
        assert_eq!(store.sessions("n").await.unwrap(), [row("a")]);
    }
}

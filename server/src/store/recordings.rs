//! Recordings and the lines that they show.

use super::{Error, Store};
use sqlx::FromRow;

/// A recording as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RecordingRow {
    /// The session.
    pub session: String,
    /// The terminal.
    pub terminal: String,
    /// The server that keeps the file.
    pub node: String,
    /// Whose session it was.
    pub owner: String,
    /// What the session was started from, in words.
    pub title: String,
    /// When it began.
    pub started_at: i64,
    /// When it ended; absent: it goes on.
    pub ended_at: Option<i64>,
    /// Its length in milliseconds.
    pub length: i64,
    /// Bytes on disk.
    pub bytes: i64,
    /// Not 0: all its lines are stored.
    pub indexed: i64,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FoundRow {
    /// The session.
    pub session: String,
    /// The terminal.
    pub terminal: String,
    /// What the session was started from.
    pub title: String,
    /// When the recording began.
    pub started_at: i64,
    /// When the line was first shown, in milliseconds since then.
    pub at: i64,
    /// The line.
    pub text: String,
}

impl Store {
    /// A recording begins, or goes on: then its lines are told anew.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn begin_recording(&self, row: &RecordingRow) -> Result<(), Error> {
        let mut all = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO recordings (session, terminal, node, owner, title, started_at, ended_at, length, bytes, indexed) \
             VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, 0, 0) \
             ON CONFLICT (session, terminal) DO UPDATE SET ended_at = NULL, indexed = 0",
        )
        .bind(&row.session)
        .bind(&row.terminal)
        .bind(&row.node)
        .bind(&row.owner)
        .bind(&row.title)
        .bind(row.started_at)
        .execute(&mut *all)
        .await?;
        let lines = sqlx::query("DELETE FROM shown WHERE session = $1 AND terminal = $2");
        lines.bind(&row.session).bind(&row.terminal).execute(&mut *all).await?;
        Ok(all.commit().await?)
    }

    /// A recording has so many bytes and milliseconds.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn grow_recording(
        &self,
        (session, terminal): (&str, &str),
        bytes: i64,
        length: i64,
    ) -> Result<(), Error> {
        let query =
            sqlx::query("UPDATE recordings SET bytes = $3, length = $4 WHERE session = $1 AND terminal = $2");
        query.bind(session).bind(terminal).bind(bytes).bind(length).execute(&self.pool).await?;
        Ok(())
    }

    /// A recording is whole.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn end_recording(&self, session: &str, terminal: &str, at: i64) -> Result<(), Error> {
        let query = sqlx::query("UPDATE recordings SET ended_at = $3 WHERE session = $1 AND terminal = $2");
        query.bind(session).bind(terminal).bind(at).execute(&self.pool).await?;
        Ok(())
    }

    /// All lines of a recording are stored.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn recording_indexed(&self, session: &str, terminal: &str) -> Result<(), Error> {
        let query = sqlx::query("UPDATE recordings SET indexed = 1 WHERE session = $1 AND terminal = $2");
        query.bind(session).bind(terminal).execute(&self.pool).await?;
        Ok(())
    }

    /// Adds lines that a recording shows, each with its time.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn add_shown(
        &self,
        (session, terminal): (&str, &str),
        lines: impl IntoIterator<Item = (i64, String)>,
    ) -> Result<(), Error> {
        let mut all = self.pool.begin().await?;
        for (at, text) in lines {
            let query =
                sqlx::query("INSERT INTO shown (session, terminal, at, text) VALUES ($1, $2, $3, $4)");
            query.bind(session).bind(terminal).bind(at).bind(text).execute(&mut *all).await?;
        }
        Ok(all.commit().await?)
    }

    /// One recording.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn recording(&self, session: &str, terminal: &str) -> Result<Option<RecordingRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM recordings WHERE session = $1 AND terminal = $2");
        Ok(query.bind(session).bind(terminal).fetch_optional(&self.pool).await?)
    }

    /// The newest recordings of an owner, or of all without one.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn recordings(&self, owner: Option<&str>, most: i64) -> Result<Vec<RecordingRow>, Error> {
        let query = sqlx::query_as(
            "SELECT * FROM recordings WHERE $1 IS NULL OR owner = $1 ORDER BY started_at DESC, session, terminal LIMIT $2",
        );
        Ok(query.bind(owner).bind(most).fetch_all(&self.pool).await?)
    }

    /// The recordings of a session, oldest first.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn recordings_in(&self, session: &str) -> Result<Vec<RecordingRow>, Error> {
        let query =
            sqlx::query_as("SELECT * FROM recordings WHERE session = $1 ORDER BY started_at, terminal");
        Ok(query.bind(session).fetch_all(&self.pool).await?)
    }

    /// The recordings of a node that are whole, oldest first, or that were not ended when the server was.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn recordings_of(&self, node: &str) -> Result<Vec<RecordingRow>, Error> {
        let query =
            sqlx::query_as("SELECT * FROM recordings WHERE node = $1 ORDER BY started_at, session, terminal");
        Ok(query.bind(node).fetch_all(&self.pool).await?)
    }

    /// Lines that hold `text`, in the newest recordings first; of an owner, or of all without one. Three characters at
    /// least are needed.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn find_shown(
        &self,
        text: &str,
        owner: Option<&str>,
        most: i64,
    ) -> Result<Vec<FoundRow>, Error> {
        let phrase = format!("\"{}\"", text.replace('"', "\"\""));
        let query = sqlx::query_as(
            "SELECT s.session, s.terminal, r.title, r.started_at, s.at, s.text FROM shown_text t \
             JOIN shown s ON s.id = t.rowid \
             JOIN recordings r ON r.session = s.session AND r.terminal = s.terminal \
             WHERE shown_text MATCH $1 AND ($2 IS NULL OR r.owner = $2) \
             ORDER BY r.started_at DESC, s.session, s.terminal, s.at LIMIT $3",
        );
        Ok(query.bind(phrase).bind(owner).bind(most).fetch_all(&self.pool).await?)
    }

    /// Forgets the lines of a recording, for they are told anew.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn forget_shown(&self, session: &str, terminal: &str) -> Result<(), Error> {
        let query = sqlx::query("DELETE FROM shown WHERE session = $1 AND terminal = $2");
        query.bind(session).bind(terminal).execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets a recording and its lines.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn forget_recording(&self, session: &str, terminal: &str) -> Result<(), Error> {
        let mut all = self.pool.begin().await?;
        let lines = sqlx::query("DELETE FROM shown WHERE session = $1 AND terminal = $2");
        lines.bind(session).bind(terminal).execute(&mut *all).await?;
        let row = sqlx::query("DELETE FROM recordings WHERE session = $1 AND terminal = $2");
        row.bind(session).bind(terminal).execute(&mut *all).await?;
        Ok(all.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(session: &str, owner: &str) -> RecordingRow {
        RecordingRow {
            session: session.to_owned(),
            terminal: "t".to_owned(),
            node: "n".to_owned(),
            owner: owner.to_owned(),
            title: "Starter".to_owned(),
            started_at: 5,
            ended_at: None,
            length: 0,
            bytes: 0,
            indexed: 0,
        }
    }

    #[tokio::test]
    async fn lines_are_found_by_any_part_of_them_by_who_may_and_are_gone_with_their_recording() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        for (session, owner) in [("a", "one"), ("b", "two")] {
            store.begin_recording(&row(session, owner)).await.unwrap();
            let lines = [(10, "Docker run --rm \"alpine\"".to_owned()), (20, "100% 漢字テスト".to_owned())];
            store.add_shown((session, "t"), lines).await.unwrap();
        }
        for (text, found) in
            [("ocker RUN", 1), ("\"alp", 1), ("漢字テ", 1), ("run*", 0), ("OR a", 0), ("podman", 0)]
        {
            assert_eq!(store.find_shown(text, Some("one"), 10).await.unwrap().len(), found, "{text}");
        }
        let all = store.find_shown("alpine", None, 10).await.unwrap();
        assert_eq!(
            all.iter().map(|found| (&found.session[..], found.at)).collect::<Vec<_>>(),
            [("a", 10), ("b", 10)]
        );
        store.forget_recording("a", "t").await.unwrap();
        assert_eq!(store.find_shown("alpine", None, 10).await.unwrap().len(), 1);
        store.begin_recording(&row("b", "two")).await.unwrap();
        assert_eq!(store.find_shown("alpine", None, 10).await.unwrap().len(), 0, "told anew");
        store.grow_recording(("b", "t"), 7, 8).await.unwrap();
        store.end_recording("b", "t", 9).await.unwrap();
        let found = store.recordings(Some("two"), 10).await.unwrap();
        assert_eq!(found, [RecordingRow { ended_at: Some(9), length: 8, bytes: 7, ..row("b", "two") }]);
        assert_eq!(store.recordings(Some("one"), 10).await.unwrap(), []);
    }
}

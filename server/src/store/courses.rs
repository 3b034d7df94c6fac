//! What visitors passed in labs, the sessions that belong to labs, each visitor's values of variables.

use super::{Error, Store};
use sqlx::FromRow;

/// One part of a step, as one visitor stands to it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ProgressRow {
    /// The visitor.
    pub owner: String,
    /// The course.
    pub course: String,
    /// The lab; of slides, none.
    pub lab: String,
    /// The step.
    pub step: String,
    /// The part.
    pub part: String,
    /// How often it was tried.
    pub tries: i64,
    /// The first try.
    pub first_at: i64,
    /// The last one.
    pub last_at: i64,
    /// When it was passed.
    pub passed_at: Option<i64>,
}

/// A session that belongs to a lab.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct LabSessionRow {
    /// The session.
    pub session: String,
    /// Whose.
    pub owner: String,
    /// The course.
    pub course: String,
    /// The lab; empty: the course's slides.
    pub lab: String,
    /// How far it was prepared.
    pub state: String,
    /// Why not further, in words.
    pub message: String,
    /// When, in seconds since 1970.
    pub created_at: i64,
}

/// Whether a try passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Passed,
    /// It did not.
    Failed,
}

/// Whose try it was, at what.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The visitor.
    pub owner: &'a str,
    /// The course.
    pub course: &'a str,
    /// The lab.
    pub lab: &'a str,
    /// The step.
    pub step: &'a str,
    /// The part.
    pub part: &'a str,
}

impl Store {
    /// Notes a try. What was passed once stays so.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn note_try(&self, on: Attempt<'_>, verdict: Verdict, now: i64) -> Result<(), Error> {
        let passed = (verdict == Verdict::Passed).then_some(now);
        sqlx::query(
            "INSERT INTO progress (owner, course, lab, step, part, tries, first_at, last_at, passed_at) \
             VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $7) \
             ON CONFLICT (owner, course, lab, step, part) DO UPDATE SET tries = progress.tries + 1, \
             last_at = excluded.last_at, passed_at = COALESCE(progress.passed_at, excluded.passed_at)",
        )
        .bind(on.owner)
        .bind(on.course)
        .bind(on.lab)
        .bind(on.step)
        .bind(on.part)
        .bind(now)
        .bind(passed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What somebody tried in a course.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn progress(&self, owner: &str, course: &str) -> Result<Vec<ProgressRow>, Error> {
        let query = sqlx::query_as(
            "SELECT * FROM progress WHERE owner = $1 AND course = $2 ORDER BY first_at, lab, step, part",
        );
        Ok(query.bind(owner).bind(course).fetch_all(&self.pool).await?)
    }

    /// What everybody tried in a course.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn progress_of_all(&self, course: &str) -> Result<Vec<ProgressRow>, Error> {
        let query = sqlx::query_as(
            "SELECT * FROM progress WHERE course = $1 ORDER BY owner, first_at, lab, step, part LIMIT 100000",
        );
        Ok(query.bind(course).fetch_all(&self.pool).await?)
    }

    /// Writes a lab's session, or how far it was prepared.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn save_lab_session(&self, row: &LabSessionRow) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO lab_sessions (session, owner, course, lab, state, message, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (session) DO UPDATE SET state = excluded.state, message = excluded.message",
        )
        .bind(&row.session)
        .bind(&row.owner)
        .bind(&row.course)
        .bind(&row.lab)
        .bind(&row.state)
        .bind(&row.message)
        .bind(row.created_at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The lab that a session belongs to.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn lab_session(&self, session: &str) -> Result<Option<LabSessionRow>, Error> {
        let query = sqlx::query_as("SELECT * FROM lab_sessions WHERE session = $1");
        Ok(query.bind(session).fetch_optional(&self.pool).await?)
    }

    /// Somebody's sessions of a lab, latest first.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn lab_sessions(
        &self,
        owner: &str,
        course: &str,
        lab: &str,
    ) -> Result<Vec<LabSessionRow>, Error> {
        let query = sqlx::query_as(
            "SELECT * FROM lab_sessions WHERE owner = $1 AND course = $2 AND lab = $3 \
             ORDER BY created_at DESC, session LIMIT 20",
        );
        Ok(query.bind(owner).bind(course).bind(lab).fetch_all(&self.pool).await?)
    }

    /// The value that somebody's variable has; the proposed one if it had none.
    ///
    /// # Errors
    /// [`Error::Statement`].
    pub async fn lab_value(
        &self,
        (owner, course, lab): (&str, &str, &str),
        name: &str,
        proposed: &str,
    ) -> Result<String, Error> {
        sqlx::query(
            "INSERT INTO lab_values (owner, course, lab, name, value) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (owner, course, lab, name) DO NOTHING",
        )
        .bind(owner)
        .bind(course)
        .bind(lab)
        .bind(name)
        .bind(proposed)
        .execute(&self.pool)
        .await?;
        let query = sqlx::query_scalar(
            "SELECT value FROM lab_values WHERE owner = $1 AND course = $2 AND lab = $3 AND name = $4",
        );
        Ok(query.bind(owner).bind(course).bind(lab).bind(name).fetch_one(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tries_are_counted_and_what_was_passed_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        let on = Attempt { owner: "o", course: "c", lab: "l", step: "s", part: "check" };
        store.note_try(on, Verdict::Failed, 5).await.unwrap();
        store.note_try(on, Verdict::Passed, 7).await.unwrap();
        store.note_try(on, Verdict::Failed, 9).await.unwrap();
        let rows = store.progress("o", "c").await.unwrap();
        assert_eq!((rows.len(), rows[0].tries, rows[0].first_at, rows[0].last_at), (1, 3, 5, 9));
        assert_eq!(rows[0].passed_at, Some(7));
        assert_eq!(store.progress("other", "c").await.unwrap(), []);
        assert_eq!(store.progress_of_all("c").await.unwrap(), rows);
    }

    #[tokio::test]
    async fn a_value_is_drawn_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("sandlot.db")).await.unwrap();
        let whose = ("o", "c", "l");
        assert_eq!(store.lab_value(whose, "port", "1").await.unwrap(), "1");
        assert_eq!(store.lab_value(whose, "port", "2").await.unwrap(), "1");
        assert_eq!(store.lab_value(("p", "c", "l"), "port", "2").await.unwrap(), "2");
    }
}

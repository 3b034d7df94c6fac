//! Who did what with sessions: noted as it happens, written by one task, bounded.
//!
//! What is noted within the last moment before a kill may be lost; an orderly end loses nothing.

use super::error::Error;
use super::policy::Caller;
use super::service::{Sessions, now};
use crate::store::{AuditFilter, AuditRow, Store};
use tokio::sync::{mpsc, oneshot};

/// Notes that wait to be written; more make those who note wait.
const WAITING: usize = 1024;

/// Notes that are written in one piece.
const BATCH: usize = 256;

/// Rows that are kept: some 20 MB.
const ROWS: i64 = 100_000;

/// Rows of one answer.
const ANSWER: i64 = 1000;

/// Characters of what is noted of a detail.
const DETAIL: usize = 300;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A session was asked for.
    Create,
    /// A session ended.
    End,
    /// A session's end was moved.
    Extend,
    /// A session was frozen.
    Pause,
    /// A session was thawed.
    Unpause,
    /// A terminal was opened.
    OpenTerminal,
    /// A terminal was closed.
    CloseTerminal,
    /// Somebody looked at a terminal, or typed into it.
    Attach,
    /// A share link was made.
    Share,
    /// A share link was opened.
    Enter,
    /// A share link was revoked.
    Revoke,
    /// Sessions were announced.
    Warm,
    /// A session's changes were kept.
    Keep,
    /// Kept work was deleted.
    Forget,
    /// A session got a fresh container.
    Reset,
}

impl Action {
    /// Its name in the store and in the API.
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::End => "end",
            Self::Extend => "extend",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::OpenTerminal => "open-terminal",
            Self::CloseTerminal => "close-terminal",
            Self::Attach => "attach",
            Self::Share => "share",
            Self::Enter => "enter",
            Self::Revoke => "revoke",
            Self::Warm => "warm",
            Self::Keep => "keep",
            Self::Forget => "forget",
            Self::Reset => "reset",
        }
    }
}

/// What the task is told.
#[derive(Debug)]
enum Order {
    Note(AuditRow),
    Flush(oneshot::Sender<()>),
}

/// A handle of the task; it ends when the last handle is gone.
#[derive(Debug, Clone)]
pub(super) struct Audit {
    orders: mpsc::Sender<Order>,
}

impl Audit {
    /// Starts the task; rows get numbers after `last`.
    pub(super) fn new(store: Store, node: String, last: i64) -> Self {
        let (orders, mut inbox) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let (mut number, mut waiting) = (last, Vec::with_capacity(BATCH));
            while inbox.recv_many(&mut waiting, BATCH).await > 0 {
                let (mut rows, mut flushed) = (Vec::new(), Vec::new());
                for order in waiting.drain(..) {
                    match order {
                        Order::Note(row) => {
                            number += 1;
                            rows.push(AuditRow { id: number, ..row });
                        }
                        Order::Flush(done) => flushed.push(done),
                    }
                }
                if let Err(error) = store.note(&node, &rows, number - ROWS).await {
                    tracing::error!(%error, lost = rows.len(), "who did what could not be written");
                }
                // Who asked and does not wait any more needs no answer.
                flushed.into_iter().for_each(|done: oneshot::Sender<()>| done.send(()).unwrap_or_default());
            }
        });
        Self { orders }
    }

    async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.orders.send(Order::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }
}

impl Sessions {
    /// Notes what a caller did.
    pub(crate) async fn note(&self, caller: &Caller, action: Action, session: Option<&str>, detail: &str) {
        self.note_of(caller.name(), action, session, detail).await;
    }

    /// Notes what somebody did, or the playground itself.
    pub(super) async fn note_of(&self, actor: &str, action: Action, session: Option<&str>, detail: &str) {
        let row = AuditRow {
            id: 0,
            at: now(),
            actor: actor.to_owned(),
            action: action.name().to_owned(),
            session: session.map(str::to_owned),
            detail: (!detail.is_empty()).then(|| detail.chars().take(DETAIL).collect()),
        };
        // The task lives as long as this handle; if it does not take it, it panicked, and that was logged.
        let _ = self.inner.audit.orders.send(Order::Note(row)).await;
    }

    /// Writes what was noted.
    pub(super) async fn flush_notes(&self) {
        self.inner.audit.flush().await;
    }

    /// Who did what, the latest first.
    ///
    /// # Errors
    /// [`Error`]: not the administrator, the store.
    pub async fn noted(&self, caller: &Caller, filter: AuditFilter) -> Result<Vec<AuditRow>, Error> {
        if *caller != Caller::Administrator {
            return Err(Error::NotAdministrator);
        }
        self.flush_notes().await;
        let filter = AuditFilter { limit: filter.limit.clamp(1, ANSWER), ..filter };
        Ok(self.inner.store.noted(&self.inner.node, &filter).await?)
    }
}

//! The one task that writes sessions to the store, so that no older state overwrites a newer one.

use super::table::Table;
use crate::store::{Error, Store};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Sessions that wait to be written; more make the writer's callers wait.
const WAITING: usize = 256;

/// A session to be written, and who waits for it.
type Order = (String, oneshot::Sender<Result<(), Error>>);

/// A handle of the task; it ends when the last handle is gone.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    /// Starts the task.
    pub(super) fn new(store: Store, table: Arc<Mutex<Table>>, node: String) -> Self {
        let (orders, mut inbox) = mpsc::channel::<Order>(WAITING);
        tokio::spawn(async move {
            while let Some((id, done)) = inbox.recv().await {
                let row = {
                    let table = table.lock().unwrap_or_else(PoisonError::into_inner);
                    table.get(&id).map(|session| session.row(&node))
                };
                let result = match row {
                    Some(row) => store.save(&row).await,
                    None => Ok(()),
                };
                let _ = done.send(result);
            }
        });
        Self { orders }
    }

    /// Writes the session as it is when its turn comes.
    ///
    /// # Errors
    /// What the store answers.
    pub(super) async fn save(&self, id: &str) -> Result<(), Error> {
        let (done, result) = oneshot::channel();
        // The task lives as long as this handle; if it does not answer, it panicked, and that was logged.
        let _ = self.orders.send((id.to_owned(), done)).await;
        result.await.unwrap_or(Ok(()))
    }
}

//! Waiting for what is to happen, never for a fixed time.

use anyhow::{Result, bail};
use std::future::Future;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before a test calls it lost.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a state that announces no change is looked at.
pub const LOOK: Duration = Duration::from_millis(15);

/// Looks until `state` has an answer.
///
/// # Errors
/// When it has none within [`PATIENCE`]; the message names `what`.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut state: impl FnMut() -> F) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = state().await {
            return Ok(answer);
        }
        if started.elapsed() > PATIENCE {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

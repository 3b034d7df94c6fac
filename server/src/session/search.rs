//! Which engine listens on a socket: Sandlot's own, or another that speaks Docker.

use super::calls::{Calls, Kind};
use super::docker::DockerEngine;
use super::engine::{Engine, Error};
use super::stock::StockEngine;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an engine that is being started may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks who listens on `socket`, until somebody answers.
///
/// # Errors
/// [`Error::Unreachable`] when nobody does in time.
pub async fn find(socket: PathBuf) -> Result<Arc<dyn Engine>, Error> {
    let began = Instant::now();
    loop {
        match Calls::find(socket.clone()).await {
            Ok((calls, Kind::Own)) => return Ok(Arc::new(DockerEngine::new(calls))),
            Ok((calls, Kind::Stock)) => return Ok(Arc::new(StockEngine::new(calls))),
            Err(error) if began.elapsed() >= PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

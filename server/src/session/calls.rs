//! What any engine is asked in Docker's own words: containers made, started, listed, measured, frozen, removed.
//!
//! The Docker Engine API by bollard. Knows no terminal: there [`super::docker`] and [`super::stock`] differ.

use super::engine::{Error, Found, Running, Spec};
use bollard::models::{ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};
use futures_util::StreamExt;
use sandlot_wire::{LABEL_SESSION, Meter};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The label that names whose session a container is.
const LABEL_OWNER: &str = "sandlot.owner";

/// The label that names the server which made the container.
const LABEL_NODE: &str = "sandlot.node";

/// Seconds that a call may take; a first start waits for its layers to be prepared.
const PATIENCE: u64 = 60;

/// What our own engine calls its platform.
const OWN: &str = "Sandlot";

/// Whose engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sandlot's.
    Own,
    /// Any other that speaks Docker.
    Stock,
}

/// The engine that listens on a unix socket. Every call makes a connection of its own, so that an engine that was
/// started again is found.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    socket: PathBuf,
    version: ClientVersion,
}

impl Calls {
    /// Asks who listens there, and agrees on a version.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody does.
    pub(super) async fn find(socket: PathBuf) -> Result<(Self, Kind), Error> {
        let calls = Self { socket, version: *API_DEFAULT_VERSION };
        let docker = calls.docker()?.negotiate_version().await.map_err(explain)?;
        let platform = docker.version().await.map_err(explain)?.platform.map(|platform| platform.name);
        let kind = if platform.as_deref() == Some(OWN) { Kind::Own } else { Kind::Stock };
        Ok((Self { version: docker.client_version(), ..calls }, kind))
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(super) fn docker(&self) -> Result<Docker, Error> {
        let path = self.socket.to_string_lossy();
        Docker::connect_with_unix(&path, PATIENCE, &self.version).map_err(explain)
    }

    pub(super) async fn create(&self, body: ContainerCreateBody) -> Result<String, Error> {
        Ok(self.docker()?.create_container(None, body).await.map_err(explain)?.id)
    }

    pub(super) async fn start(&self, container: &str) -> Result<(), Error> {
        already(self.docker()?.start_container(container, None).await)
    }

    pub(super) async fn remove(&self, container: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match already(self.docker()?.remove_container(container, Some(options)).await) {
            Err(Error::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    pub(super) async fn list(&self) -> Result<Vec<Found>, Error> {
        let filters = HashMap::from([("label".to_owned(), vec![LABEL_SESSION.to_owned()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let all = self.docker()?.list_containers(Some(options)).await.map_err(explain)?;
        Ok(all.into_iter().filter_map(found).collect())
    }

    pub(super) async fn image(&self, reference: &str) -> Result<String, Error> {
        let image = self.docker()?.inspect_image(reference).await.map_err(explain)?;
        image.id.ok_or_else(|| Error::Protocol("an image without an id".to_owned()))
    }

    pub(super) async fn meter(&self, container: &str) -> Result<Meter, Error> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let stats = Box::pin(self.docker()?.stats(container, Some(options))).next().await;
        let stats = stats.ok_or_else(|| Error::Protocol("no stats".to_owned()))?.map_err(explain)?;
        let memory = stats.memory_stats.unwrap_or_default();
        let inactive = memory.stats.and_then(|stats| {
            stats.get("inactive_file").or_else(|| stats.get("total_inactive_file")).copied()
        });
        let cpu = stats.cpu_stats.unwrap_or_default();
        let throttling = cpu.throttling_data.unwrap_or_default();
        Ok(Meter {
            container: container.to_owned(),
            cpu_ns: cpu.cpu_usage.and_then(|usage| usage.total_usage).unwrap_or(0),
            periods: throttling.periods.unwrap_or(0),
            throttled_periods: throttling.throttled_periods.unwrap_or(0),
            memory: memory.usage.unwrap_or(0).saturating_sub(inactive.unwrap_or(0)),
            memory_peak: memory.max_usage,
            pids: stats.pids_stats.and_then(|pids| pids.current).unwrap_or(0),
            ..Meter::default()
        })
    }

    pub(super) async fn pause(&self, container: &str) -> Result<(), Error> {
        already(self.docker()?.pause_container(container).await)
    }

    pub(super) async fn unpause(&self, container: &str) -> Result<(), Error> {
        already(self.docker()?.unpause_container(container).await)
    }

    pub(super) async fn ping(&self) -> Result<(), Error> {
        self.docker()?.ping().await.map(drop).map_err(explain)
    }
}

/// What marks a container as a session of this server.
pub(super) fn labels(spec: &Spec) -> HashMap<String, String> {
    let labels = [(LABEL_SESSION, &spec.session), (LABEL_OWNER, &spec.owner), (LABEL_NODE, &spec.node)];
    labels.map(|(name, value)| (name.to_owned(), value.clone())).into()
}

/// A number as the API takes it.
pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn found(summary: ContainerSummary) -> Option<Found> {
    let labels = summary.labels?;
    let running = match summary.state? {
        ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::RESTARTING => Running::Running,
        ContainerSummaryStateEnum::PAUSED => Running::Paused,
        ContainerSummaryStateEnum::CREATED | ContainerSummaryStateEnum::EMPTY => Running::Created,
        _ => Running::Dead,
    };
    Some(Found {
        container: summary.id?,
        session: labels.get(LABEL_SESSION)?.clone(),
        node: labels.get(LABEL_NODE).cloned().unwrap_or_default(),
        running,
    })
}

/// 304 says that it is so already.
fn already(result: Result<(), bollard::errors::Error>) -> Result<(), Error> {
    use bollard::errors::Error::DockerResponseServerError;
    match result {
        Err(DockerResponseServerError { status_code: 304, .. }) => Ok(()),
        other => other.map_err(explain),
    }
}

pub(super) fn explain(error: bollard::errors::Error) -> Error {
    use bollard::errors::Error::DockerResponseServerError;
    match error {
        DockerResponseServerError { status_code: 404, message } => Error::NotFound(message),
        DockerResponseServerError { message, .. } => Error::Refused(message),
        other => Error::Unreachable(other.to_string()),
    }
}

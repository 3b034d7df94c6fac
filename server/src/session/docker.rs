//! The real container engine, reached through its unix socket: the Docker Engine API by bollard, terminals by the
//! engine's own endpoints.

use super::engine::{Engine, Error, Found, Handed, Reply, Running, Spec, Usage};
use super::handover;
use bollard::models::{ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum, HostConfig};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt;
use hyper::Method;
use sandlot_wire::{ANNOTATION_INIT, ANNOTATION_PROFILE, LABEL_SESSION, OpenTerminal, Terminal};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::PathBuf;

/// The label that names whose session a container is.
const LABEL_OWNER: &str = "sandlot.owner";

/// The label that names the server which made the container.
const LABEL_NODE: &str = "sandlot.node";

/// Seconds that a call may take; a first start waits for its layers to be prepared.
const PATIENCE: u64 = 60;

/// An engine behind a unix socket.
#[derive(Debug, Clone)]
pub struct DockerEngine {
    socket: PathBuf,
}

impl DockerEngine {
    /// The engine that listens there. Nothing is connected yet: every call makes a connection of its own, so that an
    /// engine that was started again is found.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    fn docker(&self) -> Result<Docker, Error> {
        let path = self.socket.to_string_lossy();
        Docker::connect_with_unix(&path, PATIENCE, API_DEFAULT_VERSION).map_err(explain)
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Error> {
        let body = handover::call(&self.socket, method, path).await?;
        serde_json::from_slice(&body).map_err(|e| Error::Protocol(e.to_string()))
    }
}

impl Engine for DockerEngine {
    fn create<'a>(&'a self, spec: &'a Spec) -> Reply<'a, String> {
        Box::pin(async move {
            let made = self.docker()?.create_container(None, body(spec)).await.map_err(explain)?;
            Ok(made.id)
        })
    }

    fn start<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(async move { already(self.docker()?.start_container(container, None).await) })
    }

    fn remove<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(async move {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            match already(self.docker()?.remove_container(container, Some(options)).await) {
                Err(Error::NotFound(_)) => Ok(()),
                other => other,
            }
        })
    }

    fn list(&self) -> Reply<'_, Vec<Found>> {
        Box::pin(async move {
            let filters = HashMap::from([("label".to_owned(), vec![LABEL_SESSION.to_owned()])]);
            let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
            let all = self.docker()?.list_containers(Some(options)).await.map_err(explain)?;
            Ok(all.into_iter().filter_map(found).collect())
        })
    }

    fn usage<'a>(&'a self, container: &'a str) -> Reply<'a, Usage> {
        Box::pin(async move {
            let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
            let stats = Box::pin(self.docker()?.stats(container, Some(options))).next().await;
            let stats = stats.ok_or_else(|| Error::Protocol("no stats".to_owned()))?.map_err(explain)?;
            let memory = stats.memory_stats.unwrap_or_default();
            let inactive = memory.stats.and_then(|stats| {
                stats.get("inactive_file").or_else(|| stats.get("total_inactive_file")).copied()
            });
            Ok(Usage {
                cpu_ns: stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage).unwrap_or(0),
                memory: memory.usage.unwrap_or(0).saturating_sub(inactive.unwrap_or(0)),
                pids: stats.pids_stats.and_then(|pids| pids.current).unwrap_or(0),
            })
        })
    }

    fn pause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(async move { already(self.docker()?.pause_container(container).await) })
    }

    fn unpause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(async move { already(self.docker()?.unpause_container(container).await) })
    }

    fn open_terminal<'a>(&'a self, container: &'a str, request: &'a OpenTerminal) -> Reply<'a, Handed> {
        Box::pin(async move {
            let body = serde_json::to_vec(request).map_err(|e| Error::Protocol(e.to_string()))?;
            let path = format!("/containers/{container}/terminals");
            handover::terminal(&self.socket, &path, body.into()).await
        })
    }

    fn take_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, Handed> {
        Box::pin(async move {
            let path = format!("/containers/{container}/terminals/{terminal}/take");
            handover::terminal(&self.socket, &path, bytes::Bytes::new()).await
        })
    }

    fn terminals<'a>(&'a self, container: &'a str) -> Reply<'a, Vec<Terminal>> {
        Box::pin(async move { self.json(Method::GET, &format!("/containers/{container}/terminals")).await })
    }

    fn close_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, ()> {
        Box::pin(async move {
            let path = format!("/containers/{container}/terminals/{terminal}");
            match handover::call(&self.socket, Method::DELETE, &path).await {
                Ok(_) | Err(Error::NotFound(_)) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn wait_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, i32> {
        Box::pin(async move {
            let path = format!("/containers/{container}/terminals/{terminal}/wait");
            let ended: Terminal = self.json(Method::GET, &path).await?;
            ended.exit_code.ok_or_else(|| Error::Protocol("a terminal that ended without a code".to_owned()))
        })
    }

    fn ping(&self) -> Reply<'_, ()> {
        Box::pin(async move { self.docker()?.ping().await.map(drop).map_err(explain) })
    }
}

fn body(spec: &Spec) -> ContainerCreateBody {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let labels = [(LABEL_SESSION, &spec.session), (LABEL_OWNER, &spec.owner), (LABEL_NODE, &spec.node)];
    let annotations = [(ANNOTATION_PROFILE, spec.profile.name()), (ANNOTATION_INIT, "only")];
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some(spec.hostname.clone()),
        labels: Some(labels.map(|(name, value)| (name.to_owned(), value.clone())).into()),
        host_config: Some(HostConfig {
            annotations: Some(annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            memory: Some(signed(spec.limits.memory)),
            memory_swap: Some(signed(spec.limits.memory)),
            nano_cpus: Some(signed(spec.limits.nano_cpus)),
            pids_limit: Some(signed(spec.limits.pids)),
            storage_opt: Some(HashMap::from([("size".to_owned(), spec.limits.disk.to_string())])),
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
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

fn explain(error: bollard::errors::Error) -> Error {
    use bollard::errors::Error::DockerResponseServerError;
    match error {
        DockerResponseServerError { status_code: 404, message } => Error::NotFound(message),
        DockerResponseServerError { message, .. } => Error::Refused(message),
        other => Error::Unreachable(other.to_string()),
    }
}

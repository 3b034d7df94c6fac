//! Sandlot's own engine: containers in Docker's words, terminals by the engine's own endpoints.

use super::calls::{self, Calls};
use super::engine::{Engine, Error, Found, Handed, Reply, Spec};
use super::engine_files::EngineFiles;
use super::files::Files;
use super::handover;
use super::ports::{Port, Ports};
use super::scripts::{Script, ScriptEnd, Scripts};
use bollard::models::{ContainerCreateBody, HostConfig};
use hyper::Method;
use sandlot_wire::{
    ANNOTATION_INIT, ANNOTATION_PROFILE, ANNOTATION_SHARE, Dial, Keep, Kept, Listen, Meter, OpenTerminal,
    Terminal,
};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::os::fd::OwnedFd;

/// The engine behind a unix socket.
#[derive(Debug, Clone)]
pub(super) struct DockerEngine {
    calls: Calls,
    files: EngineFiles,
}

impl DockerEngine {
    pub(super) fn new(calls: Calls) -> Self {
        let files = EngineFiles::new(calls.socket().to_owned());
        Self { calls, files }
    }

    async fn json<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Error> {
        let body = handover::call(self.calls.socket(), method, path).await?;
        serde_json::from_slice(&body).map_err(|e| Error::Protocol(e.to_string()))
    }
}

impl Engine for DockerEngine {
    fn create<'a>(&'a self, spec: &'a Spec) -> Reply<'a, String> {
        Box::pin(self.calls.create(body(spec)))
    }

    fn start<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.start(container))
    }

    fn remove<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.remove(container))
    }

    fn list(&self) -> Reply<'_, Vec<Found>> {
        Box::pin(self.calls.list())
    }

    fn image<'a>(&'a self, reference: &'a str) -> Reply<'a, String> {
        Box::pin(self.calls.image(reference))
    }

    fn meter<'a>(&'a self, container: &'a str) -> Reply<'a, Meter> {
        Box::pin(async move { self.json(Method::GET, &format!("/containers/{container}/meter")).await })
    }

    fn meters(&self) -> Reply<'_, Vec<Meter>> {
        Box::pin(self.json(Method::GET, "/meters"))
    }

    fn pause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.pause(container))
    }

    fn unpause<'a>(&'a self, container: &'a str) -> Reply<'a, ()> {
        Box::pin(self.calls.unpause(container))
    }

    fn open_terminal<'a>(&'a self, container: &'a str, request: &'a OpenTerminal) -> Reply<'a, Handed> {
        Box::pin(async move {
            let body = serde_json::to_vec(request).map_err(|e| Error::Protocol(e.to_string()))?;
            let path = format!("/containers/{container}/terminals");
            handover::terminal(self.calls.socket(), &path, body.into()).await
        })
    }

    fn take_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, Handed> {
        Box::pin(async move {
            let path = format!("/containers/{container}/terminals/{terminal}/take");
            handover::terminal(self.calls.socket(), &path, bytes::Bytes::new()).await
        })
    }

    fn terminals<'a>(&'a self, container: &'a str) -> Reply<'a, Vec<Terminal>> {
        Box::pin(async move { self.json(Method::GET, &format!("/containers/{container}/terminals")).await })
    }

    fn close_terminal<'a>(&'a self, container: &'a str, terminal: &'a str) -> Reply<'a, ()> {
        Box::pin(async move {
            let path = format!("/containers/{container}/terminals/{terminal}");
            match handover::call(self.calls.socket(), Method::DELETE, &path).await {
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

    fn keep<'a>(&'a self, container: &'a str, name: &'a str, most: u64) -> Reply<'a, Kept> {
        Box::pin(async move {
            let body = serde_json::to_vec(&Keep { name: name.to_owned(), most });
            let body = body.map_err(|e| Error::Protocol(e.to_string()))?;
            let path = format!("/containers/{container}/keep");
            let answer = handover::call_with(self.calls.socket(), Method::POST, &path, body.into()).await?;
            serde_json::from_slice(&answer).map_err(|e| Error::Protocol(e.to_string()))
        })
    }

    fn forget_kept<'a>(&'a self, name: &'a str) -> Reply<'a, ()> {
        Box::pin(async move {
            let path = format!("/kept/{name}");
            handover::call(self.calls.socket(), Method::DELETE, &path).await.map(drop)
        })
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(&self.files)
    }

    fn ports(&self) -> Option<&dyn Ports> {
        Some(self)
    }

    fn scripts(&self) -> Option<&dyn Scripts> {
        Some(self)
    }

    fn ping(&self) -> Reply<'_, ()> {
        Box::pin(self.calls.ping())
    }
}

impl Scripts for DockerEngine {
    fn run<'a>(&'a self, container: &'a str, script: &'a Script) -> Reply<'a, ScriptEnd> {
        Box::pin(async move {
            let body = serde_json::to_vec(script).map_err(|e| Error::Protocol(e.to_string()))?;
            let path = format!("/containers/{container}/script");
            let answer = handover::call_with(self.calls.socket(), Method::POST, &path, body.into()).await?;
            serde_json::from_slice(&answer).map_err(|e| Error::Protocol(e.to_string()))
        })
    }
}

impl Ports for DockerEngine {
    fn list<'a>(&'a self, container: &'a str) -> Reply<'a, Vec<Port>> {
        Box::pin(async move { self.json(Method::GET, &format!("/containers/{container}/ports")).await })
    }

    fn dial<'a>(&'a self, container: &'a str, port: u16) -> Reply<'a, OwnedFd> {
        Box::pin(async move {
            let body = serde_json::to_vec(&Dial { port }).map_err(|e| Error::Protocol(e.to_string()))?;
            let path = format!("/containers/{container}/dial");
            handover::connection(self.calls.socket(), &path, body.into()).await
        })
    }

    fn listen<'a>(&'a self, container: &'a str, port: u16) -> Reply<'a, OwnedFd> {
        Box::pin(async move {
            let body = serde_json::to_vec(&Listen { port }).map_err(|e| Error::Protocol(e.to_string()))?;
            let path = format!("/containers/{container}/listen");
            handover::connection(self.calls.socket(), &path, body.into()).await
        })
    }
}

fn body(spec: &Spec) -> ContainerCreateBody {
    use calls::signed;
    let share = spec.share.join(",");
    let mut annotations = vec![(ANNOTATION_PROFILE, spec.profile.name()), (ANNOTATION_INIT, "only")];
    annotations.extend((!share.is_empty()).then_some((ANNOTATION_SHARE, share.as_str())));
    let annotations = annotations.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some(spec.hostname.clone()),
        labels: Some(calls::labels(spec)),
        host_config: Some(HostConfig {
            annotations: Some(annotations.collect()),
            memory: Some(signed(spec.limits.memory)),
            memory_swap: Some(signed(spec.limits.memory)),
            nano_cpus: Some(signed(spec.limits.nano_cpus)),
            pids_limit: Some(signed(spec.limits.pids)),
            storage_opt: Some(HashMap::from([("size".to_owned(), spec.limits.disk.to_string())])),
            network_mode: Some(spec.network.name().to_owned()),
            extra_hosts: Some(spec.loopback.iter().map(|name| format!("{name}:127.0.0.1")).collect()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

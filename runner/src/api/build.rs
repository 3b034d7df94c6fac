//! `POST /build`: an image from a Dockerfile and a context, told as it goes, as Docker's classic builder does; and what builds
//! keep.

use super::error::{Answer, Error};
use super::filters::Filters;
use super::images::reference;
use super::peer::Peer;
use super::query::{Parameters, all};
use super::transfer::credentials_by_registry;
use crate::engine::Engine;
use crate::engine::build::{self, Build, Cache, Fetch, Named, Request as Wanted, Told, mounts};
use crate::engine::model::{HostConfig, Resources, Ulimit};
use crate::image::{ParsePlatformError, Platform};
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Query, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use futures_util::StreamExt;
use hyper::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use tokio::sync::mpsc;

/// How many pieces may wait for a client that does not read.
const WAITING: usize = 64;
/// Bytes that are kept of what a build does not say.
const UNSAID: usize = 1 << 20;
/// The header that carries secrets, by id, in base64 of JSON whose values are base64.
const SECRETS: &str = "x-sandlot-secrets";

impl From<build::Error> for Error {
    fn from(error: build::Error) -> Self {
        use build::Error as E;
        match error {
            E::Engine(e) => e.into(),
            E::Image(e) => e.into(),
            E::Dockerfile(_) | E::Invalid(_) => Self::bad(error.to_string()),
            E::Step(_) | E::Command { .. } | E::Io { .. } | E::Canceled => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

/// `POST /build`
pub(super) async fn build(
    State(engine): State<Engine>,
    Query(p): Query<Parameters>,
    RawQuery(raw): RawQuery,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let wanted = wanted(&p, raw.as_deref(), &headers)?;
    let context = {
        let stream = request.into_body().into_data_stream().map(|piece| piece.map_err(std::io::Error::other));
        let reader = tokio_util::io::StreamReader::new(Box::pin(stream));
        let reader = tokio_util::io::SyncIoBridge::new(reader);
        let engine = engine.clone();
        let taken = tokio::task::spawn_blocking(move || engine.take_context(reader));
        taken.await.map_err(|e| Error::bad(e.to_string()))??
    };
    let build = Build::new(wanted, context)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let named = engine.name_build(p.text("buildid"));
    let said = if p.on("q") { Said::Id } else { Said::Everything };
    tokio::spawn(work(engine, build, sender, (peer, named), said));
    let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let line: String = receiver.recv().await?;
        Some((Ok::<_, Infallible>(line), receiver))
    });
    Response::builder()
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(body))
        .map_err(|e| Error::bad(e.to_string()))
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// All of it.
    Everything,
    /// The image's id, at the end.
    Id,
}

/// What a build that says its id alone would have said, for the case that it fails: the last of it.
#[derive(Debug, Default)]
struct Unsaid {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Unsaid {
    fn keep(&mut self, line: Value) {
        let line = format!("{line}\n");
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > UNSAID {
            self.bytes -= self.lines.pop_front().map_or(self.bytes, |first| first.len());
        }
    }
}

/// Carries a build out, until it is through, is cancelled, or the client is gone.
async fn work(
    engine: Engine,
    build: Build,
    lines: mpsc::Sender<String>,
    (peer, mut named): (Peer, Named),
    said: Said,
) {
    let (out, mut told) = mpsc::channel(WAITING);
    let passed = lines.clone();
    let telling = async move {
        let mut unsaid = Unsaid::default();
        while let Some(told) = told.recv().await {
            let line = match told {
                Told::Text(text) if said == Said::Id => {
                    unsaid.keep(json!({ "stream": text }));
                    continue;
                }
                Told::Pull(_) if said == Said::Id => continue,
                Told::Text(text) => json!({ "stream": text }),
                Told::Pull(line) => line,
                Told::Image(id) if said == Said::Id => json!({ "stream": format!("{id}\n") }),
                Told::Image(id) => json!({ "aux": { "ID": id } }),
            };
            // A client that left is noticed elsewhere.
            passed.send(format!("{line}\n")).await.unwrap_or_default();
        }
        unsaid
    };
    let building = build.run(engine, out);
    let over = async {
        tokio::select! { () = peer.gone() => {}, () = lines.closed() => {}, () = named.asked() => {} }
    };
    let done = tokio::select! {
        both = async { tokio::join!(building, telling) } => both,
        () = over => (Err(build::Error::Canceled), Unsaid::default()),
    };
    if let (Err(error), unsaid) = done {
        for line in unsaid.lines {
            lines.send(line).await.unwrap_or_default();
        }
        let message = error.to_string();
        let line = json!({ "errorDetail": { "code": error.code(), "message": message }, "error": message });
        lines.send(format!("{line}\n")).await.unwrap_or_default();
    }
}

fn wanted(p: &Parameters, raw: Option<&str>, headers: &HeaderMap) -> Answer<Wanted> {
    if p.text("version") == Some("2") {
        return Err(Error::bad(
            "BuildKit is not spoken here: set DOCKER_BUILDKIT=0, and the client builds in the classic way",
        ));
    }
    if let Some(remote) = p.text("remote") {
        return Err(Error::bad(format!(
            "building from {remote} is refused: the engine fetches nothing but images; send the context"
        )));
    }
    if p.on("squash") {
        return Err(Error::bad(
            "--squash is never done: layers are shared, and one of everything shares nothing",
        ));
    }
    if p.text("outputs").is_some_and(|outputs| outputs != "[]" && outputs != "null") {
        return Err(Error::bad("outputs are BuildKit's; save the image when it is built"));
    }
    let platform = match p.text("platform") {
        Some(text) => {
            text.to_ascii_lowercase().parse().map_err(|e: ParsePlatformError| Error::bad(e.to_string()))?
        }
        None => Platform::host(),
    };
    let values: BTreeMap<String, Option<String>> = table(p, "buildargs")?;
    let names = all(raw, "t").into_iter().filter(|name| !name.is_empty());
    let network = match p.text("networkmode") {
        Some("default") | None => "",
        Some(other) => other,
    };
    Ok(Wanted {
        dockerfile: p.text("dockerfile").unwrap_or("Dockerfile").to_owned(),
        names: names.map(|name| reference(&name)).collect::<Answer<_>>()?,
        arguments: values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        labels: table(p, "labels")?,
        target: p.text("target").map(ToOwned::to_owned),
        cache: if p.on("nocache") { Cache::Ignored } else { Cache::Used },
        fetch: if p.on("pull") { Fetch::Always } else { Fetch::Missing },
        platform,
        network: network.to_owned(),
        host: host(p, all(raw, "extrahosts"))?,
        credentials: headers
            .get("x-registry-config")
            .and_then(|v| v.to_str().ok())
            .map(credentials_by_registry)
            .unwrap_or_default(),
        secrets: secrets(headers)?,
    })
}

/// A parameter that is JSON; nothing where it is not there.
fn table<T: DeserializeOwned + Default>(p: &Parameters, name: &str) -> Answer<T> {
    let Some(text) = p.text(name).filter(|text| *text != "null") else { return Ok(T::default()) };
    serde_json::from_str(text).map_err(|e| Error::bad(format!("the parameter {name}: {e}")))
}

fn host(p: &Parameters, extra_hosts: Vec<String>) -> Answer<HostConfig> {
    let number = |name: &str| Ok::<i64, Error>(p.number(name)?.unwrap_or(0));
    let ulimits: Vec<Value> = table(p, "ulimits")?;
    let ulimit = |value: &Value| Ulimit {
        name: value["Name"].as_str().unwrap_or_default().to_owned(),
        soft: value["Soft"].as_i64().unwrap_or(0),
        hard: value["Hard"].as_i64().unwrap_or(0),
    };
    Ok(HostConfig {
        resources: Resources {
            memory: number("memory")?,
            memory_swap: number("memswap")?,
            cpu_shares: number("cpushares")?,
            cpu_period: number("cpuperiod")?,
            cpu_quota: number("cpuquota")?,
            cpuset_cpus: p.text("cpusetcpus").unwrap_or_default().to_owned(),
            cpuset_mems: p.text("cpusetmems").unwrap_or_default().to_owned(),
            ..Resources::default()
        },
        shm_size: number("shmsize")?,
        security_opt: p.text("securityopt").map(ToOwned::to_owned).into_iter().collect(),
        cgroup_parent: p.text("cgroupparent").unwrap_or_default().to_owned(),
        ulimits: ulimits.iter().map(ulimit).collect(),
        extra_hosts,
        ..HostConfig::default()
    })
}

fn secrets(headers: &HeaderMap) -> Answer<BTreeMap<String, Vec<u8>>> {
    let Some(value) = headers.get(SECRETS) else { return Ok(BTreeMap::new()) };
    let base = base64::engine::general_purpose::STANDARD;
    // What is wrong with them is not told: it could be part of one.
    let bad = || Error::bad(format!("the header {SECRETS} holds no secrets"));
    let bytes = base.decode(value).map_err(|_| bad())?;
    let packed: BTreeMap<String, String> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let one = |(id, text): (String, String)| {
        let content = base.decode(text).ok().filter(|content| content.len() <= mounts::SECRET);
        content.map(|content| (id, content)).ok_or_else(bad)
    };
    packed.into_iter().map(one).collect()
}

/// `POST /build/cancel`
pub(super) async fn cancel(State(engine): State<Engine>, Query(p): Query<Parameters>) -> StatusCode {
    if let Some(id) = p.text("id") {
        engine.cancel_build(id);
    }
    StatusCode::NO_CONTENT
}

/// `POST /build/prune`
pub(super) async fn prune(State(engine): State<Engine>, Query(p): Query<Parameters>) -> Answer {
    let filters = Filters::of(&p, &["until", "id", "type", "unused-for", "label", "label!"])?;
    let all = p.on("all");
    let now = jiff::Timestamp::now();
    let older = move |at: jiff::Timestamp, age: &str| {
        let seconds = age.parse::<jiff::SignedDuration>().ok();
        seconds.is_some_and(|age| now.duration_since(at) >= age)
    };
    let chosen = move |kept: &build::Kept| {
        !kept.in_use
            && (all || !kept.shared)
            && filters.labels(&BTreeMap::new())
            && filters.any("id", |id| kept.id == id)
            && filters.any("type", |kind| kept.kind == kind)
            && filters.any("until", |age| older(kept.used, age))
            && filters.any("unused-for", |age| older(kept.used, age))
    };
    let pruning = engine.clone();
    let pruned = tokio::task::spawn_blocking(move || pruning.prune_builds(chosen));
    let (gone, bytes) = pruned.await.map_err(|e| Error::bad(e.to_string()))??;
    engine.events.pruned("builder", bytes);
    Ok(Json(json!({ "CachesDeleted": gone, "SpaceReclaimed": bytes })).into_response())
}

/// What builds keep, as `GET /system/df` shows it.
pub(super) fn kept(engine: &Engine) -> Vec<Value> {
    let one = |kept: build::Kept| {
        json!({
            "ID": kept.id,
            "Parents": Value::Null,
            "Type": kept.kind,
            "Description": kept.what,
            "InUse": kept.in_use,
            "Shared": kept.shared,
            "Size": kept.size,
            "CreatedAt": kept.created,
            "LastUsedAt": kept.used,
            "UsageCount": 1,
        })
    };
    engine.build_cache().into_iter().map(one).collect()
}

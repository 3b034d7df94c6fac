//! Images: what is here, what comes in and what goes.

use super::error::{Answer, Error};
use super::filters::Filters;
use super::query::{Parameters, all};
use crate::engine::Engine;
use crate::image::{self, Credentials, Digest, Event, Image, Platform, Progress, Pull, Reference, Step};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use futures_util::StreamExt;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

impl From<image::Error> for Error {
    fn from(error: image::Error) -> Self {
        use image::Error as E;
        let status = match &error {
            E::NotFound(_) => StatusCode::NOT_FOUND,
            E::InUse(_) | E::Several(_) => StatusCode::CONFLICT,
            E::Damaged(_) | E::Wrong { .. } | E::Unpack(_) | E::Layer { .. } => StatusCode::BAD_REQUEST,
            E::Registry(_) | E::Io(_) | E::Write { .. } | E::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// All images, in the form of `GET /images/json`.
pub(super) fn summaries(engine: &Engine) -> Answer<Vec<Value>> {
    Ok(engine.images.list()?.iter().map(summary).collect())
}

fn created(image: &Image) -> Option<jiff::Timestamp> {
    image.config.created().as_deref()?.parse().ok()
}

fn summary(image: &Image) -> Value {
    json!({
        "Id": image.id,
        "ParentId": "",
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Created": created(image).map_or(0, |c| c.as_second()),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": -1,
        "Labels": image.config.config().as_ref().and_then(|c| c.labels().clone()).unwrap_or_default(),
        "Containers": -1,
    })
}

/// `GET /images/json`
pub(super) async fn list(
    State(engine): State<Engine>,
    Query(p): Query<Parameters>,
) -> Answer<Json<Vec<Value>>> {
    let filters = Filters::of(&p, &["reference", "label", "dangling", "before", "since"])?;
    let named = |image: &Image, wanted: &str| {
        image.tags.iter().any(|t| t == wanted || t.rsplit_once(':').is_some_and(|(name, _)| name == wanted))
    };
    let labels = |image: &Image| {
        let own = image.config.config().as_ref().and_then(|c| c.labels().clone()).unwrap_or_default();
        filters.labels(&own.into_iter().collect())
    };
    let dangling = |image: &Image, wanted: &str| image.tags.is_empty() == matches!(wanted, "1" | "true");
    let all = engine.images.list()?;
    let suits = |i: &&Image| {
        filters.any("reference", |r| named(i, r)) && labels(i) && filters.any("dangling", |d| dangling(i, d))
    };
    Ok(Json(all.iter().filter(suits).map(summary).collect()))
}

/// `GET /images/{name}/json`, `…/history` and `…/get`
pub(super) async fn get(State(engine): State<Engine>, Path(path): Path<String>) -> Answer {
    if let Some(name) = path.strip_suffix("/json") {
        return Ok(Json(inspect(&engine.images.resolve(name)?)).into_response());
    }
    if let Some(name) = path.strip_suffix("/history") {
        return Ok(Json(history(&engine.images.resolve(name)?)).into_response());
    }
    if let Some(name) = path.strip_suffix("/get") {
        return super::save::save(&engine, vec![name.to_owned()]);
    }
    Err(Error::new(StatusCode::NOT_FOUND, format!("GET /images/{path}: this call is not there (yet)")))
}

fn inspect(image: &Image) -> Value {
    let layers: Vec<String> = image.config.rootfs().diff_ids().to_vec();
    json!({
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": "",
        "Created": created(image).map(|c| c.to_string()),
        "Author": image.config.author(),
        "Config": image.config.config(),
        "Architecture": image.config.architecture(),
        "Os": image.config.os(),
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": { "Name": "overlay2", "Data": {} },
        "RootFS": { "Type": "layers", "Layers": layers },
        "Metadata": { "LastTagTime": null },
    })
}

fn history(image: &Image) -> Vec<Value> {
    let entries = image.config.history().clone().unwrap_or_default();
    // Each step but the empty ones made a layer.
    let mut sizes = image.layer_sizes().into_iter();
    let mut size = |empty: Option<bool>| if empty == Some(true) { 0 } else { sizes.next().unwrap_or(0) };
    let sizes: Vec<u64> = entries.iter().map(|entry| size(entry.empty_layer())).collect();
    let rows = entries.iter().zip(sizes).rev().enumerate().map(|(n, (entry, size))| {
        json!({
            "Id": if n == 0 { image.id.to_string() } else { "<missing>".to_owned() },
            "Created": entry.created().as_deref().and_then(|c| c.parse::<jiff::Timestamp>().ok()).map_or(0, |c| c.as_second()),
            "CreatedBy": entry.created_by().clone().unwrap_or_default(),
            "Comment": entry.comment().clone().unwrap_or_default(),
            "Tags": if n == 0 { json!(image.tags) } else { Value::Null },
            "Size": size,
        })
    });
    rows.collect()
}

/// `POST /images/{name}/tag`
pub(super) async fn post(
    State(engine): State<Engine>,
    Path(path): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer<StatusCode> {
    let Some(name) = path.strip_suffix("/tag") else {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            format!("POST /images/{path}: this call is not there (yet)"),
        ));
    };
    let target = format!("{}:{}", p.text("repo").unwrap_or_default(), p.text("tag").unwrap_or("latest"));
    engine.images.tag(name, &reference(&target)?)?;
    Ok(StatusCode::CREATED)
}

/// `DELETE /images/{name}`
pub(super) async fn remove(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer<Json<Vec<Value>>> {
    let used = |id: &Digest| engine.containers().iter().any(|c| c.record().image == id.to_string());
    let (untagged, deleted) = engine.images.remove(&name, p.on("force"), used)?;
    let names = untagged.into_iter().map(|n| json!({ "Untagged": n }));
    Ok(Json(names.chain(deleted.into_iter().map(|d| json!({ "Deleted": d }))).collect()))
}

/// `POST /images/load`: an archive as `docker save` or skopeo writes it.
pub(super) async fn load(State(engine): State<Engine>, request: Request) -> Answer {
    let names = archive(engine, request, |engine, reader| Ok(engine.images.load(reader)?)).await?;
    let lines: String = names
        .iter()
        .map(|n| json!({ "stream": format!("Loaded image: {n}\n") }).to_string() + "\n")
        .collect();
    Ok(([(hyper::header::CONTENT_TYPE, "application/json")], lines).into_response())
}

/// Runs `f` on a thread of its own with the request's body as something that can be read.
async fn archive<T: Send + 'static>(
    engine: Engine,
    request: Request,
    f: impl FnOnce(&Engine, &mut (dyn std::io::Read + Send)) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let stream = request.into_body().into_data_stream().map(|piece| piece.map_err(std::io::Error::other));
    let reader = tokio_util::io::StreamReader::new(Box::pin(stream));
    let mut reader = tokio_util::io::SyncIoBridge::new(reader);
    tokio::task::spawn_blocking(move || f(&engine, &mut reader))
        .await
        .map_err(|e| Error::bad(e.to_string()))?
}

pub(super) fn reference(text: &str) -> Answer<Reference> {
    text.parse().map_err(|e: image::ParseReferenceError| Error::bad(e.to_string()))
}

/// `POST /images/create`: pull (`fromImage`), or import (`fromSrc=-`).
pub(super) async fn create(
    State(engine): State<Engine>,
    Query(p): Query<Parameters>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    request: Request,
) -> Answer {
    if let Some(source) = p.text("fromSrc") {
        return import(engine, source, &p, all(raw.as_deref(), "changes"), request).await;
    }
    let name = p.text("fromImage").ok_or_else(|| Error::bad("fromImage or fromSrc is needed"))?;
    let name = match p.text("tag") {
        Some(digest) if digest.starts_with("sha256:") => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
        None => name.to_owned(),
    };
    let reference = reference(&name)?;
    let platform = match p.text("platform") {
        Some(text) => text.parse().map_err(|e: image::ParsePlatformError| Error::bad(e.to_string()))?,
        None => Platform::host(),
    };
    let credentials = headers.get("x-registry-auth").and_then(|v| v.to_str().ok()).and_then(credentials);
    let (sender, receiver) = mpsc::unbounded_channel();
    let lines = Lines(sender);
    tokio::spawn(async move {
        let insecure = engine.settings.insecure_registries.clone();
        let pull = Pull { reference: &reference, platform: &platform, credentials, insecure: &insecure };
        match engine.images.pull(pull, &lines).await {
            Ok(id) => engine.events.tell("image", "pull", id.to_string(), [("name".to_owned(), name)].into()),
            Err(e) => {
                lines.send(&json!({ "errorDetail": { "message": e.to_string() }, "error": e.to_string() }))
            }
        }
    });
    let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let line: String = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    Response::builder()
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(body))
        .map_err(|e| Error::bad(e.to_string()))
}

async fn import(
    engine: Engine,
    source: &str,
    p: &Parameters,
    changes: Vec<String>,
    request: Request,
) -> Answer {
    if source != "-" {
        return Err(Error::bad(
            "importing from an address is refused: the engine fetches nothing but images",
        ));
    }
    let name = match (p.text("repo"), p.text("tag")) {
        (Some(repo), tag) => Some(reference(&format!("{repo}:{}", tag.unwrap_or("latest")))?),
        (None, _) => None,
    };
    let message = p.text("message").unwrap_or("imported").to_owned();
    let import = move |engine: &Engine, reader: &mut (dyn std::io::Read + Send)| {
        Ok(engine.images.import(reader, name.as_ref(), (&changes, &message))?)
    };
    let id = archive(engine, request, import).await?;
    let line = json!({ "status": id.to_string() }).to_string() + "\n";
    Ok(([(hyper::header::CONTENT_TYPE, "application/json")], line).into_response())
}

/// `{"username", "password", "identitytoken"}` in base64, as Docker's clients send it.
fn credentials(header: &str) -> Option<Credentials> {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let bytes = URL_SAFE.decode(header).or_else(|_| STANDARD.decode(header)).ok()?;
    of(&serde_json::from_slice(&bytes).ok()?)
}

fn of(value: &Value) -> Option<Credentials> {
    let text =
        |name: &str| value.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(ToOwned::to_owned);
    match text("identitytoken") {
        Some(password) => Some(Credentials { username: "<token>".into(), password }),
        None => Some(Credentials { username: text("username")?, password: text("password")? }),
    }
}

/// Whether a registry takes these credentials.
pub(super) async fn login(engine: &Engine, wanted: &Value) -> Answer<()> {
    let host = wanted.get("serveraddress").and_then(Value::as_str).unwrap_or("docker.io");
    let host =
        host.trim_start_matches("https://").trim_start_matches("http://").split('/').next().unwrap_or(host);
    let host = if host == "index.docker.io" || host.is_empty() { "docker.io" } else { host };
    let client = image::RegistryClient::new(host, &engine.settings.insecure_registries, of(wanted))
        .map_err(|e| Error::bad(e.to_string()))?;
    client.check().await.map_err(|e| {
        let refused = matches!(e, image::RegistryError::Unauthorized(_));
        Error::new(
            if refused { StatusCode::UNAUTHORIZED } else { StatusCode::INTERNAL_SERVER_ERROR },
            e.to_string(),
        )
    })
}

/// Progress as Docker's JSON lines. Unbounded, but small: at most fifty lines a layer.
struct Lines(mpsc::UnboundedSender<String>);

impl Lines {
    fn send(&self, line: &Value) {
        // A client that left does not stop the pull.
        self.0.send(format!("{line}\n")).unwrap_or_default();
    }
}

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Begin { tag, name } => json!({ "status": format!("Pulling from {name}"), "id": tag }),
            Event::Digest(digest) => json!({ "status": format!("Digest: {digest}") }),
            Event::Status(words) => json!({ "status": words }),
            Event::Layer { id, step } => match step {
                Step::Downloading { current, total } | Step::Extracting { current, total } => json!({
                    "status": step.status(), "id": id,
                    "progressDetail": { "current": current, "total": total },
                }),
                _ => json!({ "status": step.status(), "id": id, "progressDetail": {} }),
            },
        };
        self.send(&line);
    }
}

//! Images on their way: pulled, pushed, loaded and imported, with progress as Docker's JSON lines; and logins.

use super::error::{Answer, Error};
use super::images;
use super::query::{Parameters, all};
use crate::engine::Engine;
use crate::image::{self, Credentials, Event, Platform, Progress, Pull, Push, Step};
use axum::body::Body;
use axum::extract::{Path, Query, RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use futures_util::StreamExt;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// `POST /images/load`: an archive as `docker save` or skopeo writes it.
pub(super) async fn load(State(engine): State<Engine>, request: Request) -> Answer {
    let names = archive(engine.clone(), request, |engine, reader| Ok(engine.images.load(reader)?)).await?;
    for name in &names {
        if let Ok(image) = engine.images.resolve(name) {
            engine.image_event("load", &image.id.to_string(), name);
        }
    }
    let lines: String = names
        .iter()
        .map(|n| {
            if n.starts_with("sha256:") {
                format!("Loaded image ID: {n}\n")
            } else {
                format!("Loaded image: {n}\n")
            }
        })
        .map(|words| json!({ "stream": words }).to_string() + "\n")
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
    let read = tokio::task::spawn_blocking(move || f(&engine, &mut reader));
    read.await.map_err(|e| Error::bad(e.to_string()))?
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
    let reference = match p.text("tag") {
        Some(digest) if digest.starts_with("sha256:") => images::reference(&format!("{name}@{digest}"))?,
        Some(tag) => images::reference(&format!("{name}:{tag}"))?,
        None => images::reference(name)?,
    };
    // A bare name means all that the repository has.
    let all = p.text("tag").is_none() && !name.contains('@') && tag(name).is_none();
    let platform = match p.text("platform") {
        Some(text) => text.parse().map_err(|e: image::ParsePlatformError| Error::bad(e.to_string()))?,
        None => Platform::host(),
    };
    let credentials = credentials(&headers);
    let (sender, receiver) = mpsc::unbounded_channel();
    let lines = Lines(sender);
    tokio::spawn(async move {
        let insecure = engine.settings.insecure_registries.clone();
        let pull = Pull { reference: &reference, platform: &platform, credentials, insecure: &insecure };
        let done = async {
            let wanted = if all {
                let tags = pull.tags().await?;
                tags.iter().filter_map(|tag| reference.with_tag(tag).ok()).collect()
            } else {
                vec![reference.clone()]
            };
            for one in wanted {
                engine.images.pull(Pull { reference: &one, ..pull.clone() }, &lines).await?;
                engine.image_event("pull", &one.to_string(), &one.familiar_name());
            }
            Ok::<_, image::Error>(())
        };
        if let Err(e) = done.await {
            lines.fail(e);
        }
    });
    answer(receiver).await
}

/// Pushes an image, or all of a repository; a client that leaves ends it.
pub(super) async fn push(engine: Engine, name: &str, p: &Parameters, headers: &HeaderMap) -> Answer {
    let repository = images::reference(name)?;
    if repository.digest().is_some() {
        return Err(Error::bad("cannot push a digest reference"));
    }
    // Said in the name or beside it; said nowhere, all are meant.
    let tag = p.text("tag").or(tag(name)).map(ToOwned::to_owned);
    let credentials = credentials(headers);
    let (sender, receiver) = mpsc::unbounded_channel();
    let lines = Lines(sender);
    tokio::spawn(async move {
        let insecure = engine.settings.insecure_registries.clone();
        let push = Push { repository: &repository, tag: tag.as_deref(), credentials, insecure: &insecure };
        let done = tokio::select! {
            done = engine.images.push(push, &lines) => done,
            () = lines.0.closed() => return,
        };
        match done {
            Ok(pushed) => {
                for (tag, _) in pushed {
                    let name = format!("{}:{tag}", repository.familiar_name());
                    engine.image_event("push", &name, &repository.familiar_name());
                }
            }
            Err(e) => lines.fail(e),
        }
    });
    answer(receiver).await
}

/// The tag in a name, if there is one.
fn tag(name: &str) -> Option<&str> {
    name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'))
}

/// `GET /distribution/{name}/json`: what a registry has behind a name.
pub(super) async fn distribution(
    State(engine): State<Engine>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let Some(name) = path.strip_suffix("/json") else {
        let words = format!("GET /distribution/{path}: this call is not there (yet)");
        return Err(Error::new(StatusCode::NOT_FOUND, words));
    };
    let reference = images::reference(name)?;
    let insecure = &engine.settings.insecure_registries;
    let (platform, credentials) = (Platform::host(), credentials(&headers));
    let pull = Pull { reference: &reference, platform: &platform, credentials, insecure };
    let found = pull.describe().await.map_err(|e| {
        use image::RegistryError as R;
        let status = match &e {
            image::Error::Registry(R::Unauthorized(_) | R::Denied { .. }) => StatusCode::UNAUTHORIZED,
            image::Error::Registry(R::NotFound { .. }) => StatusCode::NOT_FOUND,
            _ => return Error::from(e),
        };
        Error::new(status, e.to_string())
    })?;
    Ok(axum::Json(json!({
        "Descriptor": { "mediaType": found.media_type, "digest": found.digest, "size": found.size },
        "Platforms": found.platforms,
    }))
    .into_response())
}

/// An answer of lines that come as they are made. An error before the first of them is the answer itself.
async fn answer(mut receiver: mpsc::UnboundedReceiver<Line>) -> Answer {
    let first = match receiver.recv().await {
        Some(Err(e)) => return Err(e.into()),
        first => first,
    };
    let body = futures_util::stream::unfold((first, receiver), |(first, mut receiver)| async move {
        let line = match first {
            Some(line) => line,
            None => receiver.recv().await?,
        };
        let line = line.unwrap_or_else(|e| {
            let words = e.to_string();
            json!({ "errorDetail": { "message": words }, "error": words }).to_string() + "\n"
        });
        Some((Ok::<_, std::convert::Infallible>(line), (None, receiver)))
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
        (Some(repo), Some(tag)) => Some(images::reference(&format!("{repo}:{tag}"))?),
        // The client leaves the tag where it was typed.
        (Some(repo), None) => Some(images::reference(repo)?),
        (None, _) => None,
    };
    let message = p.text("message").unwrap_or("Imported from -").to_owned();
    let import = move |engine: &Engine, reader: &mut (dyn std::io::Read + Send)| {
        Ok(engine.images.import(reader, name.as_ref(), (&changes, &message))?)
    };
    let id = archive(engine.clone(), request, import).await?;
    engine.image_event("import", &id.to_string(), &id.to_string());
    let line = json!({ "status": id.to_string() }).to_string() + "\n";
    Ok(([(hyper::header::CONTENT_TYPE, "application/json")], line).into_response())
}

/// `{"username", "password", "identitytoken"}` in base64, as Docker's clients send it.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let header = headers.get("x-registry-auth")?.to_str().ok()?;
    let bytes = URL_SAFE.decode(header).or_else(|_| STANDARD.decode(header)).ok()?;
    of(&serde_json::from_slice(&bytes).ok()?)
}

/// The same for several registries, by their names: `X-Registry-Config`.
pub(super) fn credentials_by_registry(header: &str) -> BTreeMap<String, Credentials> {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let bytes = URL_SAFE.decode(header).or_else(|_| STANDARD.decode(header)).unwrap_or_default();
    let all: BTreeMap<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
    let host = |name: &str| {
        let bare = name.trim_start_matches("https://").trim_start_matches("http://");
        match bare.split('/').next().unwrap_or(bare) {
            "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
            host => host.to_owned(),
        }
    };
    all.iter().filter_map(|(name, value)| Some((host(name), of(value)?))).collect()
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
struct Lines(mpsc::UnboundedSender<Line>);

/// What is sent: a line, or, at last, why there is no more.
type Line = Result<String, image::Error>;

impl Lines {
    fn send(&self, line: &Value) {
        // A client that left does not stop a pull.
        self.0.send(Ok(format!("{line}\n"))).unwrap_or_default();
    }

    /// The last line, where it went wrong.
    fn fail(&self, e: image::Error) {
        self.0.send(Err(e)).unwrap_or_default();
    }
}

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Begin { tag, name } => json!({ "status": format!("Pulling from {name}"), "id": tag }),
            Event::Digest(digest) => json!({ "status": format!("Digest: {digest}") }),
            Event::Status(words) => json!({ "status": words }),
            Event::Mounted { id, from } => {
                json!({ "status": format!("Mounted from {from}"), "id": id, "progressDetail": {} })
            }
            Event::Pushed { tag, digest, size } => {
                self.send(&json!({ "status": format!("{tag}: digest: {digest} size: {size}") }));
                json!({ "progressDetail": {}, "aux": { "Tag": tag, "Digest": digest, "Size": size } })
            }
            Event::Layer { id, step } => match step {
                Step::Downloading { current, total }
                | Step::Extracting { current, total }
                | Step::Pushing { current, total } => json!({
                    "status": step.status(), "id": id,
                    "progressDetail": { "current": current, "total": total },
                }),
                Step::Retrying { seconds } => {
                    let seconds = format!("{seconds} second{}", if seconds == 1 { "" } else { "s" });
                    json!({ "status": format!("Retrying in {seconds}"), "id": id, "progressDetail": {} })
                }
                _ => json!({ "status": step.status(), "id": id, "progressDetail": {} }),
            },
        };
        self.send(&line);
    }
}

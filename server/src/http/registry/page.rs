//! What the catalogue's page shows: repositories, their tags, and how to log in from elsewhere.

use super::login::password;
use super::pass;
use super::rights::Rights;
use crate::http::App;
use crate::http::body::Problem;
use crate::http::body_registry::{RegistryInfo, RegistryLogin, RegistryRepository, RegistryTag};
use crate::http::problem::{Answer, Failure};
use crate::session::policy::Caller;
use crate::session::rfc3339;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use sandlot_wire::registry::Shown;

/// How sessions call it.
const INSIDE: &str = "registry:5000";

/// The class's registry: what is in it, as far as the caller may see it, and how to log in from outside a session.
#[utoipa::path(get, path = "/api/v1/registry", responses((status = 200, body = RegistryInfo),
    (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(in crate::http) async fn look(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Answer<Json<RegistryInfo>> {
    let registry = app.web.registry.as_ref();
    let registry =
        registry.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "this playground has no registry"))?;
    let rights = Rights::of(&caller, registry);
    let login = super::Login::of(caller.clone());
    let all = pass::overview(&registry.socket, &super::behalf(&login, &rights)).await.map_err(|error| {
        tracing::warn!(%error, "the engine's registry does not answer");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the registry is away: try again soon")
    })?;
    let repositories = all.into_iter().map(|one| shown(one, &caller)).collect();
    let login = match &caller {
        Caller::Visitor(name) => password(&app.keys, &caller).map(|password| RegistryLogin {
            host: host(&app, &headers),
            name: name.clone(),
            password,
        }),
        Caller::Administrator | Caller::Guest(_) => None,
    };
    let space = registry.spaces.first().cloned();
    Ok(Json(RegistryInfo { inside: INSIDE.to_owned(), space, login, repositories }))
}

/// By which name clients outside reach it.
fn host(app: &App, headers: &HeaderMap) -> String {
    let public = app.web.public_url.as_ref().and_then(|url| {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}{port}", url.host_str()?))
    });
    let asked = || headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    public.or_else(asked).unwrap_or_default()
}

fn shown(one: Shown, caller: &Caller) -> RegistryRepository {
    let tags = one.tags.into_iter().map(|tag| RegistryTag {
        pull: format!("docker pull {INSIDE}/{}:{}", one.name, tag.name),
        name: tag.name,
        digest: tag.digest,
        size_bytes: tag.size,
        pushed_at: rfc3339(tag.pushed_at),
    });
    RegistryRepository {
        own: one.owner.as_deref() == Some(caller.name()),
        tags: tags.collect(),
        tag_count: one.tag_count,
        size_bytes: one.size,
        name: one.name,
    }
}

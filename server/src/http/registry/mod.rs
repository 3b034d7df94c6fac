//! The class's registry at `/v2/` (OCI distribution specification 1.1): who asks is found out here, and whether they may; what
//! is asked for is the engine's to give, for it has the content.

mod answers;
mod inside;
mod login;
mod page;
mod pass;
mod rights;

pub(super) use inside::Loopback;
pub(super) use login::token;
pub(super) use page::__path_look;
pub(super) use page::look;

use super::App;
use answers::refused;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use login::Login;
use pass::Behalf;
use rights::{Action, Rights};
use sandlot_wire::registry::Target;

/// `/v2/…` from outside.
pub(super) async fn call(State(app): State<App>, request: Request) -> Response {
    match login::known(&app.keys, request.headers()) {
        Some(login) => answer(&app, &login, request).await,
        None => {
            let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy();
            let target = Target::of(&path);
            let wanted = target
                .as_ref()
                .and_then(|target| Some((target.repository()?, action(request.method(), target))));
            login::challenge(&app, request.headers(), wanted)
        }
    }
}

/// Whatever somebody asks who is known.
async fn answer(app: &App, login: &Login, request: Request) -> Response {
    let Some(registry) = &app.web.registry else {
        return refused(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no registry here");
    };
    let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
    let Some(target) = Target::of(&path) else {
        return refused(StatusCode::NOT_FOUND, "NAME_INVALID", "this is no address of a registry");
    };
    let rights = Rights::of(&login.caller, registry);
    if let Some(repository) = target.repository() {
        let action = action(request.method(), &target);
        if !rights.allow(repository, action) {
            let words = denied(&rights, repository, action);
            return refused(StatusCode::FORBIDDEN, "DENIED", &words);
        }
        if !login.covers(repository, action) {
            return login::challenge(app, request.headers(), Some((repository, action)));
        }
    }
    let uri = match &target {
        Target::Uploads(_) => within(request.uri(), login, &rights),
        _ => request.uri().clone(),
    };
    let Ok(uri) =
        Uri::builder().path_and_query(uri.path_and_query().map_or("/", |path| path.as_str())).build()
    else {
        return refused(StatusCode::BAD_REQUEST, "NAME_INVALID", "this is no address of a registry");
    };
    pass::on(&registry.socket, request, uri, &behalf(login, &rights)).await
}

fn behalf(login: &Login, rights: &Rights) -> Behalf {
    let owner = (*rights != Rights::All).then(|| login.caller.name().to_owned());
    Behalf { owner, spaces: rights.spaces() }
}

/// What a request does.
fn action(method: &Method, target: &Target) -> Action {
    match (method, target) {
        (_, Target::Uploads(_) | Target::Upload(..)) => Action::Push,
        (&Method::GET | &Method::HEAD, _) => Action::Pull,
        (&Method::DELETE, _) => Action::Delete,
        _ => Action::Push,
    }
}

/// A blob is taken over only out of a repository that may be pulled from; else it is uploaded like any other.
fn within(uri: &Uri, login: &Login, rights: &Rights) -> Uri {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let from = query.iter().find(|(name, _)| name == "from").map(|(_, value)| value.as_str());
    if from.is_none_or(|from| rights.allow(from, Action::Pull) && login.covers(from, Action::Pull)) {
        return uri.clone();
    }
    let mut left = url::form_urlencoded::Serializer::new(String::new());
    left.extend_pairs(query.iter().filter(|(name, _)| name != "from"));
    format!("{}?{}", uri.path(), left.finish()).parse().unwrap_or_else(|_| uri.clone())
}

/// Why not, in words that help.
fn denied(rights: &Rights, repository: &str, action: Action) -> String {
    let spaces = rights.spaces().unwrap_or_default();
    let first = spaces.split(',').next().unwrap_or_default();
    let name = repository.rsplit('/').next().unwrap_or(repository);
    match action {
        Action::Pull => format!("you may not pull {repository}: there is {first}/…"),
        _ => format!("you may not push to {repository}: call it {first}/{name}"),
    }
}

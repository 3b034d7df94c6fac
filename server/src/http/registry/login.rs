//! Who asks for something of the registry from outside: by name and password, or by a token that was had for them.
//!
//! Source: Docker's token authentication ("Distribution Registry v2 authentication"). A token is of this server's own making,
//! short-lived, and good for what it was asked for.

use super::answers::refused;
use super::rights::{Action, Rights};
use crate::http::App;
use crate::http::auth::Keys;
use crate::session::policy::Caller;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long a token is good, in seconds: an upload that began with it may take longer.
const LIFE: i64 = 300;
/// What the server is called in a challenge.
const SERVICE: &str = "sandlot";
/// The most scopes that a token is asked for.
const SCOPES: usize = 16;

/// Somebody who has proven who they are.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// Who.
    pub(super) caller: Caller,
    /// What a token restricts them to; `None`: they sent their password.
    scopes: Option<Vec<Scope>>,
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Scope {
    name: String,
    actions: Vec<String>,
}

/// What is signed.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    who: String,
    until: i64,
    scopes: Vec<Scope>,
}

impl Login {
    /// Somebody known otherwise: a session by its listener.
    pub(super) fn of(caller: Caller) -> Self {
        Self { caller, scopes: None }
    }

    /// Whether a token, if there is one, was had for that.
    pub(super) fn covers(&self, repository: &str, action: Action) -> bool {
        let covers =
            |scope: &Scope| scope.name == repository && scope.actions.iter().any(|a| a == action.name());
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(covers))
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The password of a visitor: the same each time, and nobody's to guess.
pub(super) fn password(keys: &Keys, caller: &Caller) -> Option<String> {
    keys.seal(&format!("registry password {}", caller.name()))
}

/// Who sent these headers.
pub(super) fn known(keys: &Keys, headers: &HeaderMap) -> Option<Login> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, rest) = value.split_once(' ')?;
    if kind.eq_ignore_ascii_case("basic") {
        return basic(keys, rest.trim()).map(Login::of);
    }
    kind.eq_ignore_ascii_case("bearer").then(|| bearer(keys, rest.trim()))?
}

fn basic(keys: &Keys, text: &str) -> Option<Caller> {
    let decoded = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    if keys.is_token(password) {
        return Some(Caller::Administrator);
    }
    let caller = Caller::named(name);
    let is_visitor = matches!(caller, Caller::Visitor(_));
    (is_visitor && keys.is_seal(&format!("registry password {name}"), password)).then_some(caller)
}

fn bearer(keys: &Keys, token: &str) -> Option<Login> {
    let (body, seal) = token.split_once('.')?;
    if !keys.is_seal(&format!("registry token {body}"), seal) {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&hex::decode(body).ok()?).ok()?;
    (claims.until > now()).then(|| Login { caller: Caller::named(&claims.who), scopes: Some(claims.scopes) })
}

/// `GET …/token?service=…&scope=repository:NAME:pull,push`: as much of it as they may.
pub(in crate::http) async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(registry) = &app.web.registry else {
        return refused(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no registry here");
    };
    let Some(login) = known(&app.keys, &headers).filter(|login| login.scopes.is_none()) else {
        let mut response =
            refused(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "unknown name or wrong password");
        if let Ok(value) = format!("Basic realm=\"{SERVICE}\"").parse() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        return response;
    };
    let rights = Rights::of(&login.caller, registry);
    let query = query.unwrap_or_default();
    let asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "scope");
    let asked: Vec<String> = asked
        .flat_map(|(_, value)| value.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>())
        .take(SCOPES)
        .collect();
    let scopes = asked.iter().filter_map(|text| scope(text, &rights)).collect();
    let claims = Claims { who: login.caller.name().to_owned(), until: now() + LIFE, scopes };
    let body = hex::encode(serde_json::to_vec(&claims).unwrap_or_default());
    let Some(seal) = app.keys.seal(&format!("registry token {body}")) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "no token can be made");
    };
    let token = format!("{body}.{seal}");
    let issued = jiff::Timestamp::now().to_string();
    let answer = json!({ "token": token, "access_token": token, "expires_in": LIFE, "issued_at": issued });
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

/// A scope, without what they may not do.
fn scope(text: &str, rights: &Rights) -> Option<Scope> {
    let (name, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
    let all = [Action::Pull, Action::Push, Action::Delete];
    let asked = actions.split(',').flat_map(|action| match action {
        "*" => all.to_vec(),
        other => Action::named(other).into_iter().collect(),
    });
    let actions = asked.filter(|action| rights.allow(name, *action)).map(|a| a.name().to_owned()).collect();
    Some(Scope { name: name.to_owned(), actions })
}

/// What tells a client where a token is to be had, and for what.
pub(super) fn challenge(app: &App, headers: &HeaderMap, wanted: Option<(&str, Action)>) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = match &app.web.public_url {
        Some(url) => url.to_string(),
        None => format!("http://{host}/"),
    };
    let scope = wanted.map(|(repository, action)| {
        // Whoever pushes also looks.
        let actions = match action {
            Action::Push => "pull,push",
            other => other.name(),
        };
        format!(",scope=\"repository:{repository}:{actions}\"")
    });
    let value = format!(
        "Bearer realm=\"{base}api/v1/registry/token\",service=\"{SERVICE}\"{}",
        scope.unwrap_or_default()
    );
    let words = "log in: the page of the registry shows name and password";
    let mut response = refused(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", words);
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (tempfile::TempDir, Keys) {
        let dir = tempfile::tempdir().unwrap();
        let (keys, _) = Keys::open(dir.path(), Some("the-token-of-a-test".to_owned())).unwrap();
        (dir, keys)
    }

    fn by(kind: &str, value: &str) -> HeaderMap {
        [(header::AUTHORIZATION, format!("{kind} {value}").parse().unwrap())].into_iter().collect()
    }

    fn signed(keys: &Keys, until: i64) -> String {
        let scopes = vec![Scope { name: "class/a".into(), actions: vec!["pull".into()] }];
        let body = hex::encode(serde_json::to_vec(&Claims { who: "ann".into(), until, scopes }).unwrap());
        format!("{body}.{}", keys.seal(&format!("registry token {body}")).unwrap())
    }

    #[test]
    fn a_password_is_one_persons_and_the_administrators_token_is_the_administrators() {
        let (_dir, keys) = keys();
        let ann = Caller::Visitor("ann".into());
        let own = password(&keys, &ann).unwrap();
        let who = |name: &str, word: &str| {
            known(&keys, &by("Basic", &STANDARD.encode(format!("{name}:{word}")))).map(|login| login.caller)
        };
        assert_eq!(who("ann", &own), Some(ann));
        assert_eq!(who("bob", &own), None);
        assert_eq!(who("administrator", &password(&keys, &Caller::Administrator).unwrap()), None);
        assert_eq!(who("whoever", "the-token-of-a-test"), Some(Caller::Administrator));
        assert_eq!(who("ann", ""), None);
    }

    #[test]
    fn a_token_is_good_for_a_while_and_for_what_it_was_had() {
        let (_dir, keys) = keys();
        let login = known(&keys, &by("Bearer", &signed(&keys, now() + 60))).unwrap();
        assert!(login.covers("class/a", Action::Pull));
        assert!(!login.covers("class/a", Action::Push) && !login.covers("class/b", Action::Pull));
        assert!(known(&keys, &by("Bearer", &signed(&keys, now() - 1))).is_none());
        let forged = signed(&keys, now() + 60).replacen('.', "00.", 1);
        assert!(known(&keys, &by("Bearer", &forged)).is_none());
        assert!(known(&keys, &by("Bearer", "the-token-of-a-test")).is_none());
    }
}

//! Ports of sessions as web pages of their own: `http(s)://{port}--{session}.{preview-domain}/`.
//!
//! What is served there is hostile: it never has the playground's origin, nor its cookies, nor its headers. Who may see a
//! preview is who may use the session or look on: the page's link leads over a ticket, good once, to a cookie of that preview
//! alone. Guests' connections end when their link is revoked.

mod headers;
mod pass;
mod ticket;
mod words;

pub(super) use ticket::Tickets;

use super::App;
use super::problem::{Answer, Failure};
use super::shares;
use crate::config::Web;
use crate::session::Error;
use crate::session::policy::Caller;
use crate::session::ports::Connections;
use crate::terminal::protocol::TerminalMode;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use ticket::Holder;

/// What previews share.
#[derive(Default)]
pub(super) struct Previews {
    tickets: Tickets,
    connections: Connections,
}

/// A session's port, as a host name names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    session: String,
    port: u16,
}

impl Target {
    /// `{port}--{session}`: nothing else, no zero before it.
    fn named(label: &str) -> Option<Self> {
        let (port, session) = label.split_once("--")?;
        let number: u16 = port.parse().ok().filter(|n| *n > 0)?;
        let plain = !session.is_empty() && session.bytes().all(|b| b.is_ascii_hexdigit());
        (plain && number.to_string() == port).then(|| Self { session: session.to_owned(), port: number })
    }

    fn label(&self) -> String {
        format!("{}--{}", self.port, self.session)
    }
}

/// Whether a host belongs to the previews, and what it names there.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Playground,
    Preview(Option<Target>),
}

/// The part of a host below the preview domain, without its port.
fn host_of(web: &Web, host: Option<&str>) -> Host {
    let Some(domain) = &web.preview_domain else { return Host::Playground };
    let name = host.unwrap_or_default().to_ascii_lowercase();
    let name = match name.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => name,
    };
    let name = name.trim_end_matches('.');
    match name.strip_suffix(domain.as_str()).and_then(|label| label.strip_suffix('.')) {
        // `localhost` has other names below it that are the playground's.
        Some(label) if label.contains("--") || domain != "localhost" => Host::Preview(Target::named(label)),
        _ => Host::Playground,
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

/// Takes the requests for previews out of those for the playground.
pub(super) async fn divert(State(app): State<App>, request: Request, next: Next) -> Response {
    match host_of(&app.web, host(request.headers())) {
        Host::Playground => next.run(request).await,
        Host::Preview(None) => words::page(StatusCode::NOT_FOUND, "there is no such preview", ""),
        Host::Preview(Some(target)) => match serve(&app, target, request).await {
            Ok(response) => response,
            Err(refusal) => refusal,
        },
    }
}

async fn serve(app: &App, target: Target, request: Request) -> Result<Response, Response> {
    if let Some(ticket) = ticket::given(request.uri()) {
        return Ok(enter(app, &target, ticket, &request));
    }
    let caller = caller(app, &target, request.headers()).await?;
    let Ok(permit) = app.sessions.permit(&caller).await else { return Err(words::revoked()) };
    if headers::is_from_elsewhere(&app.web, &target, &request) {
        let more = "A page of another session, or of another site, asked for it.";
        return Err(words::page(StatusCode::FORBIDDEN, "this preview is for its own pages", more));
    }
    if looks_on(&caller) && !headers::only_looks(&request) {
        let more =
            "The link by which you came lets you look on: what a page sends to its program is left out.";
        return Err(words::page(StatusCode::FORBIDDEN, "you may only look at this preview", more));
    }
    let Ok((ports, container)) = app.sessions.ports(&caller, &target.session) else {
        let more = "It may have ended, or be another's.";
        return Err(words::page(StatusCode::NOT_FOUND, "there is no such session", more));
    };
    let Some(place) = app.previews.connections.take(&target.session) else {
        let more = "Close some of its pages, or wait for its downloads.";
        return Err(words::page(
            StatusCode::TOO_MANY_REQUESTS,
            "this session has too many connections",
            more,
        ));
    };
    let connection = match ports.dial(&container, target.port).await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::debug!(%error, port = target.port, "a preview was not reached");
            let what = format!("nothing answers on port {} of this session", target.port);
            let more = "Start the program, let it listen on 127.0.0.1 or 0.0.0.0, and load this page again.";
            return Err(words::page(StatusCode::BAD_GATEWAY, &what, more));
        }
    };
    pass::on(app, request, connection, (place, permit)).await
}

/// Who asks for a preview, by its cookie.
async fn caller(app: &App, target: &Target, headers: &HeaderMap) -> Result<Caller, Response> {
    let more = "Open it from the session's page: its list of ports has a link.";
    let strange = || words::page(StatusCode::FORBIDDEN, "this preview is not open in this browser", more);
    match ticket::held(app, target, headers).ok_or_else(strange)? {
        Holder::Known(caller) => Ok(caller),
        Holder::Guest(share, number) => match app.sessions.recall(&target.session, &share, number).await {
            Ok(guest) => Ok(Caller::Guest(guest)),
            Err(Error::Revoked) => Err(words::revoked()),
            Err(_) => Err(strange()),
        },
    }
}

fn looks_on(caller: &Caller) -> bool {
    matches!(caller, Caller::Guest(guest) if guest.mode == TerminalMode::View)
}

/// Makes a ticket a cookie, and leaves it out of the address.
fn enter(app: &App, target: &Target, ticket: &str, request: &Request) -> Response {
    let cookie =
        app.previews.tickets.redeem(ticket, target).and_then(|caller| ticket::cookie(app, target, &caller));
    let Some(cookie) = cookie else {
        let more = "A link is good once, and for half a minute: open it again from the session's page.";
        return words::page(StatusCode::FORBIDDEN, "this link is used up", more);
    };
    let mut response = Redirect::to(&ticket::without(request.uri())).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /preview/{session}/{port}`: on the playground, what the page's links lead to.
pub(super) async fn open(
    State(app): State<App>,
    caller: Caller,
    Path((session, port)): Path<(String, u16)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let caller = shares::admit(&app, &headers, caller, &session).await?;
    app.sessions.ports(&caller, &session)?;
    let target = Target::named(&format!("{port}--{session}"));
    let target = target.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "there is no such port"))?;
    let base = base(&app.web, &target, host(&headers)).ok_or_else(|| {
        Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            "this playground has no domain for previews: set preview-domain",
        )
    })?;
    let ticket = app.previews.tickets.make(&target, &caller).map_err(Error::from)?;
    let mut response = Redirect::to(&format!("{base}/?{}={ticket}", ticket::PARAMETER)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Where a preview is, as the browser reaches the playground: by the same scheme and port.
fn base(web: &Web, target: &Target, host: Option<&str>) -> Option<String> {
    let domain = web.preview_domain.as_ref()?;
    let (scheme, port) = match &web.public_url {
        Some(url) => (url.scheme(), url.port()),
        None => {
            let url = url::Url::parse(&format!("http://{}/", host?)).ok()?;
            ("http", url.port())
        }
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{}.{domain}{port}", target.label()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Patience;

    fn web(public: Option<&str>, domain: &str) -> Web {
        Web {
            courses: None,
            listen: "127.0.0.1:8080".parse().unwrap(),
            public_url: public.map(|url| url.parse().unwrap()),
            allowed_origins: vec![],
            hosts: vec![],
            max_upload: 1,
            preview_domain: Some(domain.to_owned()),
            registry: None,
            patience: Patience::default(),
        }
    }

    #[test]
    fn a_host_names_one_port_of_one_session_or_nothing() {
        let web = web(None, "localhost");
        let target = |port| Host::Preview(Some(Target { session: "0a1b".to_owned(), port }));
        for (host, expected) in [
            ("8000--0a1b.localhost:8080", target(8000)),
            ("8000--0A1B.LOCALHOST.", target(8000)),
            ("65535--0a1b.localhost", target(65535)),
            ("65536--0a1b.localhost", Host::Preview(None)),
            ("08000--0a1b.localhost", Host::Preview(None)),
            ("0--0a1b.localhost", Host::Preview(None)),
            ("8000--.localhost", Host::Preview(None)),
            ("x.8000--0a1b.localhost", Host::Preview(None)),
            ("8000--0a1b--0a1b.localhost", Host::Preview(None)),
            ("localhost:8080", Host::Playground),
            ("a.localhost", Host::Playground),
            ("8000--0a1b.example", Host::Playground),
            ("8000--0a1blocalhost", Host::Playground),
            ("", Host::Playground),
        ] {
            assert_eq!(host_of(&web, Some(host)), expected, "{host}");
        }
    }

    #[test]
    fn a_domain_of_previews_has_nothing_else_below_it() {
        let web = web(Some("https://sandlot.example"), "preview.example");
        assert_eq!(host_of(&web, Some("anything.preview.example")), Host::Preview(None));
        assert_eq!(host_of(&web, Some("sandlot.example")), Host::Playground);
        let target = Target { session: "0a".to_owned(), port: 80 };
        assert_eq!(base(&web, &target, None).as_deref(), Some("https://80--0a.preview.example"));
    }
}

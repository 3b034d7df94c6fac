//! By which name the server may be called, and whose pages may use it.
//!
//! A browser sends the cookie along with what any page asks of it: so requests that change something, and every
//! WebSocket, must come from an allowed origin, and the server answers to its own names only (a foreign name that
//! resolves to this machine would make a foreign page "same origin").

use super::App;
use super::problem::Failure;
use crate::config::Web;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use url::{Host, Url};

/// What a request says of where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// A page of an allowed origin.
    Allowed,
    /// A page of another origin.
    Foreign,
    /// Not a page: no browser leaves the origin out here.
    Program,
}

/// Refuses requests for other names and, where they change something, of foreign pages.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Result<Response, Failure> {
    if !is_own_name(&app.web, request.headers()) {
        let detail = "this server does not answer to that name: set hosts or public-url";
        return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if !safe && source(&app.web, request.headers()) == Source::Foreign {
        return Err(foreign());
    }
    Ok(next.run(request).await)
}

/// Refuses a WebSocket of a foreign page, or of no page unless it carries a token.
pub(super) fn check_socket(web: &Web, headers: &HeaderMap) -> Result<(), Failure> {
    match source(web, headers) {
        Source::Allowed => Ok(()),
        Source::Program if headers.contains_key(header::AUTHORIZATION) => Ok(()),
        Source::Program | Source::Foreign => Err(foreign()),
    }
}

fn foreign() -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        "pages of this origin may not use the playground: see allowed-origins",
    )
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn is_own_name(web: &Web, headers: &HeaderMap) -> bool {
    let Some(url) = host(headers).and_then(|host| Url::parse(&format!("http://{host}/")).ok()) else {
        return false;
    };
    let Some(name) = url.host() else { return false };
    let loopback = match &name {
        Host::Domain(domain) => *domain == "localhost" || domain.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    let name = name.to_string();
    let public = web.public_url.as_ref().and_then(Url::host_str) == Some(name.as_str());
    let any = web.hosts.is_empty() && web.public_url.is_none() && !web.listen.ip().is_loopback();
    loopback || public || any || web.hosts.contains(&name)
}

fn source(web: &Web, headers: &HeaderMap) -> Source {
    let Some(origin) = headers.get(header::ORIGIN) else {
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        return match site {
            None => Source::Program,
            Some("same-origin" | "none") => Source::Allowed,
            Some(_) => Source::Foreign,
        };
    };
    let Ok(origin) = origin.to_str() else { return Source::Foreign };
    let own = match &web.public_url {
        Some(url) => url.origin().ascii_serialization() == origin,
        None => false,
    };
    let same = host(headers).is_some_and(|host| origin.strip_prefix("http://") == Some(host));
    if own || same || web.allowed_origins.iter().any(|allowed| allowed == origin) {
        Source::Allowed
    } else {
        Source::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Patience;

    fn web(public: Option<&str>) -> Web {
        Web {
            courses: None,
            listen: "127.0.0.1:8080".parse().unwrap(),
            public_url: public.map(|url| url.parse().unwrap()),
            allowed_origins: vec!["https://docs.example".to_owned()],
            hosts: vec![],
            max_upload: 1 << 20,
            preview_domain: None,
            registry: None,
            patience: Patience::default(),
        }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_exact_origins_are_allowed() {
        let web = web(None);
        for (origin, expected) in [
            ("http://localhost:8080", Source::Allowed),
            ("https://docs.example", Source::Allowed),
            ("http://localhost:8081", Source::Foreign),
            ("https://localhost:8080", Source::Foreign),
            ("http://localhost:8080.evil.example", Source::Foreign),
            ("https://docs.example.evil", Source::Foreign),
            ("null", Source::Foreign),
        ] {
            let headers = headers(&[("host", "localhost:8080"), ("origin", origin)]);
            assert_eq!(source(&web, &headers), expected, "{origin}");
        }
        assert!(check_socket(&web, &headers(&[("host", "localhost:8080")])).is_err());
        let program = headers(&[("host", "localhost:8080"), ("authorization", "Bearer x")]);
        assert!(check_socket(&web, &program).is_ok());
        let site = headers(&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")]);
        assert_eq!(source(&web, &site), Source::Foreign);
    }

    #[test]
    fn a_foreign_name_that_resolves_here_is_refused() {
        for (host, own) in [
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("evil.example:8080", false),
            ("localhost.evil.example", false),
            ("sandlot.example", false),
        ] {
            assert_eq!(is_own_name(&web(None), &headers(&[("host", host)])), own, "{host}");
        }
        let public = web(Some("https://sandlot.example"));
        assert!(is_own_name(&public, &headers(&[("host", "sandlot.example")])));
        assert!(!is_own_name(&public, &headers(&[])));
    }
}

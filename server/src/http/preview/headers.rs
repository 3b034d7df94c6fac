//! What of a request's and an answer's headers goes through a preview, and which requests are its own pages'.

use super::ticket;
use super::{Host, Target, host_of};
use crate::config::Web;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// What belongs to one connection (RFC 9110, 7.6.1), beside what `Connection` names.
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What says by which way a request came: of that only we know.
const WAY: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

/// The cookies that are none of a session's business: the playground's, and the preview's own.
const OURS: [&str; 3] = [crate::http::auth::COOKIE, crate::http::shares::COOKIE, ticket::COOKIE];

/// The protocol that a connection is to change to, if any.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asked =
        asked.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| asked).cloned()
}

/// Whether a request changes nothing at a program that keeps to HTTP (RFC 9110, 9.2.1), and opens no way to talk to it.
pub(super) fn only_looks(request: &Request) -> bool {
    request.method().is_safe() && upgrade(request.headers()).is_none()
}

/// Takes out what belongs to one connection; a change of protocol stays.
pub(super) fn without_hops(headers: &mut HeaderMap) {
    let upgrade = upgrade(headers);
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

/// Makes a browser's headers a session's program's.
pub(super) fn inward(web: &Web, headers: &mut HeaderMap) {
    without_hops(headers);
    for name in WAY {
        headers.remove(name);
    }
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert("x-forwarded-host", host);
    }
    let secure = web.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    let scheme = if secure { "https" } else { "http" };
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
    strip(headers);
}

/// Takes our cookies out.
fn strip(headers: &mut HeaderMap) {
    let cookies: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|pair| !OURS.contains(&pair.split('=').next().unwrap_or_default().trim()))
        .map(str::to_owned)
        .collect();
    headers.remove(header::COOKIE);
    if let Ok(left) = cookies.join("; ").parse::<HeaderValue>()
        && !left.is_empty()
    {
        headers.insert(header::COOKIE, left);
    }
}

/// Makes a program's headers a browser's: its cookies are for this very host, and none is one of ours.
pub(super) fn outward(headers: &mut HeaderMap) {
    without_hops(headers);
    headers.remove("alt-svc");
    let cookies: Vec<HeaderValue> =
        headers.get_all(header::SET_COOKIE).iter().filter_map(own_cookie).collect();
    headers.remove(header::SET_COOKIE);
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
}

fn own_cookie(value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let mut parts = text.split(';');
    let pair = parts.next()?;
    if OURS.contains(&pair.split('=').next().unwrap_or_default().trim()) {
        return None;
    }
    let attributes = parts
        .filter(|part| !part.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case("domain"));
    std::iter::once(pair).chain(attributes).collect::<Vec<_>>().join(";").parse().ok()
}

/// Whether a page of another session, or of another site, asks with this browser's cookie. Previews are one site to a
/// browser, so it sends the cookie along; links from anywhere may lead here all the same.
pub(super) fn is_from_elsewhere(web: &Web, target: &Target, request: &Request) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let ours = |url: &str| {
        let url = url::Url::parse(url).ok();
        let host = url.as_ref().and_then(url::Url::host_str);
        matches!(host_of(web, host), Host::Preview(Some(other)) if other.session == target.session)
    };
    let safe = [Method::GET, Method::HEAD].contains(request.method());
    let navigates =
        safe && text("sec-fetch-mode") == Some("navigate") && text("sec-fetch-dest") != Some("iframe");
    match (text("origin"), text("sec-fetch-site")) {
        _ if navigates => false,
        (Some(origin), _) => !ours(origin),
        (None, Some("same-site" | "cross-site")) => !text("referer").is_some_and(ours),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_playgrounds_cookies_never_go_in_nor_out() {
        let mut asked = HeaderMap::new();
        for cookie in ["sandlot=secret; theme=dark;sandlot-preview=secret", "a=b", " sandlot =x"] {
            asked.append(header::COOKIE, cookie.parse().unwrap());
        }
        strip(&mut asked);
        let left: Vec<_> = asked.get_all(header::COOKIE).iter().collect();
        assert_eq!(left, ["theme=dark; a=b"]);
        let mut answer = HeaderMap::new();
        for cookie in [
            "sandlot=evil; Path=/",
            "a=b; Domain=localhost; Path=/; domain = x",
            " sandlot-preview =x",
            "c=d",
        ] {
            answer.append(header::SET_COOKIE, cookie.parse().unwrap());
        }
        outward(&mut answer);
        let left: Vec<_> = answer.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(left, ["a=b; Path=/", "c=d"]);
    }

    #[test]
    fn what_belongs_to_one_connection_stays_there() {
        let mut all = HeaderMap::new();
        for (name, value) in
            [("connection", "X-Own, Upgrade"), ("x-own", "1"), ("upgrade", "websocket"), ("te", "x")]
        {
            all.append(name, value.parse().unwrap());
        }
        all.insert("accept", HeaderValue::from_static("*/*"));
        without_hops(&mut all);
        assert!(!all.contains_key("x-own") && !all.contains_key("te") && all.contains_key("accept"));
        assert_eq!(
            (&all["connection"], &all["upgrade"]),
            (&"Upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
        let mut all = HeaderMap::new();
        all.insert("upgrade", HeaderValue::from_static("h2c"));
        without_hops(&mut all);
        assert!(all.is_empty(), "{all:?}");
    }
}

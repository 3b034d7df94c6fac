//! Who may see a preview: a ticket that is good once becomes a cookie of that preview's origin alone.

use super::Target;
use crate::http::App;
use crate::session::policy::Caller;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The parameter of the address that carries a ticket.
pub(super) const PARAMETER: &str = "sandlot-ticket";
/// The cookie's name.
pub(super) const COOKIE: &str = "sandlot-preview";
/// How long a ticket is good.
const GOOD: Duration = Duration::from_secs(30);
/// The most tickets at once; older ones go.
const TICKETS: usize = 10_000;
/// Bytes of a ticket.
const BYTES: usize = 16;

struct Ticket {
    target: Target,
    caller: Caller,
    made: Instant,
}

/// The tickets that nobody has used.
#[derive(Default)]
pub(in crate::http) struct Tickets(Mutex<HashMap<String, Ticket>>);

impl Tickets {
    pub(super) fn make(&self, target: &Target, caller: &Caller) -> Result<String, getrandom::Error> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random)?;
        let name = hex::encode(random);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, ticket| ticket.made.elapsed() < GOOD);
        if all.len() >= TICKETS {
            all.clear();
        }
        let ticket = Ticket { target: target.clone(), caller: caller.clone(), made: Instant::now() };
        all.insert(name.clone(), ticket);
        Ok(name)
    }

    /// Whose it was, if it was for this; it is used up either way.
    pub(super) fn redeem(&self, name: &str, target: &Target) -> Option<Caller> {
        let ticket = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name)?;
        (ticket.target == *target && ticket.made.elapsed() < GOOD).then_some(ticket.caller)
    }
}

/// The ticket that an address carries.
pub(super) fn given(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix(PARAMETER)?.strip_prefix('='))
}

/// The address without it: a path of the same host, whatever it looks like.
pub(super) fn without(uri: &Uri) -> String {
    let pairs = uri.query().unwrap_or_default().split('&');
    let rest: Vec<&str> = pairs.filter(|pair| !pair.starts_with(PARAMETER) && !pair.is_empty()).collect();
    let path = format!("/{}", uri.path().trim_start_matches(['/', '\\']));
    if rest.is_empty() { path } else { format!("{path}?{}", rest.join("&")) }
}

/// Before a guest's share link and number in a cookie; no other name begins so.
const GUEST: &str = "guest:";

/// Who holds a cookie: a guest's link may have been revoked since it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// Somebody who needs no link.
    Known(Caller),
    /// Who came by a share link, with their number.
    Guest(String, i64),
}

/// A caller's name in a cookie.
fn name(caller: &Caller) -> String {
    match caller {
        Caller::Guest(guest) => format!("{GUEST}{}:{}", guest.share, guest.number),
        other => other.name().to_owned(),
    }
}

fn holder(name: &str) -> Option<Holder> {
    match name.strip_prefix(GUEST) {
        None => Some(Holder::Known(Caller::named(name))),
        Some(guest) => {
            let (share, number) = guest.split_once(':')?;
            Some(Holder::Guest(share.to_owned(), number.parse().ok()?))
        }
    }
}

/// What the cookie's signature is of.
fn signed(target: &Target, name: &str) -> String {
    format!("preview {} {name}", target.label())
}

/// The cookie of a preview's origin: without a domain, so no other host gets it.
pub(super) fn cookie(app: &App, target: &Target, caller: &Caller) -> Option<HeaderValue> {
    let name = name(caller);
    let seal = app.keys.seal(&signed(target, &name))?;
    let secure = app.web.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={name}.{seal}; Path=/; HttpOnly; SameSite=Lax{secure}").parse().ok()
}

/// Whose cookie came with these headers, if it is of this very preview.
pub(super) fn held(app: &App, target: &Target, headers: &HeaderMap) -> Option<Holder> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| {
        let (name, seal) = value.split_once('.').filter(|_| key == COOKIE)?;
        if app.keys.is_seal(&signed(target, name), seal) { holder(name) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(port: u16) -> Target {
        Target { session: "ab".to_owned(), port }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_one_preview() {
        let tickets = Tickets::default();
        let caller = Caller::Visitor("v".to_owned());
        let ticket = tickets.make(&target(80), &caller).unwrap();
        assert_eq!(tickets.redeem(&ticket, &target(80)), Some(caller.clone()));
        assert_eq!(tickets.redeem(&ticket, &target(80)), None);
        let ticket = tickets.make(&target(80), &caller).unwrap();
        assert_eq!(tickets.redeem(&ticket, &target(81)), None);
        assert_eq!(tickets.redeem(&ticket, &target(80)), None, "tried elsewhere, it is used up");
    }

    #[test]
    fn a_holder_is_who_the_cookie_was_made_for() {
        use crate::session::policy::Guest;
        use crate::terminal::protocol::TerminalMode;
        let (session, share) = ("ab".to_owned(), "cd".to_owned());
        let guest = Caller::Guest(Guest { session, share, number: 7, mode: TerminalMode::View });
        assert_eq!(holder(&name(&guest)), Some(Holder::Guest("cd".to_owned(), 7)));
        for known in [Caller::Administrator, Caller::Visitor("ef".to_owned())] {
            assert_eq!(holder(&name(&known)), Some(Holder::Known(known)));
        }
        assert_eq!(holder("guest:cd"), None);
    }

    #[test]
    fn the_address_loses_its_ticket_and_leads_nowhere_else() {
        for (from, to) in [
            ("/?sandlot-ticket=x", "/"),
            ("/a/b?x=1&sandlot-ticket=x&y=2", "/a/b?x=1&y=2"),
            ("//evil.example/?sandlot-ticket=x", "/evil.example/"),
        ] {
            let uri: Uri = from.parse().unwrap();
            assert_eq!(given(&uri), Some("x"), "{from}");
            assert_eq!(without(&uri), to);
        }
    }
}

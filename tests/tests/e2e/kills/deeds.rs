//! What a visitor does when something is killed, and what must be true afterwards.

use super::chance::Chance;
use super::{IMAGE, World, another, answers, typing, works};
use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use sandlot_tests::client::http;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Warm,
    Cold,
    Type,
    Flood,
    Record,
    Upload,
    Download,
    Keep,
    Reset,
    Share,
    Extend,
    Preview,
    End,
}

/// What a deed needs to know of before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prepared {
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
    /// A session of its own, or a time.
    pub(crate) text: String,
    /// Which line was seen when.
    pub(crate) seen: Arc<Mutex<Vec<(Instant, usize)>>>,
}

/// What came of it, as far as anybody was told.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The last answer's status, if it came.
    pub(crate) status: Option<u16>,
    /// The answer before, or the only one.
    pub(crate) body: Value,
    /// What was received whole.
    pub(crate) bytes: Option<Vec<u8>>,
    /// Lines that were taken for certain, and those that perhaps were.
    pub(crate) lines: Vec<typing::Typed>,
}

impl Done {
    /// An answer, or none.
    pub(crate) fn of(answer: Result<(u16, Value)>) -> Self {
        answer.map_or_else(
            |_| Self::default(),
            |(status, body)| Self { status: Some(status), body, ..Self::default() },
        )
    }
}

impl Deed {
    pub(crate) const ALL: [Self; 13] = [
        Self::Warm,
        Self::Cold,
        Self::Type,
        Self::Flood,
        Self::Record,
        Self::Upload,
        Self::Download,
        Self::Keep,
        Self::Reset,
        Self::Share,
        Self::Extend,
        Self::Preview,
        Self::End,
    ];

    /// Milliseconds within which it is killed.
    pub(crate) fn span(self) -> u64 {
        match self {
            Self::Warm | Self::Extend | Self::Share | Self::End => 60,
            Self::Cold | Self::Preview => 200,
            Self::Reset => 300,
            Self::Type | Self::Flood | Self::Upload | Self::Download | Self::Keep => 600,
            Self::Record => 3000,
        }
    }

    /// What must be so before.
    pub(crate) async fn prepare(
        self,
        sandbox: &Sandbox,
        world: &World,
        chance: &mut Chance,
    ) -> Result<Prepared> {
        let mut ready = Prepared::default();
        match self {
            Self::Upload | Self::Download => works::files(world, &mut ready, chance).await?,
            Self::Keep => works::work(sandbox, world).await?,
            Self::Reset => drop(world.inside(sandbox, "touch /root/old").await?),
            Self::Extend => {
                let (_, session) = world.ask("GET", &format!("/sessions/{}", world.session)).await?;
                ready.text = session["expires_at"].to_string();
            }
            Self::End => ready.text = another(world).await?,
            Self::Preview => {
                world.inside(sandbox, PAGE).await?;
                let there = || async { preview(world).await.ok() };
                until("the preview", there).await?;
            }
            Self::Warm | Self::Cold | Self::Type | Self::Flood | Self::Record | Self::Share => {}
        }
        Ok(ready)
    }

    /// Does it, as far as it goes.
    pub(crate) async fn run(self, world: World, ready: Prepared) -> Done {
        let (visitor, session) = (&world.visitor, &world.session);
        let post = |what: &str| format!("/sessions/{session}/{what}");
        match self {
            Self::Warm => Done::of(visitor.call("POST", "/sessions", Some(json!({ "image": IMAGE }))).await),
            Self::Cold => {
                let nested = json!({ "image": IMAGE, "nested": true });
                Done::of(visitor.call("POST", "/sessions", Some(nested)).await)
            }
            Self::Type => typing::type_lines(&world).await,
            Self::Flood => typing::flood(&world).await,
            Self::Record => typing::record(&world, &ready).await,
            Self::Upload => works::upload(&world, &ready).await,
            Self::Download => works::download(&world).await,
            Self::Keep => {
                let title = json!({ "title": world.round.to_string() });
                Done::of(visitor.call("POST", &post("commit"), Some(title)).await)
            }
            Self::Reset => Done::of(visitor.call("POST", &post("reset"), None).await),
            Self::Share => share(&world).await,
            Self::Extend => Done::of(visitor.call("POST", &post("extend"), None).await),
            Self::Preview => {
                let mut done = Done::default();
                for _ in 0..50 {
                    match preview(&world).await {
                        Ok(()) => done.status = Some(200),
                        Err(_) => break,
                    }
                }
                done
            }
            Self::End => Done::of(visitor.call("DELETE", &format!("/sessions/{}", ready.text), None).await),
        }
    }

    /// What must be so while the dead are not back.
    pub(crate) fn look_at_the_dead(
        self,
        world: &World,
        ready: &Prepared,
        victims: &[Part],
        died: Instant,
    ) -> Result<()> {
        match self {
            Self::Record if victims.contains(&Part::Server) => typing::written(world, ready, died),
            _ => Ok(()),
        }
    }

    /// What must be so afterwards.
    pub(crate) async fn check(
        self,
        sandbox: &Sandbox,
        world: &World,
        ready: &Prepared,
        done: Done,
        victims: &[Part],
    ) -> Result<()> {
        match self {
            Self::Warm | Self::Cold => begun(world, &done).await,
            Self::Type => typing::typed_once(world, &done.lines).await,
            Self::Flood => typing::flooded(world, &done, victims).await,
            Self::Record => typing::recorded(world).await,
            Self::Upload => works::uploaded(sandbox, world, ready, &done).await,
            Self::Download => works::downloaded(ready, &done),
            Self::Keep => works::kept(world, &done).await,
            Self::Reset => works::reset(sandbox, world, &done).await,
            Self::Share => shared(world, &done).await,
            Self::Extend => extended(world, ready, &done).await,
            Self::Preview => {
                let there = || async { preview(world).await.ok() };
                until("the preview after it", there).await
            }
            Self::End => ended(world, &ready.text, &done).await,
        }
    }
}

/// Every session that is there can be used; one that was promised is there.
async fn begun(world: &World, done: &Done) -> Result<()> {
    let (_, all) = world.ask("GET", "/sessions").await?;
    let mut ids = Vec::new();
    for one in all.as_array().context("sessions")? {
        let id = one["id"].as_str().context("an id")?;
        if id == world.session || one["state"] == "ended" {
            continue;
        }
        let path = format!("/sessions/{id}");
        let up = || async {
            let (_, session) = world.ask("GET", &path).await.ok()?;
            let settled = session["state"] == "running" || session["state"] == "ended";
            (settled && (session["state"] == "ended" || session["terminals"][0]["id"].is_string()))
                .then_some(session)
        };
        let session = until("a session to come up", up).await?;
        ensure!(session["state"] == "running", "a session that was begun ended: {session}");
        let terminal = session["terminals"][0]["id"].as_str().context("a terminal")?;
        answers(&world.visitor, id, terminal, world.round).await?;
        world.ask("DELETE", &path).await?;
        ids.push(id.to_owned());
    }
    if done.status == Some(201) {
        let promised = done.body["id"].as_str().unwrap_or_default();
        ensure!(ids.iter().any(|id| id == promised), "{promised} was promised, there are {ids:?}");
    }
    Ok(())
}

async fn share(world: &World) -> Done {
    let path = format!("/sessions/{}/shares", world.session);
    let made = Done::of(world.visitor.call("POST", &path, Some(json!({ "mode": "view" }))).await);
    if made.status != Some(201) {
        return made;
    }
    let revoke = format!("{path}/{}", made.body["id"].as_str().unwrap_or_default());
    let revoked = Done::of(world.visitor.call("DELETE", &revoke, None).await);
    Done { status: revoked.status, ..made }
}

async fn shared(world: &World, done: &Done) -> Result<()> {
    if let Some(url) = done.body["url"].as_str() {
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        let ask = || async { client.get(format!("http://{}{url}", world.address)).send().await.ok() };
        let status = until("the link", ask).await?.status().as_u16();
        // Of a link that was perhaps revoked both are right.
        let right = match done.status {
            Some(204) => status == 200,
            _ => status == 303 || status == 200,
        };
        ensure!(right, "a link that was revoked ({:?}) answers {status}", done.status);
    }
    let path = format!("/sessions/{}/shares", world.session);
    let (_, all) = world.ask("GET", &path).await?;
    for one in all.as_array().context("shares")?.iter().filter(|one| one["revoked_at"].is_null()) {
        let link = format!("{path}/{}", one["id"].as_str().context("an id")?);
        ensure!(world.ask("DELETE", &link).await?.0 == 204, "{link}");
    }
    Ok(())
}

async fn extended(world: &World, ready: &Prepared, done: &Done) -> Result<()> {
    let (_, session) = world.ask("GET", &format!("/sessions/{}", world.session)).await?;
    let now = session["expires_at"].to_string();
    match done.status {
        Some(200) => {
            ensure!(session["expires_at"] == done.body["expires_at"], "{now}, promised {}", done.body)
        }
        _ => ensure!(now >= ready.text, "{now} is before {}", ready.text),
    }
    Ok(())
}

async fn ended(world: &World, id: &str, done: &Done) -> Result<()> {
    let path = format!("/sessions/{id}");
    let (status, session) = world.ask("GET", &path).await?;
    if status == 404 || session["state"] == "ended" {
        return Ok(());
    }
    ensure!(done.status != Some(200), "it was told that it has ended: {session}");
    let (status, session) = world.ask("DELETE", &path).await?;
    ensure!(status == 200 && session["state"] == "ended", "{status} {session}");
    Ok(())
}

/// A page that says so.
const PAGE: &str = r#"cat > /tmp/page <<'END'
while read -r line; do line=${line%?}; [ -n "$line" ] || break; done
printf 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nthe-page-\n'
END
busybox nc -ll -p 8000 -e sh /tmp/page >/dev/null 2>&1 </dev/null &"#;

/// The page of port 8000, by the whole way: link, ticket, cookie.
async fn preview(world: &World) -> Result<()> {
    let _made = http();
    let host = format!("8000--{}.localhost", world.session);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let client = client.resolve(&host, world.address).timeout(std::time::Duration::from_secs(10)).build()?;
    let (name, value) = world.visitor.identity();
    let link = format!("http://{}/preview/{}/8000", world.address, world.session);
    let link =
        client.get(link).header(name, value).header(HOST, format!("localhost:{}", world.address.port()));
    let answer = link.send().await?;
    let to = answer.headers().get(LOCATION).context("no way on")?.to_str()?.to_owned();
    let entered = client.get(to).send().await?;
    let cookie = entered.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let page = client.get(format!("http://{host}:{}/", world.address.port())).header(COOKIE, cookie);
    let text = page.send().await?.text().await?;
    if text.contains("the-page-") { Ok(()) } else { bail!("not the page: {text}") }
}

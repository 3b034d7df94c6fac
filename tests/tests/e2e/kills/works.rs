//! Files that go up and down, work that is kept, machines that are reset: whole or not at all.

use super::chance::Chance;
use super::deeds::{Done, Prepared};
use super::{World, answers};
use anyhow::{Context, Result, ensure};
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use serde_json::json;

const MEGABYTE: usize = 1 << 20;

fn file(world: &World) -> String {
    format!("/sessions/{}/files/root/file", world.session)
}

/// A file that is there, and what it is to become.
pub(crate) async fn files(world: &World, ready: &mut Prepared, chance: &mut Chance) -> Result<()> {
    ready.old = chance.bytes(4 * MEGABYTE);
    ready.new = chance.bytes(16 * MEGABYTE);
    let answer = world.visitor.raw("PUT", &file(world), &[], ready.old.clone()).await?;
    ensure!(answer.status().as_u16() == 204, "PUT: {}", answer.status());
    Ok(())
}

pub(crate) async fn upload(world: &World, ready: &Prepared) -> Done {
    let answer = world.visitor.raw("PUT", &file(world), &[], ready.new.clone()).await;
    Done { status: answer.ok().map(|answer| answer.status().as_u16()), ..Done::default() }
}

pub(crate) async fn uploaded(sandbox: &Sandbox, world: &World, ready: &Prepared, done: &Done) -> Result<()> {
    let read = || async {
        let answer = world.visitor.raw("GET", &file(world), &[], Vec::new()).await.ok()?;
        (answer.status().as_u16() == 200).then_some(answer)?.bytes().await.ok()
    };
    let now = until("the file", read).await?;
    let (old, new) = (now == ready.old, now == ready.new);
    ensure!(
        new || old,
        "{} bytes, neither the old {} nor the new {}",
        now.len(),
        ready.old.len(),
        ready.new.len()
    );
    ensure!(new || done.status != Some(204), "it was told that the file is written");
    let said = || async {
        let all = world.inside(sandbox, "ls -A /root").await.ok()?;
        (!all.contains(".sandlot")).then_some(())
    };
    let clean = until("no half of a file to be left", said).await;
    match clean {
        Ok(()) => Ok(()),
        Err(error) => Err(error).context(world.inside(sandbox, "ls -lA /root").await?),
    }
}

/// The file, and the folder as an archive.
pub(crate) async fn download(world: &World) -> Done {
    let mut done = Done::default();
    for path in [file(world), format!("/sessions/{}/files/root?archive=tar", world.session)] {
        let Ok(answer) = world.visitor.raw("GET", &path, &[], Vec::new()).await else { break };
        let status = answer.status().as_u16();
        let Ok(bytes) = answer.bytes().await else { break };
        if status != 200 {
            break;
        }
        match done.bytes {
            None => done.bytes = Some(bytes.to_vec()),
            Some(_) => done.body = json!([bytes.len(), bytes.ends_with(&[0; 1024])]),
        }
    }
    done
}

/// What was received to its end is whole.
pub(crate) fn downloaded(ready: &Prepared, done: &Done) -> Result<()> {
    if let Some(bytes) = &done.bytes {
        ensure!(*bytes == ready.old, "{} bytes were received as a whole of {}", bytes.len(), ready.old.len());
    }
    if let Some(length) = done.body[0].as_u64() {
        ensure!(length > ready.old.len() as u64 && done.body[1] == true, "half an archive: {}", done.body);
    }
    Ok(())
}

/// Something to keep.
pub(crate) async fn work(sandbox: &Sandbox, world: &World) -> Result<()> {
    let script = format!(
        "cd /root; echo kept-{} > word; head -c 6m /dev/urandom > blob; sha256sum word blob > sums; sync",
        world.round
    );
    world.inside(sandbox, &script).await.map(drop)
}

/// What is kept is whole: a session begins from it and finds everything.
pub(crate) async fn kept(world: &World, done: &Done) -> Result<()> {
    let (_, all) = world.ask("GET", "/kept").await?;
    let all = all.as_array().context("kept")?;
    if done.status == Some(201) {
        ensure!(all.iter().any(|one| one["id"] == done.body["id"]), "{} is not among {all:?}", done.body);
    }
    for one in all {
        let id = one["id"].as_str().context("an id")?;
        let (status, session) = world.visitor.call("POST", "/sessions", Some(json!({ "kept": id }))).await?;
        ensure!(status == 201, "a session from kept work: {status}: {session}");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (session, terminal) = (text(&session["id"]), text(&session["terminals"][0]["id"]));
        let mut at = world.visitor.attach(&session, &terminal).await?;
        at.type_in("cd /root; sha256sum -c sums && echo who''le; cat word\n").await?;
        at.until("whole").await.context("what was kept")?;
        at.until(&format!("kept-{}", one["title"].as_str().unwrap_or_default())).await?;
        world.ask("DELETE", &format!("/sessions/{session}")).await?;
        let forgotten = || async {
            let (status, _) = world.ask("DELETE", &format!("/kept/{id}")).await.ok()?;
            (status == 204).then_some(())
        };
        until("the kept work to go", forgotten).await?;
    }
    Ok(())
}

/// The machine is the old one or a fresh one, and a fresh one if that was told.
pub(crate) async fn reset(sandbox: &Sandbox, world: &World, done: &Done) -> Result<()> {
    answers(&world.visitor, &world.session, &world.terminal, world.round).await?;
    let old = world.inside(sandbox, "ls /root").await?.contains("old");
    ensure!(!old || done.status != Some(200), "it was told that the machine is fresh");
    Ok(())
}

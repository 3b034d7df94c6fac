//! What is on the machine of a sandbox: everything that is there must belong to a container that is to be there.

use super::World;
use anyhow::{Context, Result, ensure};
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::traces;
use sandlot_tests::wait::until;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

/// How deep a sandbox's folder is looked into: below stand the files of containers themselves.
const DEPTH: usize = 5;

/// What in it has names like containers' ids and is none of theirs.
const OTHERS: [&str; 5] = ["networks", "images", "layers", "blobs", "recordings"];

/// The most disks that an engine has ready.
const READY: usize = 4;

/// A name that is a container's id.
fn id(name: &str) -> Option<&str> {
    let name = name.split('.').next().unwrap_or_default();
    (name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}

/// The containers of which there is anything, with one thing each.
fn found(sandbox: &Sandbox) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut note = |what: &str| {
        for name in what.split(['/', ' ']).filter_map(id) {
            found.insert(name.to_owned(), what.to_owned());
        }
    };
    traces::mounts(&sandbox.mark())?.iter().for_each(|mount| note(mount));
    traces::groups_below(&sandbox.mark())?.iter().for_each(|group| note(&group.display().to_string()));
    let mut folders = vec![(sandbox.dir().to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        // What is removed meanwhile is none that is left.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            note(&path.strip_prefix(sandbox.dir()).unwrap_or(&path).display().to_string());
            let further = entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth < DEPTH;
            if further && !OTHERS.iter().any(|other| path.ends_with(other)) {
                folders.push((path, depth + 1));
            }
        }
    }
    Ok(found)
}

fn containers(sandbox: &Sandbox) -> Result<BTreeSet<String>> {
    Ok(sandbox.ok(&["ps", "-aq", "--no-trunc"])?.lines().map(str::to_owned).collect())
}

/// What is there beside what the server's sessions and its pool account for.
async fn excess(sandbox: &Sandbox, world: &World) -> Result<Option<String>> {
    let (_, pool) = world.visitor.call("GET", "/pool", None).await?;
    let (_, all) = world.visitor.call("GET", "/sessions", None).await?;
    let up = |state: &str| matches!(state, "running" | "paused");
    let all = all.as_array().context("sessions")?;
    let states: Vec<&str> = all.iter().map(|one| one["state"].as_str().unwrap_or_default()).collect();
    if let Some(odd) = states.iter().find(|state| !up(state) && **state != "ended") {
        return Ok(Some(format!("a session is {odd}")));
    }
    let sessions = states.iter().filter(|state| up(state)).count();
    let ready = pool["ready"].as_u64().context("pool")?;
    let there = containers(sandbox)?;
    if there.len() as u64 != sessions as u64 + ready {
        return Ok(Some(format!("{} containers, {sessions} sessions, {ready} in the pool", there.len())));
    }
    let found = found(sandbox)?;
    if let Some(stray) = found.iter().find(|(id, _)| !there.contains(*id)) {
        return Ok(Some(format!("of no container: {}", stray.1)));
    }
    let (_, kept) = world.visitor.call("GET", "/kept", None).await?;
    let kept = kept.as_array().context("kept")?.len();
    let images = sandbox.ok(&["images"])?.matches("sandlot-kept/").count();
    Ok((kept != images).then(|| format!("{kept} works are kept, there are {images} images of kept work")))
}

/// Nothing belongs to no one.
pub(crate) async fn nothing(sandbox: &Sandbox, world: &World) -> Result<()> {
    let last = Mutex::new(String::new());
    let clean = until("nothing to be left", || async {
        match excess(sandbox, world).await {
            Ok(None) => return Some(()),
            Ok(Some(words)) => *last.lock().unwrap() = words,
            Err(error) => *last.lock().unwrap() = format!("{error:#}"),
        }
        None
    });
    clean.await.with_context(|| last.lock().unwrap().clone())
}

/// What of a sandbox is on the machine when nothing runs in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    groups: usize,
    children: usize,
    /// Descriptors of the spawner by kind: namespaces, terminals, pipes.
    held: BTreeMap<String, usize>,
}

impl Traces {
    /// What there is now.
    pub(crate) fn of(sandbox: &Sandbox) -> Result<Self> {
        let spawner = sandbox.pid(Part::Spawner)?;
        let children = std::fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children"))?;
        let mut held = BTreeMap::<String, usize>::new();
        for descriptor in
            std::fs::read_dir(Path::new("/proc").join(spawner.to_string()).join("fd"))?.flatten()
        {
            let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
            let kind = target.to_string_lossy().split(['[', ' ']).next().unwrap_or_default().to_owned();
            // Connections of engines are no trace of a session; a range of ids keeps its namespace for the next one.
            if kind != "socket:" && kind != "user:" {
                *held.entry(kind).or_default() += 1;
            }
        }
        Ok(Self {
            groups: traces::groups_below(&sandbox.mark())?.len(),
            children: children.split_whitespace().count(),
            held,
        })
    }

    /// No more than that is there, soon.
    pub(crate) async fn are_all(&self, sandbox: &Sandbox) -> Result<()> {
        let same = || async {
            let empty = containers(sandbox).is_ok_and(|there| there.is_empty());
            let none = found(sandbox).is_ok_and(|found| found.is_empty());
            (empty && none && Self::of(sandbox).is_ok_and(|now| now == *self)).then_some(())
        };
        let same = until("everything to be gone", same).await;
        same.with_context(|| format!("before: {self:?}, now: {:?} {:?}", Self::of(sandbox), found(sandbox)))?;
        // Disks that the engine has ready for the next are of no container.
        let mounts = traces::mounts(&sandbox.mark())?;
        ensure!(mounts.len() <= READY, "{mounts:#?}");
        Ok(())
    }
}

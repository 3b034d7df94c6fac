//! One corpus of hostile archives, put through everything that unpacks: nothing is made, changed or read outside.

#![allow(clippy::unwrap_used)]

use rustix::fs::{Mode, OFlags};
use sandlot::image::place::{Kinds, Placing, place};
use sandlot::image::{Limits, Store, unpack};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tar::{Builder, EntryType, Header};

type Entry<'a> = (EntryType, &'a str, &'a str, &'a [u8]);

/// Entries with exactly these names, which the builder itself would refuse.
fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, link, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o6777);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const SYMLINK: EntryType = EntryType::Symlink;
const LINK: EntryType = EntryType::Link;

/// Names and what is in them; each tries to change or to reach `../canary`, which has the mode 0600.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let evil = &b"evil"[..];
    let all: &[(&str, &[Entry<'_>])] = &[
        ("parent", &[(FILE, "../canary", "", evil)]),
        ("deep parent", &[(FILE, "a/b/../../../canary", "", evil)]),
        ("absolute", &[(FILE, "/canary", "", evil)]),
        ("link as parent", &[(SYMLINK, "up", "..", b""), (FILE, "up/canary", "", evil)]),
        ("absolute link as parent", &[(SYMLINK, "up", "/", b""), (FILE, "up/canary", "", evil)]),
        (
            "link to a link",
            &[(SYMLINK, "a", "..", b""), (SYMLINK, "b", "a/..", b""), (FILE, "b/canary", "", evil)],
        ),
        ("through a file's link", &[(SYMLINK, "x", "../canary", b""), (FILE, "x", "", evil)]),
        // CVE-2026-33056: a directory entry over a link changed the mode of what the link leads to.
        ("mode through a link", &[(SYMLINK, "x", "../canary", b""), (DIR, "x", "", b"")]),
        ("mode of the parent", &[(SYMLINK, "x", "..", b""), (DIR, "x", "", b"")]),
        ("hard link out", &[(LINK, "x", "../canary", b"")]),
        (
            "hard link through a link",
            &[(SYMLINK, "up", "..", b""), (LINK, "x", "up/canary", b""), (FILE, "x", "", evil)],
        ),
        (
            "hard link to a link",
            &[(SYMLINK, "x", "../canary", b""), (LINK, "y", "x", b""), (FILE, "y", "", evil)],
        ),
        ("device", &[(EntryType::Block, "disk", "", b""), (EntryType::Char, "mem", "", b"")]),
        ("pipe, then into it", &[(EntryType::Fifo, "x", "", b""), (FILE, "x", "", evil)]),
        ("whiteout of the parent", &[(FILE, ".wh...", "", b""), (FILE, ".wh.", "", b"")]),
        (
            "directory, then a link in its place",
            &[(DIR, "d", "", b""), (SYMLINK, "d", "..", b""), (FILE, "d/canary", "", evil)],
        ),
    ];
    all.iter().map(|(name, entries)| (*name, archive(entries))).collect()
}

/// A directory with a canary and an empty tree beside it.
fn fresh() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let canary = dir.path().join("canary");
    std::fs::write(&canary, "alive").unwrap();
    std::fs::set_permissions(&canary, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::create_dir(dir.path().join("tree")).unwrap();
    dir
}

fn untouched(dir: &Path, name: &str) {
    let canary = dir.join("canary");
    let meta = canary.symlink_metadata().unwrap();
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "alive", "{name}");
    assert_eq!((meta.mode() & 0o7777, meta.nlink()), (0o600, 1), "{name}");
    assert_eq!(dir.metadata().unwrap().mode() & 0o7777, 0o700, "{name}");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 2, "{name}: something was made outside");
}

fn copy_in(archive: &[u8], tree: &Path, kinds: Kinds) -> std::io::Result<()> {
    let root = rustix::fs::open(tree, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    place(archive, root.as_fd(), Path::new("/"), Placing { base: 0, owner: None, kinds, name: None })
}

#[test]
fn nothing_outside_is_made_changed_or_linked_to() {
    for (name, bytes) in corpus() {
        let dir = fresh();
        // Either it lands inside, or it is refused.
        unpack(&bytes[..], &dir.path().join("tree"), Limits::default()).map(drop).unwrap_or_default();
        untouched(dir.path(), name);
        for kinds in [Kinds::Kept, Kinds::Replaced] {
            let dir = fresh();
            copy_in(&bytes, &dir.path().join("tree"), kinds).unwrap_or_default();
            untouched(dir.path(), name);
            for device in ["disk", "mem"] {
                assert!(!dir.path().join("tree").join(device).exists(), "{name}");
            }
        }
        // As an archive of images it holds none.
        let state = tempfile::tempdir().unwrap();
        let store = Store::open(state.path()).unwrap();
        store.load(&bytes[..]).unwrap_err();
        assert_eq!(std::fs::read_dir(state.path().join("images/making")).unwrap().count(), 0, "{name}");
    }
    // The corpus bites: who follows paths changes the canary.
    let dir = fresh();
    std::os::unix::fs::symlink("..", dir.path().join("tree/up")).unwrap();
    std::fs::write(dir.path().join("tree/up/canary"), "evil").unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("canary")).unwrap(), "evil");
}

#[test]
fn an_entry_is_as_long_as_everybody_else_says() {
    // CVE-2025-62518: the head says 0 bytes, its extension 1,536; who believes the head takes the content for entries.
    let smuggled = archive(&[(FILE, "smuggled", "", b"evil")]);
    let content = &smuggled[..1024];
    let extension = format!("13 size={}\n", content.len());
    assert_eq!(extension.len(), 13);
    let mut whole = archive(&[(EntryType::XHeader, "x", "", extension.as_bytes())]);
    whole.truncate(1024);
    let mut head = archive(&[(FILE, "outer", "", b"")]);
    head.truncate(512);
    whole.extend([&head[..], content, &archive(&[(FILE, "after", "", b"x")])[..]].concat());
    let dir = fresh();
    let file = dir.path().join("tar");
    std::fs::write(&file, &whole).unwrap();
    let listed = std::process::Command::new("tar").arg("-tf").arg(&file).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!(listed, "outer\nafter\n", "GNU tar is the judge");
    let names = |tree: &Path| {
        let all = std::fs::read_dir(tree).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    };
    let tree = dir.path().join("tree");
    unpack(&whole[..], &tree, Limits::default()).unwrap();
    assert_eq!(names(&tree), ["after", "outer"]);
    assert_eq!(tree.join("outer").metadata().unwrap().len(), 1024);
    let copied = fresh();
    let tree = copied.path().join("tree");
    copy_in(&whole, &tree, Kinds::Kept).unwrap();
    assert_eq!(names(&tree), ["after", "outer"]);
}

#[test]
fn an_archive_of_images_that_names_a_pipe_or_a_link_is_refused_at_once() {
    let index = |config: &str| format!("[{{\"Config\":\"{config}\",\"RepoTags\":[\"a:b\"],\"Layers\":[]}}]");
    for (config, kind, to) in [
        ("pipe", EntryType::Fifo, ""),
        ("link", SYMLINK, "/etc/passwd"),
        ("up", SYMLINK, "../../../../index.json"),
        ("../../index.json", DIR, ""),
        ("folder", DIR, ""),
    ] {
        let text = index(config);
        let name = if config.starts_with("..") { "other" } else { config };
        let bytes = archive(&[(kind, name, to, b""), (FILE, "manifest.json", "", text.as_bytes())]);
        let state = tempfile::tempdir().unwrap();
        let store = Store::open(state.path()).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(store.load(&bytes[..]).map_err(|e| e.to_string())).unwrap());
        let done = receiver.recv_timeout(std::time::Duration::from_secs(30));
        let words = done.unwrap_or_else(|_| panic!("{config} is waited for")).unwrap_err();
        assert!(!words.contains("root:"), "{config}: {words}");
    }
}

#[test]
fn holes_count_as_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let sparse = dir.path().join("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(8 << 30).unwrap();
    let tar = std::process::Command::new("tar")
        .args(["-S", "-cf", "-", "-C"])
        .arg(dir.path())
        .arg("sparse")
        .output()
        .unwrap();
    assert!(tar.stdout.len() < 1 << 20);
    let few = Limits { bytes: 1 << 30, ..Limits::default() };
    let tree = fresh();
    let words = unpack(&tar.stdout[..], &tree.path().join("tree"), few).unwrap_err().to_string();
    assert!(words.contains("sparse"), "{words}");
}

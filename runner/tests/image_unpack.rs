//! A layer is hostile: what leads out of the image is refused or stays inside, and what grows without end is stopped.

#![allow(clippy::unwrap_used)]

use sandlot::image::{Limits, unpack};
use std::io::Write;
use std::path::Path;
use tar::{Builder, EntryType, Header};

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o4755);
    header.set_size(size);
    header.set_mtime(1_000_000_000);
    header.set_uid(7);
    header.set_gid(8);
    header
}

/// An entry with exactly that name, which the builder itself would refuse.
fn raw(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, bytes: &[u8]) {
    let mut header = header(kind, bytes.len() as u64);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

fn layer(entries: &[(EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, link, bytes) in entries {
        raw(&mut tar, *kind, name, link, bytes);
    }
    tar.into_inner().unwrap()
}

/// Unpacks into `dir/tree`; `dir` holds a canary that must stay as it is.
fn run(dir: &Path, layer: &[u8]) -> Result<sandlot::image::Digest, String> {
    std::fs::create_dir_all(dir.join("tree")).unwrap();
    std::fs::write(dir.join("canary"), "alive").unwrap();
    let done = unpack(layer, &dir.join("tree"), Limits::default()).map_err(|e| e.to_string());
    assert_eq!(std::fs::read_to_string(dir.join("canary")).unwrap(), "alive");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 2, "something was made outside");
    done
}

#[test]
fn paths_that_lead_out_are_errors() {
    for name in ["../canary", "/canary", "a/../../canary"] {
        let dir = tempfile::tempdir().unwrap();
        let words = run(dir.path(), &layer(&[(EntryType::Regular, name, "", b"evil")])).unwrap_err();
        assert!(words.contains("leads out of the image") && words.contains("canary"), "{words}");
    }
}

#[test]
fn links_as_parents_stay_inside() {
    for to in ["..", "../..", "/", "/proc/self/cwd"] {
        let dir = tempfile::tempdir().unwrap();
        let layer =
            layer(&[(EntryType::Symlink, "up", to, b""), (EntryType::Regular, "up/canary", "", b"evil")]);
        // Either it lands inside, or it is refused; `run` saw that nothing outside changed.
        run(dir.path(), &layer).map(drop).unwrap_or_default();
    }
}

#[test]
fn hard_links_out_of_the_tree_are_errors() {
    for to in ["../canary", "/etc/passwd", "missing"] {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &layer(&[(EntryType::Link, "stolen", to, b"")])).unwrap_err();
        assert!(!dir.path().join("tree/stolen").exists());
    }
    // Through a link that was planted before.
    let dir = tempfile::tempdir().unwrap();
    let planted =
        layer(&[(EntryType::Symlink, "d", "..", b""), (EntryType::Link, "stolen", "d/canary", b"")]);
    run(dir.path(), &planted).unwrap_err();
}

#[test]
fn a_file_through_a_link_replaces_the_link() {
    let dir = tempfile::tempdir().unwrap();
    let layer = layer(&[(EntryType::Symlink, "x", "../canary", b""), (EntryType::Regular, "x", "", b"mine")]);
    run(dir.path(), &layer).unwrap();
    let made = dir.path().join("tree/x");
    assert!(made.symlink_metadata().unwrap().is_file());
    assert_eq!(std::fs::read_to_string(made).unwrap(), "mine");
}

#[test]
fn devices_are_left_out_and_the_rest_is_exact() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let layer = layer(&[
        (EntryType::Block, "disk", "", b""),
        (EntryType::Char, "mem", "", b""),
        (EntryType::Directory, "d", "", b""),
        (EntryType::Regular, "d/suid", "", b"text"),
    ]);
    run(dir.path(), &layer).unwrap();
    let tree = dir.path().join("tree");
    assert!(!tree.join("disk").exists() && !tree.join("mem").exists());
    for path in ["d", "d/suid"] {
        let meta = tree.join(path).symlink_metadata().unwrap();
        assert_eq!(
            (meta.mode() & 0o7777, meta.uid(), meta.gid(), meta.mtime()),
            (0o4755, 7, 8, 1_000_000_000),
            "{path}"
        );
    }
}

#[test]
fn whiteouts_become_overlays_own_and_of_nothing_are_fine() {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let dir = tempfile::tempdir().unwrap();
    let layer =
        layer(&[(EntryType::Regular, ".wh.gone", "", b""), (EntryType::Regular, "d/.wh..wh..opq", "", b"")]);
    run(dir.path(), &layer).unwrap();
    let gone = dir.path().join("tree/gone").symlink_metadata().unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    let mut value = [0u8; 8];
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        let n = rustix::fs::getxattr(dir.path().join("tree/d"), name, &mut value).unwrap();
        assert_eq!(&value[..n], b"y");
    }
    for name in [".wh...", ".wh.", ".wh..wh.plnk"] {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &self::layer(&[(EntryType::Regular, name, "", b"")])).unwrap_err();
    }
}

#[test]
fn ten_thousand_entries_of_one_name_leave_one() {
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<_> = (0..10_000).map(|_| (EntryType::Regular, "same", "", &b"x"[..])).collect();
    run(dir.path(), &layer(&entries)).unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("tree")).unwrap().count(), 1);
}

#[test]
fn a_bomb_is_stopped_and_a_cut_archive_is_an_error() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let size = 1u64 << 30;
    let mut head = header(EntryType::Regular, size);
    head.set_path("zeroes").unwrap();
    head.set_cksum();
    bomb.write_all(head.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), size), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert!(run(dir.path(), &bomb).unwrap_err().contains("times its packed size"));

    let mut whole = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    whole.write_all(&layer(&[(EntryType::Regular, "file", "", &[b'x'; 100_000])])).unwrap();
    let whole = whole.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &whole[..whole.len() - 20]).unwrap_err();
}

#[test]
fn entries_and_bytes_are_bounded() {
    let few = Limits { entries: 10, bytes: 1 << 20, ..Limits::default() };
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let many: Vec<_> = names.iter().map(|n| (EntryType::Regular, n.as_str(), "", &b""[..])).collect();
    assert!(
        unpack(&layer(&many)[..], dir.path(), few).unwrap_err().to_string().contains("more than 10 entries")
    );
    let big = vec![b'x'; 2 << 20];
    let big = layer(&[(EntryType::Regular, "big", "", &big)]);
    assert!(unpack(&big[..], dir.path(), few).unwrap_err().to_string().contains("unpacking"));
}

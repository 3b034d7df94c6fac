//! What is packed and put again is the same; what is hostile leads nowhere.

use super::*;
use crate::image::place::{Kinds, Placing, place};
use std::os::unix::fs::{MetadataExt, symlink};

const PLAIN: Packing = Packing { base: 0, signs: Signs::Plain, borders: Borders::Closed };
const PUT: Placing<'static> = Placing { base: 0, owner: None, kinds: Kinds::Kept, name: None };

fn open(path: &Path) -> OwnedFd {
    File::open(path).unwrap().into()
}

fn packed(path: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    all(open(path).as_fd(), PLAIN, &mut out).unwrap();
    out
}

#[test]
fn what_is_packed_and_put_is_the_same() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let long = "n".repeat(120);
    std::fs::create_dir_all(from.path().join("a").join(&long)).unwrap();
    std::fs::write(from.path().join("a").join(&long).join("file"), "content").unwrap();
    std::fs::hard_link(from.path().join("a").join(&long).join("file"), from.path().join("twin")).unwrap();
    symlink("t".repeat(150), from.path().join("link")).unwrap();
    place(&packed(from.path())[..], open(to.path()).as_fd(), Path::new(""), PUT).unwrap();
    let file = to.path().join("a").join(&long).join("file");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "content");
    assert_eq!(file.metadata().unwrap().ino(), to.path().join("twin").metadata().unwrap().ino());
    assert_eq!(to.path().join("link").read_link().unwrap(), Path::new(&"t".repeat(150)));
    assert_eq!(packed(from.path()), packed(to.path()));
}

#[test]
fn a_link_in_the_target_leads_nowhere_but_into_the_root() {
    let (from, root, outside) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(from.path().join("dir")).unwrap();
    std::fs::write(from.path().join("dir/file"), "x").unwrap();
    std::fs::create_dir_all(root.path().join("in").join(outside.path().strip_prefix("/").unwrap())).unwrap();
    let mut out = Vec::new();
    all(open(from.path()).as_fd(), PLAIN, &mut out).unwrap();
    // The place itself is a link to the outside: inside the root that is not there.
    symlink(outside.path(), root.path().join("place")).unwrap();
    assert!(place(&out[..], open(root.path()).as_fd(), Path::new("/place"), PUT).is_err());
    // A directory of the archive meets a link to the outside.
    symlink(outside.path(), root.path().join("dir")).unwrap();
    assert!(place(&out[..], open(root.path()).as_fd(), Path::new("/"), PUT).is_err());
    let replaced = Placing { kinds: Kinds::Replaced, ..PUT };
    place(&out[..], open(root.path()).as_fd(), Path::new("/"), replaced).unwrap();
    assert!(root.path().join("dir/file").symlink_metadata().unwrap().is_file());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn entries_that_lead_out_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut archive = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..9].copy_from_slice(b"../escape");
    header.set_size(0);
    header.set_cksum();
    archive.append(&header, io::empty()).unwrap();
    let bytes = archive.into_inner().unwrap();
    let said = place(&bytes[..], open(root.path()).as_fd(), Path::new("/"), PUT).unwrap_err().to_string();
    assert!(said.contains("leads out"), "{said}");
}

#[test]
fn one_has_the_name_that_is_asked_for() {
    let from = tempfile::tempdir().unwrap();
    std::fs::write(from.path().join("file"), "x").unwrap();
    let names = |name: &str, shown: &str| {
        let mut out = Vec::new();
        one(open(from.path()).as_fd(), OsStr::new(name), Path::new(shown), PLAIN, &mut out).unwrap();
        let mut archive = tar::Archive::new(&out[..]);
        let names = archive.entries().unwrap().map(|e| e.unwrap().path_bytes().into_owned());
        names.map(|n| String::from_utf8(n).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names("file", "other"), ["other"]);
    assert_eq!(names(".", "."), ["./", "./file"]);
    let missing = one(open(from.path()).as_fd(), OsStr::new("no"), Path::new("no"), PLAIN, Vec::new());
    assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn the_signs_of_an_overlay_become_those_of_a_layer() {
    let from = tempfile::tempdir().unwrap();
    let upper = open(from.path());
    std::fs::create_dir(from.path().join("dir")).unwrap();
    let whiteout = rustix::fs::mknodat(&upper, "gone", FileType::CharacterDevice, Mode::empty(), 0);
    let opaque = rustix::fs::setxattr(
        from.path().join("dir"),
        "trusted.overlay.opaque",
        b"y",
        rustix::fs::XattrFlags::empty(),
    );
    if whiteout.is_err() || opaque.is_err() {
        eprintln!("not tested: making overlayfs's signs takes root and a filesystem with trusted attributes");
        return;
    }
    let mut out = Vec::new();
    all(upper.as_fd(), Packing { signs: Signs::Layer, ..PLAIN }, &mut out).unwrap();
    let mut archive = tar::Archive::new(&out[..]);
    let names: Vec<PathBuf> =
        archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
    assert_eq!(names, [Path::new("dir/"), Path::new("dir/.wh..wh..opq"), Path::new(".wh.gone")]);
}

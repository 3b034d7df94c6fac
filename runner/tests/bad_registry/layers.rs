//! Hostile layers, through the whole of a pull: the error names the layer and what is in it, and the store is as before.
//!
//! What unpacking itself does with entries of each kind is in `image_unpack.rs`.

use crate::images::{Content, Image, Item, Layer, file, gzip, noise, tar};
use crate::registry::Registry;
use crate::stage::{Stage, says};
use sandlot::image::Limits;
use tar::{Builder, EntryType, Header};

/// Pulls an image with a good layer and this one.
async fn refused(stage: &Stage, layer: &Layer, words: &[&str]) {
    let image = Image::of(vec![Layer::of(&file("good", b"good")), layer.clone()]);
    let registry = Registry::good(Content::of(&image)).await;
    let said = stage.fails(&registry, "app").await;
    says(&said, &[&layer.digest().to_string()]);
    says(&said, words);
}

fn of(items: &[Item<'_>]) -> Layer {
    Layer::of(&tar(items))
}

#[tokio::test]
async fn entries_that_lead_out() {
    let stage = Stage::new();
    for name in ["../evil", "/evil", "a/../../evil"] {
        refused(&stage, &of(&[(EntryType::Regular, name, "", b"evil")]), &[name, "leads out"]).await;
    }
    for to in ["../../blobs", "/etc/passwd"] {
        refused(&stage, &of(&[(EntryType::Link, "stolen", to, b"")]), &[to, "leads out"]).await;
    }
    let missing = of(&[(EntryType::Link, "stolen", "missing", b"")]);
    refused(&stage, &missing, &["stolen", "No such file"]).await;
    refused(&stage, &of(&[(EntryType::Regular, ".wh...", "", b"")]), &[".wh...", "leads out"]).await;
    let file_as_parent =
        of(&[(EntryType::Regular, "file", "", b""), (EntryType::Regular, "file/below", "", b"")]);
    refused(&stage, &file_as_parent, &["file", "Not a directory"]).await;
}

#[tokio::test]
async fn links_that_lead_out_stay_inside() {
    let stage = Stage::new();
    let before = stage.listing();
    let up = "../../../../../../../../..";
    let layer = of(&[
        (EntryType::Symlink, "up", up, b""),
        (EntryType::Regular, "up/sandlot-evil", "", b"evil"),
        (EntryType::Symlink, "root", "/", b""),
        (EntryType::Regular, "root/tmp/sandlot-evil", "", b"evil"),
    ]);
    let registry = Registry::good(Content::of(&Image::of(vec![layer]))).await;
    let pulled = stage.pull(&registry, "app").await.unwrap();
    assert!(
        pulled.layers[0].join("sandlot-evil").is_file()
            && pulled.layers[0].join("tmp/sandlot-evil").is_file()
    );
    for outside in ["/sandlot-evil", "/tmp/sandlot-evil"] {
        assert!(!std::path::Path::new(outside).exists(), "{outside}");
    }
    stage.store.remove(&pulled.id.to_string(), sandlot::image::Force::Yes, |_| None).unwrap();
    let mut after = stage.listing();
    let index = before.keys().find(|k| k.ends_with("index.json"));
    // An index that was never written, and one that names nothing, are the same.
    if index.is_none() {
        after.retain(|name, _| !name.ends_with("index.json"));
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn archives_that_are_cut_or_damaged() {
    let stage = Stage::new();
    let whole = Layer::of(&file("noise", &noise(1, 100_000)));
    for length in [whole.packed.len() - 1, whole.packed.len() / 2, 20] {
        let cut = Layer { packed: whole.packed[..length].to_vec(), ..whole.clone() };
        refused(&stage, &cut, &["unpacking"]).await;
    }
    let mut damaged = whole.clone();
    damaged.packed[50_000] ^= 0xff;
    refused(&stage, &damaged, &["unpacking"]).await;
    let mut trailing = whole.clone();
    trailing.packed.extend(b"and more");
    refused(&stage, &trailing, &["unpacking"]).await;
    let plain = file("noise", &noise(1, 100_000));
    let cut = Layer { packed: plain[..50_000].to_vec(), ..Layer::of(&plain) };
    refused(&stage, &cut, &["unpacking"]).await;
}

#[tokio::test]
async fn a_bomb_is_stopped_by_what_it_claims_and_by_what_is_allowed() {
    let mut stage = Stage::new();
    let zeroes = Layer::of(&file("zeroes", &vec![0; 128 << 20]));
    refused(&stage, &zeroes, &["times its packed size"]).await;
    stage.store = stage.store.limited(Limits { bytes: 1 << 20, ..Limits::default() });
    let large = Layer::of(&file("large", &vec![0; 2 << 20]));
    refused(&stage, &large, &["more than 1048576 bytes"]).await;
    stage.store = stage.store.limited(Limits { entries: 10, ..Limits::default() });
    let many = Layer::of(&tar(&[(EntryType::Regular, "same", "", &b""[..]); 11]));
    refused(&stage, &many, &["more than 10 entries"]).await;
    // Without the bounds all of it is unpacked: a gigabyte would be as well.
    let free = Limits { bytes: 1 << 40, entries: 1 << 40, ratio: 1 << 20 };
    for (layer, name, bytes) in [(zeroes, "zeroes", 128 << 20), (large, "large", 2 << 20), (many, "same", 0)]
    {
        let mut stage = Stage::new();
        stage.store = stage.store.limited(free);
        let registry = Registry::good(Content::of(&Image::of(vec![layer]))).await;
        let layers = stage.pull(&registry, "app").await.unwrap().layers;
        assert_eq!(layers[0].join(name).metadata().unwrap().len(), bytes, "{name}");
    }
}

fn octal(field: &mut [u8; 12], number: u64) {
    field.copy_from_slice(format!("{number:011o}\0").as_bytes());
}

/// A file of holes filled the disk: only the archive's own bytes were counted.
#[tokio::test]
async fn a_bomb_of_holes() {
    let stage = Stage::new();
    let size = 4u64 << 30;
    let mut header = Header::new_gnu();
    header.set_path("holes").unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    let gnu = header.as_gnu_mut().unwrap();
    octal(&mut gnu.realsize, size);
    octal(&mut gnu.sparse[0].offset, size);
    octal(&mut gnu.sparse[0].numbytes, 0);
    header.set_cksum();
    let mut tar = Builder::new(Vec::new());
    tar.append(&header, &b""[..]).unwrap();
    refused(&stage, &Layer::of(&tar.into_inner().unwrap()), &["holes", "times its packed size"]).await;
}

/// A name or an attribute is held in memory: one of a gigabyte was read to its end.
#[tokio::test]
async fn a_name_of_megabytes() {
    let stage = Stage::new();
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let long = [(kind, "name", "", &[b'x'; 4 << 20][..]), (EntryType::Regular, "file", "", b"")];
        refused(&stage, &of(&long), &["the header of an entry is longer than"]).await;
    }
}

/// Deleting takes a descriptor for each level: a layer could be made that could not be deleted.
#[tokio::test]
async fn directories_without_bottom() {
    let stage = Stage::new();
    let mut plain = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    plain.append_data(&mut header, "d/".repeat(2000) + "f", &b""[..]).unwrap();
    refused(&stage, &Layer::of(&plain.into_inner().unwrap()), &["deeper than 256"]).await;
    // By links, each of which leads deeper.
    let down = "/d".repeat(40);
    let names: Vec<String> = (0..40).map(|n| format!("l{n}")).collect();
    let mut items: Vec<(EntryType, String, String)> =
        vec![(EntryType::Directory, "top".into(), String::new())];
    for (n, name) in names.iter().enumerate() {
        let above = if n == 0 { "top".to_owned() } else { names[n - 1].clone() };
        items.push((EntryType::Directory, format!("{above}{down}"), String::new()));
        items.push((EntryType::Symlink, name.clone(), format!("{above}{down}")));
    }
    let items: Vec<Item<'_>> = items.iter().map(|(k, n, l)| (*k, &n[..], &l[..], &b""[..])).collect();
    refused(&stage, &of(&items), &["deeper than 256"]).await;
}

/// Something that is no archive at all is not mistaken for an empty one.
#[tokio::test]
async fn no_archive() {
    let stage = Stage::new();
    let text = noise(3, 10_000);
    let layer = Layer { packed: gzip(&text), ..Layer::of(&text) };
    refused(&stage, &layer, &["unpacking"]).await;
}

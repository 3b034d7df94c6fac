//! The registry side by itself: what a push needs stays, what nobody needs goes, and nobody takes more than their share.

use super::*;
use bytes::Bytes;
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;

const EVERYBODY: Who<'_> = Who { owner: None };
const ANN: Who<'_> = Who { owner: Some("ann") };
const BOB: Who<'_> = Who { owner: Some("bob") };
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn registry(bounds: Bounds) -> (tempfile::TempDir, Distribution) {
    let dir = tempfile::tempdir().unwrap();
    let distribution = Distribution::new(Store::open(dir.path()).unwrap(), bounds, Vec::new());
    (dir, distribution)
}

async fn push(d: &Distribution, who: Who<'_>, name: &str, bytes: &[u8]) -> Result<Digest, Error> {
    let begun = d.begin_upload(who, name)?;
    let body = stream::iter(vec![Ok::<_, Infallible>(Bytes::copy_from_slice(bytes))]);
    d.append(who, name, &begun.id, Some(0), body).await?;
    d.finish_upload(who, name, &begun.id, Digest::of(bytes)).await?;
    Ok(Digest::of(bytes))
}

fn manifest(blobs: &[&[u8]], more: &str) -> Vec<u8> {
    let named = |bytes: &[u8], kind: &str| {
        let (digest, size) = (Digest::of(bytes), bytes.len());
        format!("{{\"mediaType\":\"{kind}\",\"digest\":\"{digest}\",\"size\":{size}}}")
    };
    let config = named(blobs[0], CONFIG);
    let layers: Vec<String> = blobs[1..].iter().map(|b| named(b, "application/x")).collect();
    let layers = layers.join(",");
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"config\":{config},\"layers\":[{layers}]{more}}}"
    )
    .into_bytes()
}

fn tag(tag: &str) -> Key {
    Key::Tag(tag.to_owned())
}

#[tokio::test]
async fn what_was_pushed_is_there_after_a_restart_and_belongs_to_who_pushed_it() {
    let (dir, d) = registry(Bounds::default());
    push(&d, ANN, "class/app", b"{}").await.unwrap();
    push(&d, ANN, "class/app", b"layer").await.unwrap();
    let bytes = manifest(&[b"{}", b"layer"], "");
    let put = d.put_manifest(ANN, "class/app", &tag("1"), Some(MANIFEST), &bytes).unwrap();
    assert!(matches!(d.begin_upload(BOB, "class/app"), Err(Error::Denied(_))));
    assert!(matches!(d.delete_manifest(BOB, "class/app", &tag("1")), Err(Error::Denied(_))));
    drop(d);
    // Opening removes what nobody needs.
    let d = Distribution::new(Store::open(dir.path()).unwrap(), Bounds::default(), Vec::new());
    let served = d.manifest("class/app", &tag("1")).await.unwrap();
    assert_eq!((served.bytes, served.digest), (bytes, put.digest));
    assert_eq!(d.blob("class/app", Digest::of(b"layer")).await.unwrap().size, 5);
    assert!(matches!(d.begin_upload(BOB, "class/app"), Err(Error::Denied(_))));
    assert_eq!(d.overview(Some(&["class"]))[0].tags[0].name, "1");
    assert!(d.overview(Some(&["other"])).is_empty());
    // Whoever runs the registry may.
    d.delete_manifest(EVERYBODY, "class/app", &Key::Digest(put.digest)).unwrap();
    assert!(d.manifest("class/app", &tag("1")).await.is_err());
}

#[tokio::test]
async fn a_lie_about_a_digest_or_a_size_or_a_blob_that_is_not_there_is_refused_and_leaves_nothing() {
    let (_dir, d) = registry(Bounds::default());
    let begun = d.begin_upload(ANN, "class/x").unwrap();
    let body = stream::iter(vec![Ok::<_, Infallible>(Bytes::from_static(b"truth"))]);
    d.append(ANN, "class/x", &begun.id, None, body).await.unwrap();
    let lie = d.finish_upload(ANN, "class/x", &begun.id, Digest::of(b"lie")).await;
    assert!(matches!(lie, Err(Error::DigestWrong { .. })), "{lie:?}");
    assert!(matches!(d.upload(ANN, "class/x", &begun.id), Err(Error::UploadUnknown)));
    let missing = manifest(&[b"{}", b"layer"], "");
    let refused = d.put_manifest(ANN, "class/x", &tag("1"), Some(MANIFEST), &missing);
    assert!(matches!(refused, Err(Error::NamesUnknown(_))), "{refused:?}");
    push(&d, ANN, "class/x", b"{}").await.unwrap();
    let wrong = String::from_utf8(manifest(&[b"{}"], "")).unwrap().replace("\"size\":2", "\"size\":3");
    let refused = d.put_manifest(ANN, "class/x", &tag("1"), Some(MANIFEST), wrong.as_bytes());
    assert!(matches!(refused, Err(Error::ManifestInvalid(_))), "{refused:?}");
    let Ok(Page { names, .. }) = d.tags("class/x", None, None) else { panic!("no such repository") };
    assert!(names.is_empty());
    for name in ["", "Class/x", "class//x", "class/../x", "_tags", "class/_blobs/x", "class/x:1", "class/x@y"]
    {
        assert!(matches!(d.begin_upload(ANN, name), Err(Error::NameInvalid(_))), "{name}");
    }
}

#[tokio::test]
async fn garbage_is_collected_over_and_over_while_pushes_go_on_and_takes_nothing_of_theirs() {
    let (_dir, d) = registry(Bounds { grace: Duration::from_secs(3600), ..Bounds::default() });
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let sweeping = {
        let (d, stop) = (d.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut rounds = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                d.sweep().unwrap();
                rounds += 1;
            }
            rounds
        })
    };
    for n in 0..60u32 {
        let (config, layer) = (format!("{{\"n\":{n}}}"), format!("layer {n}"));
        let name = format!("class/app-{}", n % 7);
        push(&d, ANN, &name, config.as_bytes()).await.unwrap();
        push(&d, ANN, &name, layer.as_bytes()).await.unwrap();
        let bytes = manifest(&[config.as_bytes(), layer.as_bytes()], "");
        d.put_manifest(ANN, &name, &tag(&format!("v{n}")), Some(MANIFEST), &bytes).unwrap();
        assert_eq!(d.manifest(&name, &tag(&format!("v{n}"))).await.unwrap().bytes, bytes);
        assert_eq!(d.blob(&name, Digest::of(layer.as_bytes())).await.unwrap().size, layer.len() as u64);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(sweeping.join().unwrap() > 1, "nothing was swept meanwhile");
}

#[tokio::test]
async fn what_nothing_names_goes_after_its_time_and_what_something_names_stays() {
    let now = Bounds { grace: Duration::ZERO, upload: Duration::ZERO, ..Bounds::default() };
    let (_dir, d) = registry(now);
    let names: [&[u8]; 3] = [b"{}", b"layer", b"orphan"];
    for blob in names {
        push(&d, ANN, "class/x", blob).await.unwrap();
    }
    let image = manifest(&[b"{}", b"layer"], "");
    let image_digest = d.put_manifest(ANN, "class/x", &tag("1"), Some(MANIFEST), &image).unwrap().digest;
    let about = format!(
        ",\"subject\":{{\"mediaType\":\"{MANIFEST}\",\"digest\":\"{image_digest}\",\"size\":{}}},\"artifactType\":\"a/b\"",
        image.len()
    );
    let about = manifest(&[b"{}"], &about);
    let about_digest = Digest::of(&about);
    d.put_manifest(ANN, "class/x", &Key::Digest(about_digest), Some(MANIFEST), &about).unwrap();
    let referrers = d.referrers("class/x", image_digest).unwrap();
    assert_eq!(referrers.len(), 1);
    assert_eq!((referrers[0].digest(), referrers[0].artifact_type.as_deref()), (about_digest, Some("a/b")));
    d.begin_upload(ANN, "class/x").unwrap();
    let swept = d.sweep().unwrap();
    assert_eq!(swept, Swept { uploads: 1, manifests: 0, blobs: 1 });
    assert!(!d.store.blob(&Digest::of(b"orphan")).exists());
    // The tag moves on: the image and what is about it go, in two rounds.
    let newer = manifest(&[b"{}"], ",\"annotations\":{\"n\":\"2\"}");
    d.put_manifest(ANN, "class/x", &tag("1"), Some(MANIFEST), &newer).unwrap();
    assert_eq!(d.sweep().unwrap().manifests, 1);
    assert_eq!(d.sweep().unwrap().manifests, 1);
    assert!(!d.store.blob(&Digest::of(b"layer")).exists(), "the file of a blob that nothing names is gone");
    assert!(d.store.blob(&Digest::of(b"{}")).exists());
    d.delete_manifest(ANN, "class/x", &Key::Digest(Digest::of(&newer))).unwrap();
    d.sweep().unwrap();
    // The name is anybody's again.
    assert!(d.begin_upload(BOB, "class/x").is_ok());
}

#[tokio::test]
async fn a_student_fills_their_own_share_and_no_more() {
    let (_dir, d) =
        registry(Bounds { person: 4 << 20, repositories: 2, space: 6 << 20, ..Bounds::default() });
    let big = |byte: u8| vec![byte; 3 << 20];
    push(&d, ANN, "class/a", &big(1)).await.unwrap();
    let full = push(&d, ANN, "class/a", &big(2)).await;
    assert!(matches!(&full, Err(Error::Full(words)) if words.contains("delete some first")), "{full:?}");
    assert!(d.begin_upload(ANN, "class/a").is_ok(), "what does not fit is told when it comes");
    push(&d, ANN, "class/b", b"small").await.unwrap();
    assert!(matches!(d.begin_upload(ANN, "class/c"), Err(Error::Full(_))), "a third repository");
    push(&d, BOB, "class/d", b"a neighbour goes on").await.unwrap();
    let space = push(&d, BOB, "class/d", &big(3)).await;
    assert!(matches!(&space, Err(Error::Full(words)) if words.contains("name space class")), "{space:?}");
    push(&d, BOB, "other/d", &big(3)).await.unwrap();
}

#[tokio::test]
async fn ten_thousand_tags_are_listed_in_pages_and_bounded() {
    let (_dir, d) = registry(Bounds { manifests: 10_000, ..Bounds::default() });
    push(&d, ANN, "class/many", b"{}").await.unwrap();
    let bytes = manifest(&[b"{}"], "");
    for n in 0..10_000 {
        d.put_manifest(ANN, "class/many", &tag(&format!("t{n:05}")), Some(MANIFEST), &bytes).unwrap();
    }
    let one_more = d.put_manifest(ANN, "class/many", &tag("x"), Some(MANIFEST), &bytes);
    assert!(matches!(one_more, Err(Error::Full(_))), "{one_more:?}");
    let (mut all, mut last) = (Vec::new(), None::<String>);
    loop {
        let page = d.tags("class/many", last.as_deref(), Some(999)).unwrap();
        assert!(page.names.len() <= 999);
        all.extend(page.names);
        last = all.last().cloned();
        if page.more == More::None {
            break;
        }
    }
    assert_eq!(all.len(), 10_000);
    assert!(all.is_sorted());
    assert!(d.tags("class/many", None, Some(0)).unwrap().names.is_empty());
}

#[tokio::test]
async fn blobs_of_the_engines_images_need_no_push_and_kept_work_is_nobodys() {
    let (_dir, d) = registry(Bounds::default());
    let image = d.store.resolve(crate::image::starter::NAME).unwrap();
    assert_eq!(d.mount(ANN, "class/x", image.id, None).unwrap(), Mounted::Yes);
    assert_eq!(d.mount(ANN, "class/x", Digest::of(b"nothing"), Some("class/y")).unwrap(), Mounted::No);
    let kept = format!("{}0123", sandlot_wire::KEPT).parse().unwrap();
    d.store.tag(crate::image::starter::NAME, &kept).unwrap();
    assert!(d.blob("class/new", image.id).await.is_ok(), "it has another name as well");
    d.store.remove(crate::image::starter::NAME, crate::image::Force::No, |_| None).unwrap();
    assert!(matches!(d.blob("class/new", image.id).await, Err(Error::BlobUnknown { .. })));
}

//! A name space that is a copy of another registry: each thing is fetched once, whole, and what the other has not, is not here.

use crate::images::{Content, Image};
use crate::registry::{Registry, cut, status};
use crate::stage::Stage;
use sandlot::image::Digest;
use sandlot::image::distribution::{Bounds, Distribution, Error, Key, Mirror};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

fn copy_of(stage: &Stage, registry: &Registry) -> Distribution {
    let mirror = Mirror { space: "hub".into(), host: registry.host(), insecure: Vec::new() };
    Distribution::new(stage.store.clone(), Bounds::default(), vec![mirror])
}

/// A client's pull: the manifest, then its blobs.
async fn pulled(copy: &Distribution, image: &Image) -> Result<(), Error> {
    let key = Key::Tag("latest".to_owned());
    let served = copy.manifest("hub/app", &key).await?;
    assert_eq!(served.bytes, image.bytes());
    for blob in [image.id(), image.layers[0].digest()] {
        let (mut found, mut bytes) = (copy.blob("hub/app", blob).await?, Vec::new());
        found.file.read_to_end(&mut bytes).unwrap();
        assert_eq!(Digest::of(&bytes), blob);
    }
    Ok(())
}

#[tokio::test]
async fn a_class_that_pulls_one_image_together_has_it_fetched_once() {
    let (stage, image) = (Stage::new(), Image::simple("app"));
    let registry = Registry::good(Content::of(&image)).await;
    let copy = copy_of(&stage, &registry);
    let class = (0..50).map(|_| pulled(&copy, &image));
    for one in futures_util::future::join_all(class).await {
        one.unwrap();
    }
    for path in ["manifests/latest".to_owned(), format!("blobs/{}", image.layers[0].digest())] {
        let asked = registry.seen().into_iter().filter(|seen| seen.path.ends_with(&path)).count();
        assert_eq!(asked, 1, "{path}");
    }
    // Gone is the other registry; here it stays, also for who starts anew.
    drop(registry);
    pulled(&copy, &image).await.unwrap();
}

#[tokio::test]
async fn what_breaks_off_or_is_another_thing_is_not_kept() {
    let (stage, image) = (Stage::new(), Image::simple("app"));
    let layer = image.layers[0].packed.clone();
    let digest = image.layers[0].digest();
    let spoilt = std::sync::Arc::new(AtomicBool::new(true));
    let is_spoilt = std::sync::Arc::clone(&spoilt);
    let registry = Registry::start(Content::of(&image), move |seen| {
        if seen.path.ends_with("/manifests/none") {
            return Some(status(404));
        }
        let mut wrong = layer.clone();
        wrong[0] ^= 1;
        (seen.wants(&digest) && is_spoilt.load(Ordering::Relaxed))
            .then(|| crate::registry::with(200, &[], wrong.into()))
    })
    .await;
    let copy = copy_of(&stage, &registry);
    let refused = pulled(&copy, &image).await.unwrap_err();
    assert!(matches!(&refused, Error::Store(sandlot::image::Error::Wrong { .. })), "{refused}");
    assert!(!stage.dir.path().join("images/blobs").join(digest.hex()).exists());
    let none = copy.manifest("hub/app", &Key::Tag("none".to_owned())).await.unwrap_err();
    assert!(matches!(none, Error::ManifestUnknown { .. }), "{none}");
    spoilt.store(false, Ordering::Relaxed);
    pulled(&copy, &image).await.unwrap();
}

#[tokio::test]
async fn a_blob_that_breaks_off_goes_on_where_it_broke() {
    let (stage, image) = (Stage::new(), Image::simple("app"));
    let (layer, digest) = (image.layers[0].packed.clone(), image.layers[0].digest());
    let registry = Registry::start(Content::of(&image), move |seen| {
        (seen.wants(&digest) && seen.before == 0).then(|| cut(&layer[..10], layer.len()))
    })
    .await;
    pulled(&copy_of(&stage, &registry), &image).await.unwrap();
    assert_eq!(registry.asked_for(&digest).len(), 2);
}

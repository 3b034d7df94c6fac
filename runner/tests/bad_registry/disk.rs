//! A disk that is full, at every point where something is written: a clear error, and everything as before.

use crate::images::{Content, Image, Layer, file, noise, tar};
use crate::registry::Registry;
use crate::stage::{Stage, says};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use sandlot::image::Force;
use sandlot::image::Store;
use serde_json::json;
use std::ffi::CString;
use std::io::Write;
use std::path::PathBuf;
use tar::EntryType;

/// A small filesystem in memory; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Below a stage whose store is opened again: it is on the small disk then.
    fn below(stage: &mut Stage, bytes: u64) -> Self {
        let path = stage.dir.path().join("small");
        std::fs::create_dir(&path).unwrap();
        let size = CString::new(format!("size={bytes}")).unwrap();
        // The test is run as root.
        mount("sandlot-test", &path, "tmpfs", MountFlags::empty(), Some(size.as_c_str())).unwrap();
        stage.store = Store::open(&path).unwrap();
        Self(path)
    }

    /// Fills it until so many pages are left.
    fn leave(&self, pages: u64) {
        let filler = self.0.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        let free = rustix::fs::statvfs(&self.0).unwrap().f_bavail;
        let page = [1; 4096];
        (0..free.saturating_sub(pages)).for_each(|_| file.write_all(&page).unwrap());
        assert_eq!(rustix::fs::statvfs(&self.0).unwrap().f_bavail, pages);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

/// The bytes of an image of two layers: three times as much as is left at most.
fn image() -> Image {
    Image::of(vec![Layer::of(&file("low", &noise(1, 40_000))), Layer::of(&file("high", &noise(2, 40_000)))])
}

/// Runs something with ever more room, until it does not fail; each time before, nothing may have changed.
async fn with_ever_more_room(mut run: impl AsyncFnMut(&Stage) -> Result<(), String>) {
    let mut stage = Stage::new();
    let disk = Disk::below(&mut stage, 8 << 20);
    let mut failed = 0;
    for pages in 0..400 {
        disk.leave(pages);
        let before = stage.listing();
        match run(&stage).await {
            Ok(()) => {
                assert!(failed > 10, "it was full {failed} times only");
                return;
            }
            Err(words) => {
                says(&words, &["No space left on device"]);
                assert!(words.contains("writing") || words.contains("unpacking"), "what is full? {words}");
                assert_eq!(stage.listing(), before, "with {pages} pages left: {words}");
                failed += 1;
            }
        }
    }
    panic!("it failed with 400 pages left");
}

/// A failed write of the index left `index.new`, and the configuration's blob.
#[tokio::test]
async fn while_pulling() {
    let registry = Registry::good(Content::of(&image())).await;
    with_ever_more_room(async |stage| {
        let image = stage.pull(&registry, "app").await?;
        assert_eq!(image.tags.len(), 1);
        assert_eq!(image.digests.len(), 1);
        assert_eq!(std::fs::read(image.layers[1].join("high")).unwrap(), noise(2, 40_000));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn while_loading() {
    let (image, low, high) = (image(), file("low", &noise(1, 40_000)), file("high", &noise(2, 40_000)));
    let manifest =
        json!([{ "Config": "config", "RepoTags": ["app:latest"], "Layers": ["low", "high"] }]).to_string();
    let archive = tar(&[
        (EntryType::Regular, "manifest.json", "", manifest.as_bytes()),
        (EntryType::Regular, "config", "", &image.config),
        (EntryType::Regular, "low", "", &low),
        (EntryType::Regular, "high", "", &high),
    ]);
    with_ever_more_room(async |stage| {
        stage.store.load(&archive[..]).map_err(|e| e.to_string())?;
        let loaded = stage.store.resolve("app").map_err(|e| e.to_string())?;
        assert_eq!(std::fs::read(loaded.layers[0].join("low")).unwrap(), noise(1, 40_000));
        Ok(())
    })
    .await;
}

/// An image is given another name, or untagged, while there is no room for the index.
#[tokio::test]
async fn while_naming() {
    let mut stage = Stage::new();
    let disk = Disk::below(&mut stage, 8 << 20);
    let registry = Registry::good(Content::of(&image())).await;
    stage.pull(&registry, "app").await.unwrap();
    disk.leave(0);
    let before = stage.listing();
    let name = format!("{}/app", registry.host());
    let words = stage.store.tag(&name, &"other".parse().unwrap()).unwrap_err().to_string();
    says(&words, &["writing the index of images", "No space left on device"]);
    let words = stage.store.remove(&name, Force::No, |_| None).unwrap_err().to_string();
    says(&words, &["writing the index of images", "No space left on device"]);
    assert_eq!(stage.listing(), before);
    assert_eq!(stage.store.resolve(&name).unwrap().tags, [format!("{}/app:latest", registry.host())]);
}

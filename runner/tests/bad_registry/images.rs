//! Images made of a few bytes: layers, configuration, manifest, and where a registry has them.

use flate2::write::GzEncoder;
use sandlot::image::Digest;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;
use tar::{Builder, EntryType, Header};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An entry of a layer: kind, name, link's target, content.
pub(crate) type Item<'a> = (EntryType, &'a str, &'a str, &'a [u8]);

/// A tar archive with exactly these names, which its builder itself would refuse.
pub(crate) fn tar(items: &[Item<'_>]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, link, bytes) in items {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An archive of one file.
pub(crate) fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    tar(&[(EntryType::Regular, name, "", bytes)])
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Bytes that do not compress, the same each time for one seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// A layer as it is in a registry.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) packed: Vec<u8>,
    pub(crate) diff_id: Digest,
    pub(crate) media_type: &'static str,
}

impl Layer {
    /// A gzip layer with this archive.
    pub(crate) fn of(tar: &[u8]) -> Self {
        Self { packed: gzip(tar), diff_id: Digest::of(tar), media_type: GZIP }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.packed)
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.packed.len() })
    }
}

/// An image in repository `app`; its parts can be changed before it is put somewhere.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) manifest: Value,
}

impl Image {
    pub(crate) fn of(layers: Vec<Layer>) -> Self {
        let diff_ids: Vec<Digest> = layers.iter().map(|l| l.diff_id).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/app"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::of(&config), "size": config.len(),
            },
            "layers": layers.iter().map(Layer::descriptor).collect::<Vec<_>>(),
        });
        Self { config, layers, manifest }
    }

    /// One layer with one file.
    pub(crate) fn simple(text: &str) -> Self {
        Self::of(vec![Layer::of(&file("app", text.as_bytes()))])
    }

    pub(crate) fn id(&self) -> Digest {
        Digest::of(&self.config)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.manifest.to_string().into_bytes()
    }
}

/// What a registry has: by path, the media type and the bytes.
#[derive(Clone, Default)]
pub(crate) struct Content(pub(crate) HashMap<String, (String, Vec<u8>)>);

impl Content {
    /// `app:latest` is this image.
    pub(crate) fn of(image: &Image) -> Self {
        Self::default().image("app", "latest", image)
    }

    pub(crate) fn image(self, repository: &str, tag: &str, image: &Image) -> Self {
        let mut all = self.document(repository, tag, OCI_MANIFEST, image.bytes());
        for layer in &image.layers {
            all = all.blob(repository, &layer.packed);
        }
        all.blob(repository, &image.config)
    }

    /// A manifest or an index, by tag and by digest.
    pub(crate) fn document(mut self, repository: &str, tag: &str, kind: &str, bytes: Vec<u8>) -> Self {
        for key in [Digest::of(&bytes).to_string(), tag.to_owned()] {
            self.0.insert(format!("/v2/{repository}/manifests/{key}"), (kind.to_owned(), bytes.clone()));
        }
        self
    }

    pub(crate) fn blob(mut self, repository: &str, bytes: &[u8]) -> Self {
        let path = format!("/v2/{repository}/blobs/{}", Digest::of(bytes));
        self.0.insert(path, ("application/octet-stream".to_owned(), bytes.to_vec()));
        self
    }
}

//! Images as archives, written: one that Docker's `load`, skopeo and any reader of OCI layouts take (both descriptions stand
//! over the same blobs).

use super::manifest::{Descriptor, Index, MAX_CONFIG, Manifest, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use super::packed::media_type;
use super::{Digest, Error, Image, Reference, Store};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use tar::{Builder, Header};

impl Store {
    /// Writes images, by name or id, as one archive to `out`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; what reading and writing answers.
    pub fn save(&self, keys: &[String], out: impl Write) -> Result<(), Error> {
        let mut wanted: BTreeMap<Digest, (Image, Vec<Reference>)> = BTreeMap::new();
        for key in keys {
            let image = self.resolve(key)?;
            let (_, names) = wanted.entry(image.id).or_insert_with(|| (image, Vec::new()));
            // Given by its id, an image is saved without a name.
            let name = key.parse::<Reference>().ok().filter(|r| r.tag().is_some() && !is_id(key));
            names.extend(name.filter(|name| !names.contains(name)));
        }
        let held = self.all_known().into_iter().filter(|(id, _)| wanted.contains_key(id));
        let _hold = self.hold(held.flat_map(|(_, known)| known.blobs.into_iter().chain(known.layers)));
        let mut archive = Archive { out: Builder::new(out), written: BTreeSet::new() };
        let (mut described, mut index) = (Vec::new(), Vec::new());
        for (image, names) in wanted.values() {
            let (manifest, one) = self.save_one(&mut archive, image, names)?;
            described.push(one);
            let bare = names.is_empty().then(BTreeMap::new);
            let annotated = names.iter().map(annotations).chain(bare);
            index.extend(annotated.map(|annotations| Descriptor { annotations, ..manifest.clone() }));
        }
        let index = Index { schema_version: 2, media_type: Some(OCI_INDEX.to_owned()), manifests: index };
        archive.file("index.json", &serde_json::to_vec(&index).map_err(io::Error::other)?)?;
        archive.file("manifest.json", Value::from(described).to_string().as_bytes())?;
        archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(archive.out.finish()?)
    }

    fn save_one<W: Write>(
        &self,
        archive: &mut Archive<W>,
        image: &Image,
        names: &[Reference],
    ) -> Result<(Descriptor, Value), Error> {
        let mut config = self.read_blob(&image.id, MAX_CONFIG)?;
        let diff_ids = super::store::diff_ids(&image.config)?;
        let mut layers = Vec::new();
        for (n, diff_id) in diff_ids.iter().enumerate() {
            let packed = self.packed(&image.id, n, diff_id)?;
            if packed.diff_id != *diff_id {
                // The bytes that it was made of are gone: it is the same tree in another order, under another name.
                let mut changed: Value = serde_json::from_slice(&config).map_err(io::Error::other)?;
                changed["rootfs"]["diff_ids"][n] = json!(packed.diff_id);
                config = changed.to_string().into_bytes();
            }
            let media_type = media_type(&packed.path)?;
            let size = archive.blob(&packed.digest, &packed.path)?;
            layers.push(Descriptor::new(&media_type, packed.digest, size));
        }
        let config = archive.bytes(OCI_CONFIG, &config)?;
        let paths: Vec<String> = layers.iter().map(|l| blob_path(&l.digest)).collect();
        let tags: Vec<String> = names.iter().map(familiar).collect();
        let described = json!({ "Config": blob_path(&config.digest), "RepoTags": tags, "Layers": paths });
        let manifest =
            Manifest { schema_version: 2, media_type: Some(OCI_MANIFEST.to_owned()), config, layers };
        let bytes = serde_json::to_vec(&manifest).map_err(io::Error::other)?;
        Ok((archive.bytes(OCI_MANIFEST, &bytes)?, described))
    }
}

/// An archive that is being written.
struct Archive<W: Write> {
    out: Builder<W>,
    written: BTreeSet<Digest>,
}

impl<W: Write> Archive<W> {
    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.out.append_data(&mut header(bytes.len() as u64), name, bytes)
    }

    /// Writes a blob, once; its length.
    fn blob(&mut self, digest: &Digest, path: &Path) -> io::Result<u64> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        if self.written.insert(*digest) {
            self.out.append_data(&mut header(size), blob_path(digest), file.take(size))?;
        }
        Ok(size)
    }

    fn bytes(&mut self, media_type: &str, bytes: &[u8]) -> io::Result<Descriptor> {
        let digest = Digest::of(bytes);
        if self.written.insert(digest) {
            self.file(&blob_path(&digest), bytes)?;
        }
        Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
    }
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// What containerd and OCI call a name.
fn annotations(name: &Reference) -> BTreeMap<String, String> {
    let tag = name.tag().unwrap_or("latest").to_owned();
    let full = format!("{}:{tag}", name.canonical_name());
    let ours = [("io.containerd.image.name", full), ("org.opencontainers.image.ref.name", tag)];
    ours.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn familiar(name: &Reference) -> String {
    format!("{}:{}", name.familiar_name(), name.tag().unwrap_or("latest"))
}

/// Whether a key can be an id; a name that looks like one is taken for one.
fn is_id(key: &str) -> bool {
    let digits = key.strip_prefix("sha256:").unwrap_or(key);
    digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

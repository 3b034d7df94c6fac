//! Images as archives, written: one that Docker's `load`, skopeo and any reader of OCI layouts take (both descriptions stand
//! over the same blobs); and layers as blobs, which saving takes them from.

use super::digest::Hasher;
use super::hold::Hold;
use super::manifest::{Descriptor, Index, MAX_CONFIG, Manifest, OCI_INDEX, OCI_MANIFEST};
use super::pack::{self, Borders, Packing, Signs};
use super::store::Known;
use super::{Digest, Error, Image, Reference, Store};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use tar::{Builder, Header};

const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Passes bytes on, and hashes them.
struct Hashing<W> {
    inner: W,
    hasher: Hasher,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Hasher::default() }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A layer as a file.
struct Packed {
    /// The digest of the file, and of what is in it.
    digest: Digest,
    diff_id: Digest,
    path: PathBuf,
    /// Where the file is only for now.
    _made: Option<tempfile::TempDir>,
}

impl Store {
    /// Packs a tree as a layer, and keeps both: the layer unpacked, and its blob. Answers diff id and blob, and holds them.
    pub(super) fn put_tree(&self, tree: &Path, packing: Packing) -> Result<(Digest, Digest, Hold), Error> {
        let made = self.making()?;
        let packed = write_packed(tree, packing, made.path().join("layer"))?;
        let hold = self.hold([packed.diff_id, packed.digest]);
        self.keep(self.unpack(File::open(&packed.path)?, &packed.diff_id)?)?;
        std::fs::rename(&packed.path, self.blob(&packed.digest))?;
        Ok((packed.diff_id, packed.digest, hold))
    }

    /// Keeps a file as a blob, and holds it; it is copied.
    pub(super) fn put_file(&self, mut file: impl Read) -> Result<(Digest, Hold), Error> {
        let made = self.making()?;
        let path = made.path().join("blob");
        let mut out = Hashing::new(File::create(&path)?);
        io::copy(&mut file, &mut out)
            .map_err(|source| Error::Write { what: "a layer's blob".to_owned(), source })?;
        let digest = out.hasher.finish();
        let hold = self.hold([digest]);
        std::fs::rename(path, self.blob(&digest))?;
        Ok((digest, hold))
    }

    /// What is remembered of every image.
    fn all_known(&self) -> Vec<(Digest, Known)> {
        self.lock().index.images.iter().map(|(id, known)| (*id, known.clone())).collect()
    }

    /// The blobs of an image's layers, lowest first, as far as they are here.
    pub(super) fn layer_blobs(&self, id: &Digest) -> Vec<Digest> {
        let mut blobs = self.lock().index.images.get(id).map(|known| known.blobs.clone()).unwrap_or_default();
        blobs.retain(|blob| blob != id);
        blobs
    }

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
            layers.push(descriptor(&media_type, packed.digest, size));
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

    /// The file of the `n`th layer of an image: as it came, of this image or of another that has it too; or packed again.
    fn packed(&self, id: &Digest, n: usize, diff_id: &Digest) -> Result<Packed, Error> {
        let mut images = self.all_known();
        images.sort_by_key(|(other, _)| other != id);
        for (other, known) in images {
            // As many blobs as layers, and the configuration: then they stand in the same order.
            let whole = known.blobs.len() == known.layers.len() + 1;
            let wanted = |place: &usize| known.layers[*place] == *diff_id;
            let first = Some(n).filter(|n| other == *id && *n < known.layers.len());
            let place = first.into_iter().chain(0..known.layers.len()).find(wanted);
            let Some(place) = place.filter(|_| whole) else { continue };
            let digest = known.blobs[place];
            let path = self.blob(&digest);
            if path.is_file() {
                return Ok(Packed { digest, diff_id: *diff_id, path, _made: None });
            }
        }
        let made = self.making()?;
        let path = made.path().join("layer");
        let packing = Packing { base: 0, signs: Signs::Layer, borders: Borders::Closed };
        Ok(Packed { _made: Some(made), ..write_packed(&self.layer(diff_id), packing, path)? })
    }
}

fn write_packed(tree: &Path, packing: Packing, path: PathBuf) -> Result<Packed, Error> {
    let zipped = GzEncoder::new(Hashing::new(File::create(&path)?), Compression::fast());
    let mut out = Hashing::new(zipped);
    pack::all(File::open(tree)?.as_fd(), packing, &mut out)?;
    let mut file = out.inner.finish()?;
    file.flush()?;
    Ok(Packed { digest: file.hasher.finish(), diff_id: out.hasher.finish(), path, _made: None })
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
        Ok(descriptor(media_type, digest, bytes.len() as u64))
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

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        urls: Vec::new(),
        platform: None,
        annotations: BTreeMap::new(),
    }
}

fn media_type(path: &Path) -> io::Result<String> {
    let mut head = [0; 4];
    let n = File::open(path)?.read(&mut head)?;
    Ok(match head[..n] {
        [0x1f, 0x8b, ..] => format!("{LAYER}+gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => format!("{LAYER}+zstd"),
        _ => LAYER.to_owned(),
    })
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

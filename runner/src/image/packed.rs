//! Layers as files: blobs as they came, and trees that are packed again. Saving, pushing and making images take them from here.

use super::digest::Hasher;
use super::hold::Hold;
use super::manifest::OCI_LAYER;
use super::pack::{self, Borders, Packing, Signs};
use super::store::Known;
use super::{Digest, Error, Store};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

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
pub(super) struct Packed {
    /// The digest of the file.
    pub(super) digest: Digest,
    /// The digest of what is in it.
    pub(super) diff_id: Digest,
    /// Where it is.
    pub(super) path: PathBuf,
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
    pub(super) fn all_known(&self) -> Vec<(Digest, Known)> {
        self.lock().index.images.iter().map(|(id, known)| (*id, known.clone())).collect()
    }

    /// The blobs of an image's layers, lowest first, as far as they are here.
    pub(super) fn layer_blobs(&self, id: &Digest) -> Vec<Digest> {
        let mut blobs = self.lock().index.images.get(id).map(|known| known.blobs.clone()).unwrap_or_default();
        blobs.retain(|blob| blob != id);
        blobs
    }

    /// The file of the `n`th layer of an image: as it came, of this image or of another that has it too; or packed again.
    pub(super) fn packed(&self, id: &Digest, n: usize, diff_id: &Digest) -> Result<Packed, Error> {
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
            let path = self.blob_file(&digest);
            if path.is_file() {
                return Ok(Packed { digest, diff_id: *diff_id, path, _made: None });
            }
        }
        let tree = self.tree(diff_id);
        if !tree.is_dir() {
            return Err(Error::Damaged(format!(
                "layer {diff_id} is shared by the host, which has it in no file: push the image that it is of from there"
            )));
        }
        let made = self.making()?;
        let path = made.path().join("layer");
        let packing = Packing { base: 0, signs: Signs::Layer, borders: Borders::Closed };
        Ok(Packed { _made: Some(made), ..write_packed(&tree, packing, path)? })
    }

    /// The same layer, compressed if it was not. The same bytes give the same file each time.
    pub(super) fn compressed(&self, packed: Packed) -> Result<Packed, Error> {
        if media_type(&packed.path)? != OCI_LAYER {
            return Ok(packed);
        }
        let made = self.making()?;
        let path = made.path().join("layer");
        let mut zipped = GzEncoder::new(Hashing::new(File::create(&path)?), Compression::fast());
        io::copy(&mut File::open(&packed.path)?, &mut zipped)
            .map_err(|source| Error::Write { what: "a layer's blob".to_owned(), source })?;
        let mut file = zipped.finish()?;
        file.flush()?;
        Ok(Packed { digest: file.hasher.finish(), diff_id: packed.diff_id, path, _made: Some(made) })
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

/// What a layer's file is, by its first bytes.
pub(super) fn media_type(path: &Path) -> io::Result<String> {
    let mut head = [0; 4];
    let n = File::open(path)?.read(&mut head)?;
    Ok(match head[..n] {
        [0x1f, 0x8b, ..] => format!("{OCI_LAYER}+gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => format!("{OCI_LAYER}+zstd"),
        _ => OCI_LAYER.to_owned(),
    })
}

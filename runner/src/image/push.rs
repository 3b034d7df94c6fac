//! Pushing: what an image is made of goes to a registry, its layers side by side, and its manifest last.
//!
//! What was pulled and is pushed unchanged keeps its manifest, and so its digest. Where the blob of a layer is neither here
//! nor there, its tree is packed again, and the image gets a manifest of its own.

use super::credentials::Credentials;
use super::download::again;
use super::hold::Hold;
use super::manifest::{
    self, Descriptor, Document, MAX_CONFIG, MAX_MANIFEST, Manifest, OCI_CONFIG, OCI_MANIFEST,
};
use super::packed::{Packed, media_type};
use super::progress::{Event, Progress, Step};
use super::registry::Client;
use super::store::{diff_ids, parse_config};
use super::upload::{Blob, Outcome, Upload};
use super::{Digest, Error, Reference, Store};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// How many blobs are sent at a time.
const SIDE_BY_SIDE: usize = 3;

/// What is pushed, and how.
#[derive(Debug, Clone)]
pub struct Push<'a> {
    /// Which repository, of which registry.
    pub repository: &'a Reference,
    /// Which image of it; without a tag, all of them.
    pub tag: Option<&'a str>,
    /// Who we are.
    pub credentials: Option<Credentials>,
    /// Registries that may be reached by plain HTTP.
    pub insecure: &'a [String],
}

/// All that a registry needs of one image.
struct Parcel {
    manifest: Vec<u8>,
    media_type: String,
    /// Lowest first; with the diff id that its progress is told by.
    layers: Vec<(Digest, Blob)>,
    config: Blob,
    /// Whether the configuration is the image's own.
    faithful: bool,
    _made: (Vec<Packed>, Option<tempfile::TempDir>),
    _hold: Hold,
}

/// Whether all went.
enum Sent {
    Whole,
    /// A blob that it names is neither here nor there.
    Lacking,
}

impl Store {
    /// Pushes the images of a repository; answers their tags and the digests of their manifests.
    ///
    /// # Errors
    /// [`Error::NoneToPush`], [`Error::NoTag`]; what the registry answers.
    pub async fn push(
        &self,
        wanted: Push<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<(String, Digest)>, Error> {
        let to = wanted.repository;
        let words = format!("The push refers to repository [{}]", to.canonical_name());
        progress.event(Event::Status(&words));
        let known = self.tags(to);
        if known.is_empty() {
            return Err(Error::NoneToPush(to.familiar_name()));
        }
        let images: Vec<(String, Digest)> = match wanted.tag {
            None => known.into_iter().collect(),
            Some(tag) => {
                let missing = || Error::NoTag(format!("{}:{tag}", to.familiar_name()));
                vec![(tag.to_owned(), *known.get(tag).ok_or_else(missing)?)]
            }
        };
        let client = Client::new(to.registry(), wanted.insecure, wanted.credentials)?;
        let mut done = Vec::new();
        for (tag, id) in images {
            let digest = self.push_one(&client, to, (&tag, id), progress).await?;
            done.push((tag, digest));
        }
        Ok(done)
    }

    /// The tags of a repository, and what they stand for.
    fn tags(&self, repository: &Reference) -> BTreeMap<String, Digest> {
        let index = &self.lock().index;
        let names = index.names.iter().filter_map(|(name, id)| {
            let name = name.parse::<Reference>().ok()?;
            let same = name.canonical_name() == repository.canonical_name();
            name.tag().filter(|_| same && name.digest().is_none()).map(|tag| (tag.to_owned(), *id))
        });
        names.collect()
    }

    async fn push_one(
        &self,
        client: &Client,
        to: &Reference,
        (tag, id): (&str, Digest),
        progress: &dyn Progress,
    ) -> Result<Digest, Error> {
        let prepare = async |kind: fn(&Self, &Digest) -> Result<Option<Parcel>, Error>| {
            let store = self.clone();
            tokio::task::spawn_blocking(move || kind(&store, &id)).await.map_err(io::Error::other)?
        };
        for layer in diff_ids(&self.resolve(&id.to_string())?.config)?.iter().rev() {
            progress.event(Event::Layer { id: &layer.short(), step: Step::Preparing });
        }
        let mut sent = None;
        for kind in [Self::as_it_came, Self::made_up] {
            let Some(mut parcel) = prepare(kind).await? else { continue };
            for (_, blob) in &mut parcel.layers {
                blob.from = self.elsewhere(to, &blob.digest);
            }
            if let Sent::Whole = send(client, to.repository(), &parcel, progress).await? {
                sent = Some(parcel);
                break;
            }
        }
        let parcel = sent.ok_or_else(|| Error::Damaged(format!("image {id} is not whole: pull it again")))?;
        let put = || client.put_manifest(to.repository(), tag, &parcel.media_type, &parcel.manifest);
        again(put).await?;
        let digest = Digest::of(&parcel.manifest);
        if parcel.faithful {
            let name = to.with_digest(digest).canonical();
            self.change(|index| index.images.contains_key(&id).then(|| index.names.insert(name, id)))?;
        }
        progress.event(Event::Pushed { tag, digest, size: parcel.manifest.len() as u64 });
        Ok(digest)
    }

    /// An image with the manifest that it came with.
    fn as_it_came(&self, id: &Digest) -> Result<Option<Parcel>, Error> {
        let Some(known) = self.lock().index.images.get(id).cloned() else { return Ok(None) };
        let Some(kept) = known.manifest else { return Ok(None) };
        let hold = self.hold(known.blobs.iter().copied().chain([kept, *id]));
        let bytes = self.read_blob(&kept, MAX_MANIFEST)?;
        let damaged = |e: manifest::Error| Error::Damaged(format!("the manifest of {id}: {e}"));
        let Document::Image(manifest) = manifest::parse(&bytes, None).map_err(damaged)? else {
            return Ok(None);
        };
        let blob = |descriptor: &Descriptor| {
            let path = self.blob_file(&descriptor.digest);
            let file = Some(path).filter(|path| path.is_file());
            Blob { digest: descriptor.digest, size: descriptor.size, file, from: None }
        };
        let layers = known.layers.iter().copied().zip(manifest.layers.iter().map(blob)).collect();
        Ok(Some(Parcel {
            layers,
            config: blob(&manifest.config),
            media_type: manifest.media_type.unwrap_or_else(|| OCI_MANIFEST.to_owned()),
            manifest: bytes,
            faithful: true,
            _made: (Vec::new(), None),
            _hold: hold,
        }))
    }

    /// An image with a manifest that is made for it now.
    fn made_up(&self, id: &Digest) -> Result<Option<Parcel>, Error> {
        let held =
            self.all_known().into_iter().flat_map(|(_, known)| known.blobs.into_iter().chain(known.layers));
        let hold = self.hold(held);
        let mut config = self.read_blob(id, MAX_CONFIG)?;
        let mut made = Vec::new();
        for (n, diff_id) in diff_ids(&parse_config(&config)?)?.iter().enumerate() {
            let packed = self.compressed(self.packed(id, n, diff_id)?)?;
            if packed.diff_id != *diff_id {
                // The bytes that it was made of are gone: it is the same tree in another order, under another name.
                let mut changed: Value = serde_json::from_slice(&config).map_err(io::Error::other)?;
                changed["rootfs"]["diff_ids"][n] = json!(packed.diff_id);
                config = changed.to_string().into_bytes();
            }
            made.push(packed);
        }
        let mut layers = Vec::new();
        let mut descriptors = Vec::new();
        for packed in &made {
            let size = packed.path.metadata()?.len();
            let file = Some(packed.path.clone());
            descriptors.push(Descriptor::new(&media_type(&packed.path)?, packed.digest, size));
            layers.push((packed.diff_id, Blob { digest: packed.digest, size, file, from: None }));
        }
        let dir = self.making()?;
        let path = dir.path().join("config");
        std::fs::write(&path, &config)?;
        let (digest, size) = (Digest::of(&config), config.len() as u64);
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(OCI_MANIFEST.to_owned()),
            config: Descriptor::new(OCI_CONFIG, digest, size),
            layers: descriptors,
        };
        Ok(Some(Parcel {
            manifest: serde_json::to_vec(&manifest).map_err(io::Error::other)?,
            media_type: OCI_MANIFEST.to_owned(),
            layers,
            config: Blob { digest, size, file: Some(path), from: None },
            faithful: digest == *id,
            _made: (made, Some(dir)),
            _hold: hold,
        }))
    }

    /// Another repository of the same registry that had a blob when we last pulled from it or pushed to it.
    fn elsewhere(&self, to: &Reference, blob: &Digest) -> Option<String> {
        let index = &self.lock().index;
        index.names.iter().find_map(|(name, id)| {
            let name = name.parse::<Reference>().ok()?;
            let other = name.digest().is_some() && name.registry() == to.registry();
            let known = index.images.get(id).filter(|known| known.blobs.contains(blob));
            let repository = name.repository().to_owned();
            (other && known.is_some() && repository != to.repository()).then_some(repository)
        })
    }
}

/// Sends every blob of an image.
async fn send(
    client: &Client,
    repository: &str,
    parcel: &Parcel,
    progress: &dyn Progress,
) -> Result<Sent, Error> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (diff_id, blob) in parcel.layers.iter().rev() {
        let id = diff_id.short();
        if !seen.insert(blob.digest) {
            // Twice in one image: sent once, with the other.
            progress.event(Event::Layer { id: &id, step: Step::There });
            continue;
        }
        if all.len() >= SIDE_BY_SIDE {
            progress.event(Event::Layer { id: &id, step: Step::Waiting });
        }
        all.push(send_one(client, repository, (Some(id), blob), progress));
    }
    all.push(send_one(client, repository, (None, &parcel.config), progress));
    let outcomes: Vec<Outcome> = stream::iter(all).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    Ok(if outcomes.contains(&Outcome::Absent) { Sent::Lacking } else { Sent::Whole })
}

/// Sends a blob, and tells of it if it is a layer's.
async fn send_one(
    client: &Client,
    repository: &str,
    (id, blob): (Option<String>, &Blob),
    progress: &dyn Progress,
) -> Result<Outcome, Error> {
    let tell = |step| {
        if let Some(id) = &id {
            progress.event(Event::Layer { id, step });
        }
    };
    let outcome = Upload::new(client, repository, blob).run(&tell).await?;
    match (outcome, &blob.from, &id) {
        (Outcome::Exists, ..) => tell(Step::There),
        (Outcome::Pushed, ..) => tell(Step::Pushed),
        (Outcome::Mounted, Some(from), Some(id)) => progress.event(Event::Mounted { id, from }),
        (Outcome::Mounted | Outcome::Absent, ..) => {}
    }
    Ok(outcome)
}

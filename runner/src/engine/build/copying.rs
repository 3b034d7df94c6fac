//! `COPY`, `ADD` and the directory of a `WORKDIR`: what they depend on, and the layer that they make.

use super::copy::Copying;
use super::dockerfile::{Copy, Source, Verb, expand};
use super::error::{During, Error, blocking};
use super::excludes::Excludes;
use super::hash;
use super::job::Job;
use super::layer::{Workshop, directories};
use super::mounts::{Bind, Mount};
use super::sources::{self, Item, Kind, Root};
use super::stage::Stage;
use super::state::State;
use crate::container::rootfs::plain;
use crate::engine::files;
use crate::image::inflate::{inflate, is_archive};
use crate::image::place::{Kinds, Placing, Top, place_plain};
use crate::image::steps::Layer;
use crate::image::{Digest, Hasher, Limits, Store};
use rustix::fs::FileType;
use serde_json::json;
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A `COPY` with all values put in.
struct Ready {
    verb: Verb,
    sources: Vec<Source>,
    /// From the root; a slash at its end says that it is a directory.
    target: String,
    chown: Option<String>,
    mode: Option<u32>,
    excludes: Excludes,
    parents: bool,
    unpack: Option<bool>,
}

impl Ready {
    fn of(stage: &Stage, copy: &Copy) -> Result<Self, Error> {
        let escape = stage.job.escape();
        let word = |text: &String| stage.word(text);
        let source = |source: &Source| match source {
            Source::Path(path) => Ok::<_, Error>(Source::Path(stage.word(path)?)),
            Source::Here(heredoc) if heredoc.expands => {
                let mut heredoc = heredoc.clone();
                heredoc.content = expand::here(&heredoc.content, &stage.state, escape)?;
                Ok(Source::Here(heredoc))
            }
            here => Ok(here.clone()),
        };
        let sources = copy.sources.iter().map(source).collect::<Result<Vec<_>, _>>()?;
        let target = stage.word(&copy.target)?;
        let slash = target.ends_with('/') || target.ends_with("/.") || target == ".";
        let mut target_path = stage.state.absolute(&target);
        if slash && target_path != "/" {
            target_path.push('/');
        }
        let mode = copy.chmod.as_ref().map(word).transpose()?;
        let octal = |text: &String| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
        let mode = match mode {
            Some(text) => Some(octal(&text).ok_or_else(|| {
                Error::step(format!(
                    "invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
                ))
            })?),
            None => None,
        };
        let excludes = copy.excludes.iter().map(word).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            verb: copy.verb,
            sources,
            target: target_path,
            chown: copy.chown.as_ref().map(word).transpose()?.filter(|c| !c.is_empty()),
            mode,
            excludes: Excludes::of(excludes.iter().map(String::as_str))?,
            parents: copy.parents,
            unpack: copy.unpack,
        })
    }

    /// All of it that is no content.
    fn words(&self) -> String {
        let sources = self.sources.iter().map(|source| match source {
            Source::Path(path) => path.clone(),
            Source::Here(heredoc) => format!("<<{} {}", heredoc.name, Digest::of(heredoc.content.as_bytes())),
        });
        let sources: Vec<String> = sources.collect();
        let mut flags = String::new();
        if let Some(chown) = &self.chown {
            flags.push_str(&format!("--chown={chown} "));
        }
        if let Some(mode) = self.mode {
            flags.push_str(&format!("--chmod={mode:o} "));
        }
        format!("{} {flags}{} {}", self.verb.word(), sources.join(" "), self.target)
    }
}

/// Carries a `COPY` or `ADD` out.
pub(super) async fn carry_out(stage: &mut Stage, copy: &Copy) -> Result<(), Error> {
    let ready = Arc::new(Ready::of(stage, copy)?);
    let job = Arc::clone(&stage.job);
    let words = ready.words();
    let by = format!("/bin/sh -c #(nop) {words} ");
    let options = format!("{:?} {} {:?} {}", ready.excludes, ready.parents, ready.unpack, copy.link);
    let origin = match &copy.from {
        Some(from) => Some(job.state_of(from).await?),
        None => None,
    };
    // What a stage or an image holds need not be read if nothing has changed there at all.
    let quick =
        origin.as_ref().map(|origin| stage.key(&json!(["copy", words, options, "of", origin.layers])));
    if let Some(quick) = &quick
        && let Some(found) = stage.known(quick).await?
    {
        return stage.put(found, &by);
    }
    let (content, kept) = {
        let (job, ready, origin) = (Arc::clone(&job), Arc::clone(&ready), origin.clone());
        blocking(move || content(&job, &ready, origin.as_ref())).await?
    };
    let key = stage.key(&json!(["copy", words, options, content]));
    let _turn = job.images().turn(&key).await;
    if let Some((layer, created)) = stage.known(&key).await? {
        // The next time nothing of it need be read.
        if let (Some(quick), Some(layer)) = (quick, &layer) {
            job.images().remember(quick, Some((layer.diff_id, layer.size)), created, &by)?;
        }
        return stage.put((layer, created), &by);
    }
    let _place = job.place().await?;
    let layers = stage.state.layers.clone();
    let layer = {
        let (job, ready) = (Arc::clone(&job), Arc::clone(&ready));
        blocking(move || write(&job, &ready, &layers, &kept)).await?
    };
    stage.made(&quick.into_iter().chain([key]).collect::<Vec<_>>(), layer, &by)
}

/// The root that things are copied from, and what keeps it there.
struct From {
    root: Root,
    _made: Option<TempDir>,
}

impl From {
    fn open(job: &Job, origin: Option<&State>) -> Result<Self, Error> {
        match origin {
            None => Ok(Self { root: job.context_root()?, _made: None }),
            Some(state) => {
                let made = job.images().workshop()?;
                let below = directories(job.images(), &state.layers, made.path())?;
                let fd = plain::readable(&below, &made.path().join("work"))
                    .map_err(|e| Error::step(format!("stacking the layers: {e}")))?;
                Ok(Self { root: Root { fd, kind: Kind::Image }, _made: Some(made) })
            }
        }
    }
}

/// The digest of all that is copied.
fn content(job: &Job, ready: &Ready, origin: Option<&State>) -> Result<(Digest, From), Error> {
    let from = From::open(job, origin)?;
    let mut hasher = Hasher::default();
    for item in items(&from.root, ready)?.iter().flatten() {
        hash::item(&mut hasher, item, from.root.kind, &ready.excludes).during("reading what is copied")?;
    }
    Ok((hasher.finish(), from))
}

/// What each source means; nothing for one that stands in the Dockerfile.
fn items(root: &Root, ready: &Ready) -> Result<Vec<Vec<Item>>, Error> {
    let one = |source: &Source| match source {
        Source::Path(path) => sources::find(root, path),
        Source::Here(_) => Ok(Vec::new()),
    };
    ready.sources.iter().map(one).collect()
}

fn write(job: &Job, ready: &Ready, layers: &[Digest], from: &From) -> Result<Layer, Error> {
    let workshop = Workshop::above(job.images(), layers)?;
    let items = items(&from.root, ready)?;
    let owner = ready.chown.as_ref().map(|text| owner(&workshop, text)).transpose()?;
    let count: usize = items.iter().map(|found| found.len().max(1)).sum();
    let into = ready.target.ends_with('/');
    if count > 1 && !into {
        return Err(Error::step(format!(
            "When using {} with more than one source file, the destination must be a directory and end with a /",
            ready.verb.word()
        )));
    }
    let mut copying = Copying {
        root: workshop.root.as_fd(),
        from: from.root.kind,
        owner,
        mode: ready.mode,
        excludes: &ready.excludes,
        left: job.most_bytes(),
        links: HashMap::new(),
    };
    let target = Path::new(&ready.target);
    let failed = |e: std::io::Error| Error::step(format!("{} failed: {e}", ready.verb.word()));
    for (source, found) in ready.sources.iter().zip(&items) {
        if let Source::Here(heredoc) = source {
            copying.text(&heredoc.name, heredoc.content.as_bytes(), target, into).map_err(failed)?;
        }
        for item in found {
            let unpacks = ready.unpack.unwrap_or(ready.verb == Verb::Add);
            if unpacks && item.kind == FileType::RegularFile && archive(item).map_err(failed)? {
                unpack(&mut copying, item, target, job.images().limits()).map_err(failed)?;
                continue;
            }
            let (target, into) = placed(target, item, ready.parents, into);
            copying.item(item, &target, into).map_err(failed)?;
        }
    }
    workshop.finish(job.images(), job.clamp())
}

/// Where an item goes: with `--parents` below the directories that it came from.
fn placed(target: &Path, item: &Item, parents: bool, into: bool) -> (PathBuf, bool) {
    if !parents {
        return (target.to_owned(), into);
    }
    match item.kind {
        FileType::Directory => (target.join(&item.kept), true),
        _ => (target.join(item.kept.parent().unwrap_or(Path::new(""))), true),
    }
}

fn archive(item: &Item) -> std::io::Result<bool> {
    is_archive(sources::open(item.parent.as_fd(), &item.name)?)
}

fn unpack(copying: &mut Copying<'_>, item: &Item, target: &Path, limits: Limits) -> std::io::Result<()> {
    copying.directory(target)?;
    let file = sources::open(item.parent.as_fd(), &item.name)?;
    let placing = Placing { base: 0, owner: copying.owner, kinds: Kinds::Replaced, name: None };
    place_plain(inflate(file, limits)?, copying.root, target, placing, (Top::Dressed, copying.left))
}

/// The ids of a `--chown`: names are looked up in the image.
fn owner(workshop: &Workshop, text: &str) -> Result<(u32, u32), Error> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A number alone is the group's as well.
    let text = if digits { format!("{text}:{text}") } else { text.to_owned() };
    files::owner(workshop.root.as_fd(), 0, &text)
        .map_err(|e| Error::step(format!("unable to convert uid/gid chown string to host mapping: {e}")))
}

/// The directory of a `WORKDIR`: a layer if it is not there.
pub(super) async fn directory(stage: &mut Stage, path: &str) -> Result<(), Error> {
    let words = format!("WORKDIR {path}");
    let by = format!("/bin/sh -c #(nop) {words}");
    let key = stage.key(&json!(["directory", path]));
    let job = Arc::clone(&stage.job);
    let _turn = job.images().turn(&key).await;
    if let Some(found) = stage.known(&key).await? {
        return stage.put(found, &by);
    }
    let (images, layers, path, clamp) =
        (job.images().clone(), stage.state.layers.clone(), PathBuf::from(path), job.clamp());
    match blocking(move || made_directory(&images, &layers, &path, clamp)).await? {
        Some(layer) => stage.made(&[key], layer, &by),
        None => stage.metadata(&words).await,
    }
}

fn made_directory(
    images: &Store,
    layers: &[Digest],
    path: &Path,
    clamp: Option<i64>,
) -> Result<Option<Layer>, Error> {
    let workshop = Workshop::above(images, layers)?;
    let excludes = Excludes::default();
    let copying = Copying {
        root: workshop.root.as_fd(),
        from: Kind::Context,
        owner: None,
        mode: None,
        excludes: &excludes,
        left: 0,
        links: HashMap::new(),
    };
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    if crate::image::place::open_inside(workshop.root.as_fd(), path, flags).is_ok() {
        return Ok(None);
    }
    copying.directory(path).map_err(|e| Error::step(format!("WORKDIR failed: {e}")))?;
    workshop.finish(images, clamp).map(Some)
}

/// The digests of what a command's binds show it.
pub(super) async fn mounts_content(stage: &Stage, mounts: &[Mount]) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for mount in mounts {
        let Mount::Bind(Bind { source, from, .. }) = mount else { continue };
        let origin = match from {
            Some(from) => Some(stage.job.state_of(from).await?),
            None => None,
        };
        if let Some(origin) = origin {
            all.push(json!(origin.layers).to_string());
            continue;
        }
        let (job, source) = (Arc::clone(&stage.job), source.clone());
        let digest = blocking(move || {
            let root = job.context_root()?;
            let mut hasher = Hasher::default();
            for item in sources::find(&root, if source.is_empty() { "." } else { &source })? {
                hash::item(&mut hasher, &item, root.kind, &Excludes::default())
                    .during("reading what is mounted")?;
            }
            Ok(hasher.finish())
        });
        all.push(digest.await?.to_string());
    }
    Ok(all)
}

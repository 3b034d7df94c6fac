//! What is in the registry, as lists: repositories, tags, what refers to a manifest, and all of it for a page.

use super::Distribution;
use super::catalogue::{Repository, is_name};
use super::error::Error;
use crate::image::Digest;
use crate::image::manifest::Descriptor;
use sandlot_wire::registry::{Shown, ShownTag, space};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The most entries of a page, and how many one has that asks for no number: all that there may be.
const MOST: usize = 20_000;

/// A page of a list of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The names, in order.
    pub names: Vec<String>,
    /// Whether more follow.
    pub more: More,
}

/// Whether more follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Some do.
    Some,
    /// That is all.
    None,
}

/// What refers to a manifest.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// Its descriptor.
    descriptor: Descriptor,
    /// What kind of artifact it is.
    pub artifact_type: Option<String>,
}

impl Referrer {
    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    /// As an index lists it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(&self.descriptor).unwrap_or_default();
        if let (Some(value), Some(kind)) = (value.as_object_mut(), &self.artifact_type) {
            value.insert("artifactType".to_owned(), kind.clone().into());
        }
        value
    }
}

fn page<'a, T: 'a>(
    all: &'a BTreeMap<String, T>,
    last: Option<&str>,
    n: Option<usize>,
    shown: impl Fn(&str) -> bool,
) -> Page {
    let n = n.unwrap_or(MOST).min(MOST);
    let after = last.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest =
        all.range::<str, _>((after, Bound::Unbounded)).map(|(name, _)| name).filter(|name| shown(name));
    let names: Vec<String> = rest.by_ref().take(n).cloned().collect();
    let more = if rest.next().is_some() && n > 0 { More::Some } else { More::None };
    Page { names, more }
}

impl Distribution {
    /// A repository's tags in order, after `last`, `n` of them.
    ///
    /// # Errors
    /// [`Error::NameUnknown`].
    pub fn tags(&self, repository: &str, last: Option<&str>, n: Option<usize>) -> Result<Page, Error> {
        if !is_name(repository) {
            return Err(Error::NameInvalid(repository.chars().take(300).collect()));
        }
        let shared = self.store.lock();
        let there =
            shared.catalogue.get(repository).ok_or_else(|| Error::NameUnknown(repository.to_owned()))?;
        Ok(page(&there.tags, last, n, |_| true))
    }

    /// The repositories in order, after `last`, `n` of them; those of some name spaces alone, if any are named.
    #[must_use]
    pub fn repositories(&self, spaces: Option<&[&str]>, last: Option<&str>, n: Option<usize>) -> Page {
        let shown = |name: &str| spaces.is_none_or(|spaces| spaces.contains(&space(name)));
        page(&self.store.lock().catalogue.repositories, last, n, shown)
    }

    /// What refers to a manifest, whether that is here or not.
    ///
    /// # Errors
    /// [`Error::NameInvalid`].
    pub fn referrers(&self, repository: &str, subject: Digest) -> Result<Vec<Referrer>, Error> {
        if !is_name(repository) {
            return Err(Error::NameInvalid(repository.chars().take(300).collect()));
        }
        let shared = self.store.lock();
        let Some(there) = shared.catalogue.get(repository) else { return Ok(Vec::new()) };
        let about = there.manifests.iter().filter(|(_, entry)| entry.subject == Some(subject));
        let referrer = about.map(|(digest, entry)| {
            let mut descriptor = Descriptor::new(&entry.media_type, *digest, entry.size);
            descriptor.annotations.clone_from(&entry.annotations);
            Referrer { descriptor, artifact_type: entry.artifact_type.clone() }
        });
        Ok(referrer.collect())
    }

    /// All repositories of these name spaces, for a page.
    #[must_use]
    pub fn overview(&self, spaces: Option<&[&str]>) -> Vec<Shown> {
        let shared = self.store.lock();
        let all = shared.catalogue.repositories.iter();
        let shown = all.filter(|(name, _)| spaces.is_none_or(|spaces| spaces.contains(&space(name))));
        shown.take(MOST).filter(|(_, there)| !there.manifests.is_empty()).map(shown_of).collect()
    }
}

fn shown_of((name, there): (&String, &Repository)) -> Shown {
    let mut tags: Vec<ShownTag> = there
        .tags
        .iter()
        .map(|(name, tag)| {
            let content = |digest: &Digest| there.manifests.get(digest).map_or(0, |entry| entry.content);
            let children = there.manifests.get(&tag.digest).into_iter().flat_map(|entry| &entry.children);
            let size = content(&tag.digest) + children.map(content).sum::<u64>();
            ShownTag { name: name.clone(), digest: tag.digest.to_string(), pushed_at: tag.pushed, size }
        })
        .collect();
    tags.sort_by(|a, b| (b.pushed_at, &b.name).cmp(&(a.pushed_at, &a.name)));
    let tag_count = tags.len() as u64;
    tags.truncate(Shown::TAGS);
    Shown { name: name.clone(), owner: there.owner.clone(), size: there.bytes, tag_count, tags }
}

//! What a registry may take: of the disk, of the time, and at once. Each is counted where it is taken.

use super::catalogue::Catalogue;
use super::error::Error;
use std::time::Duration;

/// See the module.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Bytes of a name space. What several repositories have is counted in each.
    pub space: u64,
    /// Bytes of what one person has, uploads under way included.
    pub person: u64,
    /// Repositories of one person.
    pub repositories: usize,
    /// Manifests of a repository, and its tags.
    pub manifests: usize,
    /// An upload to which nothing came for so long is thrown away.
    pub upload: Duration,
    /// A blob that no manifest names, and a manifest that nothing names, stay for so long: a push under way needs them.
    pub grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            space: 20 << 30,
            person: 2 << 30,
            repositories: 100,
            manifests: 20_000,
            upload: Duration::from_secs(15 * 60),
            grace: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// What is about to be added.
#[derive(Debug, Clone, Copy)]
pub(super) struct More<'a> {
    pub(super) repository: &'a str,
    pub(super) owner: Option<&'a str>,
    pub(super) bytes: u64,
    /// Bytes of the owner's uploads under way.
    pub(super) underway: u64,
}

impl Bounds {
    /// Whether so much more is within the bounds.
    pub(super) fn admit(&self, catalogue: &Catalogue, more: More<'_>) -> Result<(), Error> {
        let space = sandlot_wire::registry::space(more.repository);
        let inside = |name: &str| sandlot_wire::registry::space(name) == space;
        let all = catalogue.repositories.iter();
        let used: u64 = all.clone().filter(|(name, _)| inside(name)).map(|(_, r)| r.bytes).sum();
        if used.saturating_add(more.bytes) > self.space {
            let most = self.space;
            return Err(Error::Full(format!(
                "the name space {space} is full: it may hold {most} bytes, and has {used}"
            )));
        }
        let Some(owner) = more.owner else { return Ok(()) };
        let own = || all.clone().filter(|(_, r)| r.owner.as_deref() == Some(owner));
        let used = own().map(|(_, r)| r.bytes).sum::<u64>().saturating_add(more.underway);
        if used.saturating_add(more.bytes) > self.person {
            let most = self.person;
            return Err(Error::Full(format!(
                "you may keep {most} bytes in this registry, and have {used}: delete some first"
            )));
        }
        if catalogue.get(more.repository).is_none() && own().count() >= self.repositories {
            let most = self.repositories;
            return Err(Error::Full(format!("you may have {most} repositories: delete one first")));
        }
        Ok(())
    }
}

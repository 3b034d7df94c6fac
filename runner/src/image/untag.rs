//! Names that are given and taken, and images that go with their last one, by the rules of `docker rmi`.
//!
//! By name, that name goes; by id, all names of one repository, or with force all there are. An image that somebody uses stays:
//! with force its names go all the same, for its layers are what a stopped container starts from.

use super::digest::Digest;
use super::{Error, Reference, Store};
use std::collections::BTreeSet;

/// Who uses an image: somebody's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// Now.
    Running(String),
    /// Again, perhaps.
    Stopped(String),
}

/// Whether what is used or has several names may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// No.
    No,
    /// As far as that does not break what runs.
    Yes,
}

/// What a removal did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names, as Docker shows them.
    pub untagged: Vec<String>,
    /// The image's id, and the chain ids of the layers that nobody else has, topmost first.
    pub deleted: Vec<String>,
}

impl Store {
    /// Gives an image another name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn tag(&self, key: &str, name: &Reference) -> Result<(), Error> {
        let id = self.id(key)?;
        self.change(|index| index.names.insert(name.canonical(), id)).map(drop)
    }

    /// Takes a name away, and with its last name the image, unless somebody uses it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NameInUse`], [`Error::Conflict`] for what needs force, or has no use of it.
    pub fn remove(
        &self,
        key: &str,
        force: Force,
        used: impl Fn(&Digest) -> Option<Use>,
    ) -> Result<Removed, Error> {
        let id = self.id(key)?;
        let names: Vec<Reference> = {
            let index = &self.lock().index;
            let own = index.names.iter().filter(|(_, named)| **named == id);
            own.filter_map(|(name, _)| name.parse().ok()).collect()
        };
        let meant = key.parse::<Reference>().ok().filter(|name| names.contains(name));
        let by = used(&id);
        let going = match (&meant, &by) {
            (Some(_), Some(by)) if force == Force::No && of_one_repository(&names) => {
                let (Use::Running(user) | Use::Stopped(user)) = by;
                let (name, container, image) = (key.to_owned(), short(user), id.short());
                return Err(Error::NameInUse { name, container, image });
            }
            (Some(name), _) => with_digests(name, &names),
            (None, _) => {
                conflict(&id, &names, force, by.as_ref())?;
                names.clone()
            }
        };
        let untagged: Vec<String> = going.iter().map(ToString::to_string).collect();
        let going: BTreeSet<String> = going.iter().map(Reference::canonical).collect();
        let last = going.len() == names.len();
        let goes = last && by.is_none();
        let before = self.chains();
        self.change(|index| {
            // With the image goes a name that it got just now, too.
            index.names.retain(|name, named| !(going.contains(name) || goes && *named == id));
            if goes {
                index.images.remove(&id);
            }
        })?;
        let mut deleted = Vec::new();
        if goes {
            let left = self.chains();
            let own = before.iter().filter(|(image, _)| *image == id).map(|(_, chain)| *chain);
            let own = own.filter(|chain| !left.iter().any(|(_, other)| other == chain));
            deleted.push(id.to_string());
            deleted.extend(own.map(|chain| chain.to_string()));
            self.collect()?;
        }
        Ok(Removed { untagged, deleted })
    }

    /// The chain ids (OCI image specification: a layer with all below it) of every image, topmost first.
    fn chains(&self) -> Vec<(Digest, Digest)> {
        let chains = self.all_known().into_iter().flat_map(|(id, known)| {
            let mut all: Vec<(Digest, Digest)> = Vec::new();
            for layer in &known.layers {
                let below = all.last().map(|(_, chain)| Digest::of(format!("{chain} {layer}").as_bytes()));
                all.push((id, below.unwrap_or(*layer)));
            }
            all.into_iter().rev()
        });
        chains.collect()
    }
}

/// What forbids to delete an image by its id.
fn conflict(id: &Digest, names: &[Reference], force: Force, by: Option<&Use>) -> Result<(), Error> {
    let refuse = |forced, why| Err(Error::Conflict { image: id.short(), forced, why });
    match by {
        Some(Use::Running(by)) => {
            refuse("cannot be forced", format!("image is being used by running container {}", short(by)))
        }
        _ if force == Force::Yes => Ok(()),
        _ if !of_one_repository(names) => {
            refuse("must be forced", "image is referenced in multiple repositories".to_owned())
        }
        Some(Use::Stopped(by)) => {
            refuse("must be forced", format!("image is being used by stopped container {}", short(by)))
        }
        None => Ok(()),
    }
}

/// Whether there is one tag at most, and all names are of its repository.
fn of_one_repository(names: &[Reference]) -> bool {
    let repositories: BTreeSet<String> = names.iter().map(Reference::canonical_name).collect();
    repositories.len() <= 1 && names.iter().filter(|name| name.tag().is_some()).count() <= 1
}

/// A name; with a repository's last tag go its digests.
fn with_digests(name: &Reference, names: &[Reference]) -> Vec<Reference> {
    let same = |other: &&Reference| other.canonical_name() == name.canonical_name() && *other != name;
    let others: Vec<&Reference> = names.iter().filter(same).collect();
    let mut going = vec![name.clone()];
    if name.tag().is_some() && others.iter().all(|other| other.tag().is_none()) {
        going.extend(others.into_iter().cloned());
    }
    going
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with the built-in image, which has these names besides its own.
    fn store(names: &[&str]) -> (tempfile::TempDir, Store, String) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let image = store.resolve(super::super::starter::NAME).unwrap();
        for name in names {
            let name = name.replace("DIGEST", &Digest::of(b"manifest").to_string());
            store.tag(super::super::starter::NAME, &name.parse().unwrap()).unwrap();
        }
        (dir, store, image.id.to_string())
    }

    #[test]
    fn by_name_one_name_goes_and_with_the_last_tag_the_digests_of_its_repository() {
        let (_dir, store, id) = store(&["app:1", "app:2", "app@DIGEST", "other/app@DIGEST"]);
        let remove = |key: &str| store.remove(key, Force::No, |_| None).unwrap();
        assert_eq!(remove("app:1").untagged, ["app:1"]);
        let digest = Digest::of(b"manifest");
        assert_eq!(
            remove("app:2"),
            Removed { untagged: vec!["app:2".into(), format!("app@{digest}")], deleted: Vec::new() }
        );
        remove("sandlot/starter");
        let last = remove(&format!("other/app@{digest}"));
        assert_eq!(last.deleted[0], id);
        assert_eq!(last.deleted.len(), 2, "the image and its layer");
        assert!(matches!(store.resolve(&id), Err(Error::NotFound(_))));
    }

    #[test]
    fn by_id_several_names_need_force() {
        let (_dir, store, id) = store(&["app:1"]);
        let words = store.remove(&id, Force::No, |_| None).unwrap_err().to_string();
        let short = &id[7..19];
        assert_eq!(
            words,
            format!(
                "conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
            )
        );
        let removed = store.remove(&id, Force::Yes, |_| None).unwrap();
        assert_eq!(removed.untagged, ["app:1", "sandlot/starter:latest"]);
    }

    #[test]
    fn what_is_used_stays() {
        let (_dir, store, id) = store(&[]);
        let (name, short) = (super::super::starter::NAME, &id[7..19]);
        let running = |_: &Digest| Some(Use::Running("0123456789abcdef".into()));
        let stopped = |_: &Digest| Some(Use::Stopped("0123456789abcdef".into()));
        for (key, force, running_words, stopped_words) in [
            (
                name,
                Force::No,
                Some(format!(
                    "unable to remove repository reference \"{name}\" (must force) - container 0123456789ab is using its referenced image {short}"
                )),
                Some(format!(
                    "unable to remove repository reference \"{name}\" (must force) - container 0123456789ab is using its referenced image {short}"
                )),
            ),
            (
                &id,
                Force::No,
                Some(format!(
                    "unable to delete {short} (cannot be forced) - image is being used by running container 0123456789ab"
                )),
                Some(format!(
                    "unable to delete {short} (must be forced) - image is being used by stopped container 0123456789ab"
                )),
            ),
            (
                &id,
                Force::Yes,
                Some(format!(
                    "unable to delete {short} (cannot be forced) - image is being used by running container 0123456789ab"
                )),
                None,
            ),
            (name, Force::Yes, None, None),
        ] {
            for (words, used) in
                [(running_words, &running as &dyn Fn(&Digest) -> Option<Use>), (stopped_words, &stopped)]
            {
                let removed = store.remove(key, force, used);
                match (words, removed) {
                    (Some(words), Err(e)) => assert_eq!(e.to_string(), format!("conflict: {words}")),
                    (None, Ok(removed)) => assert_eq!(removed.deleted, Vec::<String>::new()),
                    (words, removed) => panic!("{words:?}: {removed:?}"),
                }
                assert!(store.resolve(&id).unwrap().layers[0].is_dir());
                store.tag(&id, &name.parse().unwrap()).unwrap();
            }
        }
    }
}

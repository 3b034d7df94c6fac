//! Who is called what in which network, for those who ask from inside.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether the containers of a network find each other by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// They do.
    Yes,
    /// Only itself, and by numbers.
    No,
}

/// Whether names that are not of containers may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// They may.
    Open,
    /// All networks are internal: what can be asked can carry data out.
    Shut,
}

/// A container's place in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The network's id.
    pub(super) network: String,
    /// Its name, in small letters.
    pub(super) network_name: String,
    /// Whether the others find it.
    pub(super) named: Named,
    /// Whether the network leads outside.
    pub(super) outside: Outside,
    /// The container's address there.
    pub(super) address: Ipv4Addr,
    /// Its names there, in small letters, its own first.
    pub(super) names: Vec<String>,
    /// Other names that it alone has for its neighbours, in small letters, and theirs.
    pub(super) links: Vec<(String, String)>,
}

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Containers.
    Here(Vec<Ipv4Addr>),
    /// None that the asker can see.
    Nothing,
}

/// The containers that run, by id.
#[derive(Debug, Default)]
pub(super) struct Directory(Mutex<BTreeMap<String, Vec<Place>>>);

impl Directory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Place>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A container is in these places, and in no others.
    pub(super) fn put(&self, container: &str, places: Vec<Place>) {
        self.lock().insert(container.to_owned(), places);
    }

    /// A container is nowhere any more.
    pub(super) fn remove(&self, container: &str) {
        self.lock().remove(container);
    }

    /// The containers with that name (small letters, no dot at its end) in the networks of `asker`.
    pub(super) fn find(&self, asker: &str, name: &str) -> Found {
        let all = self.lock();
        let mut found = Vec::new();
        for own in all.get(asker).into_iter().flatten() {
            let name = own.links.iter().find(|(link, _)| link == name).map_or(name, |(_, theirs)| theirs);
            let plain = name.strip_suffix(own.network_name.as_str()).and_then(|n| n.strip_suffix('.'));
            let called = |place: &Place| place.names.iter().any(|n| n == name || Some(n.as_str()) == plain);
            match own.named {
                Named::Yes => found.extend(
                    all.values()
                        .flatten()
                        .filter(|p| p.network == own.network && called(p))
                        .map(|p| p.address),
                ),
                Named::No if called(own) => found.push(own.address),
                Named::No => {}
            }
        }
        found.dedup();
        if found.is_empty() { Found::Nothing } else { Found::Here(found) }
    }

    /// The full name of the container with that address in a network of `asker`.
    pub(super) fn name_of(&self, asker: &str, address: Ipv4Addr) -> Option<String> {
        let all = self.lock();
        let own = all.get(asker)?.iter().find(|own| {
            own.address == address
                || own.named == Named::Yes
                    && all.values().flatten().any(|p| p.network == own.network && p.address == address)
        })?;
        let place = all.values().flatten().find(|p| p.network == own.network && p.address == address)?;
        Some(format!("{}.{}", place.names.first()?, place.network_name))
    }

    /// The address at which a container's published ports are: in its first network that leads outside.
    pub(super) fn published(&self, container: &str) -> Option<Ipv4Addr> {
        let all = self.lock();
        all.get(container)?.iter().find(|p| p.outside == Outside::Open).map(|p| p.address)
    }

    /// Whether a container may ask for other names.
    pub(super) fn outside(&self, asker: &str) -> Outside {
        let all = self.lock();
        let open = all.get(asker).is_some_and(|own| own.iter().any(|p| p.outside == Outside::Open));
        if open { Outside::Open } else { Outside::Shut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(network: &str, last: u8, names: &[&str]) -> Place {
        Place {
            network: format!("id of {network}"),
            network_name: network.to_owned(),
            named: if network == "bridge" { Named::No } else { Named::Yes },
            outside: if network == "inner" { Outside::Shut } else { Outside::Open },
            address: Ipv4Addr::new(10, 0, 0, last),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            links: Vec::new(),
        }
    }

    fn here(last: &[u8]) -> Found {
        Found::Here(last.iter().map(|l| Ipv4Addr::new(10, 0, 0, *l)).collect())
    }

    #[test]
    fn names_are_found_in_common_networks_alone() {
        let directory = Directory::default();
        directory.put("a", vec![place("red", 1, &["web", "shared"]), place("bridge", 11, &["web"])]);
        directory.put("b", vec![place("red", 2, &["db", "shared"]), place("blue", 3, &["db"])]);
        directory.put("c", vec![place("inner", 4, &["far"]), place("bridge", 14, &["far"])]);
        for (asker, name, found) in [
            ("a", "db", here(&[2])),
            ("a", "db.red", here(&[2])),
            ("a", "db.blue", Found::Nothing),
            ("a", "shared", here(&[1, 2])),
            ("a", "far", Found::Nothing),
            ("b", "web", here(&[1])),
            ("b", "db", here(&[2, 3])),
            ("c", "far", here(&[4, 14])),
            ("c", "web", Found::Nothing),
            ("nobody", "web", Found::Nothing),
        ] {
            assert_eq!(directory.find(asker, name), found, "{asker} asks for {name}");
        }
        let linked = Place { links: vec![("store".into(), "db".into())], ..place("red", 5, &["shop"]) };
        directory.put("d", vec![linked]);
        assert_eq!(directory.find("d", "store"), here(&[2]));
        assert_eq!(directory.find("a", "store"), Found::Nothing, "a link is one container's");
        let name = |asker, last| directory.name_of(asker, Ipv4Addr::new(10, 0, 0, last));
        assert_eq!(name("a", 2).as_deref(), Some("db.red"));
        assert_eq!((name("a", 3), name("a", 14), name("c", 11)), (None, None, None));
        assert_eq!(name("c", 14).as_deref(), Some("far.bridge"));
        directory.put("c", vec![place("inner", 4, &["far"])]);
        assert_eq!((directory.outside("a"), directory.outside("c")), (Outside::Open, Outside::Shut));
        directory.remove("b");
        assert_eq!(directory.find("a", "db"), Found::Nothing);
    }
}

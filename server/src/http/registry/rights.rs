//! What somebody may do in which name space of the registry.
//!
//! Today every visitor may push to the configured spaces, each to repositories of their own, which the engine sees to. A class
//! will be one more way to a list of spaces.

use crate::config::Registry;
use crate::session::policy::Caller;
use sandlot_wire::registry::space;

/// What is done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Look and fetch.
    Pull,
    /// Bring.
    Push,
    /// Take away.
    Delete,
}

impl Action {
    /// As a token's scope has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// The action of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Pull, Self::Push, Self::Delete].into_iter().find(|action| action.name() == name)
    }
}

/// How far somebody may go in a name space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// They pull all that is in it.
    Pulls,
    /// They pull all, and push to and delete what is theirs.
    Pushes,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everything, everywhere.
    All,
    /// In these name spaces.
    In(Vec<(String, Reach)>),
}

impl Rights {
    /// Somebody's.
    pub(super) fn of(caller: &Caller, registry: &Registry) -> Self {
        let in_all =
            |spaces: &[String], reach| spaces.iter().map(|space| (space.clone(), reach)).collect::<Vec<_>>();
        match caller {
            Caller::Administrator => Self::All,
            Caller::Visitor(_) => {
                let mut spaces = in_all(&registry.spaces, Reach::Pushes);
                spaces.extend(in_all(&registry.shared, Reach::Pulls));
                Self::In(spaces)
            }
            Caller::Guest(_) => Self::In(Vec::new()),
        }
    }

    /// Whether that may be done to a repository.
    pub(super) fn allow(&self, repository: &str, action: Action) -> bool {
        let Self::In(spaces) = self else { return true };
        // A repository has a name space and a name in it.
        let reach = spaces.iter().find(|(name, _)| name == space(repository) && repository.contains('/'));
        match reach {
            Some((_, Reach::Pushes)) => true,
            Some((_, Reach::Pulls)) => action == Action::Pull,
            None => false,
        }
    }

    /// The name spaces that they know of; `None`: all.
    pub(super) fn spaces(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::In(spaces) => {
                Some(spaces.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_pushes_to_the_class_and_pulls_what_is_shared_and_no_more() {
        let registry =
            Registry { spaces: vec!["class".into()], shared: vec!["hub".into()], socket: "/x".into() };
        let ann = Rights::of(&Caller::Visitor("ann".into()), &registry);
        for (repository, pull, push) in [
            ("class/app", true, true),
            ("class/a/b", true, true),
            ("hub/library/debian", true, false),
            ("class", false, false),
            ("classes/app", false, false),
            ("other/class/app", false, false),
        ] {
            assert_eq!(ann.allow(repository, Action::Pull), pull, "{repository}");
            assert_eq!(ann.allow(repository, Action::Push), push, "{repository}");
            assert_eq!(ann.allow(repository, Action::Delete), push, "{repository}");
        }
        assert_eq!(ann.spaces().as_deref(), Some("class,hub"));
        assert!(Rights::of(&Caller::Administrator, &registry).allow("any", Action::Delete));
        let all = Rights::of(&Caller::Administrator, &registry);
        assert_eq!(all.spaces(), None);
    }
}

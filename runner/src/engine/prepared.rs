//! What one start of a container gets beside what its record says: mounts and variables that are written down nowhere, as those
//! of a build's commands are, secrets among them.

use crate::container::spec::{self, MountSource};
use std::os::fd::OwnedFd;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Detached mounts, whose ids are the container's already.
    pub(super) mounts: Vec<PreparedMount>,
    /// `NAME=value`
    pub(super) env: Vec<String>,
}

/// One of the mounts.
#[derive(Debug)]
pub(super) struct PreparedMount {
    /// What.
    pub(super) mount: OwnedFd,
    /// Where: an absolute path inside.
    pub(super) target: String,
    /// Whether writing is denied.
    pub(super) readonly: bool,
}

impl Prepared {
    /// Adds all of it to a description, and to the descriptors that are sent along.
    pub(super) fn add_to(self, description: &mut spec::Container, sent: &mut Vec<OwnedFd>) {
        for PreparedMount { mount, target, readonly } in self.mounts {
            let source = MountSource::Detached(sent.len());
            description.mounts.push(spec::Mount { source, target, readonly });
            sent.push(mount);
        }
        if let Some(process) = &mut description.process {
            process.env.extend(self.env);
        }
    }
}

//! What is cloned: everything that makes one container, from its description to its first process.
//!
//! Knows neither images nor HTTP nor where state is kept: it is given directories and descriptors.

pub mod become_process;
pub mod capabilities;
pub mod cgroup;
pub mod checkpoint;
pub mod clock;
pub mod disk;
pub mod door;
pub mod failure;
pub mod host;
pub mod init;
pub mod network;
pub mod plan;
pub mod rootfs;
pub mod seccomp;
pub mod setup;
pub mod spec;
pub mod target;
pub mod user;
pub mod views;

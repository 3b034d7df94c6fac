//! Thin, safe wrappers for the system calls that Sandlot needs and no crate offers.
//!
//! The only unsafe code of the project; each function is named like its system call. Knows no container.

pub mod clone;
pub mod loopdev;
pub mod mapping;
pub mod memory;
pub mod mount;
pub mod netdevice;
pub mod process;
pub mod scm;
pub mod seccomp;
pub mod unread;
pub mod userns;

//! Sandlot from outside: what the end-to-end tests, the browser's tests and the benchmark share.
//!
//! Everything is real: processes, a registry, images, sockets. Each part ends and removes what it started when it is
//! dropped. Knows the product's programs and wires only, none of its code.

#![forbid(unsafe_code)]

pub mod client;
pub mod dockerd;
pub mod image;
pub mod netns;
pub mod process;
pub mod reaper;
pub mod registry;
pub mod sandbox;
pub mod socket;
pub mod terminal;
pub mod traces;
pub mod wait;

/// A program of the build that this binary belongs to, `target/…/debug/NAME`.
///
/// # Errors
/// When it was not built: `cargo build --workspace --bins` does.
pub fn program(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let me = std::env::current_exe()?;
    let found = me.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| anyhow::anyhow!("{name} is not built; run: cargo build --workspace --bins"))
}

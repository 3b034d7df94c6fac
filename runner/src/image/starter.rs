//! The image that is always there: a shell, embedded into this program when it was built.

use super::{Error, Store};

/// Its name.
pub const NAME: &str = "sandlot/starter:latest";

/// An OCI image layout in a tar archive; empty if the program was built without busybox.
const ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/starter.tar"));

/// Its shell with all tools, one static program; empty if there was none when this program was built.
pub const SHELL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shell"));

/// Loads it, if it is not there.
///
/// # Errors
/// What loading answers. A program built without it has none, which [`Store::resolve`] will say.
pub fn ensure(store: &Store) -> Result<(), Error> {
    if ARCHIVE.is_empty() {
        tracing::warn!(
            "this program was built without the starter image: install busybox-static and build again"
        );
        return Ok(());
    }
    if store.offers().iter().any(super::shared::Offer::is_starter) {
        return Ok(());
    }
    let built = super::Digest::of(ARCHIVE).to_string();
    let mark = store.starter_mark();
    if store.resolve(NAME).is_ok() && std::fs::read_to_string(&mark).is_ok_and(|loaded| loaded == built) {
        return Ok(());
    }
    store.load(ARCHIVE)?;
    Ok(std::fs::write(mark, built)?)
}

//! Which user namespace this process lives in (user_namespaces(7)).

use std::sync::OnceLock;

/// What the first user namespace of a machine says of itself in `/proc/self/uid_map`: every id is what it is.
const FIRST: [&str; 3] = ["0", "0", "4294967295"];

/// Whether it is not the machine's own: then no mount is idmapped, no device node is made, and an overlay keeps its marks in
/// `user.` attributes. Asked once.
#[must_use]
pub fn within() -> bool {
    static WITHIN: OnceLock<bool> = OnceLock::new();
    *WITHIN.get_or_init(|| {
        let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        !map.is_empty() && !map.split_whitespace().eq(FIRST)
    })
}

/// The attribute by which overlays that this process mounts say that a directory hides what is below it.
#[must_use]
pub fn opaque() -> &'static str {
    if within() { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}

//! What is cloned: everything that makes one container, from its description to its first process.
//!
//! Knows neither images nor HTTP nor where state is kept: it is given directories and descriptors.

pub mod spec;

//! The single-threaded process that does every clone, its wire, and the engine's end of it.

mod child;
pub mod client;
pub mod ensure;
pub mod message;
mod record;
mod serve;

pub use ensure::{Ensured, ensure};
pub use serve::serve;

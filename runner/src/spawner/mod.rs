//! The single-threaded process that does every clone, its wire, and the engine's end of it.

mod child;
mod children;
pub mod client;
mod ensure;
pub mod message;
mod order;
mod record;
mod requests;
mod restore;
mod serve;

pub use ensure::{Ensured, ensure, ensure_by};
pub use serve::serve;

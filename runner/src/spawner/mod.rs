//! The single-threaded process that does every clone, its wire, and the engine's end of it.

pub mod client;
pub mod ensure;
pub mod message;

//! A session's life: queue, container, terminals, limits, end.
//!
//! Knows neither HTTP nor how the engine is reached.

pub mod docker;
pub mod engine;
mod error;
mod handover;
pub mod lease;
mod life;
pub mod policy;
mod reaper;
mod recovery;
mod service;
pub mod state;
pub mod table;
mod terminals;
mod writer;

pub use error::Error;
pub use service::{Counts, Request, Sessions, View};
pub(crate) use service::{now, rfc3339};

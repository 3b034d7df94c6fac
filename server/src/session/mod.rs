//! A session's life: queue, container, terminals, limits, end.
//!
//! Knows neither HTTP nor how the engine is reached.

mod calls;
mod docker;
pub mod engine;
mod error;
mod handover;
pub mod lease;
mod life;
pub mod policy;
mod reaper;
mod recovery;
mod search;
mod service;
pub mod state;
mod stock;
mod stock_terminal;
pub mod table;
mod terminals;
mod writer;

pub use error::Error;
pub use search::find;
pub use service::{Counts, Request, Sessions, View};
pub(crate) use service::{now, rfc3339};

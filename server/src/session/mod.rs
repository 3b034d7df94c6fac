//! A session's life: queue, container, terminals, limits, end.
//!
//! Knows neither HTTP nor how the engine is reached.

mod audit;
pub mod bounds;
mod calls;
mod create;
mod docker;
pub mod engine;
mod engine_files;
mod error;
pub mod files;
mod handover;
pub mod inside;
mod keep;
pub mod lease;
mod life;
mod metering;
pub mod permit;
pub mod policy;
pub mod pool;
pub mod ports;
mod reaper;
pub mod recordings;
mod recovery;
mod refill;
mod reset;
pub mod scripts;
mod search;
mod service;
pub mod shares;
pub mod state;
mod stock;
mod stock_terminal;
pub mod table;
mod terminals;
pub mod used;
mod writer;

pub use error::Error;
pub use keep::Keeping;
pub use refill::PoolView;
pub use search::find;
pub use service::{Counts, Origin, Request, Sessions, View};
pub(crate) use service::{now, rfc3339};

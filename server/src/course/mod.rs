//! Courses: slides, labs, steps, checks. A folder becomes a course, its Markdown becomes pages, its scripts run in sessions.
//!
//! Knows neither HTTP nor how a session is reached.

mod error;
pub mod fault;
pub mod folder;
pub mod format;
pub mod import;
pub mod learning;
pub mod load;
mod load_lab;
mod load_things;
pub mod located;
pub mod markdown;
pub mod marks;
pub mod model;
pub mod order;
pub mod prepare;
pub mod progress;
pub mod quiz;
pub mod scripts;
pub mod shelf;
pub mod slides;
pub mod template;
pub mod trial;
pub mod values;

pub use error::Error;
pub use load::{Loaded, load};

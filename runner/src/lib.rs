//! The container engine of Sandlot, its Docker Engine API and its command line.
//!
//! Imports run downwards only: `cli`, `api` → `engine` → `spawner` → `container`; `engine` → `image`; all of them →
//! `sandlot_sys`, which holds the only `unsafe`. `container` and `image` know nothing of each other.

#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod container;
pub mod engine;
pub mod image;
pub mod spawner;

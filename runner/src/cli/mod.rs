//! The command line: one file a command; speaks the Docker Engine API to an engine.

pub mod engine;
pub mod supervise;

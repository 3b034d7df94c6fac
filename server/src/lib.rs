//! The web server of Sandlot: sessions, terminals, pages. It reaches containers only through the engine's socket.
#![forbid(unsafe_code)]

pub mod config;
pub mod course;
pub mod course_command;
pub mod http;
pub mod privileges;
pub mod server;
pub mod session;
pub mod store;
pub mod terminal;

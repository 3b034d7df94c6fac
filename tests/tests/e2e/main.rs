//! Sandlot from outside, one module a promise.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod ahead;
mod bollard;
mod build;
mod build_attacks;
mod build_limits;
mod build_own;
mod build_peers;
mod checkpoints;
mod command_line;
mod containers;
mod crowd;
mod docker_py;
mod dockerfile;
mod endpoints;
mod ends;
mod events;
mod files;
mod floods;
mod health;
mod host;
mod images;
mod keeping;
mod limits;
mod logs;
mod neighbours;
mod nested;
mod network_options;
mod networks;
mod one_call;
mod own_engine;
mod pool;
mod previews;
mod pushing;
mod remote;
mod restarts;
mod server_socket;
mod session_files;
mod sessions;
mod stock;
mod survival;
mod units;
mod volume_sizes;
mod volumes;
mod walls;

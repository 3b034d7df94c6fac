//! The `sandlot-server` program: arguments, logging, exit code.

#![forbid(unsafe_code)]

fn main() {}

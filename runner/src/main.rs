//! The `sandlot` program: arguments in, exit code out.

#![forbid(unsafe_code)]

use clap::Parser;
use sandlot::cli::{engine, supervise};
use sandlot::container::checkpoint::hook;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // What needs no other arguments than these is not parsed further: the spawner must stay small.
    if let [_, command, option, socket] = arguments.as_slice()
        && command == "spawner"
        && option == "--socket"
    {
        return match sandlot::spawner::serve(socket.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("sandlot: spawner: {socket}: {e}");
                ExitCode::FAILURE
            }
        };
    }
    if let [_, command, parent] = arguments.as_slice()
        && command == "views"
    {
        return match sandlot::container::views::serve(parent) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    // CRIU calls it so, in the middle of a restore.
    if let [program] = arguments.as_slice()
        && hook::is(program)
    {
        return hook::run(program);
    }
    match arguments.get(1).map(String::as_str) {
        Some("engine") => engine::run(engine::Arguments::parse_from(arguments.into_iter().skip(1))),
        Some("supervise") => supervise::run(&supervise::Arguments::parse_from(arguments.into_iter().skip(1))),
        _ => sandlot::cli::run(arguments.into_iter().skip(1).collect()),
    }
}

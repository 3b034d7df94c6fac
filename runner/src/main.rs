//! The `sandlot` program: arguments in, exit code out.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["spawner", "--socket", socket] => match sandlot::spawner::serve(socket.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("sandlot: spawner: {socket}: {e}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: sandlot spawner --socket PATH");
            ExitCode::from(2)
        }
    }
}

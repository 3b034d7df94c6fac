//! The `sandlot` program: arguments in, exit code out.

#![forbid(unsafe_code)]

use sandlot::engine::Settings;
use std::path::Path;
use std::process::ExitCode;

/// An engine whose state and sockets lie below the two directories; the web server's socket is for its owner's uid.
fn engine(state: &Path, run: &Path) -> ExitCode {
    let mut settings = Settings::system();
    settings.state = state.to_owned();
    settings.run = run.to_owned();
    settings.socket = run.join("engine.sock");
    settings.spawner = run.join("spawner.sock");
    settings.server = Some((
        run.join("server.sock"),
        std::env::var("SANDLOT_SERVER_UID").ok().and_then(|u| u.parse().ok()).unwrap_or(65534),
    ));
    if let Ok(parent) = std::env::var("SANDLOT_CGROUP_PARENT") {
        settings.cgroup_parent = parent;
    }
    let run = || -> anyhow::Result<()> {
        sandlot::spawner::ensure(&settings.spawner)?;
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(runtime.block_on(sandlot::api::run(settings, stopped))?)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("sandlot: engine: {e:#}");
            ExitCode::FAILURE
        }
    }
}

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
        ["engine", "--state", state, "--run", run] => engine(state.as_ref(), run.as_ref()),
        _ => {
            eprintln!("usage: sandlot spawner --socket PATH");
            ExitCode::from(2)
        }
    }
}

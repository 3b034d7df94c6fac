//! The `sandlot-server` program: arguments, logging, exit code.

#![forbid(unsafe_code)]

use anyhow::Context;
use sandlot_server::config::{self, Config};
use sandlot_server::course_command;
use sandlot_server::privileges;
use sandlot_server::server::Server;
use sandlot_server::session;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Threads that serve: terminals are cheap, and the machine's processors belong to the sessions.
const THREADS: usize = 2;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("SANDLOT_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,html5ever=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "course") {
        return course_command::run(arguments.into_iter().skip(1).collect());
    }
    let config = match Config::read(arguments) {
        Ok(config) => config,
        Err(config::Error::Arguments(error)) => error.exit(),
        Err(error) => {
            eprintln!("sandlot-server: {error}");
            return ExitCode::from(2);
        }
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandlot-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What needs root, then root is given up, then the first thread is made.
fn run(config: Config) -> anyhow::Result<()> {
    let listen = config.web.listen;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let folder = if privileges::is_root() {
        let account = privileges::resolve(&config.account)?;
        privileges::ensure_engine(&config.engine, &config.state, account.0)?;
        let folder = privileges::prepare(&config.state, Some(account))?;
        privileges::drop_to(account)?;
        tracing::info!(uid = account.0.as_raw(), gid = account.1.as_raw(), "root was given up");
        folder
    } else {
        privileges::prepare(&config.state, None)?
    };
    privileges::forbid_gain()?;
    sandlot_sys::memory::keep_trimmed()?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?
        .block_on(serve(config, folder, listener))
}

async fn serve(config: Config, folder: PathBuf, listener: TcpListener) -> anyhow::Result<()> {
    let socket = config.engine.display().to_string();
    let engine = session::find(config.engine).await.with_context(|| {
        format!("cannot use the engine on {socket} (for a stock Docker engine: --user UID:GID with the socket's group)")
    })?;
    for void in engine.voids() {
        tracing::warn!("a stock Docker engine, for development only: {void}");
    }
    let server = Server::new(&folder, engine, config.policy, config.web, config.admin_token).await?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    println!("\n  Sandlot:        {}", sandlot_server::config::url(listener.local_addr()?));
    if let Some(login) = server.login() {
        println!("  administrator:  {login}\n");
    }
    let stop = server.stop();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => (),
            _ = int.recv() => (),
        }
        tracing::info!("the server ends; sessions go on");
        stop.cancel();
    });
    server.listen(listener).await;
    Ok(())
}

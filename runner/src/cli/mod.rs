//! The command line: Docker's verbs, words, columns and exit codes over an engine's socket. Knows nothing of how the
//! engine does it; one file a command.

mod attach;
mod client;
mod container_options;
mod create;
mod each;
pub mod engine;
mod error;
mod exec;
mod filters;
mod format;
mod host;
mod images;
mod lifecycle;
mod logs;
mod people;
mod ps;
mod run;
mod socket;
mod start;
mod streams;
pub mod supervise;
mod terminal;
mod values;

use clap::{Parser, Subcommand};
use client::Client;
use error::Error;
use std::process::ExitCode;

/// What a command line that is not understood ends with, as Docker's.
const NOT_UNDERSTOOD: u8 = 125;

/// Containers in a few milliseconds, by Docker's verbs
#[derive(Debug, Parser)]
#[command(
    name = "sandlot",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// The engine's socket: unix:///path or a path (else SANDLOT_HOST, DOCKER_HOST, /run/sandlot/engine.sock)
    #[arg(short = 'H', long, global = true)]
    host: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Attach(attach::Attach),
    Create(Box<create::Create>),
    Exec(exec::Exec),
    Ps(ps::Ps),
    Run(Box<run::Run>),
    Start(start::Start),
    Stop(lifecycle::Stop),
    /// Stop containers and start them again
    Restart(lifecycle::Stop),
    Kill(lifecycle::Kill),
    Rm(lifecycle::Rm),
    /// Freeze every process of containers
    Pause(lifecycle::Containers),
    /// Let frozen containers go on
    Unpause(lifecycle::Containers),
    /// Wait for containers to end, and print their exit codes
    Wait(lifecycle::Containers),
    /// Show all that is known of containers or images
    Inspect(lifecycle::Containers),
    /// Show the processes of containers
    Top(lifecycle::Containers),
    Rename(lifecycle::Rename),
    Logs(logs::Logs),
    Images(images::Images),
    Pull(images::Pull),
    Rmi(images::Rmi),
    Tag(images::Tag),
    Doctor(host::Doctor),
    /// Show what the engine is and holds
    Info,
    /// Show the versions
    Version,
}

/// Runs one command; `arguments` without the program's name.
#[must_use]
pub fn run(arguments: Vec<String>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(std::iter::once("sandlot".to_owned()).chain(arguments)) {
        Ok(arguments) => arguments,
        Err(told) => {
            // Where not even this can be printed, the exit code must do.
            told.print().unwrap_or_default();
            return ExitCode::from(if told.use_stderr() { NOT_UNDERSTOOD } else { 0 });
        }
    };
    match execute(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            match &error {
                Error::Told => {}
                error => eprintln!("sandlot: {error}"),
            }
            ExitCode::from(error.code())
        }
    }
}

fn execute(arguments: Arguments) -> Result<u8, Error> {
    let socket = socket::choose(arguments.host.as_deref(), |name| std::env::var(name).ok())?;
    let client = Client::new(&socket);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("the runtime"))?;
    let result = runtime.block_on(dispatch(arguments.command, &client));
    // A read of standard input may still block a thread.
    runtime.shutdown_background();
    result
}

async fn dispatch(command: Command, client: &Client) -> Result<u8, Error> {
    match command {
        Command::Attach(command) => command.run(client).await,
        Command::Create(command) => command.run(client).await,
        Command::Exec(command) => command.run(client).await,
        Command::Ps(command) => command.run(client).await,
        Command::Run(command) => command.run(client).await,
        Command::Start(command) => command.run(client).await,
        Command::Stop(command) => command.run(client, "stop").await,
        Command::Restart(command) => command.run(client, "restart").await,
        Command::Kill(command) => command.run(client).await,
        Command::Rm(command) => command.run(client).await,
        Command::Pause(command) => command.run(client, "pause").await,
        Command::Unpause(command) => command.run(client, "unpause").await,
        Command::Wait(command) => command.wait(client).await,
        Command::Inspect(command) => command.inspect(client).await,
        Command::Top(command) => command.top(client).await,
        Command::Rename(command) => command.run(client).await,
        Command::Logs(command) => command.run(client).await,
        Command::Images(command) => command.run(client).await,
        Command::Pull(command) => command.run(client).await,
        Command::Rmi(command) => command.run(client).await,
        Command::Tag(command) => command.run(client).await,
        Command::Doctor(command) => command.run(),
        Command::Info => host::show(client, "/info").await,
        Command::Version => host::show(client, "/version").await,
    }
}

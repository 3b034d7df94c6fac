//! The command line: Docker's verbs, words, columns and exit codes over an engine's socket. Knows nothing of how the
//! engine does it; one file a command.

mod archives;
mod attach;
mod build;
mod checkpoints;
mod client;
mod command;
mod confirm;
mod container_options;
mod cp;
mod create;
mod direct;
mod each;
pub mod engine;
mod error;
mod events;
mod exec;
mod filters;
mod format;
mod host;
mod images;
mod inside;
mod inspect;
mod keeping;
mod lifecycle;
mod login;
mod logs;
mod network_options;
mod networks;
mod outcome;
mod own;
mod people;
mod prune;
mod ps;
mod registry_options;
mod remote;
mod run;
mod shortcut;
mod socket;
mod start;
mod stats;
mod streams;
pub mod supervise;
mod system;
mod template;
mod terminal;
mod transfer;
mod update;
mod values;
mod volumes;

use clap::Parser;
use client::Client;
use command::Command;
use error::Error;
use std::process::ExitCode;

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

/// The verb whose start is counted in microseconds, alone: to know all others takes the parser half a millisecond.
#[derive(Debug, Parser)]
#[command(name = "sandlot")]
struct OneVerb {
    #[arg(short = 'H', long, global = true)]
    host: Option<String>,
    #[command(subcommand)]
    command: OnlyRun,
}

#[derive(Debug, clap::Subcommand)]
enum OnlyRun {
    Run(Box<run::Run>),
}

/// What was asked for; what is not understood is for the whole parser, which says why.
fn parse(arguments: Vec<String>) -> Result<Arguments, clap::Error> {
    let arguments: Vec<String> = std::iter::once("sandlot".to_owned()).chain(arguments).collect();
    if arguments.get(1).is_some_and(|verb| verb == "run")
        && let Ok(OneVerb { host, command: OnlyRun::Run(run) }) = OneVerb::try_parse_from(&arguments)
    {
        return Ok(Arguments { host, command: Command::OfContainer(command::OfContainer::Run(run)) });
    }
    Arguments::try_parse_from(arguments)
}

/// Runs one command; `arguments` without the program's name.
#[must_use]
pub fn run(arguments: Vec<String>) -> ExitCode {
    if let Some(done) = directly(&arguments) {
        return ended(done);
    }
    let arguments = match parse(arguments) {
        Ok(arguments) => arguments,
        Err(told) => {
            // Where not even this can be printed, the exit code must do.
            told.print().unwrap_or_default();
            return ExitCode::from(if told.use_stderr() { not_understood(&told) } else { 0 });
        }
    };
    ended(execute(arguments))
}

/// What a command line that is not understood ends with, as Docker's: 1 where words are missing, too many, or no command, 125
/// where it is an option.
fn not_understood(told: &clap::Error) -> u8 {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let word = match told.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => word.as_str(),
        _ => "",
    };
    match told.kind() {
        ErrorKind::MissingRequiredArgument | ErrorKind::InvalidSubcommand => 1,
        ErrorKind::UnknownArgument if !word.starts_with('-') => 1,
        _ => 125,
    }
}

/// The common kind of `run`, where an engine takes it in one call.
fn directly(arguments: &[String]) -> Option<Result<u8, Error>> {
    let shortcut = shortcut::Shortcut::of(arguments)?;
    let named = socket::choose(shortcut.host.as_deref(), |name| std::env::var(name).ok()).ok()?;
    let socket = named.unwrap_or_else(|| socket::usual().to_owned());
    let name = shortcut.name.clone();
    match direct::run(&socket, name.as_deref(), &shortcut.creation()?) {
        direct::Outcome::Done(result) => Some(result),
        direct::Outcome::Nothing => None,
    }
}

fn ended(result: Result<u8, Error>) -> ExitCode {
    match result {
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
    let named = socket::choose(arguments.host.as_deref(), |name| std::env::var(name).ok())?;
    let own = match &named {
        Some(_) => None,
        None if !arguments.command.needs_engine() || socket::answers() => None,
        None if arguments.command.leaves_behind() => {
            return Err(Error::Invalid(
                "no engine listens at /run/sandlot/engine.sock: what this starts would end with this command; start \
                 `sandlot engine` first, or leave it in the foreground"
                    .into(),
            ));
        }
        None => Some(own::Own::start()?),
    };
    let usual = || own.as_ref().map_or(socket::usual(), own::Own::socket).to_owned();
    let client = Client::new(&named.unwrap_or_else(usual));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::io("the runtime"))?;
    let result = runtime.block_on(arguments.command.run(&client));
    // A read of standard input may still block a thread.
    runtime.shutdown_background();
    drop(own);
    result
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_two_options_of_a_verb_are_the_same() {
        super::Arguments::command().debug_assert();
    }
}

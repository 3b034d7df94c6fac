//! Every verb, at the place where people type it: `sandlot run`, `sandlot container run`.

use super::client::Client;
use super::error::Error;
use super::inspect::Kind;
use super::{
    archives, attach, build, checkpoints, cp, create, events, exec, host, images, inspect, lifecycle, login,
    logs, networks, outcome, prune, ps, run, start, stats, system, transfer, update, volumes,
};
use clap::Subcommand;

/// All of them.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[command(flatten)]
    OfContainer(OfContainer),
    Ps(ps::Ps),
    Inspect(inspect::Inspect),
    #[command(flatten)]
    OfImage(OfImage),
    Images(images::Images),
    Rmi(images::Rmi),
    Events(events::Events),
    Login(login::Login),
    Logout(login::Logout),
    Info(host::Info),
    Version(host::Version),
    Doctor(host::Doctor),
    /// The verbs for checkpoints: running containers, written down
    #[command(subcommand)]
    Checkpoint(checkpoints::Command),
    /// The verbs for containers
    #[command(subcommand)]
    Container(Container),
    /// The verbs for images
    #[command(subcommand)]
    Image(Image),
    /// The verbs for networks
    #[command(subcommand)]
    Network(networks::Command),
    /// The verbs for volumes
    #[command(subcommand)]
    Volume(volumes::Command),
    /// The verbs for the engine as a whole
    #[command(subcommand)]
    System(system::Command),
}

/// What is called the same below `container` and without it.
#[derive(Debug, Subcommand)]
pub(super) enum OfContainer {
    Attach(attach::Attach),
    Commit(outcome::Commit),
    Cp(cp::Cp),
    Create(Box<create::Create>),
    Diff(outcome::Diff),
    Exec(exec::Exec),
    Export(outcome::Export),
    Kill(lifecycle::Kill),
    Logs(logs::Logs),
    /// Freeze every process of containers
    Pause(lifecycle::Containers),
    Port(inspect::Port),
    Rename(lifecycle::Rename),
    /// Stop containers and start them again
    Restart(lifecycle::Stop),
    Rm(lifecycle::Rm),
    Run(Box<run::Run>),
    Start(start::Start),
    Stats(stats::Stats),
    Stop(lifecycle::Stop),
    Top(lifecycle::Top),
    /// Let frozen containers go on
    Unpause(lifecycle::Containers),
    Update(Box<update::Update>),
    /// Wait for containers to end, and print their exit codes
    Wait(lifecycle::Containers),
}

/// `sandlot container …`
#[derive(Debug, Subcommand)]
pub(super) enum Container {
    #[command(flatten)]
    Same(OfContainer),
    /// Show all that is known of containers
    Inspect(inspect::Of),
    #[command(visible_alias = "list", alias = "ps")]
    Ls(ps::Ps),
    Prune(prune::Containers),
}

/// What is called the same below `image` and without it.
#[derive(Debug, Subcommand)]
pub(super) enum OfImage {
    Build(Box<build::Build>),
    History(images::History),
    Import(archives::Import),
    Load(archives::Load),
    Pull(transfer::Pull),
    Push(transfer::Push),
    Save(archives::Save),
    Tag(images::Tag),
}

/// `sandlot image …`
#[derive(Debug, Subcommand)]
pub(super) enum Image {
    #[command(flatten)]
    Same(OfImage),
    /// Show all that is known of images
    Inspect(inspect::Of),
    #[command(visible_alias = "list")]
    Ls(images::Images),
    Prune(prune::Images),
    #[command(visible_alias = "remove")]
    Rm(images::Rmi),
}

impl Command {
    /// Whether it has anything to say to an engine.
    pub(super) fn needs_engine(&self) -> bool {
        match self {
            Self::Logout(_) | Self::Doctor(_) | Self::Version(_) => false,
            Self::OfContainer(OfContainer::Attach(attach))
            | Self::Container(Container::Same(OfContainer::Attach(attach))) => !attach.elsewhere(),
            _ => true,
        }
    }

    /// Whether it starts what is to go on without it.
    pub(super) fn leaves_behind(&self) -> bool {
        match self {
            Self::OfContainer(command) | Self::Container(Container::Same(command)) => match command {
                OfContainer::Run(run) => run.detached(),
                OfContainer::Start(start) => start.detached(),
                _ => false,
            },
            _ => false,
        }
    }

    /// Runs it; its exit code.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        match self {
            Self::OfContainer(command) | Self::Container(Container::Same(command)) => {
                command.run(client).await
            }
            Self::OfImage(command) | Self::Image(Image::Same(command)) => command.run(client).await,
            Self::Ps(command) | Self::Container(Container::Ls(command)) => command.run(client).await,
            Self::Inspect(command) => command.run(client).await,
            Self::Container(Container::Inspect(command)) => command.run(client, &[Kind::Container]).await,
            Self::Container(Container::Prune(command)) => command.run(client).await,
            Self::Images(command) | Self::Image(Image::Ls(command)) => command.run(client).await,
            Self::Image(Image::Inspect(command)) => command.run(client, &[Kind::Image]).await,
            Self::Image(Image::Prune(command)) => command.run(client).await,
            Self::Rmi(command) | Self::Image(Image::Rm(command)) => command.run(client).await,
            Self::Events(command) => command.run(client).await,
            Self::Login(command) => command.run(client).await,
            Self::Logout(command) => command.run(),
            Self::Info(command) => command.run(client).await,
            Self::Version(command) => command.run(client).await,
            Self::Doctor(command) => command.run(),
            Self::Checkpoint(command) => command.run(client).await,
            Self::Network(command) => command.run(client).await,
            Self::Volume(command) => command.run(client).await,
            Self::System(command) => command.run(client).await,
        }
    }
}

impl OfContainer {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        match self {
            Self::Attach(command) => command.run(client).await,
            Self::Commit(command) => command.run(client).await,
            Self::Cp(command) => command.run(client).await,
            Self::Create(command) => command.run(client).await,
            Self::Diff(command) => command.run(client).await,
            Self::Export(command) => command.run(client).await,
            Self::Exec(command) => command.run(client).await,
            Self::Kill(command) => command.run(client).await,
            Self::Logs(command) => command.run(client).await,
            Self::Pause(command) => command.run(client, "pause").await,
            Self::Port(command) => command.run(client).await,
            Self::Rename(command) => command.run(client).await,
            Self::Restart(command) => command.run(client, "restart").await,
            Self::Rm(command) => command.run(client).await,
            Self::Run(command) => command.run(client).await,
            Self::Start(command) => command.run(client).await,
            Self::Stats(command) => command.run(client).await,
            Self::Stop(command) => command.run(client, "stop").await,
            Self::Top(command) => command.run(client).await,
            Self::Unpause(command) => command.run(client, "unpause").await,
            Self::Update(command) => command.run(client).await,
            Self::Wait(command) => command.wait(client).await,
        }
    }
}

impl OfImage {
    async fn run(self, client: &Client) -> Result<u8, Error> {
        match self {
            Self::Build(command) => command.run(client).await,
            Self::History(command) => command.run(client).await,
            Self::Import(command) => command.run(client).await,
            Self::Load(command) => command.run(client).await,
            Self::Pull(command) => command.run(client).await,
            Self::Push(command) => command.run(client).await,
            Self::Save(command) => command.run(client).await,
            Self::Tag(command) => command.run(client).await,
        }
    }
}

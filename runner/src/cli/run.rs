//! `sandlot run`: create, attach, start, wait.

use super::client::{Call, Client, segment};
use super::container_options::{Attachment, ContainerOptions, Creation};
use super::error::Error;
use super::streams::{self, End, Framing, Input};
use super::terminal::{DETACH, Detach, Raw};
use super::{create, format};
use clap::Args;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Response};
use std::io::IsTerminal;

/// Create a container and run a command in it
#[derive(Debug, Args)]
pub(super) struct Run {
    /// Run in the background and print the container's id
    #[arg(short, long)]
    detach: bool,
    /// Keys that detach from the container
    #[arg(long, default_value = DETACH, value_parser = Detach::parse)]
    detach_keys: Detach,
    /// Pass signals on to the process (this is the default)
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    sig_proxy: bool,
    #[command(flatten)]
    container: ContainerOptions,
}

impl Run {
    /// Whether the container is to go on without this command.
    pub(super) fn detached(&self) -> bool {
        self.detach
    }

    /// Runs it; the exit code is that of the container's first process.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        self.inner(client).await.map_err(Error::of_run)
    }

    async fn inner(self, client: &Client) -> Result<u8, Error> {
        let options = create::Options::of(&self.container);
        if self.detach {
            let created =
                create::create(client, &options, self.container.creation(Attachment::Nobody)?).await?;
            start(client, &created).await?;
            return format::line(&created).map(|()| 0);
        }
        let (tty, interactive) = (self.container.tty, self.container.interactive);
        let creation = self.container.creation(Attachment::Here)?;
        needs_terminal(&creation)?;
        let id = create::create(client, &options, creation).await?;
        let attach = Call::container(Method::POST, &id, "attach").query("stream", "1");
        let attach = attach.query("stdin", if interactive { "1" } else { "0" }).query("stdout", "1");
        let connection = client.hijack(attach.query("stderr", "1")).await?;
        let condition = if options.remove { "removed" } else { "next-exit" };
        let wait = Call::container(Method::POST, &id, "wait").query("condition", condition);
        let ended = client.send(wait).await?;
        let raw = if tty && interactive { Raw::enter()? } else { None };
        let input = match (interactive, &raw) {
            (false, _) => Input::Ignored,
            (true, None) => Input::Piped,
            (true, Some(_)) => Input::Typed(self.detach_keys),
        };
        if let Err(refused) = start(client, &id).await {
            drop(raw);
            if options.remove {
                // The engine may have done it already.
                let call = Call::container(Method::DELETE, &id, "").query("force", "1");
                client.done(call).await.unwrap_or_default();
            }
            return Err(refused);
        }
        let target = format!("/containers/{}", segment(&id));
        let size = async {
            if tty { streams::pass_size_on(client, &target).await } else { std::future::pending().await }
        };
        let signals = async {
            if self.sig_proxy {
                streams::proxy_signals(client, &id).await
            } else {
                std::future::pending().await
            }
        };
        let conversation = async {
            match streams::converse(connection, Framing::of(tty), input).await? {
                End::Detached => Ok(0),
                End::Closed => exit_code(ended).await,
            }
        };
        let code = tokio::select! {
            code = conversation => code,
            () = size => Ok(0),
            () = signals => Ok(0),
        };
        drop(raw);
        code
    }
}

/// Somebody who wants to type into a terminal must have one.
fn needs_terminal(creation: &Creation) -> Result<(), Error> {
    if creation.config.tty && creation.config.open_stdin && !std::io::stdin().is_terminal() {
        return Err(Error::Invalid(
            "the input device is not a TTY: leave -t away, or type it in a terminal".into(),
        ));
    }
    Ok(())
}

async fn start(client: &Client, id: &str) -> Result<(), Error> {
    client.done(Call::container(Method::POST, id, "start")).await
}

/// The exit code that the answer of `wait` tells.
pub(super) async fn exit_code(answer: Response<Incoming>) -> Result<u8, Error> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Ended {
        status_code: i64,
    }
    let body = answer.into_body().collect().await?.to_bytes();
    let ended: Ended = serde_json::from_slice(&body)?;
    Ok(u8::try_from(ended.status_code & 0xff).unwrap_or(u8::MAX))
}

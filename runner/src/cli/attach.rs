//! `sandlot attach`, and what `start --attach` shares with it.

use super::client::{Call, Client, segment};
use super::error::Error;
use super::remote;
use super::run::exit_code;
use super::streams::{self, End, Framing, Input};
use super::terminal::{DETACH, Detach, Raw};
use clap::Args;
use hyper::Method;
use serde_json::Value;

/// Attach to a running container's first process, or to a terminal of a web server
#[derive(Debug, Args)]
pub(super) struct Attach {
    /// Do not pass standard input on
    #[arg(long)]
    no_stdin: bool,
    /// Pass signals on (this is the default)
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, default_missing_value = "true", num_args = 0..=1, require_equals = true)]
    sig_proxy: bool,
    /// Keys that detach
    #[arg(long, default_value = DETACH, value_parser = Detach::parse)]
    detach_keys: Detach,
    /// Name or id; or the address of a session at a Sandlot web server, https://host/s/ID, or of the server (a token is
    /// taken from SANDLOT_TOKEN)
    container: String,
}

impl Attach {
    /// Whether it is a web server that is spoken to.
    pub(super) fn elsewhere(&self) -> bool {
        remote::is_address(&self.container)
    }

    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        if remote::is_address(&self.container) {
            return remote::attach(&self.container, !self.no_stdin, self.detach_keys).await;
        }
        let wish = Wish { stdin: !self.no_stdin, keys: self.detach_keys, proxy: self.sig_proxy };
        attach(client, &self.container, wish, None).await
    }
}

/// How somebody wants to be attached.
pub(super) struct Wish {
    /// Whether standard input is passed on.
    pub(super) stdin: bool,
    /// What detaches.
    pub(super) keys: Detach,
    /// Whether signals are passed on.
    pub(super) proxy: bool,
}

/// Attaches, makes the call that starts it, if any, and stays until its end; the container's exit code.
pub(super) async fn attach(
    client: &Client,
    name: &str,
    wish: Wish,
    start: Option<Call>,
) -> Result<u8, Error> {
    let state: Value = client.json(Call::container(Method::GET, name, "json")).await?;
    if start.is_none() && state["State"]["Running"] != Value::Bool(true) {
        return Err(Error::Invalid("You cannot attach to a stopped container, start it first".into()));
    }
    if start.is_none() && state["State"]["Paused"] == Value::Bool(true) {
        return Err(Error::Invalid("You cannot attach to a paused container, unpause it first".into()));
    }
    let tty = state["Config"]["Tty"] == Value::Bool(true);
    let stdin = wish.stdin && state["Config"]["OpenStdin"] == Value::Bool(true);
    let id = state["Id"].as_str().unwrap_or(name).to_owned();
    let call = Call::container(Method::POST, &id, "attach").query("stream", "1").query("stdout", "1");
    let call = call.query("stderr", "1").query("stdin", if stdin { "1" } else { "0" });
    let connection = client.hijack(call).await?;
    let condition = if start.is_some() { "next-exit" } else { "not-running" };
    let ended = client.send(Call::container(Method::POST, &id, "wait").query("condition", condition)).await?;
    if let Some(start) = start {
        client.done(start).await?;
    }
    let raw = if tty && stdin { Raw::enter()? } else { None };
    let input = match (stdin, &raw) {
        (false, _) => Input::Ignored,
        (true, None) => Input::Piped,
        (true, Some(_)) => Input::Typed(wish.keys),
    };
    let target = format!("/containers/{}", segment(&id));
    let conversation = async {
        match streams::converse(connection, Framing::of(tty), input).await? {
            End::Detached => Ok(0),
            End::Closed => exit_code(ended).await,
        }
    };
    let size = async {
        if tty { streams::pass_size_on(client, &target).await } else { std::future::pending().await }
    };
    let signals = async {
        if wish.proxy { streams::proxy_signals(client, &id).await } else { std::future::pending().await }
    };
    let code = tokio::select! {
        code = conversation => code,
        () = size => Ok(0),
        () = signals => Ok(0),
    };
    drop(raw);
    code
}

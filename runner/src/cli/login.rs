//! `sandlot login` and `logout`: credentials for registries, kept where Docker's own client keeps them.

use super::client::{Call, Client};
use super::error::Error;
use super::format;
use super::terminal::Hidden;
use crate::image::{Credentials, Keyring, Reference};
use base64::Engine as _;
use clap::Args;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read, Write};

/// Where nothing else was said.
const HUB: &str = "docker.io";
/// The longest password.
const PASSWORD: u64 = 64 << 10;

/// Log in to a registry
#[derive(Debug, Args)]
pub(super) struct Login {
    /// Name at the registry
    #[arg(short, long)]
    username: Option<String>,
    /// Password or token; better read it from standard input
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// The registry: host[:port]
    server: Option<String>,
}

impl Login {
    /// Runs it: asks the registry, by way of the engine, and remembers what it took.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let server = host(self.server.as_deref());
        let username = match self.username {
            Some(name) => name,
            None => ask("Username: ")?,
        };
        let password = if self.password_stdin {
            let mut text = String::new();
            let read = std::io::stdin().take(PASSWORD).read_to_string(&mut text);
            read.map_err(Error::io("standard input"))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        } else if let Some(password) = self.password {
            eprintln!("WARNING! Using --password is not safe: other users may see it. Use --password-stdin.");
            password
        } else {
            let hidden = Hidden::enter()?;
            let typed = ask("Password: ")?;
            drop(hidden);
            eprintln!();
            typed
        };
        if username.is_empty() || password.is_empty() {
            return Err(Error::Invalid("a name and a password are needed".into()));
        }
        let body = json!({ "username": username, "password": password, "serveraddress": server });
        let told: Value = client.json(Call::post("/auth").json(&body)?).await?;
        let keyring = Keyring::own();
        keyring.login(&server, &Credentials { username, password }).map_err(Error::io("config.json"))?;
        format::line(told["Status"].as_str().unwrap_or("Login Succeeded")).map(|()| 0)
    }
}

/// Forget the credentials for a registry
#[derive(Debug, Args)]
pub(super) struct Logout {
    /// The registry: host[:port]
    server: Option<String>,
}

impl Logout {
    /// Runs it; needs no engine.
    pub(super) fn run(&self) -> Result<u8, Error> {
        let server = host(self.server.as_deref());
        Keyring::own().logout(&server).map_err(Error::io("config.json"))?;
        format::line(&format!("Removing login credentials for {server}")).map(|()| 0)
    }
}

/// The header that carries the credentials for an image's registry, if there are any.
pub(super) fn authorise(call: Call, image: &str) -> Call {
    let Ok(reference) = image.parse::<Reference>() else { return call };
    let Some(Credentials { username, password }) = Keyring::own().get(reference.registry()) else {
        return call;
    };
    let auth = match username.as_str() {
        "<token>" => json!({ "identitytoken": password, "serveraddress": reference.registry() }),
        _ => json!({ "username": username, "password": password, "serveraddress": reference.registry() }),
    };
    let text = base64::engine::general_purpose::URL_SAFE.encode(auth.to_string());
    call.header("x-registry-auth", text)
}

/// A registry's host, however it was written.
fn host(given: Option<&str>) -> String {
    let given = given.unwrap_or(HUB);
    let bare = given.trim_start_matches("https://").trim_start_matches("http://");
    match bare.split('/').next().unwrap_or(bare) {
        "" | "index.docker.io" | "registry-1.docker.io" => HUB.to_owned(),
        host => host.to_owned(),
    }
}

fn ask(question: &str) -> Result<String, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::Invalid("nobody can be asked here: give --username and --password-stdin".into()));
    }
    let failed = || Error::io("the terminal");
    let mut out = std::io::stderr();
    out.write_all(question.as_bytes()).and_then(|()| out.flush()).map_err(failed())?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed())?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn registries_have_one_name() {
        for (given, name) in [
            (None, "docker.io"),
            (Some("https://index.docker.io/v1/"), "docker.io"),
            (Some("localhost:5000"), "localhost:5000"),
            (Some("https://r.example/v2/"), "r.example"),
        ] {
            assert_eq!(host(given), name);
        }
    }
}

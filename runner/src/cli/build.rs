//! `sandlot build`: packs the context, sends it, shows what becomes of it.

mod context;
mod output;

use super::client::{Call, Client};
use super::error::Error;
use super::{format, values};
use crate::engine::build::mounts::SECRET;
use crate::engine::pipe;
use crate::image::{Credentials, Keyring};
use base64::Engine as _;
use clap::Args;
use context::Context;
use hyper::Method;
use output::Output;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

/// Build an image from a Dockerfile
#[derive(Debug, Args)]
pub(super) struct Build {
    /// The Dockerfile; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// A name for the image
    #[arg(short, long, value_name = "NAME[:TAG]")]
    tag: Vec<String>,
    /// A value for an ARG; without one, this shell's
    #[arg(long, value_name = "NAME[=VALUE]")]
    build_arg: Vec<String>,
    /// The stage that is wanted
    #[arg(long, default_value = "")]
    target: String,
    /// Do everything anew
    #[arg(long)]
    no_cache: bool,
    /// A label of the image
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::pair)]
    label: Vec<(String, String)>,
    /// For which machine, like linux/arm64
    #[arg(long, default_value = "")]
    platform: String,
    /// A secret for RUN --mount=type=secret: id=NAME,src=FILE or id=NAME,env=VARIABLE
    #[arg(long, value_name = "SECRET")]
    secret: Vec<String>,
    /// Also write it: type=oci|docker|tar|local,dest=PATH
    #[arg(short, long, value_parser = output::parse)]
    output: Vec<Output>,
    /// Write the image's id to this file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Say nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// How it is shown: auto, plain, tty (all the same), quiet
    #[arg(long, default_value = "auto", value_parser = ["auto", "plain", "tty", "quiet"])]
    progress: String,
    /// Fetch the images that it begins with, also if they are here
    #[arg(long)]
    pull: bool,
    /// The network of commands
    #[arg(long, default_value = "")]
    network: String,
    /// A name that commands find: name:address
    #[arg(long, value_name = "HOST:IP", value_parser = values::host)]
    add_host: Vec<String>,
    /// The most memory of a command
    #[arg(short, long, value_parser = values::bytes)]
    memory: Option<i64>,
    /// The most memory and swap together; -1: no limit
    #[arg(long, value_parser = values::bytes_or_unlimited)]
    memory_swap: Option<i64>,
    /// Weight among others that want cpu
    #[arg(short, long)]
    cpu_shares: Option<i64>,
    /// Which cpus: 0-2,5
    #[arg(long)]
    cpuset_cpus: Option<String>,
    /// Bytes of /dev/shm
    #[arg(long, value_parser = values::bytes)]
    shm_size: Option<i64>,
    /// A folder, or - for an archive or a Dockerfile from standard input
    #[arg(value_name = "CONTEXT")]
    context: String,
}

impl Build {
    /// Runs it; the exit code is that of the command that failed.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let (context, file) = context::choose(&self.context, self.file.as_deref())?;
        let call = self.call(&file)?;
        let quiet = self.quiet || self.progress == "quiet";
        let aside = self.output.iter().any(Output::takes_standard_output);
        let (mut id, mut failed) = (None, None);
        let show = |line: Value| {
            if let Some(words) = line["error"].as_str() {
                failed = Some((words.to_owned(), line["errorDetail"]["code"].as_u64().unwrap_or(1)));
            }
            if let Some(found) = line["aux"]["ID"].as_str() {
                id = Some(found.to_owned());
            }
            if quiet {
                return Ok(());
            }
            let text = shown(&line);
            if aside {
                io::stderr().write_all(text.as_bytes()).map_err(Error::io("standard error"))
            } else {
                format::print(&text)
            }
        };
        match context {
            Context::Archive(head) => {
                let whole = io::Cursor::new(head).chain(tokio::io::stdin());
                client.lines(call.archive(whole), show).await?;
            }
            Context::Folder(folder) => {
                let (writer, stream) = pipe::pipe();
                let packing = tokio::task::spawn_blocking(move || writer.fill(|out| folder.pack(out)));
                let built = client.lines(call.archive(StreamReader::new(stream)), show).await;
                match packing.await.map_err(|e| Error::Protocol(e.to_string()))? {
                    // The engine stopped reading, and says why itself.
                    Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                        return Err(Error::io("packing the context")(e));
                    }
                    _ => built?,
                }
            }
        }
        if let Some((words, code)) = failed {
            eprintln!("{words}");
            return Ok(u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1));
        }
        let id = id.ok_or_else(|| Error::Protocol("the engine told no image's id".into()))?;
        self.finish(client, &id, quiet && !aside).await.map(|()| 0)
    }

    /// What is done with the image.
    async fn finish(&self, client: &Client, id: &str, quiet: bool) -> Result<(), Error> {
        if let Some(path) = &self.iidfile {
            std::fs::write(path, id).map_err(Error::io(path.display().to_string()))?;
        }
        for output in &self.output {
            output.write(client, id, &self.tag).await?;
        }
        let elsewhere = !self.output.is_empty() && !self.output.iter().any(Output::keeps);
        if elsewhere && self.tag.is_empty() {
            // It was wanted there, and nobody could name it here. One that has other names stays.
            let call = Call::new(Method::DELETE, format!("/images/{}", super::client::segment(id)));
            client.done(call).await.unwrap_or_default();
        }
        if quiet { format::line(id) } else { Ok(()) }
    }

    fn call(&self, file: &str) -> Result<Call, Error> {
        let switch = |on: bool| if on { "1" } else { "0" };
        let mut call = Call::post("/build")
            .query("dockerfile", file)
            .query("target", &self.target)
            .query("platform", &self.platform)
            .query("networkmode", &self.network)
            .query("nocache", switch(self.no_cache))
            .query("pull", switch(self.pull))
            .query("rm", "1")
            .query("buildargs", arguments(&self.build_arg, |name| std::env::var(name).ok()).to_string())
            .query("labels", json!(self.label.iter().cloned().collect::<BTreeMap<_, _>>()).to_string());
        call = self.tag.iter().fold(call, |call, tag| call.query("t", tag));
        call = self.add_host.iter().fold(call, |call, host| call.query("extrahosts", host));
        for (name, number) in [
            ("memory", self.memory),
            ("memswap", self.memory_swap),
            ("cpushares", self.cpu_shares),
            ("shmsize", self.shm_size),
        ] {
            if let Some(number) = number {
                call = call.query(name, number.to_string());
            }
        }
        if let Some(cpus) = &self.cpuset_cpus {
            call = call.query("cpusetcpus", cpus);
        }
        if !self.secret.is_empty() {
            call = call.header("x-sandlot-secrets", secrets(&self.secret)?);
        }
        Ok(authorise(call))
    }
}

/// One line of the answer, as text.
fn shown(line: &Value) -> String {
    if let Some(text) = line["stream"].as_str() {
        return text.to_owned();
    }
    let Some(status) = line["status"].as_str().filter(|_| !line["progressDetail"]["current"].is_number())
    else {
        return String::new();
    };
    line["id"].as_str().map_or_else(|| format!("{status}\n"), |id| format!("{id}: {status}\n"))
}

/// `NAME=value`, or `NAME` with the shell's own value; one that has none there is left out.
fn arguments(given: &[String], own: impl Fn(&str) -> Option<String>) -> Value {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), json!(value))),
        None => own(text).map(|value| (text.clone(), json!(value))),
    };
    Value::Object(given.iter().filter_map(pair).collect::<Map<_, _>>())
}

/// Secrets for the header: read here, and shown nowhere.
fn secrets(given: &[String]) -> Result<String, Error> {
    let base = base64::engine::general_purpose::STANDARD;
    let mut all = Map::new();
    for text in given {
        let field = |names: &[&str]| {
            text.split(',').find_map(|part| {
                part.split_once('=').filter(|(name, _)| names.contains(name)).map(|(_, v)| v)
            })
        };
        let id = field(&["id"]).ok_or_else(|| Error::Invalid(format!("--secret {text}: id= is needed")))?;
        let missing = |what: &str| Error::Invalid(format!("--secret {id}: there is no {what}"));
        let content = match (field(&["src", "source"]), field(&["env"])) {
            (Some(path), _) => std::fs::read(path).map_err(Error::io(format!("--secret {id}: {path}")))?,
            (None, Some(name)) => std::env::var(name).map_err(|_| missing(name))?.into_bytes(),
            (None, None) => std::env::var(id).map_err(|_| missing("src= or env="))?.into_bytes(),
        };
        if content.len() > SECRET {
            return Err(Error::Invalid(format!("--secret {id}: it has more than {SECRET} bytes")));
        }
        all.insert(id.to_owned(), json!(base.encode(content)));
    }
    Ok(base.encode(Value::Object(all).to_string()))
}

/// The header that carries this user's credentials for all registries.
fn authorise(call: Call) -> Call {
    let keyring = Keyring::own();
    let known = keyring.hosts().into_iter().filter_map(|host| Some((keyring.get(&host)?, host)));
    let all: Vec<(Credentials, String)> = known.collect();
    if all.is_empty() {
        return call;
    }
    let one = |(Credentials { username, password }, host): (Credentials, String)| {
        let value = match username.as_str() {
            "<token>" => json!({ "identitytoken": password, "serveraddress": host }),
            _ => json!({ "username": username, "password": password, "serveraddress": host }),
        };
        (host, value)
    };
    let table: Map<String, Value> = all.into_iter().map(one).collect();
    let text = base64::engine::general_purpose::URL_SAFE.encode(Value::Object(table).to_string());
    call.header("x-registry-config", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_take_the_shells_values() {
        let given = ["A=1", "B", "C", "D=x=y"].map(ToOwned::to_owned);
        let own = |name: &str| (name == "B").then(|| "shell".to_owned());
        assert_eq!(arguments(&given, own), json!({ "A": "1", "B": "shell", "D": "x=y" }));
    }

    #[test]
    fn secrets_are_read_and_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush").unwrap();
        let base = base64::engine::general_purpose::STANDARD;
        let packed = secrets(&[format!("id=a,src={}", file.path().display())]).unwrap();
        let table: BTreeMap<String, String> = serde_json::from_slice(&base.decode(packed).unwrap()).unwrap();
        assert_eq!(base.decode(&table["a"]).unwrap(), b"hush");
        for bad in ["src=x", "id=a,src=/nonexistent/x", "id=no_such_variable", "id=a,env=no_such_variable"] {
            assert!(secrets(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}

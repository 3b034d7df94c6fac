//! The options: their names, meanings and defaults, and where each value comes from.
//!
//! Every option is an argument, a variable `SANDLOT_…` and a key of the file alike. Knows no meaning of a value.

use super::file::File;
use super::{Error, Origin};
use crate::session::policy::{Image, Scheduled};
use clap::{Arg, ArgMatches, Command};
use std::path::PathBuf;

/// The file that is read when none is named and it is there.
const FILE: &str = "/etc/sandlot/sandlot.toml";

/// Name, default, meaning.
const OPTIONS: [(&str, &str, &str); 36] = [
    ("listen", "127.0.0.1:8080", "address and port to listen on"),
    ("state", "/var/lib/sandlot", "folder of state; the server keeps its own in server/ below it"),
    ("engine", "unix:///run/sandlot/server.sock", "socket of the container engine"),
    (
        "user",
        "",
        "user to become once the port is bound: a name, or UID:GID; absent: sandlot, else 65534:65534",
    ),
    ("public-url", "", "how people reach the server, if not simply where it listens"),
    ("allowed-origins", "", "origins, separated by commas, whose pages may use the server beside its own"),
    ("hosts", "", "names, separated by commas, by which the server may be called"),
    ("admin-token", "", "the administrator's token; absent: one is made"),
    ("courses", "", "folder whose folders are courses; absent: there are none"),
    ("memory", "512m", "memory of a session"),
    ("cpus", "1", "processors of a session"),
    ("pids", "256", "processes and threads of a session"),
    ("disk", "1g", "bytes that a session may write"),
    ("idle", "30m", "a session ends when nobody typed for this long"),
    ("lifetime", "4h", "how long a session lives"),
    ("extend", "1h", "how much longer an extension makes it"),
    ("extensions", "4", "how often a session may be extended"),
    ("sessions-per-visitor", "3", "sessions of one visitor at once"),
    ("sessions", "100", "sessions in all at once; more wait"),
    ("queue", "200", "how many may wait"),
    (
        "preview-domain",
        "localhost",
        "domain of its own below which ports of sessions are shown; where public-url is set: none, unless named",
    ),
    (
        "registry",
        "class",
        "name spaces, separated by commas, of the registry that visitors push to; empty: no registry",
    ),
    ("registry-shared", "", "name spaces, separated by commas, that visitors pull from alone"),
    (
        "registry-socket",
        "",
        "where the engine serves the registry; absent: registry.sock beside the engine's socket",
    ),
    ("files-max-upload", "256m", "bytes of one file that is uploaded to a session"),
    ("terminals", "8", "terminals of a session"),
    ("keep", "3", "works of one visitor that are kept as images"),
    ("keep-size", "256m", "bytes of each"),
    ("pool-count", "8", "sessions that are made ahead, of all images together; 0: none"),
    ("pool-memory", "256m", "memory that they may take"),
    ("pool-minimum", "1", "how many of each image of the catalogue are ready, also if nobody asked lately"),
    (
        "recording",
        "off",
        "record what every terminal shows: on or off; in the file: on = true below [recording]",
    ),
    ("recording-input", "off", "record what is typed, too: on or off"),
    ("recording-largest", "64m", "bytes on disk of one terminal's recording"),
    ("recording-age", "30d", "a recording is removed so long after its end"),
    ("recording-total", "10g", "bytes on disk of all recordings; the oldest are removed first"),
];

/// See the module.
pub(super) struct Options {
    matches: ArgMatches,
    file: File,
}

impl Options {
    pub(super) fn read(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, Error> {
        let matches = command().try_get_matches_from(arguments)?;
        let named = matches.get_one::<String>("config").map(PathBuf::from);
        let file = match named {
            Some(path) => File::read(path, &names())?,
            None if std::path::Path::new(FILE).exists() => File::read(FILE.into(), &names())?,
            None => File::default(),
        };
        Ok(Self { matches, file })
    }

    /// The value of an option, made valid.
    pub(super) fn get<T>(
        &self,
        name: &str,
        make: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let (value, origin) = self.find(name);
        make(&value).map_err(|allowed| {
            let value = if name == "admin-token" { "…".to_owned() } else { value };
            Error::Value { origin, value, allowed }
        })
    }

    fn find(&self, name: &str) -> (String, Origin) {
        if let Some(value) = self.matches.get_one::<String>(name) {
            return (value.clone(), Origin::Argument(format!("--{name}")));
        }
        if let Some(value) = std::env::var(variable(name)).ok().filter(|value| !value.is_empty()) {
            return (value, Origin::Argument(variable(name)));
        }
        if let Some(value) = self.file.get(name) {
            return (value, Origin::File(self.file.path.clone(), name.to_owned()));
        }
        let default = OPTIONS.iter().find(|option| option.0 == name).map_or("", |option| option.1);
        (default.to_owned(), Origin::Default(name.to_owned()))
    }

    pub(super) fn catalogue(&self) -> Result<Vec<Image>, Error> {
        self.file.catalogue()
    }

    /// What is made ahead at set times, of these images and no more than that.
    pub(super) fn schedule(&self, catalogue: &[Image], most: usize) -> Result<Vec<Scheduled>, Error> {
        super::schedule::read(&self.file, catalogue, most)
    }
}

fn names() -> Vec<&'static str> {
    OPTIONS.iter().map(|option| option.0).collect()
}

fn variable(name: &str) -> String {
    format!("SANDLOT_{}", name.to_uppercase().replace('-', "_"))
}

fn command() -> Command {
    let config = Arg::new("config").long("config").value_name("FILE").env("SANDLOT_CONFIG");
    let command = Command::new("sandlot-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The web server of Sandlot: sessions, terminals, pages")
        .arg(config.help(format!("configuration file [default: {FILE} if it is there]")));
    OPTIONS.iter().fold(command, |command, (name, default, help)| {
        let help =
            if default.is_empty() { (*help).to_owned() } else { format!("{help} [default: {default}]") };
        let help = format!("{help} [{}]", variable(name));
        command.arg(Arg::new(*name).long(*name).value_name("VALUE").help(help))
    })
}

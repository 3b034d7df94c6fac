//! The configuration file: flat keys, named as the options are, tables as `[pool]`, whose key `count` is the option
//! `pool-count`, the catalogue's `[[images]]`, and what is made ahead at set times, `[[warmups]]` ([`super::schedule`]).

use super::{Error, Origin};
use crate::session::engine::{Network, Profile};
use crate::session::policy::{Image, Recorded};
use std::path::PathBuf;
use toml::{Table, Value};

/// The images offered when the file lists none: the one that is built in.
const STARTER: (&str, &str, &str) =
    ("sandlot/starter", "Starter", "A small Linux with the usual tools, ready in an instant.");

/// The tables of options whose names begin with theirs.
const TABLES: [&str; 4] = ["pool", RECORDING, "files", "preview"];
/// Its key `on` is the option of its name.
const RECORDING: &str = "recording";

/// What has no option: lists of tables.
const LISTS: [&str; 2] = ["images", "warmups"];

/// The most images in the catalogue.
const IMAGES: usize = 200;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) path: PathBuf,
    table: Table,
}

impl File {
    pub(super) fn read(path: PathBuf, known: &[&str]) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return Err(Error::Unreadable { file: path, error }),
        };
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return Err(Error::Syntax { file: path, error }),
        };
        let table = match flat(table) {
            Ok(table) => table,
            Err((name, value)) => {
                let origin = Origin::File(path, name.to_owned());
                return Err(Error::Value {
                    origin,
                    value: value.to_string(),
                    allowed: format!("a table [{name}]"),
                });
            }
        };
        if let Some(key) =
            table.keys().find(|key| !LISTS.contains(&key.as_str()) && !known.contains(&key.as_str()))
        {
            let known = [known, &LISTS].concat().join(", ");
            return Err(Error::UnknownKey { key: key.clone(), file: path, known });
        }
        Ok(Self { path, table })
    }

    /// A key's value as text; lists are joined by commas.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.table.get(key).map(text)
    }

    /// The images that visitors may choose.
    pub(super) fn catalogue(&self) -> Result<Vec<Image>, Error> {
        let Some(value) = self.table.get("images") else {
            let (name, title, description) = STARTER;
            return Ok(vec![Image {
                name: name.to_owned(),
                title: title.to_owned(),
                description: description.to_owned(),
                profile: Profile::Standard,
                network: Network::None,
                recorded: None,
            }]);
        };
        let Some(list) = value.as_array().filter(|list| list.len() <= IMAGES) else {
            return Err(self.wrong("images", value, &format!("at most {IMAGES} tables [[images]]")));
        };
        list.iter().enumerate().map(|(n, value)| self.image(n, value)).collect()
    }

    fn image(&self, n: usize, value: &Value) -> Result<Image, Error> {
        const KEYS: [&str; 6] = ["name", "title", "description", "profile", "network", "recording"];
        let key = format!("images[{n}]");
        let Some(table) = value.as_table() else {
            return Err(self.wrong(
                &key,
                value,
                "a table with name, title, description, profile, network and recording",
            ));
        };
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let key = format!("{key}.{unknown}");
            return Err(Error::UnknownKey { file: self.path.clone(), key, known: KEYS.join(", ") });
        }
        let word = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(name) = word("name").filter(|name| !name.trim().is_empty()) else {
            return Err(self.wrong(&format!("{key}.name"), value, "the reference of an image"));
        };
        let profile = word("profile").unwrap_or_else(|| Profile::default().name().to_owned());
        let Some(profile) = Profile::named(&profile) else {
            return Err(self.wrong(
                &format!("{key}.profile"),
                &Value::String(profile),
                "standard, nested or engine",
            ));
        };
        let network = word("network").unwrap_or_else(|| Network::default().name().to_owned());
        let Some(network) = Network::named(&network) else {
            return Err(self.wrong(&format!("{key}.network"), &Value::String(network), "none or internet"));
        };
        let recorded = match table.get("recording") {
            None => None,
            Some(Value::Boolean(true)) => Some(Recorded::Yes),
            Some(Value::Boolean(false)) => Some(Recorded::No),
            Some(other) => return Err(self.wrong(&format!("{key}.recording"), other, "true or false")),
        };
        let title = word("title").unwrap_or_else(|| name.clone());
        let description = word("description").unwrap_or_default();
        Ok(Image { title, description, profile, network, recorded, name })
    }

    /// A list of tables, as it is written.
    pub(super) fn list(&self, key: &str) -> Option<&Value> {
        self.table.get(key)
    }

    pub(super) fn wrong(&self, key: &str, value: &Value, allowed: &str) -> Error {
        let origin = Origin::File(self.path.clone(), key.to_owned());
        Error::Value { origin, value: text(value), allowed: allowed.to_owned() }
    }
}

/// The keys of the tables of options as options are called; the name of what should be a table, and its value.
fn flat(mut table: Table) -> Result<Table, (&'static str, Value)> {
    for name in TABLES {
        match table.remove(name) {
            None => (),
            Some(Value::Table(options)) => table.extend(options.into_iter().map(|(key, value)| {
                let on = name == RECORDING && key == "on";
                (if on { name.to_owned() } else { format!("{name}-{key}") }, value)
            })),
            Some(other) => return Err((name, other)),
        }
    }
    Ok(table)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

//! What a lab has besides steps: variables, files for the session, ports.

use super::folder::beside;
use super::format::{AssetFile, PortFile, VariableFile};
use super::load::{NAMES, is_name};
use super::load_lab::Reader;
use super::located::At;
use super::model::{Asset, Port, Values, Variable};
use rustix::fs::FileType;
use std::collections::BTreeMap;

/// Variables of a lab.
const VARIABLES: usize = 100;
/// Files of a lab that are put into the session.
const ASSETS: usize = 500;
/// Bytes of one of them.
pub(crate) const ASSET: u64 = 16 << 20;
/// Bytes of all of them.
const ALL: u64 = 64 << 20;

pub(super) fn variables(reader: &mut Reader<'_>, raw: BTreeMap<String, At<VariableFile>>) -> Vec<Variable> {
    if raw.len() > VARIABLES {
        reader.error(None, format!("at most {VARIABLES} variables"));
    }
    let mut all = Vec::new();
    for (name, At { value, line }) in raw.into_iter().take(VARIABLES) {
        if !is_name(&name) || name == "session" {
            reader.error(line, format!("variables: {name:?} is no name, or is taken: {NAMES}"));
        }
        let values = match (value.number, value.choice, value.secret) {
            (Some((from, to)), None, None) if from <= to => Values::Number(from, to),
            (None, Some(choice), None) if !choice.is_empty() && choice.len() <= 1000 => {
                Values::Choice(choice)
            }
            (None, None, Some(length)) if (4..=64).contains(&length) => Values::Secret(length),
            _ => {
                let words =
                    "a variable is one of `number: [FROM, TO]`, `choice: [A, B]`, `secret: LENGTH` (4 to 64)";
                reader.error(line, format!("{name}: {words}"));
                continue;
            }
        };
        all.push(Variable { name, values });
    }
    all
}

pub(super) fn assets(reader: &mut Reader<'_>, raw: Vec<At<AssetFile>>) -> Vec<Asset> {
    let mut all = Vec::new();
    let mut size = 0_u64;
    for At { value, line } in raw {
        let mode = match value.mode.as_deref().map(|text| u32::from_str_radix(text, 8)) {
            None => None,
            Some(Ok(mode)) if mode <= 0o7777 => Some(mode),
            Some(_) => {
                reader.error(line, "mode is octal digits in quotes, as \"0755\"");
                continue;
            }
        };
        if !value.to.starts_with('/') || value.to.split('/').any(|part| part == "..") {
            reader.error(line, format!("to: {:?} is no absolute path", value.to));
            continue;
        }
        let from = beside(&reader.file, &value.from);
        let files = match matching(reader, &from) {
            Ok(files) if files.is_empty() => Err(format!("there is no file {from}")),
            other => other,
        };
        let files = match files {
            Ok(files) => files,
            Err(words) => {
                reader.error(line, words);
                continue;
            }
        };
        let folder = value.to.ends_with('/');
        if files.len() > 1 && !folder {
            reader
                .error(line, format!("to: {:?} must end with / where `from` means several files", value.to));
        }
        for from in files {
            match reader.folder.bytes(&from, ASSET) {
                Ok(bytes) => size += bytes.len() as u64,
                Err(error) => reader.error(line, error.to_string()),
            }
            let name = from.rsplit('/').next().unwrap_or(&from);
            let to = if folder { format!("{}{name}", value.to) } else { value.to.clone() };
            all.push(Asset { to, mode, from });
        }
    }
    if size > ALL || all.len() > ASSETS {
        let words = format!("files: {} with {size} bytes, at most {ASSETS} with {ALL} bytes", all.len());
        reader.error(None, words);
    }
    all
}

/// The files that a path with `*` in its last part means.
fn matching(reader: &Reader<'_>, from: &str) -> Result<Vec<String>, String> {
    let (folder, pattern) = from.rsplit_once('/').unwrap_or((".", from));
    if folder.contains('*') {
        return Err(format!("{from}: only the last part of a path may have `*`"));
    }
    let Some((head, tail)) = pattern.split_once('*') else { return Ok(vec![from.to_owned()]) };
    if tail.contains('*') {
        return Err(format!("{from}: one `*` is allowed"));
    }
    let fits = |name: &String| {
        name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
    };
    let names = reader.folder.names(folder, FileType::RegularFile).map_err(|error| error.to_string())?;
    Ok(names.into_iter().filter(fits).map(|name| format!("{folder}/{name}")).collect())
}

pub(super) fn ports(raw: Vec<PortFile>) -> Vec<Port> {
    let title = |port: &PortFile| port.title.clone().unwrap_or_else(|| format!("Port {}", port.port));
    raw.into_iter().take(16).map(|port| Port { title: title(&port), port: port.port }).collect()
}

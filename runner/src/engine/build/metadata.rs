//! Instructions that change an image's configuration alone.

use super::dockerfile::{Command, Instruction, expand};
use super::error::Error;
use super::job::Job;
use super::state::State;
use crate::engine::validate;
use serde_json::{Value, json};

/// Carries one out; answers it as it is kept, values put in.
pub(super) fn apply(state: &mut State, instruction: &Instruction, job: &Job) -> Result<String, Error> {
    let escape = job.escape();
    let before = state.clone();
    let word = |text: &str| expand::word(text, &before, escape).map_err(Error::from);
    Ok(match instruction {
        Instruction::Arg(list) => arguments(state, list, job)?,
        Instruction::Env(pairs) => {
            let pairs = expanded(pairs, &before, escape)?;
            pairs.iter().for_each(|(name, value)| state.set_env(name, value));
            shown("ENV", &pairs)
        }
        Instruction::Label(pairs) => {
            let pairs = expanded(pairs, &before, escape)?;
            pairs.iter().for_each(|(name, value)| put(state, "Labels", name.clone(), json!(value)));
            shown("LABEL", &pairs)
        }
        Instruction::Maintainer(name) => {
            let name = word(name)?;
            state.set_author(&name);
            format!("MAINTAINER {name}")
        }
        Instruction::Cmd(command) => {
            state.own_command = true;
            set(state, "Cmd", command, "CMD")
        }
        Instruction::Entrypoint(command) => {
            if !state.own_command {
                // What another image had meant for its own.
                state.config.remove("Cmd");
            }
            set(state, "Entrypoint", command, "ENTRYPOINT")
        }
        Instruction::Shell(words) => {
            state.config.insert("Shell".into(), json!(words));
            format!("SHELL {words:?}")
        }
        Instruction::User(name) => {
            let name = word(name)?;
            state.config.insert("User".into(), json!(name));
            format!("USER {name}")
        }
        Instruction::Expose(ports) => expose(state, ports, escape)?,
        Instruction::Volume(paths) => {
            let mut words = vec!["VOLUME".to_owned()];
            for path in paths {
                let path = word(path)?;
                put(state, "Volumes", path.clone(), json!({}));
                words.push(path);
            }
            words.join(" ")
        }
        Instruction::StopSignal(name) => {
            let name = word(name)?;
            validate::signal(&name)?;
            state.config.insert("StopSignal".into(), json!(name));
            format!("STOPSIGNAL {name}")
        }
        Instruction::Healthcheck(health) => {
            let value = health.configuration();
            state.config.insert("Healthcheck".into(), value.clone());
            format!("HEALTHCHECK {value}")
        }
        Instruction::Onbuild(text) => {
            let mut waiting = state.list("OnBuild");
            waiting.push(text.clone());
            state.config.insert("OnBuild".into(), json!(waiting));
            format!("ONBUILD {text}")
        }
        Instruction::Run(_) | Instruction::Copy(_) | Instruction::Workdir(_) => {
            return Err(Error::step("it writes files"));
        }
    })
}

fn arguments(state: &mut State, list: &[(String, Option<String>)], job: &Job) -> Result<String, Error> {
    let mut words = vec!["ARG".to_owned()];
    for (name, own) in list {
        let name = expand::word(name, &*state, job.escape())?;
        // Later ones see earlier ones.
        let own = own.as_ref().map(|own| expand::word(own, &*state, job.escape())).transpose()?;
        words.push(own.as_ref().map_or_else(|| name.clone(), |own| format!("{name}={own}")));
        state.declare(&name, own, job.given());
    }
    Ok(words.join(" "))
}

/// Pairs with values put in; none sees another of its own line.
fn expanded(pairs: &[(String, String)], state: &State, escape: char) -> Result<Vec<(String, String)>, Error> {
    let word = |text: &String| expand::word(text, state, escape).map_err(Error::from);
    pairs.iter().map(|(name, value)| Ok((word(name)?, word(value)?))).collect()
}

fn shown(verb: &str, pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    std::iter::once(verb.to_owned()).chain(pairs).collect::<Vec<_>>().join(" ")
}

fn expose(state: &mut State, ports: &[String], escape: char) -> Result<String, Error> {
    let mut words = vec!["EXPOSE".to_owned()];
    for text in ports {
        for text in expand::words(text, &*state, escape)? {
            for port in ports_of(&text)? {
                put(state, "ExposedPorts", port.clone(), json!({}));
                words.push(port);
            }
        }
    }
    Ok(words.join(" "))
}

/// A command in the configuration: words, or the shell's with a string.
fn set(state: &mut State, name: &str, command: &Command, verb: &str) -> String {
    let words = match command {
        Command::Exec(words) => words.clone(),
        Command::Shell(text) => state.shell().into_iter().chain([text.clone()]).collect(),
    };
    state.config.insert(name.to_owned(), json!(words));
    // As Docker writes a list.
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("{verb} [{}]", quoted.join(" "))
}

/// Puts something into one of the configuration's tables.
fn put(state: &mut State, table: &str, name: String, value: Value) {
    let mut all = state.get(table).as_object().cloned().unwrap_or_default();
    all.insert(name, value);
    state.config.insert(table.to_owned(), Value::Object(all));
}

/// `80`, `80/udp`, `8000-8002/tcp`.
fn ports_of(text: &str) -> Result<Vec<String>, Error> {
    let bad = || Error::step(format!("Invalid containerPort: {text}"));
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(Error::step(format!("invalid proto: {protocol}")));
    }
    // `8080:80` publishes for Docker's run; an image only says the inner one.
    let ports = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (first.parse().map_err(|_| bad())?, last.parse().map_err(|_| bad())?);
    if first > last {
        return Err(Error::step(format!("invalid range specified for port: {ports}")));
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
mod tests {
    use super::ports_of;

    #[test]
    fn ports() {
        assert_eq!(ports_of("80").unwrap(), ["80/tcp"]);
        assert_eq!(ports_of("1-3/UDP").unwrap(), ["1/udp", "2/udp", "3/udp"]);
        for bad in ["x", "70000", "3-1", "80/odd", ""] {
            assert!(ports_of(bad).is_err(), "{bad}");
        }
    }
}

//! Links, Docker's old way for containers to find each other. In the default network, which has no names, one that is linked to
//! stands in `/etc/hosts`, and what it says of itself in the environment, as both are when whoever links to it is started.
//! In other networks a link is another name that one container alone has for a neighbour (`networks/directory.rs`).

use super::Engine;
use super::error::Error;
use super::model::{Config, HostConfig};
use super::networks::{BRIDGE, Way};
use super::record::Record;
use std::net::Ipv4Addr;

/// What a container gets of those that it is linked to.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Lines of `/etc/hosts`.
    pub(super) hosts: String,
    /// Variables.
    pub(super) env: Vec<String>,
}

/// The container of a link, and what it is called.
///
/// # Errors
/// [`Error::Invalid`] in Docker's words.
pub(super) fn parse(link: &str) -> Result<(&str, &str), Error> {
    let parts: Vec<&str> = link.split(':').collect();
    match parts[..] {
        [""] => Err(Error::invalid("empty string specified for links")),
        [name] => Ok((name, name)),
        // As `inspect` tells it.
        [name, path] if name.starts_with('/') => Ok((&name[1..], path.rsplit('/').next().unwrap_or(path))),
        [name, alias] => Ok((name, alias)),
        _ => Err(Error::invalid(format!("bad format for links: {link}"))),
    }
}

impl Linked {
    /// Adds what is told by variables to those of a process, which come first.
    pub(super) fn tell(self, env: &mut Vec<String>) {
        let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
        let new: Vec<String> =
            self.env.into_iter().filter(|new| !env.iter().any(|old| name(old) == name(new))).collect();
        env.extend(new);
    }
}

impl Engine {
    /// Finds those that a new container is linked to. Where there are no names they are kept by id, for they may be renamed.
    pub(super) fn settle_links(&self, host: &mut HostConfig) -> Result<(), Error> {
        if host.links.is_empty() {
            return Ok(());
        }
        if Way::of(&host.network_mode)? != Way::Networks {
            return Err(Error::invalid(format!(
                "conflicting options: --network {} and --link: nobody is there to be linked to",
                host.network_mode
            )));
        }
        if host.network_mode != BRIDGE {
            // Those are said of the network.
            host.links.clear();
        }
        for link in &mut host.links {
            let (name, alias) = parse(link)?;
            let found = self.find(name);
            let found =
                found.map_err(|e| Error::invalid(format!("could not get container for {name}: {e}")))?;
            *link = format!("{}:{alias}", found.id);
        }
        Ok(())
    }

    /// Those that a container in the default network is linked to, and what it calls them; removed ones are linked no more.
    fn links(&self, record: &Record) -> Vec<(Record, String)> {
        let links = record.host.links.iter().filter(|_| record.host.network_mode == BRIDGE);
        let one = |(id, alias): (&str, &str)| Some((self.find(id).ok()?.record(), alias.to_owned()));
        links.filter_map(|link| link.split_once(':')).filter_map(one).collect()
    }

    /// The links as Docker tells them: `/child:/parent/alias`.
    #[must_use]
    pub fn links_of(&self, record: &Record) -> Vec<String> {
        let one = |(child, alias): &(Record, String)| format!("/{}:/{}/{alias}", child.name, record.name);
        self.links(record).iter().map(one).collect()
    }

    /// What a container that is being started gets of those that it is linked to.
    ///
    /// # Errors
    /// [`Error::Conflict`] if one of them does not run, or is not in the default network.
    pub(super) fn linked(&self, record: &Record) -> Result<Linked, Error> {
        let mut linked = Linked::default();
        for (child, alias) in self.links(record) {
            let name = format!("/{}/{alias}", record.name);
            if child.state.alive().is_none() {
                let words = format!("Cannot link to a non running container: /{} AS {name}", child.name);
                return Err(Error::Conflict(words));
            }
            let here = child.endpoints.iter().find(|e| e.network == BRIDGE);
            let Some(address) = here.and_then(|e| e.live.as_ref()).map(|live| live.address) else {
                let words =
                    format!("Cannot link to /{}, as it does not belong to the default network", child.name);
                return Err(Error::Conflict(words));
            };
            let own = Some(&child.name).filter(|own| **own != alias);
            let names = [Some(&alias), Some(&child.config.hostname), own];
            let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
            linked.hosts.push_str(&format!("{address}\t{}\n", names.join(" ")));
            linked.env.extend(environment(&alias, &name, address, &child.config));
        }
        Ok(linked)
    }
}

/// What a container says of itself to one that calls it `alias`.
fn environment(alias: &str, name: &str, address: Ipv4Addr, config: &Config) -> Vec<String> {
    let alias = alias.to_ascii_uppercase().replace('-', "_");
    let mut ports: Vec<(u16, &str)> = config
        .exposed_ports
        .keys()
        .filter_map(|port| {
            let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            Some((number.parse().ok()?, protocol))
        })
        .collect();
    ports.sort_unstable();
    let mut env = Vec::new();
    if let Some((port, protocol)) = ports.first() {
        env.push(format!("{alias}_PORT={protocol}://{address}:{port}"));
    }
    for (port, protocol) in ports {
        let one = format!("{alias}_PORT_{port}_{}", protocol.to_ascii_uppercase());
        env.push(format!("{one}={protocol}://{address}:{port}"));
        env.push(format!("{one}_ADDR={address}"));
        env.push(format!("{one}_PORT={port}"));
        env.push(format!("{one}_PROTO={protocol}"));
    }
    env.push(format!("{alias}_NAME={name}"));
    let told = config.env.iter().filter_map(|variable| variable.split_once('='));
    let told = told.filter(|(name, _)| !matches!(*name, "HOME" | "PATH"));
    env.extend(told.map(|(name, value)| format!("{alias}_ENV_{name}={value}")));
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_written_in_three_ways() {
        for (link, expected) in
            [("web", ("web", "web")), ("web:w", ("web", "w")), ("/web:/shop/w", ("web", "w"))]
        {
            assert_eq!(parse(link).unwrap(), expected);
        }
        assert_eq!(parse("").unwrap_err().to_string(), "empty string specified for links");
        assert_eq!(parse("a:b:c").unwrap_err().to_string(), "bad format for links: a:b:c");
    }

    #[test]
    fn the_environment_tells_ports_and_variables() {
        let ports = ["8080/tcp", "53/udp"].map(|port| (port.to_owned(), serde_json::json!({})));
        let env = ["PATH=/bin", "COLOUR=blue"].map(ToOwned::to_owned).to_vec();
        let config = Config { exposed_ports: ports.into(), env, ..Config::default() };
        let told = environment("my-db", "/web/my-db", Ipv4Addr::new(10, 0, 0, 2), &config);
        assert_eq!(
            told,
            [
                "MY_DB_PORT=udp://10.0.0.2:53",
                "MY_DB_PORT_53_UDP=udp://10.0.0.2:53",
                "MY_DB_PORT_53_UDP_ADDR=10.0.0.2",
                "MY_DB_PORT_53_UDP_PORT=53",
                "MY_DB_PORT_53_UDP_PROTO=udp",
                "MY_DB_PORT_8080_TCP=tcp://10.0.0.2:8080",
                "MY_DB_PORT_8080_TCP_ADDR=10.0.0.2",
                "MY_DB_PORT_8080_TCP_PORT=8080",
                "MY_DB_PORT_8080_TCP_PROTO=tcp",
                "MY_DB_NAME=/web/my-db",
                "MY_DB_ENV_COLOUR=blue",
            ]
        );
    }
}

//! Loading nftables' rules, once for each table; and what every table of ours has in common.
//!
//! All interfaces of ours begin with [`OURS`], all tables with `sandlot_`; whose they are and of what kind the rest of the
//! name says. A table lets through what is another table's business, so that several engines do not stand in each other's
//! way. What they share is whether the host forwards: it is looked at and changed by one of them at a time.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where `nft` is.
const TOOLS: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// How every interface of ours begins, whatever engine made it.
pub(super) const OURS: &str = "sl";
/// Whether the host forwards packets at all.
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
/// How often, and how long after each time, another engine's turn is waited for.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);
/// What is not public: own, private, shared, loopback, link-local (cloud metadata), reserved, multicast.
pub(super) const PRIVATE: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, \
                                  192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3";

/// Why there is no firewall.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// nft failed.
    #[error("loading the firewall by nft failed: {0}; it is in the Debian package nftables")]
    Load(String),
    /// Packets are not forwarded.
    #[error("switching forwarding on (net.ipv4.ip_forward): {0}")]
    Forwarding(io::Error),
}

/// Loads a table whose rules are made by `rules` of what becomes of packets that are no container's, and switches
/// forwarding on. That is `drop` on a host that did not forward before an engine, this one or another, switched that on.
pub(super) fn start(rules: impl FnOnce(&str) -> String) -> Result<(), Error> {
    let _turn = turn()?;
    let was = std::fs::read_to_string(FORWARDING).map_err(Error::Forwarding)?;
    let shut = was.trim() == "0" || tables().unwrap_or_default().iter().any(|table| shut(table));
    load(&rules(if shut { "drop" } else { "accept" }))?;
    forward()
}

/// Switches forwarding on.
pub(super) fn forward() -> Result<(), Error> {
    std::fs::write(FORWARDING, "1").map_err(Error::Forwarding)
}

/// While it is kept no other engine in this network namespace looks at forwarding or changes it.
fn turn() -> Result<File, Error> {
    let file = File::open(FORWARDING).map_err(Error::Forwarding)?;
    for _ in 0..TRIES {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            other => return other.map(|()| file).map_err(|e| Error::Forwarding(e.into())),
        }
    }
    // Any user of the host can keep it: that is no reason to have no network.
    Ok(file)
}

/// Whether a table keeps the host from forwarding what is not a container's: who loaded it switched forwarding on.
pub(super) fn shut(table: &str) -> bool {
    let mut nft = nft();
    nft.args(["list", "chain", "inet", table, "strangers"]);
    nft.stdin(Stdio::null()).output().is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("drop"))
}

/// Takes a table away. A host that did not forward before forwards nothing again, once the last of our tables is gone.
pub(super) fn unload(table: &str) -> Result<(), Error> {
    let _turn = turn()?;
    let was_off = shut(table);
    load(&format!("delete table inet {table}\n"))?;
    // What cannot be asked may be there.
    if was_off && tables().is_some_and(|left| left.is_empty()) {
        std::fs::write(FORWARDING, "0").map_err(Error::Forwarding)?;
    }
    Ok(())
}

/// The tables of all engines here; none if nft cannot be asked.
fn tables() -> Option<Vec<String>> {
    let mut nft = nft();
    nft.args(["list", "tables"]);
    let output = nft.stdin(Stdio::null()).output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| line.strip_prefix("table inet ").map(|name| name.trim().to_owned());
    Some(text.lines().filter_map(name).filter(|name| name.starts_with("sandlot")).collect())
}

/// Loads a rule set as one transaction.
pub(super) fn load(rules: &str) -> Result<(), Error> {
    let failed = |e: io::Error| Error::Load(e.to_string());
    let mut nft = nft();
    nft.args(["-f", "-"]);
    let mut child =
        nft.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(rules.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Load(String::from_utf8_lossy(&output.stderr).trim().replace('\n', ", ")))
}

fn nft() -> Command {
    let mut nft = Command::new("nft");
    nft.env_clear().env("PATH", TOOLS);
    nft
}

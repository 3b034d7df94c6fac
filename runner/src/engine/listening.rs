//! What listens in a container: the kernel's tables of its network namespace (`proc_pid_net(5)`), read by descriptor.

use super::Engine;
use super::error::{Doing, Error};
use rustix::fs::{Mode, OFlags, openat};
use sandlot_wire::Port;
use std::collections::BTreeSet;
use std::io::Read;

/// The most that is read of a table: some 7,000 sockets.
const TABLE: u64 = 1 << 20;
/// The most ports that are told.
const PORTS: usize = 100;
/// `TCP_LISTEN` as the tables write it.
const LISTENS: &str = "0A";
/// The addresses that a connection to the loopback reaches, as the tables write them: numbers of 32 bits of this machine.
const REACHED: [&[u8]; 5] = [
    &[0, 0, 0, 0],
    &[127, 0, 0, 1],
    &[0; 16],
    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1],
];

impl Engine {
    /// The TCP ports on which something listens that the loopback reaches.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it does not run.
    pub async fn ports(&self, key: &str) -> Result<Vec<Port>, Error> {
        let container = self.find(key)?;
        let (pid, _) = container.state().alive().ok_or_else(|| container.not_running())?;
        let base = container.slot.range().base;
        let work = move || {
            let process = super::view::process(pid, base)?;
            let mut ports = BTreeSet::new();
            for name in ["net/tcp", "net/tcp6"] {
                let doing = || format!("reading {name} of a container");
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                // Without IPv6 there is no second table.
                let Ok(table) = openat(&process, name, flags, Mode::empty()) else { continue };
                let mut text = String::new();
                std::fs::File::from(table).take(TABLE).read_to_string(&mut text).doing(doing)?;
                ports.extend(text.lines().skip(1).filter_map(listens));
            }
            Ok(ports.into_iter().take(PORTS).map(|port| Port { port }).collect())
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other);
        done.doing(|| "reading what listens".into())?
    }
}

/// The port of a line, if something listens there that can be reached.
fn listens(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    if fields.nth(1)? != LISTENS {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    let words = hex::decode(address).ok()?;
    // Each word is written as a number: its bytes come in this machine's order.
    let bytes: Vec<u8> = words
        .chunks_exact(4)
        .flat_map(|word| {
            let number = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
            number.to_ne_bytes()
        })
        .collect();
    REACHED.contains(&bytes.as_slice()).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let rest =
            "00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0";
        let v6 = "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 2 1 0";
        for (line, port) in [
            (format!("   0: 0100007F:1F90 {rest}"), Some(8080)),
            (format!("   1: 00000000:0016 {rest}"), Some(22)),
            (format!("   2: 0200007F:1F90 {rest}"), None),
            (format!("   3: 0100007F:1F90 {}", rest.replace(" 0A ", " 01 ")), None),
            (format!("   0: 00000000000000000000000000000000:0BB8 {v6}"), Some(3000)),
            (format!("   0: 00000000000000000000000001000000:0BB8 {v6}"), Some(3000)),
            (format!("   0: 0000000000000000FFFF00000100007F:0BB8 {v6}"), Some(3000)),
            (format!("   0: B80D01200000000000000000010000FF:0BB8 {v6}"), None),
            ("".into(), None),
            ("   0: zz".into(), None),
        ] {
            assert_eq!(listens(&line), port, "{line}");
        }
    }
}

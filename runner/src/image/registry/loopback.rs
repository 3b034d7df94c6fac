//! Which names mean this machine itself, so that plain HTTP gives nothing away.
//!
//! Docker asks the name service for any name; here the hosts file alone counts, for what a name server answers could be
//! forged to take TLS away. A session's `/etc/hosts` names its class's registry.

use std::io::Read;
use std::net::IpAddr;

/// The most that is read of the file.
const LONGEST: u64 = 1 << 20;

/// Whether a host's name, or address, is the loopback's. Other addresses below 127 may be anything's that is run here.
pub(super) fn is(name: &str) -> bool {
    if matches!(name, "localhost" | "127.0.0.1" | "[::1]") {
        return true;
    }
    let mut text = String::new();
    let read =
        std::fs::File::open("/etc/hosts").and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.is_ok() && listed(&text, name)
}

/// Whether a hosts file has a name, and only with addresses of the loopback.
fn listed(text: &str, name: &str) -> bool {
    let mut found = false;
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
        let Some(address) = words.next() else { continue };
        if words.any(|word| word.eq_ignore_ascii_case(name)) {
            if !address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
                return false;
            }
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_loopbacks_only_where_the_hosts_file_says_so() {
        let text = "127.0.0.1 localhost\n127.0.0.1\tregistry # ours\n10.0.0.1 other both\n::1 both\n# 127.0.0.1 no\n";
        for (name, expected) in [
            ("registry", true),
            ("REGISTRY", true),
            ("other", false),
            ("both", false),
            ("no", false),
            ("ours", false),
        ] {
            assert_eq!(listed(text, name), expected, "{name}");
        }
        assert!(is("localhost") && is("127.0.0.1") && is("[::1]"));
        assert!(!is("192.0.2.1") && !is("127.0.0.2") && !is("registry.example"));
    }
}

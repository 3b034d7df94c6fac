//! Which addresses a network has, and which of them is free. Pure, but for [`routes`].

use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The addresses of a network that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// All of them.
    pub(super) subnet: Ipv4Net,
    /// The host's; the first where nothing was said.
    pub(super) gateway: Option<Ipv4Addr>,
    /// Those that containers get that ask for none.
    pub(super) range: Option<Ipv4Net>,
    /// Those that no container gets, by what has them.
    pub(super) kept: BTreeMap<String, Ipv4Addr>,
}

/// The subnets that networks get which ask for none: Docker's.
fn pools() -> impl Iterator<Item = Ipv4Net> {
    let wide = (17..32).map(|second| (Ipv4Addr::new(172, second, 0, 0), 16));
    let narrow = (0..16).map(|n| (Ipv4Addr::new(192, 168, n * 16, 0), 20));
    wide.chain(narrow).filter_map(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
}

/// Whether two subnets share an address.
pub(super) fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(b) || b.contains(a)
}

/// The first pool that overlaps none of those that are taken.
pub(super) fn free(taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    pools().find(|pool| !taken.iter().any(|t| overlap(pool, t)))
}

/// The first address of a subnet: the gateway's, where nothing else was said.
pub(super) fn first(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.network().to_bits() + 1)
}

/// Whether a container may have this address.
pub(super) fn usable(subnet: Ipv4Net, gateway: Ipv4Addr, address: Ipv4Addr) -> bool {
    let ends = [subnet.network(), subnet.broadcast(), gateway];
    subnet.contains(&address) && !ends.contains(&address)
}

/// The first usable address that is free.
pub(super) fn next(
    subnet: Ipv4Net,
    gateway: Ipv4Addr,
    range: Option<Ipv4Net>,
    free: impl Fn(&Ipv4Addr) -> bool,
) -> Option<Ipv4Addr> {
    let range = range.unwrap_or(subnet);
    let (first, last) = (range.network().to_bits(), range.broadcast().to_bits());
    (first..=last).map(Ipv4Addr::from_bits).find(|a| usable(subnet, gateway, *a) && free(a))
}

/// Ranges that the host reaches otherwise than by its default route and by interfaces that begin with `own`: a network
/// there would cut it off.
pub(super) fn routes(own: &str) -> Vec<Ipv4Net> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default(), own)
}

/// proc(5): destination and mask are the second and the eighth column, in the machine's byte order.
fn parse_routes(text: &str, own: &str) -> Vec<Ipv4Net> {
    let address = |hex: &str| u32::from_str_radix(hex, 16).ok().map(|n| Ipv4Addr::from(n.to_ne_bytes()));
    let line = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (to, mask) = (address(columns.get(1)?)?, address(columns.get(7)?)?);
        Ipv4Net::with_netmask(to, mask).ok().filter(|net| net.prefix_len() > 0).map(|net| net.trunc())
    };
    text.lines().skip(1).filter(|l| !l.starts_with(own)).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn a_pool_that_is_taken_or_routed_is_passed_over() {
        assert_eq!(free(&[]), Some(net("172.17.0.0/16")));
        assert_eq!(free(&[net("172.17.8.0/24"), net("172.18.0.0/15")]), Some(net("172.20.0.0/16")));
        let all: Vec<Ipv4Net> = pools().collect();
        assert_eq!((all.len(), free(&all)), (31, None));
    }

    #[test]
    fn addresses_are_handed_out_in_order_and_never_the_ends() {
        let (subnet, gateway) = (net("10.1.0.0/29"), Ipv4Addr::new(10, 1, 0, 1));
        let mut taken = Vec::new();
        while let Some(address) = next(subnet, gateway, None, |a| !taken.contains(a)) {
            taken.push(address);
        }
        let seen: Vec<u8> = taken.iter().map(|address| address.octets()[3]).collect();
        assert_eq!(seen, [2, 3, 4, 5, 6]);
        let range = Some(net("10.1.0.4/30"));
        assert_eq!(next(subnet, gateway, range, |_| true), Some(Ipv4Addr::new(10, 1, 0, 4)));
        assert!(!usable(subnet, gateway, Ipv4Addr::new(10, 2, 0, 3)) && !usable(subnet, gateway, gateway));
    }

    #[test]
    fn the_hosts_routes_are_read() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
                    sltestsb00000\t0200140A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\nrubbish\n";
        if cfg!(target_endian = "little") {
            assert_eq!(parse_routes(text, "sltests"), [net("192.168.0.0/24")]);
        }
    }
}

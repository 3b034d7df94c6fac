//! How many neighbours' hardware addresses a network namespace knows, or looks for: they lie in a table that all namespaces of the
//! host share.

use super::{Error, within};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use std::io;
use std::os::fd::BorrowedFd;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
/// `NLM_F_REQUEST | NLM_F_DUMP`
const DUMP: u16 = 0x1 | 0x300;
/// `sizeof(struct nlmsghdr)`
const HEADER: usize = 16;
/// `sizeof(struct ndmsg)`
const MESSAGE: usize = 12;
/// What the kernel sends at once at most.
const PIECE: usize = 64 << 10;

/// Whose table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4: ARP.
    Inet,
    /// IPv6: neighbour discovery.
    Inet6,
}

/// The neighbours of all interfaces in `netns`.
///
/// # Errors
/// [`Error::Enter`] with what the kernel answers.
pub fn count(netns: BorrowedFd<'_>, family: Family) -> Result<u64, Error> {
    within(netns, || {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        let family = match family {
            Family::Inet => 2,
            Family::Inet6 => 10,
        };
        let length = u32::try_from(HEADER + MESSAGE).unwrap_or(u32::MAX);
        let mut question = length.to_ne_bytes().to_vec();
        question.extend(RTM_GETNEIGH.to_ne_bytes());
        question.extend(DUMP.to_ne_bytes());
        question.extend([0; 8]);
        question.push(family);
        question.resize(HEADER + MESSAGE, 0);
        send(&socket, &question, SendFlags::empty())?;
        let (mut all, mut piece) = (0, vec![0; PIECE]);
        loop {
            let (_, n) = recv(&socket, piece.as_mut_slice(), RecvFlags::empty())?;
            match kinds(&piece[..n])? {
                (found, End::No) => all += found,
                (found, End::Yes) => return Ok(all + found),
            }
        }
    })
}

/// Whether it was the last piece.
enum End {
    Yes,
    No,
}

/// How many neighbours a piece tells of.
fn kinds(mut piece: &[u8]) -> io::Result<(u64, End)> {
    let mut found = 0;
    while let (Some(length), Some(kind)) = (piece.get(..4), piece.get(4..6)) {
        let length = u32::from_ne_bytes([length[0], length[1], length[2], length[3]]);
        match u16::from_ne_bytes([kind[0], kind[1]]) {
            NLMSG_DONE => return Ok((found, End::Yes)),
            NLMSG_ERROR => return Err(io::ErrorKind::InvalidData.into()),
            RTM_NEWNEIGH => found += 1,
            _ => {}
        }
        let next = usize::try_from(length).unwrap_or(usize::MAX).max(HEADER).next_multiple_of(4);
        piece = piece.get(next..).unwrap_or_default();
    }
    Ok((found, End::No))
}

//! Questions to other name servers on behalf of a container.

use crate::container::network::nameserver;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long each server has.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many are asked.
const SERVERS: usize = 3;
/// The longest answer in one packet: what clients ask for is 4,096 or less.
const ANSWER: usize = 8192;
const PORT: u16 = 53;

/// Who is asked, and from where.
#[derive(Debug, Clone)]
pub(in crate::engine::networks) enum Upstream {
    /// The host's own servers, from the host: those of its `resolv.conf` at that moment.
    Host,
    /// These, from the host.
    #[cfg(test)]
    These(Vec<SocketAddr>),
    /// Those that the container was given by `--dns`, from inside it: its firewall holds.
    Inside {
        /// The network namespace.
        netns: Arc<OwnedFd>,
        /// The servers.
        servers: Vec<IpAddr>,
    },
}

impl Upstream {
    fn servers(&self) -> Vec<SocketAddr> {
        let servers = match self {
            Self::Host => host(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()),
            #[cfg(test)]
            Self::These(servers) => return servers.clone(),
            Self::Inside { servers, .. } => servers.clone(),
        };
        servers.into_iter().take(SERVERS).map(|server| SocketAddr::new(server, PORT)).collect()
    }

    /// The first answer to a question of one packet.
    pub(super) async fn packet(&self, question: &[u8]) -> Option<Vec<u8>> {
        for server in self.servers() {
            if let Ok(Ok(answer)) = timeout(PATIENCE, self.packet_of(server, question)).await {
                return Some(answer);
            }
        }
        None
    }

    /// The first answer over a connection.
    pub(super) async fn stream(&self, question: &[u8]) -> Option<Vec<u8>> {
        for server in self.servers() {
            if let Ok(Ok(answer)) = timeout(PATIENCE, self.stream_of(server, question)).await {
                return Some(answer);
            }
        }
        None
    }

    async fn packet_of(&self, server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
        let socket = match self {
            Self::Inside { netns, .. } => {
                let netns = Arc::clone(netns);
                let asking = move || nameserver::asking(netns.as_fd(), server).map_err(io::Error::other);
                UdpSocket::from_std(tokio::task::spawn_blocking(asking).await??)?
            }
            _ => {
                let any: IpAddr = if server.is_ipv4() {
                    Ipv4Addr::UNSPECIFIED.into()
                } else {
                    std::net::Ipv6Addr::UNSPECIFIED.into()
                };
                let socket = UdpSocket::bind((any, 0)).await?;
                socket.connect(server).await?;
                socket
            }
        };
        socket.send(question).await?;
        let mut answer = vec![0; ANSWER];
        loop {
            let n = socket.recv(&mut answer).await?;
            // An answer has the question's number and says that it is one.
            if n < ANSWER && is_answer(&answer[..n], question) {
                answer.truncate(n);
                return Ok(answer);
            }
        }
    }

    async fn stream_of(&self, server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = match self {
            Self::Inside { netns, .. } => {
                let netns = Arc::clone(netns);
                let connecting =
                    move || nameserver::connecting(netns.as_fd(), server).map_err(io::Error::other);
                let stream = TcpStream::from_std(tokio::task::spawn_blocking(connecting).await??)?;
                stream.writable().await?;
                stream.take_error()?.map_or(Ok(stream), Err)?
            }
            _ => TcpStream::connect(server).await?,
        };
        let mut framed = u16::try_from(question.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        framed.extend(question);
        stream.write_all(&framed).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        if is_answer(&answer, question) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

fn is_answer(answer: &[u8], question: &[u8]) -> bool {
    answer.len() >= 12 && answer.get(..2) == question.get(..2) && answer[2] & 0x80 != 0
}

/// The servers of a `resolv.conf`; those on the loopback device, too: they are asked from there.
fn host(text: &str) -> Vec<IpAddr> {
    text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok()).collect()
}

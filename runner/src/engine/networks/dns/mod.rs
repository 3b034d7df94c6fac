//! The name server of one container: it answers inside the container's network namespace, and is held by the engine.
//!
//! A container may send it anything, as fast as it can: what is read, kept and asked on its behalf is bounded, and the
//! loop rests when it was asked too often. Knows names ([`super::directory`]) and packets, no containers.

mod answer;
mod ask;

use super::directory::Directory;
use crate::container::network::nameserver::Sockets;
use answer::{Reply, answer, failure};
pub(super) use ask::Upstream;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// The longest question.
const QUESTION: usize = 4096;
/// Questions to other servers that wait for their answers.
const IN_FLIGHT: usize = 64;
/// Connections at once.
const CONNECTIONS: usize = 16;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// Questions in a tenth of a second; who asks more waits.
const OFTEN: u32 = 200;
/// That tenth.
const WINDOW: Duration = Duration::from_millis(100);

/// A running name server; dropping ends it.
#[derive(Debug)]
pub(super) struct Server(Vec<AbortHandle>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// What all tasks of a server share.
#[derive(Debug)]
struct Shared {
    asker: String,
    directory: Arc<Directory>,
    upstream: Upstream,
    in_flight: Arc<Semaphore>,
    pace: Mutex<(Instant, u32)>,
}

impl Server {
    /// Serves the container `asker` until it is dropped.
    ///
    /// # Errors
    /// When the runtime does not take the sockets.
    pub(super) fn start(
        sockets: Sockets,
        asker: &str,
        directory: Arc<Directory>,
        upstream: Upstream,
    ) -> io::Result<Self> {
        let udp = Arc::new(UdpSocket::from_std(sockets.udp)?);
        let tcp = TcpListener::from_std(sockets.tcp)?;
        let shared = Arc::new(Shared {
            asker: asker.to_owned(),
            directory,
            upstream,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            pace: Mutex::new((Instant::now(), 0)),
        });
        let tasks: [JoinHandle<()>; 2] =
            [tokio::spawn(packets(udp, Arc::clone(&shared))), tokio::spawn(connections(tcp, shared))];
        Ok(Self(tasks.iter().map(JoinHandle::abort_handle).collect()))
    }
}

impl Shared {
    /// Returns when another question may be looked at.
    async fn rest(&self) {
        let until = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let (began, asked) = &mut *pace;
            if began.elapsed() >= WINDOW {
                (*began, *asked) = (Instant::now(), 0);
            }
            *asked += 1;
            (*asked > OFTEN).then_some(*began + WINDOW)
        };
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    fn answer(&self, packet: &[u8]) -> Reply {
        answer(packet, &self.asker, &self.directory)
    }
}

async fn packets(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = vec![0; QUESTION];
    // They end with this task.
    let mut asked = JoinSet::new();
    loop {
        while asked.try_join_next().is_some() {}
        shared.rest().await;
        let Ok((n, from)) = socket.recv_from(&mut buffer).await else {
            // An earlier answer that nobody waited for comes back as an error.
            continue;
        };
        let packet = &buffer[..n];
        let said = match shared.answer(packet) {
            Reply::Answer(said) => Some(said),
            Reply::Nothing => None,
            Reply::Ask => match Arc::clone(&shared.in_flight).try_acquire_owned() {
                Ok(place) => {
                    let (socket, shared, packet) =
                        (Arc::clone(&socket), Arc::clone(&shared), packet.to_vec());
                    asked.spawn(async move {
                        let said = shared.upstream.packet(&packet).await.or_else(|| failure(&packet));
                        if let Some(said) = said {
                            // Who does not wait any more misses nothing.
                            socket.send_to(&said, from).await.map(drop).unwrap_or_default();
                        }
                        drop(place);
                    });
                    None
                }
                Err(_) => failure(packet),
            },
        };
        if let Some(said) = said {
            // The same.
            socket.send_to(&said, from).await.map(drop).unwrap_or_default();
        }
    }
}

async fn connections(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        while open.len() >= CONNECTIONS {
            open.join_next().await;
        }
        while open.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                open.spawn(async move { converse(stream, &shared).await.unwrap_or_default() });
            }
            Err(_) => tokio::time::sleep(WINDOW).await,
        }
    }
}

/// RFC 1035, 4.2.2: each message after its length in two bytes.
async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    loop {
        let length = usize::from(timeout(SILENCE, stream.read_u16()).await??);
        if length > QUESTION {
            return Ok(());
        }
        let mut packet = vec![0; length];
        timeout(SILENCE, stream.read_exact(&mut packet)).await??;
        shared.rest().await;
        let said = match shared.answer(&packet) {
            Reply::Answer(said) => said,
            Reply::Nothing => return Ok(()),
            Reply::Ask => {
                let _place = shared.in_flight.acquire().await.map_err(io::Error::other)?;
                match shared.upstream.stream(&packet).await.or_else(|| failure(&packet)) {
                    Some(said) => said,
                    None => return Ok(()),
                }
            }
        };
        let mut framed = u16::try_from(said.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        framed.extend(said);
        timeout(SILENCE, stream.write_all(&framed)).await??;
    }
}

#[cfg(test)]
mod tests;

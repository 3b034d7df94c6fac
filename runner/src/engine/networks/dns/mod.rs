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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// The longest question.
const QUESTION: usize = 4096;
/// Questions to other servers that wait for their answers.
const IN_FLIGHT: usize = 64;
/// The same for all containers together: each takes a descriptor of the engine's.
const ALL_IN_FLIGHT: usize = 1024;
/// Connections at once.
const CONNECTIONS: usize = 16;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// Questions in a tenth of a second; who asks more waits.
const OFTEN: u32 = 200;
/// Of these, how many go to other servers: those are the host's, and may turn the whole host away if one floods them.
const OFTEN_ELSEWHERE: u32 = 20;
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
    all_in_flight: Arc<Semaphore>,
    pace: Pace,
    pace_elsewhere: Pace,
}

/// What all name servers of an engine share.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_IN_FLIGHT)))
    }
}

/// How often something may be done in a tenth of a second.
#[derive(Debug)]
struct Pace {
    often: u32,
    /// When this tenth began, and how often it was done since.
    since: Mutex<(Instant, u32)>,
}

impl Pace {
    fn new(often: u32) -> Self {
        Self { often, since: Mutex::new((Instant::now(), 0)) }
    }

    /// Returns when it may be done once more.
    async fn rest(&self) {
        loop {
            let until = {
                let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
                let (began, done) = &mut *since;
                if began.elapsed() >= WINDOW {
                    (*began, *done) = (Instant::now(), 0);
                }
                if *done < self.often {
                    *done += 1;
                    return;
                }
                *began + WINDOW
            };
            sleep_until(until).await;
        }
    }
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
        all: &Places,
    ) -> io::Result<Self> {
        let udp = Arc::new(UdpSocket::from_std(sockets.udp)?);
        let tcp = TcpListener::from_std(sockets.tcp)?;
        let shared = Arc::new(Shared {
            asker: asker.to_owned(),
            directory,
            upstream,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            all_in_flight: Arc::clone(&all.0),
            pace: Pace::new(OFTEN),
            pace_elsewhere: Pace::new(OFTEN_ELSEWHERE),
        });
        let tasks: [JoinHandle<()>; 2] =
            [tokio::spawn(packets(udp, Arc::clone(&shared))), tokio::spawn(connections(tcp, shared))];
        Ok(Self(tasks.iter().map(JoinHandle::abort_handle).collect()))
    }
}

impl Shared {
    /// A place among the questions that wait for other servers, of this container's and of all; none if there is none left.
    fn place(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let own = Arc::clone(&self.in_flight).try_acquire_owned().ok()?;
        Some((own, Arc::clone(&self.all_in_flight).try_acquire_owned().ok()?))
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
        shared.pace.rest().await;
        let Ok((n, from)) = socket.recv_from(&mut buffer).await else {
            // An earlier answer that nobody waited for comes back as an error.
            continue;
        };
        let packet = &buffer[..n];
        let said = match shared.answer(packet) {
            Reply::Answer(said) => Some(said),
            Reply::Nothing => None,
            Reply::Ask => match shared.place() {
                Some(place) => {
                    let (socket, shared, packet) =
                        (Arc::clone(&socket), Arc::clone(&shared), packet.to_vec());
                    asked.spawn(async move {
                        shared.pace_elsewhere.rest().await;
                        let said = shared.upstream.packet(&packet).await.or_else(|| failure(&packet));
                        if let Some(said) = said {
                            // Who does not wait any more misses nothing.
                            socket.send_to(&said, from).await.map(drop).unwrap_or_default();
                        }
                        drop(place);
                    });
                    None
                }
                None => failure(packet),
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
        shared.pace.rest().await;
        let said = match shared.answer(&packet) {
            Reply::Answer(said) => said,
            Reply::Nothing => return Ok(()),
            Reply::Ask => {
                let Some(_place) = shared.place() else { return Ok(()) };
                shared.pace_elsewhere.rest().await;
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

//! Packets through a published port: each client has a socket of its own towards the container, so that answers find back.
//!
//! Whose a packet is nobody proves, so a stranger can be as many clients as he likes. A container has so many places; when they
//! are taken a new client gets that of the one who waits longest for a first answer, and none who was answered loses his.

use super::Target;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Clients of one container's ports at once.
pub(super) const CLIENTS: usize = 256;
/// How long a client is remembered that was answered, after the last answer.
const IDLE: Duration = Duration::from_secs(90);
/// How long one is remembered that was not answered yet.
const UNANSWERED: Duration = Duration::from_secs(30);
/// The longest packet.
const PACKET: usize = 65_536;

/// The places for clients: the container's, and those of all.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) own: Arc<Semaphore>,
    pub(super) all: Arc<Semaphore>,
}

impl Places {
    fn take(&self) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let own = Arc::clone(&self.own).try_acquire_owned().ok()?;
        Some((own, Arc::clone(&self.all).try_acquire_owned().ok()?))
    }
}

/// Somebody who sent a packet.
struct Client {
    way: Arc<UdpSocket>,
    since: Instant,
    answered: Arc<AtomicBool>,
    answering: AbortHandle,
    _place: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// Leads packets to the target until the task is ended.
pub(super) async fn serve(socket: Arc<UdpSocket>, target: Target, places: Places) {
    let mut clients: HashMap<SocketAddr, Client> = HashMap::new();
    let mut answering: JoinSet<SocketAddr> = JoinSet::new();
    let mut packet = vec![0; PACKET];
    loop {
        let (n, from) = tokio::select! {
            received = socket.recv_from(&mut packet) => match received {
                Ok(received) => received,
                // An answer that a client did not wait for comes back as an error.
                Err(_) => continue,
            },
            Some(gone) = answering.join_next_with_id() => {
                if let Ok((task, from)) = gone
                    && clients.get(&from).is_some_and(|client| client.answering.id() == task)
                {
                    clients.remove(&from);
                }
                continue;
            }
        };
        if !clients.contains_key(&from) {
            let place = places.take().or_else(|| {
                forget_one(&mut clients);
                places.take()
            });
            let Some(place) = place else { continue };
            let Some(way) = towards(&target).await else { continue };
            let answered = Arc::new(AtomicBool::new(false));
            let task = answer(Arc::clone(&way), (Arc::clone(&socket), from), Arc::clone(&answered));
            let answering = answering.spawn(task);
            let client = Client { way, since: Instant::now(), answered, answering, _place: place };
            clients.insert(from, client);
        }
        if let Some(client) = clients.get(&from) {
            // As by any network, what does not arrive is lost.
            client.way.send(&packet[..n]).await.map(drop).unwrap_or_default();
        }
    }
}

/// Forgets who waits longest for a first answer, if anybody does.
fn forget_one(clients: &mut HashMap<SocketAddr, Client>) {
    let waiting = clients.iter().filter(|(_, client)| !client.answered.load(Ordering::Relaxed));
    let longest = waiting.min_by_key(|(_, client)| client.since).map(|(from, _)| *from);
    if let Some(client) = longest.and_then(|from| clients.remove(&from)) {
        client.answering.abort();
    }
}

async fn towards(target: &Target) -> Option<Arc<UdpSocket>> {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let way = UdpSocket::bind((any, 0)).await.ok()?;
    way.connect(target.address()?).await.ok()?;
    Some(Arc::new(way))
}

/// Brings answers back until none comes for a while; whose they were. Nothing is kept for a packet that is still to come.
async fn answer(
    way: Arc<UdpSocket>,
    (back, client): (Arc<UdpSocket>, SocketAddr),
    answered: Arc<AtomicBool>,
) -> SocketAddr {
    let mut idle = UNANSWERED;
    while let Ok(Ok(())) = timeout(idle, way.readable()).await {
        let mut packet = vec![0; PACKET];
        match way.try_recv(&mut packet) {
            Ok(n) => {
                idle = IDLE;
                answered.store(true, Ordering::Relaxed);
                // The client's own loss.
                back.send_to(&packet[..n], client).await.map(drop).unwrap_or_default();
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            // Nobody listens inside: the next packet finds out anew.
            Err(_) => break,
        }
    }
    client
}

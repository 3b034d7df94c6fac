//! Packets through a published port: each client has a socket of its own towards the container, so that answers find back.

use super::Target;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Clients of one port at once; packets of more are dropped.
const CLIENTS: usize = 256;
/// How long a client is remembered for which no answer comes.
const IDLE: Duration = Duration::from_secs(90);
/// The longest packet.
const PACKET: usize = 65_536;

/// Leads packets to the target until the task is ended.
pub(super) async fn serve(socket: Arc<UdpSocket>, target: Target) {
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut answering: JoinSet<SocketAddr> = JoinSet::new();
    let mut packet = vec![0; PACKET];
    loop {
        let (n, client) = tokio::select! {
            received = socket.recv_from(&mut packet) => match received {
                Ok(received) => received,
                // An answer that a client did not wait for comes back as an error.
                Err(_) => continue,
            },
            Some(gone) = answering.join_next() => {
                if let Ok(gone) = gone {
                    clients.remove(&gone);
                }
                continue;
            }
        };
        let way = match clients.get(&client) {
            Some(way) => Arc::clone(way),
            None if clients.len() >= CLIENTS => continue,
            None => {
                let Some(way) = towards(&target).await else { continue };
                clients.insert(client, Arc::clone(&way));
                answering.spawn(answer(Arc::clone(&way), Arc::clone(&socket), client));
                way
            }
        };
        // As by any network, what does not arrive is lost.
        way.send(&packet[..n]).await.map(drop).unwrap_or_default();
    }
}

async fn towards(target: &Target) -> Option<Arc<UdpSocket>> {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let way = UdpSocket::bind((any, 0)).await.ok()?;
    way.connect(target.address()?).await.ok()?;
    Some(Arc::new(way))
}

/// Brings answers back until none comes for a while; whose they were.
async fn answer(way: Arc<UdpSocket>, back: Arc<UdpSocket>, client: SocketAddr) -> SocketAddr {
    let mut packet = vec![0; PACKET];
    while let Ok(received) = timeout(IDLE, way.recv(&mut packet)).await {
        // Nobody listens inside: the next packet finds out anew.
        let Ok(n) = received else { break };
        // The client's own loss.
        back.send_to(&packet[..n], client).await.map(drop).unwrap_or_default();
    }
    client
}

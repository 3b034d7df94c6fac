//! Connections through a published port.

use super::Target;
use rustix::net::sockopt::set_socket_keepalive;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a container may take to accept.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause after a failure of accept: descriptors may come free.
const PAUSE: Duration = Duration::from_millis(100);

/// Leads each connection to the target until the task is ended; those that are open end with it.
pub(super) async fn serve(listener: TcpListener, target: Target, own: Arc<Semaphore>, all: Arc<Semaphore>) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let Ok((client, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Who comes when all places are taken waits, and who comes after waits in the listener's queue.
        let (own, all) = (Arc::clone(&own), Arc::clone(&all));
        let (Ok(one), Ok(of_all)) = (own.acquire_owned().await, all.acquire_owned().await) else { return };
        let target = target.clone();
        open.spawn(async move {
            if let Err(e) = lead(client, &target).await {
                tracing::debug!(container = target.container, "port {}: {e}", target.port);
            }
            drop((one, of_all));
        });
    }
}

/// Bytes both ways, each end's end on its own.
async fn lead(mut client: TcpStream, target: &Target) -> io::Result<()> {
    let address = target.address().ok_or(io::ErrorKind::NetworkUnreachable)?;
    let mut server = timeout(PATIENCE, TcpStream::connect(address)).await??;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        // A client that is gone without a word is found out, and its place comes free.
        set_socket_keepalive(stream, true)?;
    }
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

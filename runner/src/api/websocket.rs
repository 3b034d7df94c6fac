//! A WebSocket as a stream of bytes: what attaching by one needs.

use super::attach::Attachment;
use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

/// The longest message; what is longer ends the connection.
pub(super) const MESSAGE: usize = 1 << 20;
/// Bytes on their way in each direction.
const PIPE: usize = 64 << 10;

/// Leads a container's streams over a socket, a message a piece, until one of both ends.
pub(super) async fn serve(socket: WebSocket, attachment: Attachment) {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (typed, printed) = (tokio::io::split(theirs), socket.split());
    let ((reading, writing), (sending, receiving)) = (typed, printed);
    let passing = async {
        tokio::select! {
            () = send(reading, sending) => {}
            () = receive(receiving, writing) => {}
        }
    };
    tokio::join!(attachment.run(ours), passing);
}

/// What was printed goes out; its end is a message of its own.
async fn send(mut printed: ReadHalf<DuplexStream>, mut socket: SplitSink<WebSocket, Message>) {
    let mut buffer = vec![0; PIPE];
    while let Ok(n @ 1..) = printed.read(&mut buffer).await {
        if socket.send(Message::Binary(Bytes::copy_from_slice(&buffer[..n]))).await.is_err() {
            return;
        }
    }
    // Whoever listened may be gone.
    socket.send(Message::Close(None)).await.unwrap_or_default();
}

/// What is typed comes in, until the client closes or goes away.
async fn receive(mut socket: SplitStream<WebSocket>, mut typed: WriteHalf<DuplexStream>) {
    while let Some(Ok(message)) = socket.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        if typed.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

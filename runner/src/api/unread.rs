//! Bodies that nobody wanted to the end: a client that still writes when the connection is closed is told "broken pipe" and never
//! comes to read the answer. So the rest is read and thrown away, within bounds, for every call alike.
//!
//! A little is read before the answer: then the connection can be used again. What is longer is answered at once with
//! `Connection: close`, and read while the answer is on its way, for some clients read it only when they have sent everything.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, StatusCode};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What is read before an answer: what a socket's buffers hold is there already.
const BEFORE: usize = 256 << 10;
/// For how long at most; a client that sends nothing waits for the answer.
const MOMENT: Duration = Duration::from_millis(100);
/// What is read after it: contexts and archives of a usual size.
const AFTER: usize = 1 << 30;
/// For how long.
const WHILE: Duration = Duration::from_secs(10);
/// Bytes at a time.
const PIECE: usize = 64 << 10;

/// Whether a connection's last call left something of its body unread.
#[derive(Debug, Clone, Default)]
pub(super) struct Left(Arc<AtomicBool>);

impl Left {
    /// So it is.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The rest of a call's body, once the call has let go of it.
#[derive(Debug)]
pub(super) struct Rest {
    left: Left,
    body: Option<oneshot::Receiver<Incoming>>,
}

/// The call, and what will be left of its body.
pub(super) fn watched(request: Request<Incoming>, left: &Left) -> (Request<Body>, Rest) {
    let left = left.clone();
    if request.body().is_end_stream() {
        return (request.map(Body::new), Rest { left, body: None });
    }
    let (back, body) = oneshot::channel();
    let watch = |inner| Watched { inner: Some(inner), back: Some(back), left: left.clone() };
    (request.map(|inner| Body::new(watch(inner))), Rest { left, body: Some(body) })
}

impl Rest {
    /// Reads what is there of a body that the answer did not want; where that is not all, the answer says that it is the last.
    pub(super) async fn settled(self, mut answer: Response) -> Response {
        let Some(mut body) = self.body.and_then(|mut body| body.try_recv().ok()) else { return answer };
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return answer;
        }
        match timeout(MOMENT, ended(&mut body)).await {
            Ok(true) => self.left.0.store(false, Ordering::Release),
            _ => drop(answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"))),
        }
        answer
    }
}

/// Whether a body's end came before too much of it.
async fn ended(body: &mut Incoming) -> bool {
    let mut read = 0;
    while read <= BEFORE {
        match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, Bytes::len),
            Some(Err(_)) => return false,
            None => return true,
        }
    }
    false
}

/// Reads what a client sends after its answer, until it closes, or it has been enough.
pub(super) async fn thrown_away(mut from: impl AsyncRead + Unpin) {
    use tokio::io::AsyncReadExt;
    let reading = async {
        let (mut piece, mut all) = (vec![0; PIECE], 0);
        while all < AFTER {
            match from.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(n) => all += n,
            }
        }
    };
    timeout(WHILE, reading).await.unwrap_or_default();
}

/// A body that comes back when it is dropped before its end.
#[derive(Debug)]
struct Watched {
    inner: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
    left: Left,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(inner).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            // At its end, or the client's.
            self.inner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take().filter(|inner| !inner.is_end_stream()) else { return };
        self.left.0.store(true, Ordering::Release);
        if let Some(back) = self.back.take() {
            // Where the answer has begun already nobody takes it, and the connection ends with the answer.
            back.send(inner).map_or_else(drop, |()| ());
        }
    }
}

//! A terminal's end of its recording: what happens is sent to the writer, as much as that takes.

use super::reel::Reel;
use super::writer::{Begin, Event, Opened, Order, left};
use super::{CREDIT, Input, Label, QUEUE, REFILL, Stopped};
use bytes::Bytes;
use sandlot_wire::Size;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How long after something was passed over the screen is recorded anew.
const PAUSE: Duration = Duration::from_secs(1);

/// What a fresh screen may cost: without so much credit none is recorded.
const SCREEN: u64 = 768 * 1024;

/// The next tape's key.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// See the module. Dropping it ends the recording.
#[derive(Debug)]
pub struct Tape {
    label: Label,
    title: String,
    path: PathBuf,
    input: Input,
    orders: Sender<Order>,
    running: Option<Running>,
}

/// A recording that has begun.
#[derive(Debug)]
struct Running {
    key: u64,
    began: Instant,
    /// Milliseconds of the recording at that moment.
    base: u64,
    queued: Arc<AtomicUsize>,
    credit: u64,
    refilled: Instant,
    /// Bytes that were passed over, and since when.
    gap: Option<(u64, Instant)>,
}

/// What a recording that is taken up has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::terminal) enum Held {
    /// Nothing yet.
    Nothing,
    /// All that was printed up to this position.
    UpTo(u64),
}

impl Tape {
    pub(super) fn new(
        label: Label,
        title: String,
        path: PathBuf,
        input: Input,
        orders: Sender<Order>,
    ) -> Self {
        Self { label, title, path, input, orders, running: None }
    }

    /// Whether what is typed is recorded.
    #[must_use]
    pub fn input(&self) -> Input {
        self.input
    }

    /// Begins, or goes on with what is there; `stopped` is told when it can go on no longer.
    pub(in crate::terminal) fn begin(
        &mut self,
        size: Size,
        stopped: Box<dyn Fn(Stopped) + Send>,
    ) -> io::Result<Held> {
        let (reel, found) = Reel::open(&self.path)?;
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
        let (begin, base, held) = match found {
            None => (Begin::New { size, started: now, title: self.title.clone() }, 0, Held::Nothing),
            Some((first, last)) => {
                let (begin, started) = left(&reel, &first, &last)?;
                // A clock that was set back must not turn the recording back.
                (begin, now.saturating_sub(started).max(last.at), Held::UpTo(last.seq))
            }
        };
        let (key, queued) = (NEXT.fetch_add(1, Ordering::Relaxed), Arc::<AtomicUsize>::default());
        let (label, path) = (self.label.clone(), self.path.clone());
        let opened = Opened { label, path, reel, begin, queued: queued.clone(), stopped };
        self.orders
            .send(Order::Open(key, Box::new(opened)))
            .map_err(|_| io::Error::other("the recorder has ended"))?;
        let began = Instant::now();
        self.running = Some(Running { key, began, base, queued, credit: CREDIT, refilled: began, gap: None });
        Ok(held)
    }

    /// What was printed, and how much in all with that.
    pub(in crate::terminal) fn output(&mut self, bytes: Bytes, seq: u64) {
        let Some(running) = &mut self.running else { return };
        let (n, now) = (bytes.len(), Instant::now());
        running.refill(now);
        let full = running.queued.load(Ordering::Relaxed) + n > QUEUE || running.credit < n as u64;
        if full || running.gap.is_some() {
            let (passed, _) = running.gap.get_or_insert((0, now));
            *passed += n as u64;
            return;
        }
        running.credit -= n as u64;
        running.queued.fetch_add(n, Ordering::Relaxed);
        self.send(Event::Output(bytes, seq));
    }

    /// When the screen is to be recorded anew, because something was passed over.
    pub(in crate::terminal) fn due(&self) -> Option<Instant> {
        self.running.as_ref()?.gap.map(|(_, since)| since + PAUSE)
    }

    /// Whether that is now.
    pub(in crate::terminal) fn wants_screen(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        let now = Instant::now();
        running.refill(now);
        let room = running.credit >= SCREEN && running.queued.load(Ordering::Relaxed) <= QUEUE / 2;
        match &mut running.gap {
            Some((_, since)) if now.duration_since(*since) < PAUSE => false,
            Some(_) if room => true,
            Some((_, since)) => {
                *since = now;
                false
            }
            None => false,
        }
    }

    /// The screen, after what was passed over; `seq` is how much was printed by then.
    pub(in crate::terminal) fn screen(&mut self, screen: Vec<u8>, seq: u64) {
        let Some(running) = &mut self.running else { return };
        if let Some((passed, _)) = running.gap.take() {
            let label = format!("{:.1} MB of output were passed over", bytes_as_megabytes(passed));
            self.send(Event::Marker(label));
        }
        self.output([b"\x18\x1bc".to_vec(), screen].concat().into(), seq);
    }

    /// What was typed.
    pub(in crate::terminal) fn typed(&self, bytes: &[u8]) {
        if self.input == Input::Kept {
            self.send(Event::Input(Bytes::copy_from_slice(bytes)));
        }
    }

    pub(in crate::terminal) fn resize(&self, size: Size) {
        self.send(Event::Resize(size));
    }

    pub(in crate::terminal) fn marker(&self, label: &str) {
        self.send(Event::Marker(label.to_owned()));
    }

    pub(in crate::terminal) fn exit(&self, code: i32) {
        self.send(Event::Exit(code));
    }

    fn send(&self, event: Event) {
        if let Some(running) = &self.running {
            let at = running.base + u64::try_from(running.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let _ = self.orders.send(Order::Event(running.key, at, event));
        }
    }
}

impl Running {
    fn refill(&mut self, now: Instant) {
        let millis = u64::try_from(now.duration_since(self.refilled).as_millis()).unwrap_or(u64::MAX);
        if millis > 0 {
            self.credit = self.credit.saturating_add(REFILL.saturating_mul(millis) / 1000).min(CREDIT);
            self.refilled = now;
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            let _ = self.orders.send(Order::Close(running.key));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "words for people, to a tenth")]
fn bytes_as_megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

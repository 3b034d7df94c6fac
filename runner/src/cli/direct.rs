//! One container from its creation to its end by one call, on one connection, without a runtime: how most of `sandlot run`'s
//! calls go. Knows the frames of `sandlot_wire::run`, and no option.

use super::client::VERSION;
use super::container_options::Creation;
use super::error::Error;
use super::streams::PROXIED;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::event::{PollFd, PollFlags, poll};
use sandlot_wire::run::{ENDED, HEAD, HEADER_CONTAINER, head};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;
/// The longest head of an answer, and the longest message of an error.
const HEADERS: u64 = 64 << 10;

/// What became of it.
pub(super) enum Outcome {
    /// It has ended with this code, or failed.
    Done(Result<u8, Error>),
    /// Nothing has happened: no engine listens there, or it does not have the image, or not this call.
    Nothing,
}

/// Runs it by the engine behind `socket`.
pub(super) fn run(socket: &Path, name: Option<&str>, creation: &Creation) -> Outcome {
    let Ok(stream) = UnixStream::connect(socket) else { return Outcome::Nothing };
    match converse(stream, socket, name, creation) {
        Ok(Some(code)) => Outcome::Done(Ok(code)),
        Ok(None) => Outcome::Nothing,
        Err(e) => Outcome::Done(Err(e.of_run())),
    }
}

fn converse(
    stream: UnixStream,
    socket: &Path,
    name: Option<&str>,
    creation: &Creation,
) -> Result<Option<u8>, Error> {
    let signals = Signals::catch().map_err(Error::io("signals"))?;
    let path = sandlot_wire::run::path();
    let query = name.map(|name| format!("?name={}", utf8_percent_encode(name, NON_ALPHANUMERIC)));
    let target = format!("{path}{}", query.unwrap_or_default());
    let broken = |e: io::Error| Error::Protocol(e.to_string());
    // Without keeping the connection the answer needs no chunks: it ends where the connection does.
    (&stream).write_all(&request(&target, &serde_json::to_vec(creation)?)).map_err(broken)?;
    let mut reader = BufReader::with_capacity(PIECE, &stream);
    let mut early = None;
    while !signals.wait(&stream).map_err(broken)? {
        // Who asks a second time before anything runs does not want to wait for that.
        match (early, signals.next()) {
            (Some(_), Some(signal)) => return Ok(Some(u8::try_from(128 + signal).unwrap_or(u8::MAX))),
            (None, signal) => early = signal,
            (Some(_), None) => {}
        }
    }
    let answer = Answer::read(&mut reader)?;
    match (answer.status, &answer.container) {
        (200, Some(id)) => {
            early.into_iter().for_each(|signal| pass_on(socket, id, signal));
            show(&mut reader, &signals, &|signal| pass_on(socket, id, signal)).map(Some)
        }
        (404, None) => Ok(None),
        (status, _) => {
            let mut text = Vec::new();
            reader.take(HEADERS).read_to_end(&mut text).map_err(broken)?;
            let status = hyper::StatusCode::from_u16(status).unwrap_or_default();
            Err(Error::Refused { status, message: super::client::words(status, &text) })
        }
    }
}

fn request(target: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.0\r\nHost: sandlot\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The head of an answer, as far as it matters here.
struct Answer {
    status: u16,
    container: Option<String>,
}

impl Answer {
    fn read(reader: &mut impl BufRead) -> Result<Self, Error> {
        let wrong = || Error::Protocol("the answer is not HTTP's".into());
        let mut lines = reader.take(HEADERS);
        let mut line = || {
            let mut text = String::new();
            match lines.read_line(&mut text) {
                Ok(1..) => Ok(text.trim_end().to_owned()),
                Ok(0) => Err(wrong()),
                Err(e) => Err(Error::Protocol(e.to_string())),
            }
        };
        let status = line()?.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(wrong)?;
        let mut answer = Self { status, container: None };
        loop {
            let header = line()?;
            match header.split_once(':') {
                _ if header.is_empty() => return Ok(answer),
                Some((name, value)) if name.eq_ignore_ascii_case(HEADER_CONTAINER) => {
                    answer.container = Some(value.trim().to_owned());
                }
                _ => {}
            }
        }
    }
}

/// Shows what is printed to its end; the exit code.
fn show(reader: &mut BufReader<&UnixStream>, signals: &Signals, pass_on: &dyn Fn(i32)) -> Result<u8, Error> {
    let broken = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => Error::Protocol("the engine is gone".into()),
        _ => Error::Protocol(e.to_string()),
    };
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let mut print = |stream: u8, bytes: &[u8]| match stream {
        2 => err.write_all(bytes),
        _ => out.write_all(bytes).and_then(|()| out.flush()),
    };
    loop {
        while reader.buffer().is_empty() && !signals.wait(reader.get_ref()).map_err(broken)? {
            signals.next().into_iter().for_each(pass_on);
        }
        let mut bytes = [0; HEAD];
        reader.read_exact(&mut bytes).map_err(broken)?;
        let (stream, mut left) = head(bytes);
        if stream == ENDED {
            let mut code = [0; 4];
            reader.read_exact(&mut code).map_err(broken)?;
            return Ok(u8::try_from(i32::from_be_bytes(code) & 0xff).unwrap_or(u8::MAX));
        }
        while left > 0 {
            let some = reader.fill_buf().map_err(broken)?;
            let n = some.len().min(left);
            if n == 0 {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
            print(stream, &some[..n]).map_err(Error::io("standard output"))?;
            reader.consume(n);
            left -= n;
        }
    }
}

/// Tells the engine of a signal that came here.
fn pass_on(socket: &Path, id: &str, signal: i32) {
    let call = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(&request(&format!("{VERSION}/containers/{id}/kill?signal={signal}"), &[]))?;
        stream.read_to_end(&mut Vec::new())
    };
    // A container that has just ended needs none.
    call().map(drop).unwrap_or_default();
}

/// The signals that are passed on to a container, as something that is read.
struct Signals {
    which: SigSet,
    arriving: SignalFd,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let mut which = SigSet::empty();
        for (_, number) in PROXIED {
            which.add(Signal::try_from(number)?);
        }
        let arriving = SignalFd::with_flags(&which, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        which.thread_block()?;
        Ok(Self { which, arriving })
    }

    /// Waits for either; whether the engine has said something.
    fn wait(&self, stream: &UnixStream) -> io::Result<bool> {
        let mut both = [
            PollFd::new(stream, PollFlags::IN),
            PollFd::from_borrowed_fd(self.arriving.as_fd(), PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| poll(&mut both, None))?;
        Ok(!both[0].revents().is_empty())
    }

    /// One that has come.
    fn next(&self) -> Option<i32> {
        let told = self.arriving.read_signal().ok().flatten()?;
        i32::try_from(told.ssi_signo).ok()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It was blocked by the same call: unblocking cannot fail where that did not.
        self.which.thread_unblock().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_answer_is_read() {
        let read = |text: &str| Answer::read(&mut BufReader::new(text.as_bytes()));
        let answer = read("HTTP/1.0 200 OK\r\ncontent-type: x\r\nSandlot-Container: abc\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.container.as_deref()), (200, Some("abc")));
        for wrong in ["", "HTTP/1.0\r\n\r\n", "HTTP/1.0 x\r\n\r\n", "HTTP/1.0 200 OK\r\na: b\r\n"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

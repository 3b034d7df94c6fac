//! Plain HTTP over a unix socket, down to the bytes: what no client library shows (heads as they are, connections that
//! stop speaking HTTP, one half of a connection closed).

use crate::wait::PATIENCE;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A socket that speaks HTTP.
#[derive(Debug, Clone)]
pub struct Socket {
    path: PathBuf,
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers beside `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body, without the transfer's own framing.
    pub body: Vec<u8>,
}

/// A connection after the head of its answer: a body that comes in pieces, or bytes both ways.
#[derive(Debug)]
pub struct Open {
    /// The head; the body is empty.
    pub head: Answer,
    connection: BufReader<UnixStream>,
}

impl Request {
    /// A request with a method and a target, and no body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("Content-Type", "application/json")
    }

    /// A request that is written as a line: `METHOD TARGET [BODY] [@Header: value]…`. A body without headers is JSON;
    /// what of a target must be escaped is.
    ///
    /// # Errors
    /// When a method, a target or a header's value is missing.
    pub fn read(line: &str) -> Result<Self> {
        let mut pieces = line.split(" @");
        let mut words = pieces.next().unwrap_or_default().splitn(3, ' ');
        let (method, target) = (words.next().context("a method")?, words.next().context("a target")?);
        let headers: Vec<&str> = pieces.collect();
        let mut request = Self::new(method, &escaped(target));
        if let Some(body) = words.next() {
            request = if headers.is_empty() {
                request.json(body)
            } else {
                Self { body: body.as_bytes().to_vec(), ..request }
            };
        }
        for header in headers {
            let (name, value) = header.split_once(": ").context("a header")?;
            request = request.header(name, value);
        }
        Ok(request)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: docker\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() || self.method == "POST" || self.method == "PUT" {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}

/// Filters are JSON, and stand in a line as such.
fn escaped(target: &str) -> String {
    let one = |c: char| match c {
        '{' | '}' | '"' | '[' | ']' | '^' | '|' | '<' | '>' => format!("%{:02X}", u32::from(c)),
        c => c.to_string(),
    };
    target.chars().map(one).collect()
}

impl Socket {
    /// The socket at a path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When there is none within [`PATIENCE`].
    pub async fn call(&self, request: &Request) -> Result<Answer> {
        let what = || format!("{} {}", request.method, request.target);
        let request = request.clone().header("Connection", "close");
        let whole = async {
            let open = self.open(&request).await?;
            open.whole(request.method == "HEAD").await
        };
        timeout(PATIENCE, whole).await.with_context(what)?.with_context(what)
    }

    /// Sends a request and reads the head of the answer.
    ///
    /// # Errors
    /// When there is none within [`PATIENCE`].
    pub async fn open(&self, request: &Request) -> Result<Open> {
        let head = async {
            let mut stream = UnixStream::connect(&self.path).await?;
            stream.write_all(&request.bytes()).await?;
            let mut connection = BufReader::new(stream);
            let head = read_head(&mut connection).await?;
            Ok(Open { head, connection })
        };
        timeout(PATIENCE, head).await?
    }
}

async fn read_head(connection: &mut BufReader<UnixStream>) -> Result<Answer> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await? == 0 {
            bail!("the connection ended within the head: {lines:?}");
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let mut lines = lines.into_iter();
    let first = lines.next().context("an empty head")?;
    let status = first.split(' ').nth(1).and_then(|s| s.parse().ok()).with_context(|| first.clone())?;
    let headers = lines
        .filter_map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect();
    Ok(Answer { status, headers, body: Vec::new() })
}

impl Open {
    async fn whole(mut self, headless: bool) -> Result<Answer> {
        let mut answer = self.head.clone();
        if headless || matches!(answer.status, 204 | 304) {
            return Ok(answer);
        }
        if let Some(length) = answer.headers.get("content-length") {
            answer.body = vec![0; length.parse()?];
            self.connection.read_exact(&mut answer.body).await?;
        } else if self.chunked() {
            while let Some(piece) = self.chunk().await? {
                answer.body.extend(piece);
            }
        } else {
            self.connection.read_to_end(&mut answer.body).await?;
        }
        Ok(answer)
    }

    fn chunked(&self) -> bool {
        self.head.headers.get("transfer-encoding").is_some_and(|t| t == "chunked")
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = String::new();
        if self.connection.read_line(&mut line).await? == 0 {
            bail!("the connection ended within the body");
        }
        let length = usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16)
            .with_context(|| format!("the length of a chunk: {line:?}"))?;
        let mut piece = vec![0; length + 2];
        self.connection.read_exact(&mut piece).await?;
        piece.truncate(length);
        Ok((length > 0).then_some(piece))
    }

    /// The next piece: a chunk of the body, or what has arrived; `None` at the end.
    ///
    /// # Errors
    /// When nothing comes within [`PATIENCE`].
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>> {
        let next = async {
            if self.chunked() {
                return self.chunk().await;
            }
            let piece = self.connection.fill_buf().await?.to_vec();
            self.connection.consume(piece.len());
            Ok((!piece.is_empty()).then_some(piece))
        };
        timeout(PATIENCE, next).await.context("waiting for a piece of the answer")?
    }

    /// Everything up to the end.
    ///
    /// # Errors
    /// As [`Open::piece`].
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            all.extend(piece);
        }
        Ok(all)
    }

    /// Reads until `enough` of what has come.
    ///
    /// # Errors
    /// As [`Open::piece`], and when the end comes before.
    pub async fn until(&mut self, enough: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while !enough(&all) {
            match self.piece().await? {
                Some(piece) => all.extend(piece),
                None => bail!("the end came first; before it: {:?}", String::from_utf8_lossy(&all)),
            }
        }
        Ok(all)
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// What the socket answers.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.connection.get_mut().write_all(bytes).await?)
    }

    /// Closes the sending half.
    ///
    /// # Errors
    /// What the socket answers.
    pub async fn finish(&mut self) -> Result<()> {
        Ok(self.connection.get_mut().shutdown().await?)
    }
}

/// What Docker puts eight bytes before: the stream's number, and what was printed, pieces of one stream joined.
///
/// # Errors
/// When it is not framed like that.
pub fn frames(mut bytes: &[u8]) -> Result<Vec<(u8, String)>> {
    let mut all: Vec<(u8, String)> = Vec::new();
    while let [stream, 0, 0, 0, a, b, c, d, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d]))?;
        let (text, next) = rest.split_at_checked(length).context("a frame that is cut off")?;
        let text = String::from_utf8_lossy(text).into_owned();
        match all.last_mut().filter(|last| last.0 == *stream) {
            Some(last) => last.1 += &text,
            None => all.push((*stream, text)),
        }
        bytes = next;
    }
    anyhow::ensure!(bytes.is_empty(), "no frame: {:?}", String::from_utf8_lossy(bytes));
    Ok(all)
}

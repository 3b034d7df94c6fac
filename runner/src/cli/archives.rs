//! Archives of images: `sandlot load`, `import` and `save`.

use super::client::{Call, Client};
use super::error::Error;
use super::format;
use clap::Args;
use serde_json::Value;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWriteExt};

/// Take images in from an archive of `save`
#[derive(Debug, Args)]
pub(super) struct Load {
    /// Read this file instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Say nothing but the names
    #[arg(short, long)]
    quiet: bool,
}

impl Load {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let source = source(self.input.as_deref()).await?;
        let call = Call::post("/images/load").query("quiet", if self.quiet { "1" } else { "0" });
        let show = |line: Value| match line["error"].as_str() {
            Some(words) => Err(Error::Invalid(words.to_owned())),
            None => format::print(line["stream"].as_str().unwrap_or_default()),
        };
        client.lines(call.archive(source), show).await.map(|()| 0)
    }
}

/// Make an image of one layer from the tar archive of a root filesystem
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A Dockerfile instruction for the image: 'CMD ["sh"]'
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Words that the image's history keeps
    #[arg(short, long, default_value = "")]
    message: String,
    /// The archive; - is standard input
    file: PathBuf,
    /// A name for the image
    name: Option<String>,
}

impl Import {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let source =
            source(Some(&self.file).filter(|file| file.as_os_str() != "-").map(|f| f.as_path())).await?;
        let mut call = Call::post("/images/create").query("fromSrc", "-").query("message", &self.message);
        if let Some(name) = &self.name {
            let (repository, tag) = super::images::split(name);
            call = call.query("repo", repository).query("tag", tag);
        }
        for change in &self.change {
            call = call.query("changes", change);
        }
        let show = |line: Value| match line["error"].as_str() {
            Some(words) => Err(Error::Invalid(words.to_owned())),
            None => format::line(line["status"].as_str().unwrap_or_default()),
        };
        client.lines(call.archive(source), show).await.map(|()| 0)
    }
}

/// Write images to an archive that `load` takes
#[derive(Debug, Args)]
pub(super) struct Save {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Names or ids
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Save {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let call = Call::get("/images/get");
        let call = self.images.iter().fold(call, |call, image| call.query("names", image));
        write(client, call, self.output.as_deref()).await.map(|()| 0)
    }
}

/// Writes what a call answers to a file, or to standard output unless that is a terminal. A file that would be half an
/// archive is not left behind.
pub(super) async fn write(client: &Client, call: Call, file: Option<&Path>) -> Result<(), Error> {
    let Some(path) = file else {
        if std::io::stdout().is_terminal() {
            return Err(Error::Invalid(
                "an archive is nothing to look at: name a file, or redirect standard output".into(),
            ));
        }
        let mut answer = std::pin::pin!(client.stream(call).await?);
        let mut out = tokio::io::stdout();
        tokio::io::copy(&mut answer, &mut out).await.map_err(Error::io("standard output"))?;
        return out.flush().await.map_err(Error::io("standard output"));
    };
    let mut answer = std::pin::pin!(client.stream(call).await?);
    let failed = || Error::io(path.display().to_string());
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let half = tempfile::NamedTempFile::new_in(folder).map_err(failed())?;
    let mut out = tokio::fs::File::from_std(half.reopen().map_err(failed())?);
    tokio::io::copy(&mut answer, &mut out).await.map_err(failed())?;
    out.flush().await.map_err(failed())?;
    half.persist(path).map_err(|e| failed()(e.error)).map(drop)
}

/// A file, or standard input.
async fn source(file: Option<&Path>) -> Result<Box<dyn AsyncRead + Send + Unpin>, Error> {
    match file {
        Some(path) => {
            let file =
                tokio::fs::File::open(path).await.map_err(Error::io(format!("open {}", path.display())))?;
            Ok(Box::new(file))
        }
        None if std::io::stdin().is_terminal() => {
            Err(Error::Invalid("an archive cannot be typed: name a file, or redirect standard input".into()))
        }
        None => Ok(Box::new(tokio::io::stdin())),
    }
}

//! Archives that come in: `sandlot load` and `import`.

use super::client::{Call, Client};
use super::error::Error;
use super::format;
use clap::Args;
use serde_json::Value;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tokio::io::AsyncRead;

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

/// A file, or standard input.
async fn source(file: Option<&Path>) -> Result<Box<dyn AsyncRead + Send + Unpin>, Error> {
    match file {
        Some(path) => {
            let file = tokio::fs::File::open(path).await.map_err(Error::io(path.display().to_string()))?;
            Ok(Box::new(file))
        }
        None if std::io::stdin().is_terminal() => {
            Err(Error::Invalid("an archive cannot be typed: name a file, or redirect standard input".into()))
        }
        None => Ok(Box::new(tokio::io::stdin())),
    }
}

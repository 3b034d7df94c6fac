//! `sandlot cp`: files between a container and this machine, as archives, by the rules that Docker has.

use super::archives;
use super::client::{Call, Client};
use super::error::Error;
use crate::engine::pipe;
use crate::image::pack::{self, Borders, Packing, Signs};
use crate::image::place::{self, Kinds, Placing};
use base64::Engine as _;
use clap::Args;
use hyper::{Method, StatusCode};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio_util::io::{StreamReader, SyncIoBridge};

/// Go's sign of a directory, and of a symbolic link, in a mode.
const DIRECTORY: u64 = 1 << 31;
const LINK: u64 = 1 << 27;
/// The header that says what stands at a path.
const STAT: &str = "x-docker-container-path-stat";

/// Copy files between a container and this machine
#[derive(Debug, Args)]
pub(super) struct Cp {
    /// Into a container: all belongs to its user. Out of one: owners stay what they are
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link leads to, and not the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing
    #[arg(short, long)]
    quiet: bool,
    /// container:path, a path, or - for an archive from standard input
    source: String,
    /// container:path, a path, or - for an archive to standard output
    target: String,
}

/// What stands at a container's path.
struct Found {
    mode: u64,
    link: String,
}

impl Found {
    fn is_directory(&self) -> bool {
        self.mode & DIRECTORY != 0
    }
}

impl Cp {
    /// Runs it.
    pub(super) async fn run(self, client: &Client) -> Result<u8, Error> {
        let (source, target) = (side(&self.source), side(&self.target));
        match (source, target) {
            ((Some(container), path), (None, to)) => self.copy_out(client, container, path, to).await?,
            ((None, from), (Some(container), path)) => self.copy_in(client, container, from, path).await?,
            ((Some(_), _), (Some(_), _)) => {
                return Err(Error::Invalid("copying between containers is not supported".into()));
            }
            _ => {
                let words = "must specify at least one container source: container:path";
                return Err(Error::Invalid(words.into()));
            }
        }
        if !self.quiet && self.target != "-" && std::io::stderr().is_terminal() {
            eprintln!("Successfully copied to {}", self.target);
        }
        Ok(0)
    }

    async fn copy_out(&self, client: &Client, container: &str, path: &str, to: &str) -> Result<(), Error> {
        let mut from = path.to_owned();
        let mut found = there(client, container, &from).await?;
        if self.follow_link && found.mode & LINK != 0 {
            from = found.link;
            found = there(client, container, &from).await?;
        }
        if to == "-" {
            return archives::write(client, archive(Method::GET, container, &from), None).await;
        }
        let own = Path::new(path).file_name().filter(|_| !only_content(path));
        let (into, name) = if found.is_directory() {
            let into =
                if Path::new(to).is_dir() { Path::new(to).join(own.unwrap_or_default()) } else { to.into() };
            make_directory(&into, found.mode)?;
            from = format!("{}/.", from.trim_end_matches("/."));
            (into, None)
        } else if Path::new(to).is_dir() {
            (PathBuf::from(to), own.map(OsStr::to_owned))
        } else {
            let (into, name) = file_target(to)?;
            (into, Some(name))
        };
        let reader = client.stream(archive(Method::GET, container, &from)).await?;
        let reader = SyncIoBridge::new(Box::pin(reader));
        let ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owner = (!self.archive).then_some(ids);
        let put = move || {
            let root = File::open(&into).map_err(Error::io(into.display().to_string()))?;
            let placing = Placing { base: 0, owner, kinds: Kinds::Kept, name: name.as_deref() };
            place::place(reader, root.as_fd(), Path::new(""), placing).map_err(Error::io("copying"))
        };
        tokio::task::spawn_blocking(put).await.map_err(|e| Error::Protocol(e.to_string()))?
    }

    async fn copy_in(&self, client: &Client, container: &str, from: &str, path: &str) -> Result<(), Error> {
        let mut to = path.to_owned();
        let mut found = stat(client, container, &to).await?;
        if let Some(link) = found.as_ref().filter(|f| f.mode & LINK != 0) {
            to.clone_from(&link.link);
            found = stat(client, container, &to).await?;
        }
        let there = found.as_ref().map(Found::is_directory);
        let put = |path: &str| {
            let call = archive(Method::PUT, container, path).query("noOverwriteDirNonDir", "true");
            call.query("copyUIDGID", if self.archive { "true" } else { "false" })
        };
        if from == "-" {
            if there != Some(true) {
                return Err(Error::Invalid(format!(
                    "destination \"{container}:{path}\" must be a directory"
                )));
            }
            return client.done(put(&to).archive(tokio::io::stdin())).await;
        }
        let metadata =
            if self.follow_link { std::fs::metadata(from) } else { std::fs::symlink_metadata(from) };
        let directory = metadata.map_err(Error::io(format!("lstat {}", whole(from))))?.is_dir();
        let source = if self.follow_link {
            std::fs::canonicalize(from).map_err(Error::io(from))?
        } else {
            from.into()
        };
        let (into, shown) = match (there, directory) {
            (Some(true), _) if only_content(from) => (PathBuf::from(&to), OsString::from(".")),
            (Some(true), _) => (PathBuf::from(&to), own_name(from)?),
            (Some(false), true) => return Err(Error::Invalid("cannot copy directory".into())),
            (None, false) if to.ends_with('/') => {
                return Err(Error::Invalid("no such directory".into()));
            }
            _ => file_target(to.trim_end_matches('/'))?,
        };
        let (writer, stream) = pipe::pipe();
        let pack = move || writer.fill(|out| pack_local(&source, Path::new(&shown), out));
        let packing = tokio::task::spawn_blocking(pack);
        let sent = client.done(put(&into.to_string_lossy()).archive(StreamReader::new(stream))).await;
        let packed = packing.await.map_err(|e| Error::Protocol(e.to_string()))?;
        match packed {
            // The engine stopped reading, and says why itself.
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("copying")(e)),
            _ => sent,
        }
    }
}

/// The container and the path, or the path alone. What begins like a path is one, colons or not.
fn side(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((container, path)) if !text.starts_with(['/', '.']) && !container.is_empty() => {
            (Some(container), path)
        }
        _ => (None, text),
    }
}

/// Whether a directory's content is meant and not the directory: `dir/.`
fn only_content(path: &str) -> bool {
    path == "." || path.ends_with("/.") || path.trim_matches('/').is_empty()
}

fn archive(method: Method, container: &str, path: &str) -> Call {
    Call::container(method, container, "archive").query("path", path)
}

async fn stat(client: &Client, container: &str, path: &str) -> Result<Option<Found>, Error> {
    let answer = match client.send(archive(Method::HEAD, container, path)).await {
        Err(Error::Refused { status: StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, .. }) => {
            return Ok(None);
        }
        other => other?,
    };
    let wrong = || Error::Protocol(format!("an answer without a valid {STAT}"));
    let header = answer.headers().get(STAT).ok_or_else(wrong)?;
    let text = base64::engine::general_purpose::STANDARD.decode(header).map_err(|_| wrong())?;
    let found: Value = serde_json::from_slice(&text)?;
    let link = found["linkTarget"].as_str().unwrap_or_default().to_owned();
    Ok(Some(Found { mode: found["mode"].as_u64().ok_or_else(wrong)?, link }))
}

/// What stands at a path; an answer without a body cannot say why nothing does, so the engine is asked again.
async fn there(client: &Client, container: &str, path: &str) -> Result<Found, Error> {
    if let Some(found) = stat(client, container, path).await? {
        return Ok(found);
    }
    client.done(archive(Method::GET, container, path)).await?;
    Err(Error::Protocol(format!("{path} came just now")))
}

/// The directory of a file that is to be, and its name.
fn file_target(path: &str) -> Result<(PathBuf, OsString), Error> {
    let none = || Error::Invalid(format!("no such directory: {path}"));
    if path.ends_with('/') {
        return Err(none());
    }
    let name = Path::new(path).file_name().ok_or_else(none)?;
    let parent = Path::new(path).parent().filter(|p| !p.as_os_str().is_empty());
    Ok((parent.unwrap_or(Path::new(".")).to_owned(), name.to_owned()))
}

/// The last name of a path of this machine, also where it is written as `..`.
fn own_name(path: &str) -> Result<OsString, Error> {
    if let Some(name) = Path::new(path).file_name() {
        return Ok(name.to_owned());
    }
    let whole = std::fs::canonicalize(path).map_err(Error::io(path))?;
    Ok(whole.file_name().unwrap_or(OsStr::new(".")).to_owned())
}

/// A path from the root.
fn whole(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |whole| whole.display().to_string())
}

fn make_directory(path: &Path, mode: u64) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let failed = || Error::io(path.display().to_string());
    std::fs::create_dir(path).map_err(failed())?;
    let mode = u32::try_from(mode & 0o777).unwrap_or(0o755);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed())
}

fn pack_local(source: &Path, shown: &Path, out: &mut pipe::Writer) -> io::Result<()> {
    let packing = Packing { base: 0, signs: Signs::Plain, borders: Borders::Open };
    let itself = source.to_string_lossy().ends_with("/.") || source.file_name().is_none();
    if itself || source.to_string_lossy().ends_with('/') {
        return pack::one(File::open(source)?.as_fd(), OsStr::new("."), shown, packing, out);
    }
    let parent = source.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = source.file_name().unwrap_or_default();
    pack::one(File::open(parent)?.as_fd(), name, shown, packing, out)
}

#[cfg(test)]
mod tests {
    use super::{only_content, side};

    #[test]
    fn sides() {
        for (text, expected) in [
            ("box:/etc", (Some("box"), "/etc")),
            ("box:rel", (Some("box"), "rel")),
            ("/a:b", (None, "/a:b")),
            ("./a:b", (None, "./a:b")),
            ("plain", (None, "plain")),
            ("-", (None, "-")),
        ] {
            assert_eq!(side(text), expected);
        }
        assert!(only_content("a/.") && only_content("/") && !only_content("a/") && !only_content("a."));
    }
}

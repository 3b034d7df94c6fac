//! `--output`: what becomes of an image when it is built, beside staying in the engine.

use crate::cli::archives;
use crate::cli::client::{Call, Client};
use crate::cli::error::Error;
use crate::image::place::{self, Kinds, Placing};
use hyper::Method;
use serde_json::{Value, json};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use tokio_util::io::SyncIoBridge;

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    kind: Kind,
    /// `-`, or nothing: standard output.
    dest: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing: the image stays in the engine.
    Image,
    /// An archive of the image, which is an OCI layout and Docker's at once.
    Archive,
    /// An archive of its files.
    Tar,
    /// Its files, in a folder.
    Local,
}

/// Reads `type=…,dest=…`, or a folder's name.
pub(super) fn parse(text: &str) -> Result<Output, String> {
    if !text.contains('=') {
        let dest = Some(PathBuf::from(text)).filter(|_| text != "-");
        return Ok(Output { kind: if dest.is_some() { Kind::Local } else { Kind::Tar }, dest });
    }
    let (mut kind, mut dest) = (None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("type", "image")) => kind = Some(Kind::Image),
            Some(("type", "oci" | "docker")) => kind = Some(Kind::Archive),
            Some(("type", "tar")) => kind = Some(Kind::Tar),
            Some(("type", "local")) => kind = Some(Kind::Local),
            Some(("type", "registry")) => return Err("type=registry: push the image when it is built".into()),
            Some(("dest", path)) => dest = Some(PathBuf::from(path)).filter(|_| path != "-"),
            _ => return Err(format!("{part}: type=oci|docker|tar|local|image and dest=PATH are known")),
        }
    }
    let kind = kind.ok_or("type= is needed: oci, docker, tar, local or image")?;
    if kind == Kind::Local && dest.is_none() {
        return Err("type=local: dest=FOLDER is needed".into());
    }
    Ok(Output { kind, dest })
}

impl Output {
    /// Whether the image is wanted in the engine as well.
    pub(super) fn keeps(&self) -> bool {
        self.kind == Kind::Image
    }

    /// Whether it goes to standard output, where nothing else may be then.
    pub(super) fn takes_standard_output(&self) -> bool {
        self.dest.is_none() && self.kind != Kind::Image
    }

    /// Writes what is wanted of an image, by its names or its id.
    pub(super) async fn write(&self, client: &Client, id: &str, names: &[String]) -> Result<(), Error> {
        match self.kind {
            Kind::Image => Ok(()),
            Kind::Archive => {
                let own = [id.to_owned()];
                let names = if names.is_empty() { &own[..] } else { names };
                let call =
                    names.iter().fold(Call::get("/images/get"), |call, name| call.query("names", name));
                archives::write(client, call, self.dest.as_deref()).await
            }
            Kind::Tar | Kind::Local => self.files(client, id).await,
        }
    }

    /// Its files: those of a container that is never started.
    async fn files(&self, client: &Client, id: &str) -> Result<(), Error> {
        let create = Call::post("/containers/create").json(&json!({ "Image": id, "Cmd": ["none"] }))?;
        let created: Value = client.json(create).await?;
        let container = created["Id"].as_str().unwrap_or_default();
        let call = Call::container(Method::GET, container, "export");
        let done = match (&self.dest, self.kind) {
            (Some(folder), Kind::Local) => unpack(client, call, folder).await,
            (dest, _) => archives::write(client, call, dest.as_deref()).await,
        };
        client.done(Call::container(Method::DELETE, container, "").query("force", "1")).await.and(done)
    }
}

async fn unpack(client: &Client, call: Call, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder.display().to_string()))?;
    let root = File::open(folder).map_err(Error::io(folder.display().to_string()))?;
    let reader = SyncIoBridge::new(Box::pin(client.stream(call).await?));
    let ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let placing = Placing { base: 0, owner: Some(ids), kinds: Kinds::Replaced, name: None };
    let put =
        move || place::place(reader, root.as_fd(), Path::new(""), placing).map_err(Error::io("writing"));
    tokio::task::spawn_blocking(put).await.map_err(|e| Error::Protocol(e.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs() {
        let output = |kind, dest: Option<&str>| Ok(Output { kind, dest: dest.map(PathBuf::from) });
        assert_eq!(parse("type=oci,dest=a.tar"), output(Kind::Archive, Some("a.tar")));
        assert_eq!(parse("type=tar,dest=-"), output(Kind::Tar, None));
        assert_eq!(parse("folder"), output(Kind::Local, Some("folder")));
        assert_eq!(parse("-"), output(Kind::Tar, None));
        for bad in ["type=local", "type=odd", "dest=x", "type=registry", "x=y"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

//! The context: what the client sent, unpacked into a directory of the engine's own that goes with the build.
//!
//! Its archive is hostile: entries that lead out are refused, bytes, entries and ratios are bounded, devices are left out.

use super::dockerfile;
use super::error::{During, Error};
use super::excludes::Excludes;
use super::sources::{Kind, Root};
use crate::image::Limits;
use crate::image::inflate::inflate;
use crate::image::place::{Kinds, Placing, Top, open_inside, place_plain};
use rustix::fs::{AtFlags, FileType, OFlags, fstat, unlinkat};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name of the Dockerfile where nothing else was said.
const USUAL: &str = "Dockerfile";

/// See the module.
#[derive(Debug)]
pub struct Context {
    dir: TempDir,
}

impl Context {
    /// Unpacks an archive (plain, or packed by gzip, bzip2, xz or zstd) into a directory below `parent`.
    ///
    /// # Errors
    /// What reading answers; that the archive does what none may.
    pub fn unpack(archive: impl Read + Send, parent: &Path, limits: Limits) -> Result<Self, Error> {
        let doing = "unpacking the context";
        let dir = tempfile::Builder::new().prefix("context-").tempdir_in(parent).during(doing)?;
        let root = File::open(dir.path()).during(doing)?;
        let placing = Placing { base: 0, owner: Some((0, 0)), kinds: Kinds::Replaced, name: None };
        let plain = inflate(archive, limits).during(doing)?;
        let placed = place_plain(plain, root.as_fd(), Path::new(""), placing, (Top::Left, limits.bytes));
        placed.map_err(|e| Error::invalid(format!("the context is refused: {e}")))?;
        Ok(Self { dir })
    }

    /// Its path on the host.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Its root, to find things in.
    pub(super) fn root(&self) -> Result<Root, Error> {
        let root = File::open(self.dir.path()).during("opening the context")?;
        Ok(Root { fd: root.into(), kind: Kind::Context })
    }

    /// The Dockerfile's text. It leaves the context, as the `.dockerignore` does, where that says so.
    pub(super) fn dockerfile(&self, name: &str) -> Result<String, Error> {
        let missing = || Error::invalid(format!("Cannot locate specified Dockerfile: {name}"));
        let mut found = self.text(name)?;
        if found.is_none() && name == USUAL {
            found = self.text(&USUAL.to_ascii_lowercase())?;
        }
        let text = found.ok_or_else(missing)?;
        if text.trim().is_empty() {
            return Err(Error::invalid(format!("the Dockerfile ({name}) cannot be empty")));
        }
        if let Some(patterns) = self.text(".dockerignore")? {
            let excludes = Excludes::parse(&patterns)
                .map_err(|e| Error::invalid(format!("error reading .dockerignore: {e}")))?;
            let root = self.root()?;
            for name in [name, ".dockerignore"] {
                let path = Path::new(name);
                if excludes.hide(path)
                    && let Some(file) = path.file_name()
                    && let Ok(above) = open_inside(
                        root.fd.as_fd(),
                        path.parent().unwrap_or(Path::new("")),
                        OFlags::PATH | OFlags::DIRECTORY,
                    )
                {
                    // One that is not there need not go.
                    unlinkat(above, file, AtFlags::empty()).unwrap_or_default();
                }
            }
        }
        Ok(text)
    }

    /// The text of a file, if there is one.
    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let root = self.root()?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let Ok(file) = open_inside(root.fd.as_fd(), Path::new(name), flags) else { return Ok(None) };
        let stat = fstat(&file).map_err(io::Error::from).during("reading the Dockerfile")?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(None);
        }
        let mut text = Vec::new();
        let most = dockerfile::SIZE as u64 + 1;
        File::from(file).take(most).read_to_end(&mut text).during("reading the Dockerfile")?;
        String::from_utf8(text).map(Some).map_err(|_| Error::invalid(format!("{name} is no text in UTF-8")))
    }
}

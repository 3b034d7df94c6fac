//! The context as it is sent: a folder packed as it is read, what is to be left out left out; or standard input.

use crate::cli::error::Error;
use crate::engine::build::excludes::Excludes;
use crate::image::inflate::is_archive;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// The most bytes of a Dockerfile that comes from elsewhere.
const DOCKERFILE: u64 = 1 << 20;
/// How much of standard input tells what it is: a head of tar, or of what packs one.
const HEAD: usize = 512;

/// What is sent.
pub(super) enum Context {
    /// An archive from standard input: these bytes, and the rest.
    Archive(Vec<u8>),
    /// A folder, or nothing but a Dockerfile.
    Folder(Folder),
}

/// A folder that is packed.
pub(super) struct Folder {
    root: Option<PathBuf>,
    excludes: Excludes,
    /// Files that are sent whatever is left out.
    always: Vec<PathBuf>,
    /// Files that are not in the folder: name and content.
    more: Vec<(String, Vec<u8>)>,
}

/// Finds out what is sent; answers the Dockerfile's name in it, too.
pub(super) fn choose(context: &str, file: Option<&str>) -> Result<(Context, String), Error> {
    let name = file.unwrap_or("Dockerfile");
    if context == "-" {
        if file == Some("-") {
            return Err(Error::Invalid(
                "invalid argument: can't use stdin for both build context and dockerfile".into(),
            ));
        }
        return from_input(name);
    }
    let address = ["http://", "https://", "git://", "git@", "github.com/"];
    if address.iter().any(|scheme| context.starts_with(scheme)) {
        return Err(Error::Invalid(format!(
            "{context}: nothing is fetched; name a folder, or - for an archive"
        )));
    }
    let root = std::fs::canonicalize(context)
        .map_err(|_| Error::Invalid(format!("unable to prepare context: path {context:?} not found")))?;
    if !root.is_dir() {
        return Err(Error::Invalid(format!("unable to prepare context: {context:?} is no folder")));
    }
    let mut folder = Folder {
        root: Some(root.clone()),
        excludes: Excludes::default(),
        always: Vec::new(),
        more: Vec::new(),
    };
    let path = match file {
        None => Some(root.join("Dockerfile")),
        Some("-") => None,
        Some(file) => Some(PathBuf::from(file)),
    };
    folder.excludes = ignored(&root, path.as_deref())?;
    let inside = path.as_ref().and_then(|path| inside(&root, path));
    if let Some(inside) = inside {
        folder.always = vec![inside.clone(), PathBuf::from(".dockerignore")];
        return Ok((Context::Folder(folder), inside.to_string_lossy().into_owned()));
    }
    let text = match path {
        None => read(io::stdin().lock(), "standard input")?,
        Some(path) => {
            let name = path.display().to_string();
            let missing = |e| Error::io(format!("unable to prepare context: {name}"))(e);
            read(File::open(&path).map_err(missing)?, &name)?
        }
    };
    folder.add_dockerfile(text)
}

impl Folder {
    /// Adds a Dockerfile that is none of the folder's, under a name that nothing has; it says itself that it is to be left out.
    fn add_dockerfile(mut self, text: Vec<u8>) -> Result<(Context, String), Error> {
        let mut drawn = [0; 10];
        getrandom::fill(&mut drawn).map_err(|e| Error::Protocol(e.to_string()))?;
        let name = format!(".dockerfile.{}", hex::encode(drawn));
        let own = self.root.as_ref().and_then(|root| std::fs::read(root.join(".dockerignore")).ok());
        let mut patterns = own.clone().unwrap_or_default();
        patterns.extend_from_slice(format!("\n{name}\n").as_bytes());
        if own.is_none() {
            patterns.extend_from_slice(b".dockerignore\n");
        }
        self.more = vec![(name.clone(), text), (".dockerignore".to_owned(), patterns)];
        Ok((Context::Folder(self), name))
    }

    /// Packs all of it.
    pub(super) fn pack(&self, out: impl Write) -> io::Result<()> {
        let mut packer = Packer { folder: self, out: Builder::new(out), links: HashMap::new() };
        if let Some(root) = &self.root {
            packer.children(root, Path::new(""))?;
        }
        for (name, content) in &self.more {
            let mut header = Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(content.len() as u64);
            header.set_mtime(0);
            packer.out.append_data(&mut header, name, &content[..])?;
        }
        packer.out.into_inner()?.flush()
    }

    fn sends(&self, path: &Path) -> bool {
        let replaced = self.more.iter().any(|(name, _)| Path::new(name) == path);
        !replaced && (self.always.iter().any(|always| always == path) || !self.excludes.hide(path))
    }

    /// Whether something in a folder that is left out may be sent all the same.
    fn looks_into(&self, path: &Path) -> bool {
        !self.excludes.hide_all(path) || self.always.iter().any(|always| always.starts_with(path))
    }
}

/// Standard input: an archive as it is, or a Dockerfile and nothing else.
fn from_input(name: &str) -> Result<(Context, String), Error> {
    let mut head = Vec::new();
    let mut input = io::stdin().lock();
    input.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(Error::io("standard input"))?;
    let packed = [&[0x1f, 0x8b][..], b"BZh", &[0xfd, b'7', b'z', b'X', b'Z'], &[0x28, 0xb5, 0x2f, 0xfd]];
    let archive = packed.iter().any(|magic| head.starts_with(magic));
    if archive || is_archive(&head[..]).map_err(Error::io("standard input"))? {
        return Ok((Context::Archive(head), name.to_owned()));
    }
    let mut text = head;
    text.extend(read(input, "standard input")?);
    let folder = Folder { root: None, excludes: Excludes::default(), always: Vec::new(), more: Vec::new() };
    folder.add_dockerfile(text)
}

fn read(from: impl Read, name: &str) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    from.take(DOCKERFILE + 1).read_to_end(&mut text).map_err(Error::io(name))?;
    if text.len() as u64 > DOCKERFILE {
        return Err(Error::Invalid(format!("{name}: a Dockerfile has at most {DOCKERFILE} bytes")));
    }
    Ok(text)
}

/// The patterns of what is left out: those beside the Dockerfile, else the folder's.
fn ignored(root: &Path, dockerfile: Option<&Path>) -> Result<Excludes, Error> {
    let beside = dockerfile.map(|path| {
        let mut name = OsString::from(path);
        name.push(".dockerignore");
        PathBuf::from(name)
    });
    for path in beside.into_iter().chain([root.join(".dockerignore")]) {
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                return Excludes::parse(&text)
                    .map_err(|e| Error::Invalid(format!("{}: {e}", path.display())));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io(path.display().to_string())(e)),
        }
    }
    Ok(Excludes::default())
}

/// The path in the folder, if it is in there and no link to elsewhere.
fn inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let real = std::fs::canonicalize(path).ok()?;
    let plain = std::path::absolute(path).ok()?;
    let above = std::fs::canonicalize(plain.parent()?).ok()?.join(plain.file_name()?);
    real.starts_with(root).then(|| above.strip_prefix(root).ok().map(Path::to_owned))?
}

struct Packer<'f, W: Write> {
    folder: &'f Folder,
    out: Builder<W>,
    /// Where files with several names were packed first.
    links: HashMap<(u64, u64), PathBuf>,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.display().to_string();
    move |e| io::Error::new(e.kind(), format!("{path}: {e}"))
}

impl<W: Write> Packer<'_, W> {
    fn children(&mut self, root: &Path, path: &Path) -> io::Result<()> {
        let own = root.join(path);
        let entries = std::fs::read_dir(&own).map_err(at(&own))?;
        let mut names = entries.map(|e| Ok(e?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        for name in names {
            let path = path.join(name);
            let own = root.join(&path);
            let metadata = match std::fs::symlink_metadata(&own) {
                // Gone meanwhile.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(at(&own))?,
            };
            let sent = self.folder.sends(&path);
            if sent {
                self.entry(&own, &path, &metadata).map_err(at(&own))?;
            }
            if metadata.is_dir() && (sent || self.folder.looks_into(&path)) {
                self.children(root, &path)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, own: &Path, path: &Path, metadata: &Metadata) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(metadata.mode() & 0o7777);
        header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
        header.set_size(0);
        let kind = metadata.file_type();
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            return self.out.append_link(&mut header, path, std::fs::read_link(own)?);
        }
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            return self.out.append_data(&mut header, path, io::empty());
        }
        if kind.is_fifo() {
            header.set_entry_type(EntryType::Fifo);
            return self.out.append_data(&mut header, path, io::empty());
        }
        if !kind.is_file() {
            // Sockets and devices mean nothing there.
            return Ok(());
        }
        if metadata.nlink() > 1 {
            let inode = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&inode) {
                header.set_entry_type(EntryType::Link);
                return self.out.append_link(&mut header, path, first);
            }
            self.links.insert(inode, path.to_owned());
        }
        let file = File::open(own)?;
        let size = metadata.len();
        header.set_size(size);
        // What is shorter by now is filled up, what is longer cut off: the head has said how long it is.
        self.out.append_data(&mut header, path, file.take(size).chain(io::repeat(0)).take(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_is_packed_as_it_is_without_what_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for folder in ["keep", "drop/deep", "drop/back"] {
            std::fs::create_dir_all(path(folder)).unwrap();
        }
        for file in ["Dockerfile", "keep/a", "keep/b.o", "drop/deep/x", "drop/back/y"] {
            std::fs::write(path(file), file).unwrap();
        }
        std::fs::write(path(".dockerignore"), "drop\n!drop/back\n**/*.o\nDockerfile\n").unwrap();
        std::fs::hard_link(path("keep/a"), path("keep/c")).unwrap();
        symlink("/etc/passwd", path("keep/link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("keep/socket")).unwrap();
        let (context, name) = choose(dir.path().to_str().unwrap(), None).unwrap();
        let Context::Folder(folder) = context else { panic!("a folder") };
        assert_eq!(name, "Dockerfile");
        let mut packed = Vec::new();
        folder.pack(&mut packed).unwrap();
        let mut found = Vec::new();
        for entry in tar::Archive::new(&packed[..]).entries().unwrap() {
            let entry = entry.unwrap();
            let link = entry.link_name().unwrap().map(|l| format!(" -> {}", l.display())).unwrap_or_default();
            found.push(format!("{}{link}", entry.path().unwrap().display()));
        }
        let expected = [
            ".dockerignore",
            "Dockerfile",
            "drop/back",
            "drop/back/y",
            "keep",
            "keep/a",
            "keep/c -> keep/a",
            "keep/link -> /etc/passwd",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_dockerfile_from_elsewhere_comes_along() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = other.path().join("D");
        std::fs::write(&file, "FROM x\n").unwrap();
        std::fs::write(other.path().join("D.dockerignore"), "secret\n").unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        let (context, name) = choose(dir.path().to_str().unwrap(), file.to_str()).unwrap();
        let Context::Folder(folder) = context else { panic!("a folder") };
        let mut packed = Vec::new();
        folder.pack(&mut packed).unwrap();
        let text = String::from_utf8_lossy(&packed);
        assert!(text.contains(&name) && text.contains("FROM x") && !text.contains("secret"), "{name}");
        assert!(choose("https://example.org/x.git", None).is_err());
        assert!(choose("/nonexistent/folder", None).is_err());
    }
}

//! The mounts that were asked for: where they come from, where they go, and what of that is allowed.

mod tmpfs;

use super::error::Error;
use super::model::{BindOptions, Config, Driver, HostConfig, MountRequest, VolumeOptions};
use super::settings::Settings;
use crate::container::target::{self, Links};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// From where.
    pub source: Source,
    /// To where: absolute, without `..`.
    pub target: String,
    /// Whether writing is denied.
    pub readonly: bool,
    /// What was said of it, in Docker's letters: `ro`, `z`, …
    pub mode: String,
    /// What becomes of an empty volume.
    pub first: First,
    /// The part of the volume that is mounted, if not all of it.
    pub subpath: Option<PathBuf>,
    /// Labels of a volume that is made for this.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// Its options.
    #[serde(skip)]
    pub options: BTreeMap<String, String>,
}

/// Where a mount's content comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A directory or file of the host, below an allowed root.
    Bind(PathBuf),
    /// A volume; an empty name: one that is made for this container.
    Volume(String),
    /// A tmpfs with these options.
    Tmpfs(String),
}

/// What an empty volume gets before it is first mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum First {
    /// What the image has at that place.
    Image,
    /// Nothing.
    Nothing,
}

/// What is done about a bind mount's source that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Made,
    Refused,
}

impl Mount {
    fn new(source: Source, target: &str) -> Result<Self, Error> {
        Ok(Self {
            source,
            target: clean(target)?,
            readonly: false,
            mode: String::new(),
            first: First::Image,
            subpath: None,
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        })
    }
}

/// Every mount that was asked for, and, where nothing else is, those of `others` (from `--volumes-from`).
///
/// # Errors
/// [`Error::Invalid`] that names the mount.
pub fn all(
    config: &Config,
    host: &HostConfig,
    others: Vec<Mount>,
    settings: &Settings,
) -> Result<Vec<Mount>, Error> {
    driver(&host.volume_driver)?;
    let mut all = Vec::new();
    for bind in &host.binds {
        all.push(short(bind, settings)?);
    }
    for mount in &host.mounts {
        all.push(request(mount, settings)?);
    }
    for (target, options) in &host.tmpfs {
        all.push(Mount::new(tmpfs::short(options)?, target)?);
    }
    all.sort_by(|a, b| a.target.cmp(&b.target));
    if let Some(pair) = all.windows(2).find(|pair| pair[0].target == pair[1].target) {
        return Err(Error::invalid(format!("Duplicate mount point: {}", pair[0].target)));
    }
    let mine = config.volumes.keys().map(|target| Mount::new(Source::Volume(String::new()), target));
    for mount in others.into_iter().map(Ok).chain(mine) {
        let mount = mount?;
        if !all.iter().any(|m| m.target == mount.target) {
            all.push(mount);
        }
    }
    all.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(all)
}

/// `source:target[:mode,…]`.
fn short(text: &str, settings: &Settings) -> Result<Mount, Error> {
    let bad = || Error::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(bad()),
    };
    if source.is_empty() {
        return Err(bad());
    }
    clean(target)?;
    let source = place(source, Missing::Made, settings)?;
    let volume = matches!(source, Source::Volume(_));
    let mut mount = Mount::new(source, target)?;
    mode.clone_into(&mut mount.mode);
    for letter in mode.split(',').filter(|l| !l.is_empty()) {
        match letter {
            "ro" => mount.readonly = true,
            "nocopy" if volume => mount.first = First::Nothing,
            "rw" | "z" | "Z" => {}
            "consistent" | "cached" | "delegated" if !volume => {}
            other if !volume && propagation(other).is_ok() => {}
            _ => return Err(Error::invalid(format!("invalid mode: {mode}"))),
        }
    }
    if volume && mount.mode.is_empty() {
        mount.mode = "z".into();
    }
    Ok(mount)
}

fn request(mount: &MountRequest, settings: &Settings) -> Result<Mount, Error> {
    let bad = |why: &str| Error::invalid(format!("invalid mount config for type \"{}\": {why}", mount.kind));
    let mut made = match mount.kind.as_str() {
        "bind" => {
            let options = mount.bind_options.clone().unwrap_or_default();
            bind(&mount.source, &options, settings).map_err(|e| bad(&e.to_string()))?
        }
        "volume" => {
            if mount.source.starts_with('/') {
                return Err(bad(
                    "mount source must not be an absolute path: name a volume, or say type=bind",
                ));
            }
            volume_name(&mount.source)?;
            Source::Volume(mount.source.clone())
        }
        "tmpfs" if !mount.source.is_empty() => return Err(bad("field Source must not be specified")),
        "tmpfs" => tmpfs::long(&mount.tmpfs_options.clone().unwrap_or_default())?,
        _ => return Err(bad("mount type unknown")),
    }
    .at(&mount.target)?;
    made.readonly = mount.read_only;
    if mount.kind == "volume" {
        volume(&mut made, mount.volume_options.clone().unwrap_or_default())?;
    } else if mount.volume_options.is_some() {
        return Err(bad("field VolumeOptions must not be specified"));
    }
    Ok(made)
}

impl Source {
    fn at(self, target: &str) -> Result<Mount, Error> {
        Mount::new(self, target)
    }
}

fn volume(mount: &mut Mount, options: VolumeOptions) -> Result<(), Error> {
    let Driver { name, options: more } = options.driver_config.unwrap_or_default();
    driver(&name)?;
    super::volumes::size(&more)?;
    mount.options = more;
    if options.no_copy {
        mount.first = First::Nothing;
    }
    mount.mode = "z".into();
    mount.labels = options.labels;
    if !options.subpath.is_empty() {
        let path = PathBuf::from(&options.subpath);
        let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !plain || options.subpath.contains('\0') {
            return Err(Error::invalid("subpath must be a relative path within the volume"));
        }
        mount.subpath = Some(path);
    }
    Ok(())
}

fn bind(source: &str, options: &BindOptions, settings: &Settings) -> Result<Source, Error> {
    if !source.starts_with('/') {
        return Err(Error::invalid(format!("invalid mount path: '{source}' mount path must be absolute")));
    }
    propagation(&options.propagation)?;
    let missing = if options.create_mountpoint { Missing::Made } else { Missing::Refused };
    place(source, missing, settings)
}

/// Nothing that is mounted on one side appears on the other, and nothing else can be asked for.
fn propagation(mode: &str) -> Result<(), Error> {
    match mode {
        "" | "rprivate" | "private" => Ok(()),
        other => Err(Error::invalid(format!(
            "bind-propagation={other} is never done by Sandlot: a mount made on one side must not appear on the other; \
             leave it out or say rprivate"
        ))),
    }
}

/// Refuses every volume driver but `local`.
///
/// # Errors
/// [`Error::NoDriver`].
pub fn driver(name: &str) -> Result<(), Error> {
    if matches!(name, "" | "local") {
        return Ok(());
    }
    Err(Error::NoDriver(name.to_owned()))
}

fn place(source: &str, missing: Missing, settings: &Settings) -> Result<Source, Error> {
    if !source.starts_with('/') {
        return volume_name(source).map(|()| Source::Volume(source.to_owned()));
    }
    // Links are resolved now and the result is what is mounted: nothing can be swapped in later.
    let (path, rest) = existing(Path::new(source))?;
    let whole = if rest.as_os_str().is_empty() { path.clone() } else { path.join(&rest) };
    if !settings.bind_roots.iter().any(|root| whole.starts_with(root)) {
        return Err(Error::invalid(format!(
            "the bind mount of {source} is refused: it is outside the directories that this engine allows (--bind-root)"
        )));
    }
    if !rest.as_os_str().is_empty() {
        let made = match missing {
            Missing::Made => make(&path, &rest).map_err(|e| format!(": {e}")),
            // Clients take "no such file or directory" for a command that is not there.
            Missing::Refused => Err(String::new()),
        };
        made.map_err(|e| Error::invalid(format!("bind source path does not exist: {source}{e}")))?;
    }
    Ok(Source::Bind(whole))
}

/// Opens what is at a path whose links are resolved. A container that has a directory above mounted may have put a link into it
/// since: that is an error, and not followed.
///
/// # Errors
/// What `openat2(2)` answers: `ELOOP` for a link.
pub fn resolved(path: &Path) -> rustix::io::Result<OwnedFd> {
    openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// Makes the directories `rest` below `path`, and through no link either.
fn make(path: &Path, rest: &Path) -> rustix::io::Result<()> {
    let inside = format!("/{}", rest.display());
    target::directory(resolved(path)?.as_fd(), &inside, Links::Refused).map(drop)
}

/// What of a path of the host is there, with its links resolved, and what is not.
fn existing(path: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let mut rest = PathBuf::new();
    for above in path.ancestors() {
        match std::fs::canonicalize(above) {
            Ok(found) => return Ok((found, rest)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let name = above.file_name().ok_or_else(|| {
                    Error::invalid(format!("invalid mount path: '{}' has a '..' in it", path.display()))
                })?;
                rest = if rest.as_os_str().is_empty() { name.into() } else { Path::new(name).join(&rest) };
            }
            Err(e) => {
                return Err(Error::invalid(format!("bind source path {}: {e}", path.display())));
            }
        }
    }
    Ok((PathBuf::from("/"), rest))
}

/// The source of a bind mount, looked at again before it is mounted: whoever may write above it may have put a link there.
///
/// # Errors
/// [`Error::Invalid`] if it is not there any more, or leads out of the allowed directories.
pub fn again(path: &Path, settings: &Settings) -> Result<PathBuf, Error> {
    match place(&path.to_string_lossy(), Missing::Refused, settings)? {
        Source::Bind(path) => Ok(path),
        Source::Volume(_) | Source::Tmpfs(_) => Err(Error::invalid("no absolute path")),
    }
}

/// Whether a volume may have that name.
///
/// # Errors
/// [`Error::Invalid`].
pub fn volume_name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let long = name.len() == 1 || name.len() > 255;
    let begun = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if name.is_empty() || (!long && begun && name.chars().all(plain)) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "create {name}: {name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you \
         intended to pass a host directory, use absolute path"
    )))
}

fn clean(target: &str) -> Result<String, Error> {
    let path = Path::new(target);
    if target.is_empty() {
        return Err(Error::invalid("invalid mount config: field Target must not be empty"));
    }
    if path == Path::new("/") {
        return Err(Error::invalid("invalid mount path: destination can't be '/'"));
    }
    let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain || target.contains('\0') {
        return Err(Error::invalid(format!(
            "invalid mount path: '{target}' mount path must be absolute, and without '..'"
        )));
    }
    if let Some(made_up) = ["/proc", "/sys"].into_iter().find(|made_up| path.starts_with(made_up)) {
        return Err(Error::invalid(format!(
            "invalid mount path: '{target}' cannot be mounted because it is inside {made_up}"
        )));
    }
    Ok(path.components().collect::<PathBuf>().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;

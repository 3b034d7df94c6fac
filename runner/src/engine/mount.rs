//! The mounts that were asked for: where they come from, where they go, and what of that is allowed.

use super::error::Error;
use super::model::{Config, HostConfig, MountRequest};
use super::settings::Settings;
use std::path::{Component, Path, PathBuf};

/// A mount that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// From where.
    pub source: Source,
    /// To where: absolute, without `..`.
    pub target: String,
    /// Whether writing is denied.
    pub readonly: bool,
}

/// Where a mount's content comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory or file of the host, below an allowed root.
    Bind(PathBuf),
    /// A named volume; an empty name: one of the container's own.
    Volume(String),
    /// A tmpfs with these options.
    Tmpfs(String),
}

/// Every mount, in the order in which they are made.
///
/// # Errors
/// [`Error::Invalid`] that names the mount.
pub fn all(config: &Config, host: &HostConfig, settings: &Settings) -> Result<Vec<Mount>, Error> {
    let mut all = Vec::new();
    for bind in &host.binds {
        all.push(bind_mount(bind, settings)?);
    }
    for mount in &host.mounts {
        all.push(request(mount, settings)?);
    }
    for (target, options) in &host.tmpfs {
        all.push(Mount { source: tmpfs(options)?, target: clean(target)?, readonly: false });
    }
    for target in config.volumes.keys() {
        let target = clean(target)?;
        if !all.iter().any(|m| m.target == target) {
            all.push(Mount { source: Source::Volume(String::new()), target, readonly: false });
        }
    }
    all.sort_by(|a, b| a.target.cmp(&b.target));
    match all.windows(2).find(|pair| pair[0].target == pair[1].target) {
        Some(pair) => Err(Error::invalid(format!("duplicate mount point: {}", pair[0].target))),
        None => Ok(all),
    }
}

/// `source:target[:ro|rw]`.
fn bind_mount(text: &str, settings: &Settings) -> Result<Mount, Error> {
    let bad = || Error::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [source, target] => (source, target, "rw"),
        [source, target, mode] => (source, target, mode),
        _ => return Err(bad()),
    };
    let readonly = match mode {
        "ro" => true,
        "rw" | "z" | "Z" => false,
        _ => return Err(bad()),
    };
    Ok(Mount { source: place(source, settings)?, target: clean(target)?, readonly })
}

fn request(mount: &MountRequest, settings: &Settings) -> Result<Mount, Error> {
    let source = match mount.kind.as_str() {
        "bind" | "volume" => place(&mount.source, settings)?,
        "tmpfs" => tmpfs("")?,
        other => return Err(Error::invalid(format!("--mount type={other}: choose bind, volume or tmpfs"))),
    };
    Ok(Mount { source, target: clean(&mount.target)?, readonly: mount.read_only })
}

fn place(source: &str, settings: &Settings) -> Result<Source, Error> {
    if !source.starts_with('/') {
        return volume_name(source).map(|()| Source::Volume(source.to_owned()));
    }
    // Links are resolved now and the result is what is mounted: nothing can be swapped in later.
    let path = std::fs::canonicalize(source)
        .map_err(|e| Error::invalid(format!("bind source path does not exist: {source}: {e}")))?;
    if settings.bind_roots.iter().any(|root| path.starts_with(root)) {
        return Ok(Source::Bind(path));
    }
    Err(Error::invalid(format!(
        "the bind mount of {source} is refused: it is outside the directories that this engine allows (--bind-root)"
    )))
}

/// Whether a volume may have that name.
///
/// # Errors
/// [`Error::Invalid`].
pub fn volume_name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || (name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{name:?} includes invalid characters for a volume name: use [a-zA-Z0-9][a-zA-Z0-9_.-]"
    )))
}

fn tmpfs(options: &str) -> Result<Source, Error> {
    let mut kept = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option.split_once('=').map_or(option, |(key, _)| key) {
            "size" | "mode" | "uid" | "gid" | "nr_inodes" => kept.push(option),
            // What every tmpfs of a container is anyway, or may be.
            "rw" | "nosuid" | "nodev" | "noexec" | "exec" | "suid" | "dev" => {}
            other => return Err(Error::invalid(format!("--tmpfs: the option {other} is not known"))),
        }
    }
    if !kept.iter().any(|o| o.starts_with("size=")) {
        kept.push("size=64m");
    }
    Ok(Source::Tmpfs(kept.join(",")))
}

fn clean(target: &str) -> Result<String, Error> {
    let path = Path::new(target);
    let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain || target.contains('\0') || path == Path::new("/") {
        return Err(Error::invalid(format!(
            "invalid mount path: '{target}' must be absolute, without '..', and not the root"
        )));
    }
    Ok(path.components().collect::<PathBuf>().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_ordered_by_depth_and_volumes_of_the_image_yield() {
        let config =
            Config { volumes: [("/data".to_owned(), serde_json::Value::Null)].into(), ..Config::default() };
        let host =
            HostConfig { binds: vec!["v:/data/in/".into(), "w:/data:ro".into()], ..HostConfig::default() };
        let mounts = all(&config, &host, &Settings::system()).unwrap();
        assert_eq!(mounts.iter().map(|m| m.target.as_str()).collect::<Vec<_>>(), ["/data", "/data/in"]);
        assert_eq!(
            mounts[0],
            Mount { source: Source::Volume("w".into()), target: "/data".into(), readonly: true }
        );
    }
}

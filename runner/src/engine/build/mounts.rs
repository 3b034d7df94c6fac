//! `RUN --mount`: binds of the context, a stage or an image, caches that outlive the build, tmpfs, secrets.
//!
//! What is mounted is found by descriptor, inside the root that it stands in, and handed over as a detached mount.

use super::dockerfile::expand::{self, Values};
use super::error::Error;
use crate::image::Digest;

/// The most bytes of a secret that somebody gives.
pub const SECRET: usize = 128 << 10;
/// Bytes of a tmpfs where nothing else was said.
const TMPFS: &str = "64m";

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mount {
    /// Something that is there.
    Bind(Bind),
    /// A directory that later builds find again.
    Cache(Cache),
    /// An empty one, in memory.
    Tmpfs {
        /// Where.
        target: String,
        /// With which options.
        options: String,
    },
    /// A file, or a variable, that is written down nowhere.
    Secret(Secret),
}

/// See [`Mount::Bind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) target: String,
    /// The path there.
    pub(super) source: String,
    /// A stage or an image; else the context.
    pub(super) from: Option<String>,
    /// Whether it may be written to; what is written is thrown away.
    pub(super) writable: bool,
}

/// See [`Mount::Cache`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) target: String,
    pub(super) id: String,
    pub(super) sharing: Sharing,
    pub(super) readonly: bool,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Everybody.
    Shared,
    /// Nobody else: another gets one of its own.
    Private,
    /// Nobody else: another waits.
    Locked,
}

/// See [`Mount::Secret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) id: String,
    /// The file, if it is to be one.
    pub(super) target: Option<String>,
    /// The variable, if it is to be one.
    pub(super) env: Option<String>,
    pub(super) required: bool,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
}

impl Mount {
    /// Where it is mounted, if anywhere.
    pub(super) fn target(&self) -> Option<&str> {
        match self {
            Self::Bind(Bind { target, .. })
            | Self::Cache(Cache { target, .. })
            | Self::Tmpfs { target, .. } => Some(target),
            Self::Secret(secret) => secret.target.as_deref(),
        }
    }
}

/// The stage or image that a mount's text names, before anything in it is known.
pub(super) fn from_of(text: &str) -> Option<&str> {
    text.split(',').find_map(|part| part.strip_prefix("from=")).filter(|from| !from.is_empty())
}

/// The fields of one mount's text.
struct Fields(Vec<(String, Option<String>)>);

impl Fields {
    fn take(&mut self, names: &[&str]) -> Option<Option<String>> {
        let place = self.0.iter().position(|(name, _)| names.contains(&name.as_str()))?;
        Some(self.0.remove(place).1)
    }

    fn text(&mut self, names: &[&str]) -> Option<String> {
        self.take(names).flatten()
    }

    /// A switch, if it is there.
    fn on(&mut self, names: &[&str]) -> Result<Option<bool>, Error> {
        match self.take(names) {
            None => Ok(None),
            Some(None) => Ok(Some(true)),
            Some(Some(value)) => match value.as_str() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                other => Err(Error::step(format!("invalid value for {}: {other}", names[0]))),
            },
        }
    }

    fn number(&mut self, name: &str, radix: u32) -> Result<Option<u32>, Error> {
        let Some(text) = self.text(&[name]) else { return Ok(None) };
        let number = u32::from_str_radix(&text, radix).ok().filter(|n| *n < 65_536);
        number.map(Some).ok_or_else(|| Error::step(format!("invalid value for {name}: {text}")))
    }

    fn owner(&mut self) -> Result<(u32, u32), Error> {
        Ok((self.number("uid", 10)?.unwrap_or(0), self.number("gid", 10)?.unwrap_or(0)))
    }
}

/// Reads one `--mount`; `absolute` makes a target's path one from the root.
pub(super) fn parse(
    text: &str,
    values: &dyn Values,
    escape: char,
    absolute: &dyn Fn(&str) -> String,
) -> Result<Mount, Error> {
    let mut fields = Fields(Vec::new());
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').map_or((part, None), |(n, v)| (n, Some(v)));
        let value = value.map(|v| expand::word(v, values, escape)).transpose()?;
        fields.0.push((name.trim().to_ascii_lowercase(), value));
    }
    let kind = fields.text(&["type"]).unwrap_or_else(|| "bind".to_owned());
    let target = fields.text(&["target", "dst", "destination"]);
    let needed = |target: Option<String>| {
        let target = target.map(|target| absolute(&target)).filter(|target| target != "/");
        target.ok_or_else(|| Error::step(format!("--mount {text}: a target that is not / is needed")))
    };
    let mount = match kind.as_str() {
        "bind" => {
            let target = needed(target)?;
            let source = fields.text(&["source", "src"]).unwrap_or_default();
            let from = fields.text(&["from"]).filter(|from| !from.is_empty());
            let written = fields.on(&["rw", "readwrite"])?;
            let denied = fields.on(&["ro", "readonly"])?;
            Mount::Bind(Bind { target, source, from, writable: written.unwrap_or(denied == Some(false)) })
        }
        "cache" => cache(&mut fields, needed(target)?)?,
        "tmpfs" => {
            let size = fields.text(&["size"]).unwrap_or_else(|| TMPFS.to_owned());
            Mount::Tmpfs { target: needed(target)?, options: format!("size={size}") }
        }
        "secret" => secret(&mut fields, target.as_deref().map(absolute))?,
        "ssh" => {
            return Err(Error::step(
                "--mount type=ssh is refused: no agent of the client's is reached from here",
            ));
        }
        other => return Err(Error::step(format!("unsupported mount type \"{other}\""))),
    };
    match fields.0.first() {
        Some((name, _)) => Err(Error::step(format!("unexpected key '{name}' for mount type '{kind}'"))),
        None => Ok(mount),
    }
}

fn cache(fields: &mut Fields, target: String) -> Result<Mount, Error> {
    let sharing = match fields.text(&["sharing"]).as_deref() {
        None | Some("shared") => Sharing::Shared,
        Some("private") => Sharing::Private,
        Some("locked") => Sharing::Locked,
        Some(other) => return Err(Error::step(format!("unsupported sharing mode \"{other}\""))),
    };
    if fields.take(&["from"]).is_some() || fields.take(&["source", "src"]).is_some() {
        return Err(Error::step(
            "a cache that begins with something (from, source) is not there: it begins empty",
        ));
    }
    let denied = fields.on(&["ro", "readonly"])?;
    let written = fields.on(&["rw", "readwrite"])?;
    Ok(Mount::Cache(Cache {
        id: fields.text(&["id"]).unwrap_or_else(|| target.clone()),
        target,
        sharing,
        readonly: denied.unwrap_or(written == Some(false)),
        mode: fields.number("mode", 8)?.unwrap_or(0o755),
        owner: fields.owner()?,
    }))
}

fn secret(fields: &mut Fields, target: Option<String>) -> Result<Mount, Error> {
    let id = fields.text(&["id"]);
    let named = |target: &String| target.rsplit('/').next().unwrap_or_default().to_owned();
    let id = id.or_else(|| target.as_ref().map(named)).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Error::step("--mount type=secret: an id is needed"))?;
    let env = fields.text(&["env"]);
    let file = match (target, &env) {
        (Some(target), _) => Some(target),
        (None, Some(_)) => None,
        (None, None) => Some(format!("/run/secrets/{}", id.rsplit('/').next().unwrap_or(&id))),
    };
    Ok(Mount::Secret(Secret {
        required: fields.on(&["required"])?.unwrap_or(false),
        mode: fields.number("mode", 8)?.unwrap_or(0o400),
        owner: fields.owner()?,
        id,
        target: file,
        env,
    }))
}

/// The name of a cache's directory: its id says what it likes.
pub(super) fn cache_name(id: &str) -> String {
    Digest::of(id.as_bytes()).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mount, String> {
        let values = |name: &str| (name == "V").then(|| "value".to_owned());
        let absolute = |path: &str| if path.starts_with('/') { path.into() } else { format!("/w/{path}") };
        parse(text, &values, '\\', &absolute).map_err(|e| e.to_string())
    }

    #[test]
    fn mounts_are_read() {
        let bind = |target: &str, source: &str, from: Option<&str>, writable| {
            let from = from.map(ToOwned::to_owned);
            Ok(Mount::Bind(Bind { target: target.into(), source: source.into(), from, writable }))
        };
        assert_eq!(read("target=/t"), bind("/t", "", None, false));
        assert_eq!(read("type=bind,from=a,src=/$V,dst=t,rw"), bind("/w/t", "/value", Some("a"), true));
        assert_eq!(from_of("type=bind,from=a,target=/x"), Some("a"));
        let Ok(Mount::Cache(cache)) = read("type=cache,target=/c,sharing=locked,mode=0700,uid=5") else {
            panic!("a cache")
        };
        assert_eq!((cache.id.as_str(), cache.mode, cache.owner), ("/c", 0o700, (5, 0)));
        let Ok(Mount::Secret(secret)) = read("type=secret,id=a/b,required") else { panic!("a secret") };
        assert_eq!((secret.target.as_deref(), secret.required), (Some("/run/secrets/b"), true));
        let Ok(Mount::Secret(secret)) = read("type=secret,id=a,env=A") else { panic!("a secret") };
        assert_eq!((secret.target, secret.env.as_deref()), (None, Some("A")));
        for (text, why) in [
            ("type=ssh", "ssh is refused"),
            ("type=bind", "a target that is not /"),
            ("type=tmpfs,target=/", "a target that is not /"),
            ("type=odd,target=/x", "unsupported mount type"),
            ("type=tmpfs,target=/x,from=a", "unexpected key 'from'"),
            ("type=cache,target=/x,sharing=some", "unsupported sharing mode"),
            ("type=cache,target=/x,uid=65536", "invalid value for uid"),
            ("type=secret", "an id is needed"),
            ("target=/x,rw=maybe", "invalid value for rw"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

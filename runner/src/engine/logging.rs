//! Whether and how a container's output is kept: `--log-driver` and `--log-opt`, checked.

use super::error::Error;
use super::model::{Config, LogConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a container's output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// In how many files at most; 0: not at all.
    pub files: u32,
    /// Bytes of one of them.
    pub size: u64,
    /// What each line says beside its text.
    pub attributes: BTreeMap<String, String>,
}

impl Default for Logging {
    /// What a container of an earlier engine has.
    fn default() -> Self {
        Self { files: 2, size: 32 << 20, attributes: BTreeMap::new() }
    }
}

/// The smallest file: a line and what stands around it.
const SMALLEST: u64 = 64 << 10;
/// The most files.
const FILES: u32 = 1000;
/// What the driver `local` keeps, where the engine allows that much.
const LOCAL: (u64, u32) = (20 << 20, 5);

/// What of a container a tag or an attribute may name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its configuration.
    pub config: &'a Config,
}

impl Logging {
    /// Checks what was asked for; all files of a container together have at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the driver or the option.
    pub fn of(asked: &LogConfig, limit: u64, named: Named<'_>) -> Result<Self, Error> {
        let usual = match asked.kind.as_str() {
            "" | "json-file" => None,
            "local" => Some(LOCAL),
            "none" if asked.config.is_empty() => {
                return Ok(Self { files: 0, size: 0, attributes: BTreeMap::new() });
            }
            "none" => return Err(Error::invalid("the log driver none takes no options")),
            other => {
                return Err(Error::invalid(format!(
                    "logger: no log driver named '{other}' is registered: Sandlot keeps logs itself: choose json-file, local or none"
                )));
            }
        };
        let (mut size, mut files, mut attributes) = (None, None, BTreeMap::new());
        for (key, value) in &asked.config {
            let bad = |why: &str| Error::invalid(format!("--log-opt {key}={value}: {why}"));
            match key.as_str() {
                "max-size" if value == "-1" => {}
                "max-size" => {
                    let bytes = super::validate::bytes(value).filter(|bytes| *bytes > 0);
                    size = Some(bytes.ok_or_else(|| bad("a size like 10m is needed"))?);
                }
                "max-file" => {
                    let n = value.parse::<u32>().map_err(|_| bad("a number is needed"))?;
                    if n < 1 {
                        return Err(Error::invalid("max-file cannot be less than 1"));
                    }
                    files = Some(n);
                }
                "compress" if matches!(value.as_str(), "false" | "0" | "f") => {}
                "compress" => return Err(bad("old files are kept as they are; leave it out")),
                "labels" => attributes.extend(labels(value, named)),
                "env" => attributes.extend(variables(value, named)),
                "tag" => drop(attributes.insert("tag".to_owned(), tag(value, named)?)),
                "labels-regex" | "env-regex" => return Err(bad("name them one by one, with labels or env")),
                "mode" if value == "blocking" => {}
                "mode" | "max-buffer-size" => return Err(bad("output is always kept in order and at once")),
                other => {
                    return Err(Error::invalid(format!(
                        "unknown log opt '{other}' for {} log driver",
                        if asked.kind.is_empty() { "json-file" } else { &asked.kind }
                    )));
                }
            }
        }
        let (size, files) = bounded(size, files, usual, limit)?;
        Ok(Self { files, size, attributes })
    }
}

fn bounded(
    size: Option<u64>,
    files: Option<u32>,
    usual: Option<(u64, u32)>,
    limit: u64,
) -> Result<(u64, u32), Error> {
    let Some(size) = size else {
        let (size, files) = match (usual, files) {
            (Some((size, usual)), files) => (size, files.unwrap_or(usual)),
            (None, files) => (u64::MAX, files.unwrap_or(2)),
        };
        let files = files.min(FILES);
        return Ok((size.min(limit / u64::from(files)).max(SMALLEST), files));
    };
    let files = files.unwrap_or(usual.map_or(1, |(_, files)| files));
    if files > FILES || size.saturating_mul(u64::from(files)) > limit {
        return Err(Error::invalid(format!(
            "--log-opt max-size and max-file: {files} files of {size} bytes are more than the {limit} bytes that this engine \
             allows each container's log (--log-limit)"
        )));
    }
    Ok((size, files))
}

fn labels<'a>(wanted: &'a str, named: Named<'a>) -> impl Iterator<Item = (String, String)> + 'a {
    let labels = &named.config.labels;
    wanted.split(',').filter_map(move |key| labels.get_key_value(key).map(|(k, v)| (k.clone(), v.clone())))
}

fn variables<'a>(wanted: &'a str, named: Named<'a>) -> impl Iterator<Item = (String, String)> + 'a {
    let all = || named.config.env.iter().filter_map(|e| e.split_once('='));
    let find = move |key: &str| all().find(|(k, _)| *k == key).map(|(k, v)| (k.to_owned(), v.to_owned()));
    wanted.split(',').filter_map(find)
}

fn tag(template: &str, named: Named<'_>) -> Result<String, Error> {
    let mut text = template.to_owned();
    for (field, value) in [
        ("{{.ID}}", named.id.get(..12).unwrap_or_default()),
        ("{{.FullID}}", named.id),
        ("{{.Name}}", named.name),
        ("{{.ImageName}}", named.config.image.as_str()),
        ("{{.DaemonName}}", "sandlot"),
    ] {
        text = text.replace(field, value);
    }
    if text.contains("{{") {
        return Err(Error::invalid(format!(
            "--log-opt tag={template}: {{{{.ID}}}}, {{{{.FullID}}}}, {{{{.Name}}}}, {{{{.ImageName}}}} and {{{{.DaemonName}}}} are known"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 64 << 20;

    fn of(kind: &str, options: &[(&str, &str)]) -> Result<Logging, String> {
        let config = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let container = Config {
            labels: [("a".to_owned(), "1".to_owned())].into(),
            env: vec!["B=2".into(), "C=3".into()],
            ..Config::default()
        };
        let named = Named { id: &"7".repeat(64), name: "box", config: &container };
        Logging::of(&LogConfig { kind: kind.into(), config }, LIMIT, named).map_err(|e| e.to_string())
    }

    #[test]
    fn a_log_is_always_bounded() {
        for (kind, options, wanted) in [
            ("", &[][..], (32 << 20, 2)),
            ("json-file", &[("max-size", "1m")], (1 << 20, 1)),
            ("json-file", &[("max-size", "1m"), ("max-file", "3")], (1 << 20, 3)),
            ("json-file", &[("max-file", "4")], (16 << 20, 4)),
            ("json-file", &[("max-size", "-1")], (32 << 20, 2)),
            ("local", &[], (LIMIT / 5, 5)),
            ("none", &[], (0, 0)),
        ] {
            let made = of(kind, options).unwrap();
            assert_eq!((made.size, made.files), wanted, "{kind} {options:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (kind, options, word) in [
            ("syslog", &[][..], "no log driver named 'syslog' is registered"),
            ("none", &[("max-size", "1m")], "takes no options"),
            ("json-file", &[("odd", "1")], "unknown log opt 'odd' for json-file log driver"),
            ("json-file", &[("max-size", "big")], "max-size=big"),
            ("json-file", &[("max-file", "0")], "max-file cannot be less than 1"),
            ("json-file", &[("max-size", "1g")], "--log-limit"),
            ("json-file", &[("compress", "true")], "compress=true"),
            ("json-file", &[("tag", "{{.Odd}}")], "{{.Odd}}"),
        ] {
            let words = of(kind, options).unwrap_err();
            assert!(words.contains(word), "{words}");
        }
    }

    #[test]
    fn attributes_are_taken_by_name() {
        let made = of("", &[("labels", "a,none"), ("env", "C"), ("tag", "{{.Name}}/{{.ID}}")]).unwrap();
        let shown: Vec<String> = made.attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(shown, ["C=3", "a=1", "tag=box/777777777777"]);
    }
}

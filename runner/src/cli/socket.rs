//! Which engine is meant.

use super::error::Error;
use std::path::{Path, PathBuf};

/// Where a system-wide engine listens.
const DEFAULT: &str = "/run/sandlot/engine.sock";

/// Where a system-wide engine listens.
pub(super) fn usual() -> &'static Path {
    Path::new(DEFAULT)
}

/// Whether one does.
pub(super) fn answers() -> bool {
    std::os::unix::net::UnixStream::connect(DEFAULT).is_ok()
}

/// The socket that the option, `SANDLOT_HOST` or `DOCKER_HOST` names, if any does.
pub(super) fn choose(
    option: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<PathBuf>, Error> {
    let given = |name| variable(name).filter(|value| !value.is_empty());
    let named = option.map(str::to_owned).or_else(|| given("SANDLOT_HOST")).or_else(|| given("DOCKER_HOST"));
    let Some(named) = named else { return Ok(None) };
    let path = named.strip_prefix("unix://").unwrap_or(&named);
    if path.contains("://") || path.is_empty() {
        return Err(Error::Invalid(format!(
            "host {named:?}: only unix sockets are spoken to: write unix:///path"
        )));
    }
    Ok(Some(PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::choose;
    use std::path::Path;

    #[test]
    fn the_nearest_counts() {
        let both =
            |name: &str| (name == "SANDLOT_HOST").then(|| "unix:///s".to_owned()).or(Some("/d".to_owned()));
        assert_eq!(choose(Some("unix:///o"), both).unwrap().as_deref(), Some(Path::new("/o")));
        assert_eq!(choose(None, both).unwrap().as_deref(), Some(Path::new("/s")));
        assert_eq!(choose(None, |_| None).unwrap(), None);
        for bad in ["tcp://1.2.3.4:1", "ssh://x", "unix://"] {
            assert!(choose(Some(bad), |_| None).is_err(), "{bad}");
        }
    }
}

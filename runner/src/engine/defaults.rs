//! What an image says of its containers, where whoever makes one said nothing.

use super::error::Error;
use super::model::{Config, Healthcheck};
use crate::image::Beyond;

/// What the image says, where the caller said nothing.
pub(super) fn merge(config: &mut Config, image: &oci_spec::image::ImageConfiguration) {
    let Some(defaults) = image.config() else { return };
    let list = |l: &Option<Vec<String>>| l.clone().filter(|l| !l.is_empty());
    if config.entrypoint.is_none() {
        config.entrypoint = list(defaults.entrypoint());
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            config.cmd = list(defaults.cmd());
        }
    } else if config.entrypoint.as_ref().is_some_and(|e| e.len() == 1 && e[0].is_empty()) {
        // `--entrypoint ""` clears the image's.
        config.entrypoint = None;
    }
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let mut environment = list(defaults.env()).unwrap_or_default();
    environment.retain(|old| !config.env.iter().any(|new| name(new) == name(old)));
    // `-e NAME` without a value takes the variable away.
    config.env.retain(|variable| variable.contains('='));
    config.env.append(&mut environment);
    if config.user.is_empty() {
        config.user = defaults.user().clone().unwrap_or_default();
    }
    if config.working_dir.is_empty() {
        config.working_dir = defaults.working_dir().clone().unwrap_or_default();
    }
    if config.stop_signal.is_none() {
        config.stop_signal = defaults.stop_signal().clone();
    }
    for (key, value) in defaults.labels().iter().flatten() {
        config.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    for port in defaults.exposed_ports().iter().flatten() {
        config.exposed_ports.entry(port.clone()).or_insert_with(|| serde_json::json!({}));
    }
    for path in defaults.volumes().iter().flatten() {
        config.volumes.entry(path.clone()).or_default();
    }
}

/// What Docker's images say beyond, where the caller said nothing.
pub(super) fn inherit(config: &mut Config, image: Beyond) -> Result<(), Error> {
    let theirs = image.healthcheck.and_then(|value| serde_json::from_value::<Healthcheck>(value).ok());
    match (&mut config.healthcheck, theirs) {
        (Some(own), Some(theirs)) => own.inherit(theirs),
        (own @ None, theirs) => *own = theirs,
        (Some(_), None) => {}
    }
    config.shell = config.shell.take().or(image.shell);
    // What cannot be is said now.
    config.healthcheck.as_ref().map_or(Ok(()), |h| h.check(config.shell.as_deref()).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::image::{ConfigBuilder, ImageConfigurationBuilder};

    fn image() -> oci_spec::image::ImageConfiguration {
        let words = |w: &[&str]| w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let config = ConfigBuilder::default()
            .entrypoint(words(&["/entry"]))
            .cmd(words(&["default"]))
            .env(words(&["A=1", "B=2"]))
            .build()
            .unwrap();
        ImageConfigurationBuilder::default().config(config).build().unwrap()
    }

    fn merged(config: Config) -> Config {
        let mut config = config;
        merge(&mut config, &image());
        config
    }

    fn list(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|w| (*w).to_owned()).collect())
    }

    #[test]
    fn the_image_speaks_where_the_caller_is_silent() {
        let config = merged(Config::default());
        assert_eq!((config.entrypoint, config.cmd), (list(&["/entry"]), list(&["default"])));
        let config = merged(Config { cmd: list(&["mine"]), ..Config::default() });
        assert_eq!((config.entrypoint, config.cmd), (list(&["/entry"]), list(&["mine"])));
        let config = merged(Config { entrypoint: list(&["/x"]), ..Config::default() });
        assert_eq!((config.entrypoint, config.cmd), (list(&["/x"]), None));
    }

    #[test]
    fn variables_replace_and_remove_the_images() {
        let config = merged(Config { env: vec!["A=9".into(), "B".into()], ..Config::default() });
        assert_eq!(config.env, ["A=9"]);
    }
}

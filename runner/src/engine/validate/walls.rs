//! Which walls a container gets, what its PID 1 is, and whether it has an engine of its own.

use crate::container::spec::{Init, Profile};
use crate::engine::error::Error;
use crate::engine::model::{Config, HostConfig};

/// Whether a container has an engine of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// It has none.
    Nothing,
    /// `/var/run/docker.sock` answers in it.
    Engine,
}

/// The walls that a container is to have, and whether an engine of its own is behind them.
pub(super) fn profile(host: &HostConfig) -> Result<(Profile, Own), Error> {
    let wanted = host.annotations.get(sandlot_wire::ANNOTATION_PROFILE).cloned();
    let mut wanted = wanted.unwrap_or_else(|| "standard".to_owned());
    for option in &host.security_opt {
        match option.split_once(['=', ':']) {
            Some(("profile", name)) => name.clone_into(&mut wanted),
            None if option == "no-new-privileges" => {}
            Some(("no-new-privileges", "true")) => {}
            _ => {
                return Err(Error::invalid(format!(
                    "--security-opt {option}: Sandlot's containers always have no-new-privileges and a filter; \
                     only profile=standard, profile=nested and profile=engine can be chosen"
                )));
            }
        }
    }
    match wanted.as_str() {
        "standard" => Ok((Profile::Standard, Own::Nothing)),
        "nested" => Ok((Profile::Nested, Own::Nothing)),
        "engine" if sandlot_sys::userns::within() => Err(Error::invalid(
            "the profile engine is for containers of the host: an engine within a container has no engines below it",
        )),
        "engine" => Ok((Profile::Nested, Own::Engine)),
        other => {
            Err(Error::invalid(format!("there is no profile {other}: choose standard, nested or engine")))
        }
    }
}

/// What its PID 1 is.
pub(super) fn init(config: &Config, host: &HostConfig, own: Own) -> Result<Init, Error> {
    let has_command = config.cmd.as_ref().is_some_and(|c| !c.is_empty())
        || config.entrypoint.as_ref().is_some_and(|e| !e.is_empty());
    match host.annotations.get(sandlot_wire::ANNOTATION_INIT).map(String::as_str) {
        Some("only") => Ok(Init::Only),
        Some(other) => Err(Error::invalid(format!("annotation {}: {other}", sandlot_wire::ANNOTATION_INIT))),
        None if !has_command => Err(Error::invalid("no command specified")),
        // Somebody must open the door of its engine.
        None if host.init == Some(true) || own == Own::Engine => Ok(Init::Reaper),
        None => Ok(Init::Command),
    }
}

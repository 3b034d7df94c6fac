//! What `sandlot engine` is told of the registry that it serves.

use super::values;
use crate::engine::settings::Registry;
use crate::image::distribution::{Bounds, Mirror};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The registry's options.
#[derive(Debug, Args)]
pub(super) struct RegistryOptions {
    /// Where the web server reaches the registry [default: RUN/registry.sock]
    #[arg(long, env = "SANDLOT_REGISTRY_SOCKET", value_name = "PATH")]
    registry_socket: Option<PathBuf>,
    /// The most that a name space of the registry holds
    #[arg(
        long,
        env = "SANDLOT_REGISTRY_SPACE",
        value_parser = values::bytes,
        default_value = "20g",
        value_name = "BYTES"
    )]
    registry_space: i64,
    /// The most that one person keeps in it
    #[arg(
        long,
        env = "SANDLOT_REGISTRY_PERSON",
        value_parser = values::bytes,
        default_value = "2g",
        value_name = "BYTES"
    )]
    registry_person: i64,
    /// For how many seconds it keeps what nothing names: a push under way needs it
    #[arg(long, env = "SANDLOT_REGISTRY_GRACE", default_value_t = 7200, value_name = "SECONDS")]
    registry_grace: u64,
    /// For how many seconds an upload may stand still
    #[arg(long, env = "SANDLOT_REGISTRY_UPLOAD", default_value_t = 900, value_name = "SECONDS")]
    registry_upload: u64,
    /// A name space that is a copy of another registry, as hub=docker.io; may be repeated
    #[arg(
        long = "registry-mirror",
        env = "SANDLOT_REGISTRY_MIRRORS",
        value_delimiter = ',',
        value_name = "SPACE=HOST"
    )]
    registry_mirrors: Vec<Mirror>,
}

impl RegistryOptions {
    pub(super) fn settings(self, run: &Path, insecure: &[String]) -> Result<Registry, String> {
        let bytes = |value: i64, name| {
            u64::try_from(value).ok().filter(|n| *n > 0).ok_or(format!("{name}: at least one byte is needed"))
        };
        let bounds = Bounds {
            space: bytes(self.registry_space, "--registry-space")?,
            person: bytes(self.registry_person, "--registry-person")?,
            grace: Duration::from_secs(self.registry_grace),
            upload: Duration::from_secs(self.registry_upload),
            ..Bounds::default()
        };
        let mirrors = self.registry_mirrors.into_iter();
        Ok(Registry {
            socket: Some(self.registry_socket.unwrap_or_else(|| run.join("registry.sock"))),
            bounds,
            mirrors: mirrors.map(|mirror| Mirror { insecure: insecure.to_vec(), ..mirror }).collect(),
        })
    }
}

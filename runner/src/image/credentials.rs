//! Who we are to a registry: `~/.docker/config.json`, as Docker's own client reads and writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::io;
use std::path::PathBuf;

/// A user's name and password (or token) at a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name.
    pub username: String,
    /// Password, or a token in its place.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    /// Without the password: this may come into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A `config.json`.
#[derive(Debug, Clone)]
pub struct Keyring(PathBuf);

impl Keyring {
    /// That of the calling user: in `DOCKER_CONFIG`, else in `~/.docker`.
    #[must_use]
    pub fn own() -> Self {
        let home =
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".docker");
        Self(std::env::var_os("DOCKER_CONFIG").map_or_else(home, PathBuf::from).join("config.json"))
    }

    /// That file.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    fn read(&self) -> Map<String, Value> {
        let text = std::fs::read(&self.0).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// The registries' hosts that something is known for.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let all = self.read();
        let keys = all.get("auths").and_then(Value::as_object).into_iter().flat_map(Map::keys);
        keys.map(|known| if known == key("docker.io") { "docker.io" } else { known }.to_owned()).collect()
    }

    /// What is known for a registry's host.
    #[must_use]
    pub fn get(&self, host: &str) -> Option<Credentials> {
        let all = self.read();
        let entry = all.get("auths")?.get(key(host))?;
        if let Some(token) = entry.get("identitytoken").and_then(Value::as_str).filter(|t| !t.is_empty()) {
            return Some(Credentials { username: "<token>".into(), password: token.into() });
        }
        let decoded = STANDARD.decode(entry.get("auth")?.as_str()?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credentials { username: username.into(), password: password.into() })
    }

    /// Remembers credentials; everything else in the file stays.
    ///
    /// # Errors
    /// What writing answers.
    pub fn login(&self, host: &str, credentials: &Credentials) -> io::Result<()> {
        let auth = STANDARD.encode(format!("{}:{}", credentials.username, credentials.password));
        self.change(|auths| drop(auths.insert(key(host).to_owned(), json!({ "auth": auth }))))
    }

    /// Forgets them.
    ///
    /// # Errors
    /// What writing answers.
    pub fn logout(&self, host: &str) -> io::Result<()> {
        self.change(|auths| drop(auths.remove(key(host))))
    }

    fn change(&self, how: impl FnOnce(&mut Map<String, Value>)) -> io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut all = self.read();
        let auths = all.entry("auths").or_insert_with(|| json!({}));
        match auths.as_object_mut() {
            Some(auths) => how(auths),
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "\"auths\" of config.json is no object",
                ));
            }
        }
        if let Some(dir) = self.0.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let new = self.0.with_extension("new");
        let mut file =
            std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&all)?)?;
        std::fs::rename(new, &self.0)
    }
}

/// Docker Hub has had this key since its first days.
fn key(host: &str) -> &str {
    if host == "docker.io" { "https://index.docker.io/v1/" } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_the_rest_stays() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/config.json");
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(&path, r#"{"credsStore":"x","auths":{"other":{"auth":"YTpi"}}}"#).unwrap();
        let keyring = Keyring::at(path.clone());
        let mine = Credentials { username: "ann".into(), password: "a:b".into() };
        keyring.login("docker.io", &mine).unwrap();
        assert_eq!(keyring.get("docker.io"), Some(mine));
        assert_eq!(keyring.get("other").unwrap().password, "b");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("credsStore") && text.contains("https://index.docker.io/v1/"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        keyring.logout("docker.io").unwrap();
        assert_eq!(keyring.get("docker.io"), None);
    }
}

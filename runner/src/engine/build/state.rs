//! What a stage has become so far: its layers, its image's document, its variables, and the chain of all that led there.

use super::dockerfile::expand::Values;
use crate::image::{Digest, Hold, Platform};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Variables of proxies: they may be given without being declared, and leave no trace in the image.
const PROXIES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Where commands are looked for, if nobody says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What of a document is Docker's own and says nothing of the image that is built on it.
const LEFT_OUT: [&str; 6] = ["container", "container_config", "docker_version", "parent", "id", "throwaway"];

/// Variables that were given to the whole build.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    /// `--build-arg`
    pub(super) arguments: BTreeMap<String, String>,
    /// `ARG`s before the first `FROM`, with their values.
    pub(super) global: BTreeMap<String, String>,
    /// `TARGETPLATFORM` and its like.
    pub(super) platform: BTreeMap<String, String>,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct State {
    document: Map<String, Value>,
    /// The image's configuration: `Env`, `Cmd`, ….
    pub(super) config: Map<String, Value>,
    pub(super) layers: Vec<Digest>,
    /// Bytes of the layers.
    pub(super) size: u64,
    /// The image that the first layers came from.
    pub(super) on: Option<Digest>,
    /// The digest of all that led here.
    pub(super) chain: Digest,
    /// What that was at the beginning.
    begun: Digest,
    /// Whether `CMD` was said in this file.
    pub(super) own_command: bool,
    arguments: BTreeMap<String, String>,
    /// Keeps the layers from being swept away.
    pub(super) holds: Vec<std::sync::Arc<Hold>>,
}

impl State {
    /// The image that this is, if nothing was done to it.
    pub(super) fn pristine(&self) -> Option<Digest> {
        self.on.filter(|_| self.chain == self.begun)
    }

    /// Who made it.
    pub(super) fn set_author(&mut self, name: &str) {
        self.document.insert("author".to_owned(), json!(name));
    }

    /// Nothing yet.
    pub(super) fn scratch(platform: &Platform) -> Self {
        let mut document = json!({
            "architecture": platform.architecture,
            "os": platform.os,
            "config": {},
            "history": [],
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        if let Some(variant) = &platform.variant {
            document["variant"] = json!(variant);
        }
        Self::of(document, Vec::new(), 0, None)
    }

    /// An image, as its document says.
    pub(super) fn of(document: Value, layers: Vec<Digest>, size: u64, on: Option<Digest>) -> Self {
        let mut document = document.as_object().cloned().unwrap_or_default();
        document.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
        let config = match document.remove("config") {
            Some(Value::Object(config)) => config,
            _ => Map::new(),
        };
        if !document.get("rootfs").is_some_and(Value::is_object) {
            document.insert("rootfs".to_owned(), json!({}));
        }
        if !document.get("history").is_some_and(Value::is_array) {
            document.insert("history".to_owned(), json!([]));
        }
        let chain = Digest::of(json!(["image", on, layers]).to_string().as_bytes());
        Self {
            document,
            config,
            layers,
            size,
            on,
            chain,
            begun: chain,
            own_command: false,
            arguments: BTreeMap::new(),
            holds: Vec::new(),
        }
    }

    /// The state that another stage begins with.
    pub(super) fn inherited(&self) -> Self {
        Self { own_command: false, arguments: BTreeMap::new(), ..self.clone() }
    }

    pub(super) fn get(&self, name: &str) -> &Value {
        self.config.get(name).unwrap_or(&Value::Null)
    }

    /// A list of words in the configuration.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let words = self.get(name).as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    }

    /// A word in the configuration.
    pub(super) fn word(&self, name: &str) -> &str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// The shell that commands are given to.
    pub(super) fn shell(&self) -> Vec<String> {
        let own = self.list("Shell");
        if own.is_empty() { ["/bin/sh", "-c"].map(ToOwned::to_owned).to_vec() } else { own }
    }

    /// The working directory; `/` where none was said.
    pub(super) fn directory(&self) -> String {
        Some(self.word("WorkingDir")).filter(|d| d.starts_with('/')).unwrap_or("/").to_owned()
    }

    /// A path as it is seen from the working directory, without `.` and `..`.
    pub(super) fn absolute(&self, path: &str) -> String {
        let whole =
            if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.directory()) };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// Sets a variable of the image.
    pub(super) fn set_env(&mut self, name: &str, value: &str) {
        let mut list = self.list("Env");
        let pair = format!("{name}={value}");
        match list.iter_mut().find(|e| e.split('=').next() == Some(name)) {
            Some(old) => *old = pair,
            None => list.push(pair),
        }
        self.config.insert("Env".to_owned(), json!(list));
    }

    /// An image without a search path gets Docker's.
    pub(super) fn default_path(&mut self) {
        if !self.list("Env").iter().any(|e| e.starts_with("PATH=")) {
            self.set_env("PATH", PATH);
        }
    }

    /// Declares a build argument. Its value is the one given, else its own, else the one before the first `FROM`.
    pub(super) fn declare(&mut self, name: &str, own: Option<String>, given: &Given) {
        let value = given.arguments.get(name).cloned().or(own);
        let value = value.or_else(|| given.global.get(name).cloned());
        let value = value.or_else(|| given.platform.get(name).cloned());
        if let Some(value) = value {
            self.arguments.insert(name.to_owned(), value);
        }
    }

    /// The build arguments that a command sees, without those that a variable of the image hides.
    pub(super) fn visible_arguments(&self) -> Vec<(String, String)> {
        let env = self.list("Env");
        let hidden = |name: &str| env.iter().any(|e| e.split('=').next() == Some(name));
        let pairs = self.arguments.iter().filter(|(name, _)| !hidden(name));
        pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The environment of a command: the image's, the arguments, and proxies that were given.
    pub(super) fn environment(&self, given: &Given) -> Vec<String> {
        let mut all = self.list("Env");
        all.extend(self.visible_arguments().into_iter().map(|(name, value)| format!("{name}={value}")));
        for name in PROXIES {
            let known = all.iter().any(|e| e.split('=').next() == Some(name));
            if let Some(value) = given.arguments.get(name).filter(|_| !known) {
                all.push(format!("{name}={value}"));
            }
        }
        all
    }

    /// Puts a layer on top.
    pub(super) fn push(&mut self, layer: Digest, size: u64, hold: Hold) {
        self.layers.push(layer);
        self.size += size;
        self.holds.push(std::sync::Arc::new(hold));
        let rootfs = self.document.entry("rootfs").or_insert_with(|| json!({}));
        rootfs["type"] = json!("layers");
        rootfs["diff_ids"] = json!(self.layers);
    }

    /// Writes a step into the history.
    pub(super) fn tell(&mut self, created: Timestamp, by: &str, layer: bool) {
        let created = created.to_string();
        let mut entry = json!({ "created": created, "created_by": by });
        if !layer {
            entry["empty_layer"] = json!(true);
        }
        if let Some(history) = self.document.get_mut("history").and_then(Value::as_array_mut) {
            history.push(entry);
        }
        self.document.insert("created".to_owned(), json!(created));
    }

    /// The document as it is kept, whose digest is the image's id.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut whole = self.document.clone();
        whole.insert("config".to_owned(), Value::Object(self.config.clone()));
        Value::Object(whole).to_string().into_bytes()
    }

    /// The id that an image of this state has.
    pub(super) fn id(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

impl Values for State {
    fn value(&self, name: &str) -> Option<String> {
        let env = self.get("Env").as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut own = env.filter_map(|e| e.split_once('='));
        own.find(|(n, _)| *n == name).map(|(_, v)| v.to_owned()).or_else(|| self.arguments.get(name).cloned())
    }
}

/// Whether a build argument is one that nobody need declare.
pub(super) fn predefined(name: &str) -> bool {
    PROXIES.contains(&name) || name == EPOCH
}

/// The argument that clamps all times.
pub(super) const EPOCH: &str = "SOURCE_DATE_EPOCH";

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State::scratch(&Platform::host())
    }

    #[test]
    fn variables_of_the_image_hide_arguments() {
        let mut state = state();
        let given = Given {
            arguments: [("A".to_owned(), "given".to_owned()), ("http_proxy".to_owned(), "p".to_owned())]
                .into(),
            global: [("G".to_owned(), "global".to_owned())].into(),
            ..Given::default()
        };
        for (name, own) in [("A", Some("own")), ("B", Some("own")), ("G", None), ("N", None)] {
            state.declare(name, own.map(ToOwned::to_owned), &given);
        }
        let value = |state: &State, name: &str| state.value(name).unwrap_or_else(|| "-".into());
        let all = |state: &State| ["A", "B", "G", "N"].map(|name| value(state, name)).join(" ");
        assert_eq!(all(&state), "given own global -");
        state.set_env("A", "env");
        assert_eq!(all(&state), "env own global -");
        assert_eq!(state.visible_arguments().len(), 2);
        let env = state.environment(&given);
        assert!(env.contains(&"http_proxy=p".to_owned()) && !env.iter().any(|e| e.starts_with("PATH=")));
        state.default_path();
        assert_eq!(state.value("PATH").as_deref(), Some(PATH));
    }

    #[test]
    fn paths_are_seen_from_the_working_directory() {
        let mut state = state();
        assert_eq!(state.absolute("a/../b/."), "/b");
        state.config.insert("WorkingDir".into(), json!("/w"));
        for (path, expected) in [("a", "/w/a"), ("../..", "/"), ("/x//y/", "/x/y"), (".", "/w")] {
            assert_eq!(state.absolute(path), expected);
        }
    }
}

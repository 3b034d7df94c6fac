//! `RUN`: a container of the engine's own over the layers so far, and a layer of what it wrote.

use super::dockerfile::{Command, Run};
use super::error::{During, Error, blocking};
use super::job::Job;
use super::layer::{self, directories};
use super::mounts::Mount;
use super::prepare::{self, Ids, Kept};
use super::report::Reporter;
use super::state::State;
use super::watch;
use crate::container::spec::IdRange;
use crate::engine::changes;
use crate::engine::container::Container;
use crate::engine::create::Force;
use crate::engine::lifecycle::Wait;
use crate::engine::model::{Config, HostConfig};
use crate::engine::prepared::PreparedMount;
use crate::engine::{self, Engine};
use crate::image::steps::Layer;
use serde_json::json;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

/// Marks the containers of builds: an engine that starts removes those that an earlier one left.
pub(super) const MARK: &str = "sandlot.build";
/// Where a script stands that a here-document is, if it says itself what runs it.
const SCRIPT: &str = "/dev/pipes";

/// A command that is ready to be run.
pub(super) struct Ready {
    /// Its words.
    pub(super) words: Vec<String>,
    /// A script that is put there for it.
    script: Option<(String, String)>,
    pub(super) mounts: Vec<Mount>,
    pub(super) network: String,
}

/// What a `RUN` means in a stage.
pub(super) fn ready(run: &Run, state: &State, job: &Job) -> Result<Ready, Error> {
    let absolute = |path: &str| state.absolute(path);
    let mounts = run.mounts.iter().map(|text| super::mounts::parse(text, state, job.escape(), &absolute));
    let mounts = mounts.collect::<Result<Vec<_>, _>>()?;
    let (words, script) = words(run, &state.shell());
    let network = run.network.clone().unwrap_or_else(|| job.request().network.clone());
    Ok(Ready { words, script, mounts, network })
}

/// The words to be executed, and a script that they name.
fn words(run: &Run, shell: &[String]) -> (Vec<String>, Option<(String, String)>) {
    let text = match &run.command {
        Command::Exec(words) => return (words.clone(), None),
        Command::Shell(text) => text,
    };
    let with_shell = |text: String| (shell.iter().cloned().chain([text]).collect(), None);
    let [first, rest @ ..] = &run.heredocs[..] else { return with_shell(text.clone()) };
    let alone = rest.is_empty() && text.split_whitespace().count() == 1 && text.starts_with("<<");
    if alone && first.content.starts_with("#!") {
        let path = format!("{SCRIPT}/{}", first.name);
        return (vec![path.clone()], Some((path, first.content.clone())));
    }
    if alone {
        return with_shell(first.content.clone());
    }
    // The shell reads the documents itself.
    let mut whole = text.clone();
    for heredoc in &run.heredocs {
        whole.push_str(&format!("\n{}{}", heredoc.content, heredoc.name));
    }
    with_shell(whole + "\n")
}

/// The container of a command; removed when dropped.
struct Guard {
    engine: Engine,
    container: Arc<Container>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (engine, id) = (self.engine.clone(), self.container.id.clone());
        let remove = async move {
            if let Err(e) = engine.remove(&id, Force::Yes).await {
                tracing::debug!("the container of a build: {e}");
            }
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(remove);
        }
    }
}

/// Runs a command; answers the layer that it made.
pub(super) async fn run(job: &Job, state: &State, ready: &Ready, out: &Reporter) -> Result<Layer, Error> {
    if state.layers.is_empty() {
        let first = ready.words.first().map_or("", String::as_str);
        return Err(Error::step(format!(
            "exec: \"{first}\": nothing can be run in an empty image (FROM scratch)"
        )));
    }
    let engine = job.engine();
    let document = json!({
        "architecture": std::env::consts::ARCH, "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": state.layers },
    });
    let staged = job.images().stage(&state.layers, document.to_string().as_bytes());
    let config = Config {
        image: staged.id.to_string(),
        entrypoint: Some(Vec::new()),
        cmd: Some(ready.words.clone()),
        env: state.environment(job.given()),
        user: state.word("User").to_owned(),
        working_dir: state.directory(),
        ..Config::default()
    };
    let host = host(job, ready);
    let container = engine.create(None, config, host)?;
    // For a build that is given up; one that fails waits until nothing is left.
    let guard = Guard { engine: engine.clone(), container };
    let done = attempt(job, state, ready, &guard.container, out).await;
    match engine.remove(&guard.container.id, Force::Yes).await {
        // Somebody else has removed it.
        Err(engine::Error::NotFound { .. }) if done.is_err() => {}
        other => other?,
    }
    if done.is_ok() {
        out.say(format!("Removing intermediate container {}\n", &guard.container.id[..12])).await;
    }
    done
}

/// Runs a container to its end; the layer of what it wrote.
async fn attempt(
    job: &Job,
    state: &State,
    ready: &Ready,
    container: &Arc<Container>,
    out: &Reporter,
) -> Result<Layer, Error> {
    let engine = job.engine();
    let short = &container.id[..12];
    out.say(format!(" ---> Running in {short}\n")).await;
    let mut kept = Kept::default();
    let range = container.slot.range();
    prepared(job, ready, container, range, &mut kept).await?;
    let mut output = container.output.attach();
    engine.start(&container.id).await?;
    let ended = engine.wait(&container.id, Wait::NotRunning)?;
    let running = async {
        let mut text = Text::default();
        while let Some(chunk) = output.recv().await {
            out.say(text.take(&chunk.bytes)).await;
        }
        ended.await
    };
    let code = tokio::select! {
        code = running => code,
        error = watch::too_much(job, container) => return Err(error?),
    };
    drop(kept);
    if code != 0 {
        return Err(Error::Command { command: ready.words.join(" "), code });
    }
    harvest(job, state, ready, container).await
}

fn host(job: &Job, ready: &Ready) -> HostConfig {
    let tmpfs = ready.mounts.iter().filter_map(|mount| match mount {
        Mount::Tmpfs { target, options } => Some((target.clone(), options.clone())),
        _ => None,
    });
    HostConfig {
        network_mode: ready.network.clone(),
        annotations: [(MARK.to_owned(), "true".to_owned())].into(),
        tmpfs: tmpfs.collect(),
        ..job.request().host.clone()
    }
}

async fn prepared(
    job: &Job,
    ready: &Ready,
    container: &Container,
    range: IdRange,
    kept: &mut Kept,
) -> Result<(), Error> {
    let userns = job.engine().mapping(range).await?;
    let ids = Ids { userns: userns.as_fd(), base: range.base };
    let mut prepared = prepare::prepare(job, &ready.mounts, &ids, kept).await?;
    if let Some((path, content)) = &ready.script {
        let owner = (range.base, range.base);
        let mount = prepare::passing(job, content.as_bytes(), 0o755, owner, kept)?;
        prepared.mounts.push(PreparedMount { mount, target: path.clone(), readonly: true });
    }
    *container.prepared.lock().unwrap_or_else(PoisonError::into_inner) = prepared;
    Ok(())
}

/// Makes a layer of what a container wrote: its upper directory moves into the store.
async fn harvest(
    job: &Job,
    state: &State,
    ready: &Ready,
    container: &Arc<Container>,
) -> Result<Layer, Error> {
    let upper = job.engine().upper(container).await?;
    let (images, layers) = (job.images().clone(), state.layers.clone());
    let (base, clamp, most) = (container.slot.range().base, job.clamp(), job.most_bytes());
    let mut places = changes::places(&container.record());
    places.extend(ready.mounts.iter().filter_map(Mount::target).map(PathBuf::from));
    blocking(move || {
        let made = images.workshop()?;
        let tree = made.path().join("tree");
        std::fs::remove_dir(&tree)
            .and_then(|()| std::fs::rename(&upper, &tree))
            .during("taking what was written")?;
        let below = directories(&images, &layers, made.path())?;
        layer::clear(&tree, &below, &places)?;
        layer::settle(&tree, base, clamp)?;
        let layer = images.adopt(made)?;
        if layer.size > most {
            return Err(Error::step(format!(
                "the layer has more than {most} bytes, which this engine allows"
            )));
        }
        Ok(layer)
    })
    .await
}

/// Bytes that may end within a character, as text.
#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn take(&mut self, bytes: &[u8]) -> String {
        self.0.extend_from_slice(bytes);
        let keep = match std::str::from_utf8(&self.0) {
            // Not an error yet: the rest of it may come.
            Err(e) if e.error_len().is_none() => self.0.len() - e.valid_up_to(),
            _ => 0,
        };
        let rest = self.0.split_off(self.0.len() - keep);
        let text = String::from_utf8_lossy(&self.0).into_owned();
        self.0 = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::build::dockerfile::Heredoc;

    #[test]
    fn text_is_not_cut_within_a_character() {
        let mut text = Text::default();
        assert_eq!((text.take(b"a\xc3"), text.take(b"\xa4b")), ("a".into(), "\u{e4}b".into()));
        assert_eq!(text.take(b"\xffx"), "\u{fffd}x");
    }

    #[test]
    fn here_documents_are_run() {
        let run = |command: &str, content: &str| Run {
            command: Command::Shell(command.into()),
            heredocs: vec![Heredoc { name: "EOF".into(), content: content.into(), expands: true }],
            mounts: vec![],
            network: None,
        };
        let shell = ["sh".to_owned(), "-c".to_owned()];
        assert_eq!(words(&run("<<EOF", "a\nb\n"), &shell).0, ["sh", "-c", "a\nb\n"]);
        assert_eq!(words(&run("cat <<EOF", "a\n"), &shell).0, ["sh", "-c", "cat <<EOF\na\nEOF\n"]);
        let (words, script) = words(&run("<<EOF", "#!/bin/x\n"), &shell);
        assert_eq!((words.join(" "), script.unwrap().1), ("/dev/pipes/EOF".into(), "#!/bin/x\n".into()));
    }
}

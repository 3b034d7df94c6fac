//! One stage: its steps, one after the other, taken from what was done before where nothing that they depend on has changed.

use super::dockerfile::{Instruction, Step, expand};
use super::error::Error;
use super::job::Job;
use super::metadata;
use super::plan::Base;
use super::report::Reporter;
use super::state::{EPOCH, State};
use super::{copying, run};
use crate::image::Digest;
use crate::image::steps::Layer;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the key of a step is made; another number, and nothing of what was done before is found.
const FORM: u32 = 1;

/// Carries a stage out. `first` is the number of its `FROM` among all steps that are told of.
pub(super) async fn carry_out(job: Arc<Job>, n: usize, first: usize, out: Reporter) -> Result<State, Error> {
    let file = &job.file.stages[n];
    let total = job.plan.steps(&job.file);
    out.say(format!("Step {first}/{total} : {}\n", file.text)).await;
    let state = match job.plan.bases.get(&n) {
        Some(Base::Stage(other)) => job.stage(*other).await?.inherited(),
        Some(Base::Image(state)) => (**state).clone(),
        Some(Base::Scratch) | None => State::scratch(&job.request().platform),
    };
    let mut stage = Stage { job: Arc::clone(&job), state, out };
    stage.state.config.remove("OnBuild");
    stage.state.default_path();
    if !matches!(job.plan.bases.get(&n), Some(Base::Scratch)) {
        let id = stage.state.pristine().unwrap_or_else(|| stage.state.id());
        stage.out.say(format!(" ---> {}\n", id.short())).await;
    }
    let triggers = job.plan.triggers.get(&n).map_or(&[][..], Vec::as_slice);
    if !triggers.is_empty() {
        let plural = if triggers.len() == 1 { "" } else { "s" };
        stage.out.say(format!("# Executing {} build trigger{plural}\n", triggers.len())).await;
    }
    for step in triggers {
        stage.step(step).await?;
    }
    for (number, step) in (first + 1..).zip(&file.steps) {
        stage.out.say(format!("Step {number}/{total} : {}\n", step.text)).await;
        stage.step(step).await?;
    }
    Ok(stage.state)
}

/// A stage that is being carried out.
pub(super) struct Stage {
    pub(super) job: Arc<Job>,
    pub(super) state: State,
    pub(super) out: Reporter,
}

impl Stage {
    /// One step; what goes wrong is told with its place.
    async fn step(&mut self, step: &Step) -> Result<(), Error> {
        let done = self.instruction(step).await;
        if done.is_err() {
            let name = &self.job.request().dockerfile;
            self.out.say(format!("{name}:{}: {}\n", step.line, step.text)).await;
        }
        done?;
        self.out.say(format!(" ---> {}\n", self.state.id().short())).await;
        Ok(())
    }

    async fn instruction(&mut self, step: &Step) -> Result<(), Error> {
        match &step.instruction {
            Instruction::Run(run) => {
                let ready = run::ready(run, &self.state, &self.job)?;
                self.command(&ready).await
            }
            Instruction::Copy(copy) => copying::carry_out(self, copy).await,
            Instruction::Workdir(path) => {
                let path = self.word(path)?;
                let path = self.state.absolute(&path);
                self.state.config.insert("WorkingDir".into(), json!(path));
                copying::directory(self, &path).await
            }
            other => {
                let words = metadata::apply(&mut self.state, other, &self.job)?;
                self.metadata(&words).await
            }
        }
    }

    /// A word of an instruction, with values in it.
    pub(super) fn word(&self, text: &str) -> Result<String, Error> {
        Ok(expand::word(text, &self.state, self.job.escape())?)
    }

    /// A step that changes the configuration alone.
    pub(super) async fn metadata(&mut self, words: &str) -> Result<(), Error> {
        let key = self.key(&json!(["configuration", words]));
        let created = match self.known(&key).await? {
            Some((_, created)) => created,
            None => {
                let created = self.now();
                self.job.images().remember(key, None, created, words)?;
                created
            }
        };
        self.state.chain = key;
        self.state.tell(created, &format!("/bin/sh -c #(nop)  {words}"), false);
        Ok(())
    }

    async fn command(&mut self, ready: &run::Ready) -> Result<(), Error> {
        let arguments = self.state.visible_arguments();
        let mounts = copying::mounts_content(self, &ready.mounts).await?;
        let what = json!([
            "run",
            ready.words,
            arguments,
            self.state.get("Env"),
            self.state.get("User"),
            self.state.directory(),
            ready.network,
            format!("{:?}", ready.mounts),
            mounts,
        ]);
        let key = self.key(&what);
        let mut by = ready.words.join(" ");
        if !arguments.is_empty() {
            let pairs: Vec<String> =
                arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
            by = format!("|{} {} {by}", pairs.len(), pairs.join(" "));
        }
        let job = Arc::clone(&self.job);
        // Whoever builds the same waits, and takes what comes of it.
        let _turn = job.images().turn(&key).await;
        if let Some((layer, created)) = self.known(&key).await? {
            return self.put((layer, created), &by);
        }
        let _place = job.place().await?;
        let layer = run::run(&job, &self.state, ready, &self.out).await?;
        self.made(&[key], layer, &by)
    }

    /// The key of a step: all that it depends on.
    pub(super) fn key(&self, what: &Value) -> Digest {
        let whole = json!([FORM, self.state.chain, what, self.job.clamp()]);
        Digest::of(whole.to_string().as_bytes())
    }

    /// What a step made when it was done before, if that is wanted.
    pub(super) async fn known(&self, key: &Digest) -> Result<Option<(Option<Layer>, Timestamp)>, Error> {
        if self.job.request().cache == super::Cache::Ignored {
            return Ok(None);
        }
        let Some(cached) = self.job.images().cached(key) else { return Ok(None) };
        self.out.say(" ---> Using cache\n").await;
        let layer = cached.layer.map(|diff_id| Layer { diff_id, size: cached.size, hold: cached.hold });
        Ok(Some((layer, cached.created)))
    }

    /// Takes a layer that was just made, and remembers it.
    pub(super) fn made(&mut self, keys: &[Digest], layer: Layer, by: &str) -> Result<(), Error> {
        let created = self.now();
        for key in keys {
            self.job.images().remember(*key, Some((layer.diff_id, layer.size)), created, by)?;
        }
        self.put((Some(layer), created), by)
    }

    /// Takes a layer, if there is one.
    pub(super) fn put(
        &mut self,
        (layer, created): (Option<Layer>, Timestamp),
        by: &str,
    ) -> Result<(), Error> {
        let most = self.job.most_bytes();
        // What follows depends on what came out, not on how: the same content leads to the same.
        let came = layer.as_ref().map(|layer| layer.diff_id);
        self.state.chain = Digest::of(json!([self.state.chain, by, came]).to_string().as_bytes());
        self.state.tell(created, by, layer.is_some());
        if let Some(layer) = layer {
            self.state.push(layer.diff_id, layer.size, layer.hold);
        }
        if self.state.size > most {
            return Err(Error::step(format!(
                "the image has more than {most} bytes, which this engine allows"
            )));
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        let clamped = self.job.clamp().and_then(|second| Timestamp::from_second(second).ok());
        clamped.unwrap_or_else(Timestamp::now)
    }
}

/// The second of `SOURCE_DATE_EPOCH`, if it was given.
pub(super) fn epoch(arguments: &BTreeMap<String, String>) -> Result<Option<i64>, Error> {
    let Some(text) = arguments.get(EPOCH).filter(|text| !text.is_empty()) else { return Ok(None) };
    let second = text.parse::<i64>().ok().filter(|s| *s >= 0 && Timestamp::from_second(*s).is_ok());
    second.map(Some).ok_or_else(|| Error::invalid(format!("{EPOCH}={text} is no number of seconds")))
}

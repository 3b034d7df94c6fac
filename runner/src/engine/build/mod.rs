//! From a Dockerfile and a context to an image, by Docker's reference.
//!
//! [`dockerfile`] reads the language; [`plan`] finds out which stages are needed; [`stage`] carries each out, those that do not
//! need each other side by side; [`run`] and [`copying`] make layers. It knows no HTTP and no command line.

mod bases;
mod context;
mod copy;
mod copying;
pub mod dockerfile;
mod error;
pub mod excludes;
mod glob;
mod hash;
mod job;
mod layer;
mod metadata;
pub mod mounts;
mod plan;
mod prepare;
mod prune;
mod report;
mod request;
mod run;
mod running;
mod sources;
mod stage;
mod state;
mod watch;

pub use context::Context;
pub use error::Error;
pub use prune::Kept;
pub use report::Told;
pub use request::{Cache, Fetch, Request};
pub use running::Named;
pub(super) use running::Running;

use super::Engine;
use super::create::Force;
use super::error::Doing;
use crate::image::{Digest, Platform};
use bases::Bases;
use dockerfile::{Dockerfile, expand};
use job::Job;
use plan::Plan;
use report::Reporter;
use serde_json::json;
use state::Given;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How the directories begin that hold what a command alone may see.
const PASSING: &str = "build-";

/// A Dockerfile that was read, and what it is carried out with.
#[derive(Debug)]
pub struct Build {
    request: Request,
    context: Context,
    file: Dockerfile,
}

impl Engine {
    fn build_directory(&self, name: &str) -> PathBuf {
        self.settings.state.join("build").join(name)
    }

    /// Where caches are kept.
    fn caches(&self) -> PathBuf {
        self.build_directory("caches")
    }

    /// Takes a context in; it blocks.
    ///
    /// # Errors
    /// See [`Context::unpack`].
    pub fn take_context(&self, archive: impl Read + Send) -> Result<Context, Error> {
        Context::unpack(archive, &self.build_directory("contexts"), self.images.limits())
    }

    /// Removes what an earlier engine's builds left.
    pub(super) async fn sweep_builds(&self) -> Result<(), super::Error> {
        for container in self.containers() {
            if container.record().host.annotations.contains_key(run::MARK) {
                self.remove(&container.id, Force::Yes).await?;
            }
        }
        let doing = || "clearing what builds left".to_owned();
        let contexts = self.build_directory("contexts");
        if contexts.exists() {
            std::fs::remove_dir_all(&contexts).doing(doing)?;
        }
        for dir in [contexts, self.caches()] {
            std::fs::create_dir_all(dir).doing(doing)?;
        }
        for entry in std::fs::read_dir(&self.settings.run).doing(doing)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PASSING) {
                std::fs::remove_dir_all(entry.path()).doing(doing)?;
            }
        }
        Ok(())
    }
}

impl Build {
    /// Reads the Dockerfile of a context.
    ///
    /// # Errors
    /// [`Error::Dockerfile`]; [`Error::Invalid`] if there is none.
    pub fn new(request: Request, context: Context) -> Result<Self, Error> {
        let file = dockerfile::parse(&context.dockerfile(&request.dockerfile)?)?;
        Ok(Self { request, context, file })
    }

    /// Carries it out; the image's id. Dropping what comes back ends the build, and nothing is left of it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn run(self, engine: Engine, out: mpsc::Sender<Told>) -> Result<Digest, Error> {
        let Self { request, context, file } = self;
        let clamp = stage::epoch(&request.arguments)?;
        let given = given(&request, &file)?;
        let bases = Bases { engine: &engine, request: &request, out: out.clone() };
        let plan = Plan::make(&file, request.target.as_deref(), &given, &bases).await?;
        let job = Arc::new(Job::new(engine, (request, context), file, (given, plan), clamp));
        let state = stages(&job, &out).await?;
        let id = keep(&job, state)?;
        let request = job.request();
        unused(&job, &out).await;
        let tell = |text: String| out.send(Told::Text(text));
        // A listener that left has ended the build already.
        out.send(Told::Image(id.to_string())).await.unwrap_or_default();
        tell(format!("Successfully built {}\n", id.short())).await.unwrap_or_default();
        for name in &request.names {
            tell(format!("Successfully tagged {name}\n")).await.unwrap_or_default();
        }
        Ok(id)
    }
}

/// The variables that are given to the whole build.
fn given(request: &Request, file: &Dockerfile) -> Result<Given, Error> {
    let mut given = Given { arguments: request.arguments.clone(), ..Given::default() };
    for (prefix, platform) in [("TARGET", &request.platform), ("BUILD", &Platform::host())] {
        let parts = [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os.clone()),
            ("ARCH", platform.architecture.clone()),
            ("VARIANT", platform.variant.clone().unwrap_or_default()),
        ];
        given.platform.extend(parts.map(|(name, value)| (format!("{prefix}{name}"), value)));
    }
    for (name, own) in &file.arguments {
        let known = |name: &str| given.global.get(name).or_else(|| given.platform.get(name)).cloned();
        let own = own.as_ref().map(|own| expand::word(own, &known, file.escape)).transpose()?;
        if let Some(value) = request.arguments.get(name).cloned().or(own) {
            given.global.insert(name.clone(), value);
        }
    }
    Ok(given)
}

/// Carries the stages out; what the target has become.
async fn stages(job: &Arc<Job>, out: &mpsc::Sender<Told>) -> Result<state::State, Error> {
    let mut tasks: JoinSet<Result<(), Error>> = JoinSet::new();
    let mut reporters = Vec::new();
    let mut first = 1;
    for n in job.plan.order.iter().copied() {
        let reporter = Reporter::new(out.clone());
        reporters.push((n, reporter.clone()));
        let job = Arc::clone(job);
        let steps = job.file.stages[n].steps.len();
        tasks.spawn(async move {
            let state = stage::carry_out(Arc::clone(&job), n, first, reporter).await?;
            job.finished(n, state);
            Ok(())
        });
        first += 1 + steps;
    }
    let telling = async {
        for (n, reporter) in reporters {
            reporter.go().await;
            job.stage(n).await.map(drop).unwrap_or_default();
        }
    };
    let working = async {
        while let Some(done) = tasks.join_next().await {
            done.map_err(std::io::Error::other)
                .map_err(|source| Error::Io { what: "a stage of the build".to_owned(), source })??;
        }
        Ok::<_, Error>(())
    };
    let mut telling = std::pin::pin!(telling);
    let mut working = std::pin::pin!(working);
    let done = tokio::select! {
        () = &mut telling => working.await,
        done = &mut working => {
            if done.is_ok() {
                telling.await;
            }
            done
        }
    };
    done?;
    job.stage(job.plan.target).await
}

/// Makes an image of what the target has become.
fn keep(job: &Job, mut state: state::State) -> Result<Digest, Error> {
    let request = job.request();
    if let Some(id) = state.pristine().filter(|_| request.labels.is_empty()) {
        for name in &request.names {
            job.images().tag(&id.to_string(), name)?;
        }
        return Ok(id);
    }
    if !request.labels.is_empty() {
        let mut labels = state.get("Labels").as_object().cloned().unwrap_or_default();
        labels.extend(request.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
        state.config.insert("Labels".to_owned(), json!(labels));
    }
    let layers = (state.layers.clone(), state.size);
    Ok(job.images().put_built(&state.bytes(), layers, state.on.as_ref(), &request.names)?)
}

/// Says which build arguments nobody asked for.
async fn unused(job: &Job, out: &mpsc::Sender<Told>) {
    let mut declared: Vec<&str> = job.file.arguments.iter().map(|(name, _)| name.as_str()).collect();
    let triggers = job.plan.triggers.values().flatten();
    for step in job.file.stages.iter().flat_map(|stage| &stage.steps).chain(triggers) {
        if let dockerfile::Instruction::Arg(list) = &step.instruction {
            declared.extend(list.iter().map(|(name, _)| name.as_str()));
        }
    }
    let arguments: &BTreeMap<String, String> = &job.request().arguments;
    let unknown: Vec<&str> = arguments
        .keys()
        .map(String::as_str)
        .filter(|name| !declared.contains(name) && !state::predefined(name))
        .collect();
    if !unknown.is_empty() {
        let text = format!("[Warning] One or more build-args [{}] were not consumed\n", unknown.join(" "));
        out.send(Told::Text(text)).await.unwrap_or_default();
    }
}

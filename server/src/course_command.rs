//! `sandlot-server course …`: make a course, tell what is wrong with it, try it in real sessions.

use crate::config::Config;
use crate::course::fault::Severity;
use crate::course::learning::Learning;
use crate::course::shelf::Shelf;
use crate::course::trial::{self, Case};
use crate::course::{Loaded, format, import, load, template};
use crate::session::engine::{Network, Profile};
use crate::session::policy::{Image, Policy};
use crate::session::{self, Sessions};
use crate::store::Store;
use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Courses: slides, labs, steps that check themselves. The format stands in docs/labs.md.
#[derive(Debug, Parser)]
#[command(name = "sandlot-server course")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a small course that works, to begin with.
    New {
        /// The folder; it must be empty or not there.
        folder: PathBuf,
    },
    /// Tell what is wrong with courses, by file and line.
    Check {
        /// The folders of courses.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
    },
    /// Try courses in real sessions: every check must fail before and pass after its solution.
    Test(Test),
    /// Make a course of scenarios in Killercoda's or Katacoda's format, and tell what is not as it was.
    Import {
        /// The folder with structure.json or index.json.
        folder: PathBuf,
        /// The new course's folder.
        #[arg(long)]
        to: PathBuf,
        /// The image that its labs run in; several: the first in the server's catalogue.
        #[arg(long, default_values = ["sandlot/bootcamp", "sandlot/starter"])]
        image: Vec<String>,
    },
    /// Print the JSON schema of course.yaml or lab.yaml.
    Schema {
        /// Of which.
        #[arg(value_parser = ["course", "lab"])]
        of: String,
    },
}

#[derive(Debug, Args)]
struct Test {
    /// The course's folder.
    folder: PathBuf,
    /// Only these labs.
    #[arg(long)]
    lab: Vec<String>,
    /// Write a report in JUnit's XML as well.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The container engine's socket.
    #[arg(long, env = "SANDLOT_ENGINE", default_value = "unix:///run/sandlot/server.sock")]
    engine: String,
    /// Sessions are of this image, whatever the labs name.
    #[arg(long)]
    image: Option<String>,
}

/// Does what the arguments (the first is the program's name) say.
#[must_use]
pub fn run(arguments: Vec<std::ffi::OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let done = match arguments.what {
        What::New { folder } => create(&folder),
        What::Check { folders } => Ok(check(&folders)),
        What::Test(test) => try_course(test),
        What::Import { folder, to, image } => import_scenarios(&folder, &to, &image),
        What::Schema { of } => schema(&of),
    };
    done.unwrap_or_else(|error| {
        eprintln!("sandlot-server: {error:#}");
        ExitCode::FAILURE
    })
}

fn create(folder: &Path) -> anyhow::Result<ExitCode> {
    template::create(folder).with_context(|| format!("cannot make a course in {}", folder.display()))?;
    println!("{} is a course: change it, then try `sandlot-server course check`", folder.display());
    Ok(ExitCode::SUCCESS)
}

fn schema(of: &str) -> anyhow::Result<ExitCode> {
    let schema = format::schema(of).context("there is no such schema")?;
    println!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(ExitCode::SUCCESS)
}

fn import_scenarios(from: &Path, to: &Path, image: &[String]) -> anyhow::Result<ExitCode> {
    for report in import::import(from, to, image)? {
        let kept = if report.differences.is_empty() { "as it was" } else { "with differences:" };
        println!("{}: {kept}", report.lab);
        report.differences.iter().for_each(|words| println!("    {words}"));
    }
    Ok(check(&[to.to_owned()]))
}

fn check(folders: &[PathBuf]) -> ExitCode {
    let mut errors = 0;
    for folder in folders {
        let Loaded { course, faults } = load(folder);
        for fault in &faults {
            println!("{}/{fault}", folder.display());
        }
        errors += faults.iter().filter(|fault| fault.severity == Severity::Error).count();
        if let (Some(course), true) = (course, faults.is_empty()) {
            let (labs, decks) = (course.labs().count(), course.decks().count());
            println!("{}: {labs} labs and {decks} decks, nothing is wrong", folder.display());
        }
    }
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn try_course(test: Test) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(try_labs(test))
}

async fn try_labs(test: Test) -> anyhow::Result<ExitCode> {
    let folder = std::path::absolute(&test.folder)?;
    let Loaded { course, faults } = load(&folder);
    for fault in faults.iter().filter(|fault| fault.severity == Severity::Error) {
        println!("{}/{fault}", test.folder.display());
    }
    let (Some(course), Some(parent)) = (course, folder.parent()) else { bail!("this course cannot be read") };
    let socket: PathBuf = test.engine.strip_prefix("unix://").unwrap_or(&test.engine).into();
    let engine = session::find(socket).await.context("cannot use the engine")?;
    let named: BTreeSet<String> = match &test.image {
        Some(image) => BTreeSet::from([image.clone()]),
        None => course.labs().flat_map(|lab| lab.place.images.clone()).collect(),
    };
    let mut policy: Policy = Config::read(["sandlot-server"].map(Into::into))?.policy;
    policy.pool.count = 0;
    policy.recording = None;
    let usual = std::mem::take(&mut policy.catalogue);
    for name in named {
        if engine.image(&name).await.is_ok() {
            policy.catalogue.push(image(name));
        }
    }
    policy.catalogue.extend(usual);
    let state = std::env::temp_dir().join(format!("sandlot-course-test-{}", std::process::id()));
    std::fs::create_dir(&state)?;
    let cases = in_sessions(&test, &state, (engine, policy), (course, parent)).await;
    std::fs::remove_dir_all(&state)?;
    let (name, cases) = cases?;
    if let Some(file) = &test.junit {
        std::fs::write(file, trial::junit(&name, &cases))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let failed = cases.iter().filter(|case| case.fault.is_some()).count() + faults_of(&faults);
    println!("{} tried, {failed} failed", cases.len());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn faults_of(faults: &[crate::course::fault::Fault]) -> usize {
    faults.iter().filter(|fault| fault.severity == Severity::Error).count()
}

fn image(name: String) -> Image {
    Image {
        title: name.clone(),
        description: String::new(),
        profile: Profile::Standard,
        network: Network::None,
        recorded: None,
        name,
    }
}

type Engine = std::sync::Arc<dyn session::engine::Engine>;

async fn in_sessions(
    test: &Test,
    state: &Path,
    (engine, policy): (Engine, Policy),
    (course, parent): (crate::course::model::Course, &Path),
) -> anyhow::Result<(String, Vec<Case>)> {
    let store = Store::open(&state.join("sandlot.db")).await?;
    let node = format!("course-test-{}", std::process::id());
    let sessions = Sessions::load(engine, store.clone(), policy, node, state).await?;
    let tasks = sessions.run();
    let mut learning = Learning::new(Shelf::new(Some(parent.to_owned())), sessions, store.clone());
    if let Some(image) = &test.image {
        learning = learning.of_image(image);
    }
    let mut cases = Vec::new();
    for lab in course.labs().filter(|lab| test.lab.is_empty() || test.lab.contains(&lab.name)) {
        let mut tell = |case: &Case| match &case.fault {
            None => println!("ok      {}: {}", case.lab, case.name),
            Some(fault) => println!("FAILED  {}: {}: {fault}", case.lab, case.name),
        };
        cases.extend(learning.try_lab(&course, lab, &mut tell).await);
    }
    tasks.iter().for_each(tokio::task::AbortHandle::abort);
    store.close().await;
    Ok((course.name, cases))
}

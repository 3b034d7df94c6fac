//! What of a Dockerfile must be done: the target's stage and those that it needs, in an order in which each finds what it
//! needs; and the images that they begin with.

use super::bases::Bases;
use super::dockerfile::{self, Dockerfile, Instruction, Stage, Step, expand};
use super::error::Error;
use super::mounts;
use super::state::{Given, State};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    /// The stages that are needed, each behind those that it needs.
    pub(super) order: Vec<usize>,
    /// What each stage begins with; of those that are not needed nothing.
    pub(super) bases: BTreeMap<usize, Base>,
    /// What a stage's image wants done first.
    pub(super) triggers: BTreeMap<usize, Vec<Step>>,
    /// Images that something is copied from, by the name in the file.
    pub(super) images: BTreeMap<String, State>,
    pub(super) target: usize,
}

/// What a stage begins with.
#[derive(Debug, Clone)]
pub(super) enum Base {
    /// Nothing.
    Scratch,
    /// Another stage.
    Stage(usize),
    /// An image.
    Image(Box<State>),
}

/// Where something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A stage.
    Stage(usize),
    /// An image of that name.
    Image,
}

impl Plan {
    /// Finds out what is needed, and fetches the images.
    pub(super) async fn make(
        file: &Dockerfile,
        target: Option<&str>,
        given: &Given,
        bases: &Bases<'_>,
    ) -> Result<Self, Error> {
        let target = target_of(file, target)?;
        let mut plan = Self {
            order: Vec::new(),
            bases: BTreeMap::new(),
            triggers: BTreeMap::new(),
            images: BTreeMap::new(),
            target,
        };
        let mut needs: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut open = vec![target];
        while let Some(n) = open.pop() {
            if needs.contains_key(&n) {
                continue;
            }
            let found = plan.look(file, n, given, bases).await?;
            open.extend(&found);
            needs.insert(n, found);
        }
        plan.order = ordered(file, &needs)?;
        Ok(plan)
    }

    /// Looks at one stage: the stages that it needs.
    async fn look(
        &mut self,
        file: &Dockerfile,
        n: usize,
        given: &Given,
        bases: &Bases<'_>,
    ) -> Result<BTreeSet<usize>, Error> {
        let stage = &file.stages[n];
        let mut needs = BTreeSet::new();
        let values = |name: &str| given.global.get(name).or_else(|| given.platform.get(name)).cloned();
        let at = |why: String| Error::Dockerfile(dockerfile::Error { line: stage.line, why });
        let name = expand::word(&stage.base, &values, file.escape).map_err(at)?;
        if name.is_empty() {
            return Err(at(format!("base name ({}) should not be blank", stage.base)));
        }
        let platform = stage.platform.as_ref().map(|p| expand::word(p, &values, file.escape)).transpose();
        let platform = platform.map_err(at)?.filter(|p| !p.is_empty());
        let earlier =
            file.stages[..n].iter().position(|s| s.name.as_deref() == Some(&name.to_ascii_lowercase()));
        let (base, triggers) = match earlier {
            Some(other) => {
                needs.insert(other);
                (Base::Stage(other), waiting(&file.stages[other]))
            }
            None if name == "scratch" => (Base::Scratch, Vec::new()),
            None => {
                let mut state = bases.image(&name, platform.as_deref()).await?;
                let waiting = state.list("OnBuild");
                state.config.remove("OnBuild");
                (Base::Image(Box::new(state)), waiting)
            }
        };
        let mut steps = Vec::new();
        for trigger in &triggers {
            let read = dockerfile::trigger(trigger, file.escape);
            let read = read.map_err(|e| at(format!("the ONBUILD trigger {trigger:?}: {}", e.why)))?;
            let line = stage.line;
            steps.extend(read.into_iter().map(|s| Step { line, text: format!("ONBUILD {}", s.text), ..s }));
        }
        for from in steps.iter().chain(&stage.steps).flat_map(|step| named(&step.instruction)) {
            match self.origin(file, from) {
                Origin::Stage(other) => {
                    needs.insert(other);
                }
                Origin::Image if from.bytes().all(|b| b.is_ascii_digit()) => {
                    return Err(Error::step(format!(
                        "invalid from flag value {from}: there is no such stage"
                    )));
                }
                Origin::Image => {
                    if !self.images.contains_key(from) {
                        let state = bases.image(from, None).await?;
                        self.images.insert(from.to_owned(), state);
                    }
                }
            }
        }
        self.bases.insert(n, base);
        self.triggers.insert(n, steps);
        Ok(needs)
    }

    /// What a `from` names: a stage's number or name, or an image.
    #[allow(clippy::unused_self, reason = "it is the plan that knows what names mean")]
    pub(super) fn origin(&self, file: &Dockerfile, from: &str) -> Origin {
        let number = from.parse::<usize>().ok().filter(|n| *n < file.stages.len());
        let named = || file.stages.iter().position(|s| s.name.as_deref() == Some(&from.to_ascii_lowercase()));
        number.or_else(named).map_or(Origin::Image, Origin::Stage)
    }

    /// How many steps are told of.
    pub(super) fn steps(&self, file: &Dockerfile) -> usize {
        self.order.iter().map(|n| 1 + file.stages[*n].steps.len()).sum()
    }
}

fn target_of(file: &Dockerfile, target: Option<&str>) -> Result<usize, Error> {
    let Some(target) = target.filter(|t| !t.is_empty()) else { return Ok(file.stages.len() - 1) };
    let number = target.parse::<usize>().ok().filter(|n| *n < file.stages.len());
    let named = || file.stages.iter().position(|s| s.name.as_deref() == Some(&target.to_ascii_lowercase()));
    let found = number.or_else(named);
    found.ok_or_else(|| Error::invalid(format!("failed to reach build target {target} in Dockerfile")))
}

/// What an instruction takes from elsewhere.
fn named(instruction: &Instruction) -> Vec<&str> {
    match instruction {
        Instruction::Copy(copy) => copy.from.as_deref().into_iter().collect(),
        Instruction::Run(run) => run.mounts.iter().filter_map(|m| mounts::from_of(m)).collect(),
        _ => Vec::new(),
    }
}

fn waiting(stage: &Stage) -> Vec<String> {
    let one = |step: &Step| match &step.instruction {
        Instruction::Onbuild(text) => Some(text.clone()),
        _ => None,
    };
    stage.steps.iter().filter_map(one).collect()
}

/// Each stage behind those that it needs, else as they stand in the file.
fn ordered(file: &Dockerfile, needs: &BTreeMap<usize, BTreeSet<usize>>) -> Result<Vec<usize>, Error> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < needs.len() {
        let free = |n: &usize| !order.contains(n) && needs[n].iter().all(|other| order.contains(other));
        match needs.keys().copied().find(free) {
            Some(n) => order.push(n),
            None => {
                let stuck = needs.keys().find(|n| !order.contains(n)).copied().unwrap_or_default();
                let name = file.stages[stuck].name.clone().unwrap_or_else(|| stuck.to_string());
                return Err(Error::invalid(format!("circular dependency detected on stage: {name}")));
            }
        }
    }
    Ok(order)
}

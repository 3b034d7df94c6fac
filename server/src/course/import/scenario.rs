//! One scenario: `index.json` and what it names become a lab.

use super::text::convert_text;
use super::{Error, Report, Writer, of_scenario, yaml};
use crate::course::folder::{self, Folder};
use rustix::fs::FileType;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Bytes of a text or script.
const TEXT: u64 = 512 << 10;
/// Bytes of an asset.
const ASSET: u64 = 16 << 20;

/// `index.json`. Keys that nobody knows are reported, not refused.
#[derive(Debug, Deserialize)]
pub(super) struct Scenario {
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    difficulty: Option<String>,
    #[serde(default)]
    time: Option<Value>,
    #[serde(default)]
    details: Details,
    #[serde(default)]
    backend: Option<Value>,
    #[serde(default)]
    interface: Option<Value>,
    #[serde(default)]
    environment: Option<Value>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    #[serde(default)]
    intro: Option<Part>,
    #[serde(default)]
    steps: Vec<Part>,
    #[serde(default)]
    finish: Option<Part>,
    #[serde(default)]
    assets: BTreeMap<String, Vec<Asset>>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Part {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    verify: Option<String>,
    #[serde(default)]
    foreground: Option<String>,
    #[serde(default)]
    background: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default, rename = "courseData")]
    course_data: Option<String>,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    answer: Option<String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Asset {
    file: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    chmod: Option<String>,
}

/// Where a scenario is read from, and what it is written to.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Folder,
    pub(super) file: &'a str,
    pub(super) writer: &'a Writer<'a>,
}

struct Conversion<'a> {
    place: &'a Place<'a>,
    lab: String,
    differences: Vec<String>,
}

pub(super) fn convert(place: &Place<'_>, name: &str, scenario: Scenario) -> Result<Report, Error> {
    let mut work = Conversion { place, lab: name.to_owned(), differences: Vec::new() };
    work.report_what_is_unknown(&scenario);
    let Details { intro, steps, finish, assets, .. } = scenario.details;
    let mut setup = vec![
        "mkdir -p /etc/killercoda; echo \"${LAB_SESSION:-localhost}\" > /etc/killercoda/host\n".to_owned(),
    ];
    let mut lab = Map::new();
    let title = if scenario.title.is_empty() { name.to_owned() } else { scenario.title };
    lab.insert("title".to_owned(), json!(title));
    lab.insert("description".to_owned(), json!(scenario.description.unwrap_or_default()));
    lab.insert("difficulty".to_owned(), json!(scenario.difficulty));
    lab.insert("minutes".to_owned(), json!(scenario.time.as_ref().and_then(minutes)));
    if let Some(intro) = intro {
        setup.extend(work.scripts("the introduction", &intro)?);
        lab.insert("intro".to_owned(), work.text("intro.md", &intro)?);
    }
    if let Some(finish) = finish {
        lab.insert("finish".to_owned(), work.text("finish.md", &finish)?);
    }
    lab.insert("files".to_owned(), work.assets(assets)?);
    work.write("setup.sh", &setup.concat())?;
    lab.insert("setup".to_owned(), json!("setup.sh"));
    let mut all = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        all.push(work.step(n + 1, step)?);
    }
    if all.is_empty() {
        work.differences.push("it has no steps: its introduction became one".to_owned());
        work.write("1-start.md", "There is nothing to be checked here.\n")?;
        all.push(json!({"text": "1-start.md"}));
    }
    lab.insert("steps".to_owned(), Value::Array(all));
    work.write("lab.yaml", &yaml(&Value::Object(lab)))?;
    Ok(Report { lab: work.lab, differences: work.differences })
}

/// `"15 minutes"`, `"15-20 minutes"`, `"1 hour"`, `15`.
fn minutes(time: &Value) -> Option<u64> {
    if let Some(number) = time.as_u64() {
        return Some(number);
    }
    let text = time.as_str()?.to_lowercase();
    let digits: String =
        text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().ok()?;
    Some(if text.contains("hour") { number.saturating_mul(60) } else { number })
}

impl Conversion<'_> {
    fn report_what_is_unknown(&mut self, scenario: &Scenario) {
        let mut note = |words: String| self.differences.push(words);
        let image =
            scenario.backend.as_ref().and_then(|backend| backend.get("imageid")).and_then(Value::as_str);
        match image {
            Some(image) if image.contains("kubernetes") || image.contains("k3s") => {
                note(format!(
                    "its back end is {image}: there is no Kubernetes cluster here; steps that need one fail"
                ));
            }
            Some(image) => {
                note(format!("its back end {image:?} is another image here: the one of the course"))
            }
            None => {}
        }
        let layout = scenario.interface.as_ref().or(scenario.environment.as_ref());
        let layout = layout
            .and_then(|table| table.get("layout").or_else(|| table.get("uilayout")))
            .and_then(Value::as_str);
        if let Some(layout) = layout.filter(|layout| *layout != "terminal") {
            note(format!(
                "its layout {layout:?} is the usual one here: text beside terminals, the editor on demand"
            ));
        }
        let known = ["icon", "private", "pausetime", "type"];
        let keys = scenario.more.keys().chain(scenario.details.more.keys());
        for key in keys.filter(|key| !known.contains(&key.as_str())) {
            note(format!("the key {key:?} means nothing here"));
        }
    }

    fn write(&self, path: &str, text: &str) -> Result<(), Error> {
        self.place.writer.write(&format!("labs/{}/{path}", self.lab), text.as_bytes())
    }

    fn read(&mut self, path: &str) -> Result<Option<String>, Error> {
        match self.place.folder.text(&of_scenario(self.place.file, path), TEXT) {
            Ok(text) => Ok(Some(text)),
            Err(folder::Error::Missing(_)) => {
                self.differences.push(format!("{path} is named and not there"));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn text(&mut self, name: &str, part: &Part) -> Result<Value, Error> {
        let text = match &part.text {
            Some(path) => self.read(path)?.unwrap_or_default(),
            None => String::new(),
        };
        let text = convert_text(&text, &mut self.differences);
        self.write(name, if text.trim().is_empty() { "There is no text.\n" } else { &text })?;
        Ok(json!(name))
    }

    /// What a part runs when it is shown.
    fn scripts(&mut self, whose: &str, part: &Part) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        let foreground = part.code.as_ref().or(part.foreground.as_ref());
        for (path, kind) in
            [(part.course_data.as_ref(), "courseData"), (part.background.as_ref(), "background")]
        {
            if let Some(path) = path
                && let Some(text) = self.read(path)?
            {
                all.push(detached(&text, kind));
            }
        }
        if let Some(path) = foreground
            && let Some(text) = self.read(path)?
        {
            self.differences
                .push(format!("the foreground script of {whose} runs unseen, not in the terminal"));
            all.push(detached(&text, "foreground"));
        }
        for key in part.more.keys() {
            self.differences.push(format!("the key {key:?} of {whose} means nothing here"));
        }
        Ok(all)
    }

    fn step(&mut self, n: usize, part: &Part) -> Result<Value, Error> {
        let whose = format!("step {n}");
        let mut step = Map::new();
        step.insert("text".to_owned(), self.text(&format!("{n}-step{n}.md"), part)?);
        step.insert("name".to_owned(), json!(format!("step{n}")));
        step.insert("title".to_owned(), json!(part.title));
        let scripts = self.scripts(&whose, part)?;
        if !scripts.is_empty() {
            self.write(&format!("setup/step{n}.sh"), &scripts.concat())?;
            step.insert("setup".to_owned(), json!(format!("setup/step{n}.sh")));
        }
        if let Some(path) = &part.verify
            && let Some(text) = self.read(path)?
        {
            if text.starts_with("#!") && !text.starts_with("#!/bin/sh") {
                self.differences.push(format!(
                    "the check of {whose} is run by busybox's sh, whatever its first line says"
                ));
            }
            self.write(&format!("check/step{n}.sh"), &text)?;
            step.insert("check".to_owned(), json!({"script": format!("check/step{n}.sh"), "timeout": 60}));
        }
        let mut hints = Vec::new();
        for path in [&part.hint, &part.answer].into_iter().flatten() {
            if let Some(text) = self.read(path)? {
                hints.push(json!({"text": convert_text(&text, &mut self.differences)}));
            }
        }
        if !hints.is_empty() {
            step.insert("hints".to_owned(), Value::Array(hints));
        }
        Ok(Value::Object(step))
    }

    fn assets(&mut self, hosts: BTreeMap<String, Vec<Asset>>) -> Result<Value, Error> {
        let mut all = Vec::new();
        for (host, assets) in hosts {
            if !["host01", "client", "controlplane"].contains(&host.as_str()) {
                self.differences
                    .push(format!("there is one machine here: the assets of {host} are put into it"));
            }
            for asset in assets {
                let base = of_scenario(self.place.file, "assets");
                let (within, pattern) = asset.file.rsplit_once('/').unwrap_or(("", &asset.file));
                let folder = if within.is_empty() { base } else { format!("{base}/{within}") };
                let (head, tail) = pattern.split_once('*').unwrap_or((pattern, ""));
                let exact = !pattern.contains('*');
                let names = self.place.folder.names(&folder, FileType::RegularFile)?;
                let fits = |name: &&String| match exact {
                    true => name.as_str() == head,
                    false => name.starts_with(head) && name.ends_with(tail.trim_start_matches('*')),
                };
                let found: Vec<&String> = names.iter().filter(fits).collect();
                if found.is_empty() {
                    self.differences.push(format!("there is no asset {}", asset.file));
                }
                for name in found {
                    let bytes = self.place.folder.bytes(&format!("{folder}/{name}"), ASSET)?;
                    let kept = format!("assets/{within}{}{name}", if within.is_empty() { "" } else { "/" });
                    self.place.writer.write(&format!("labs/{}/{kept}", self.lab), &bytes)?;
                    let target = asset.target.replace("~/", "/root/");
                    let target = if target.starts_with('/') { target } else { format!("/root/{target}") };
                    let to = format!("{}/{name}", target.trim_end_matches('/'));
                    let mut file = json!({"from": kept, "to": to});
                    if let Some(mode) = asset.chmod.as_deref().and_then(mode) {
                        file["mode"] = json!(mode);
                    }
                    all.push(file);
                }
            }
        }
        Ok(Value::Array(all))
    }
}

/// `+x` and octal digits.
fn mode(chmod: &str) -> Option<String> {
    match chmod {
        "+x" | "a+x" | "u+x" => Some("0755".to_owned()),
        digits if digits.chars().all(|c| ('0'..='7').contains(&c)) && digits.len() <= 4 => {
            Some(digits.to_owned())
        }
        _ => None,
    }
}

/// Killercoda does not wait for these; what one prints is kept where it keeps it.
fn detached(script: &str, kind: &str) -> String {
    let end = "SANDLOT-END-OF-SCRIPT";
    let shell = script.strip_prefix("#!").and_then(|rest| rest.lines().next()).map_or("sh", str::trim);
    let shell = if shell.contains("bash") { "$(command -v bash || echo sh)" } else { "sh" };
    format!(
        "mkdir -p /var/log/killercoda\ncat > /var/log/killercoda/{kind}.sh <<'{end}'\n{}\n{end}\n\
         nohup {shell} /var/log/killercoda/{kind}.sh > /var/log/killercoda/{kind}_std.out 2> /var/log/killercoda/{kind}_std.err &\n",
        script.trim_end()
    )
}

//! The YAML files of a course as they are written; `docs/labs.md` tells what each key means.
//!
//! The published JSON schemas are made from these types, so they cannot differ from what is read. Knows no file.

use super::located::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// `course.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "course.yaml")]
pub struct CourseFile {
    /// What the course is called.
    pub title: At<String>,
    /// What it is about, in Markdown.
    #[serde(default)]
    pub description: String,
    /// In words.
    pub difficulty: Option<String>,
    /// How long it takes, about.
    pub minutes: Option<u32>,
    /// Who wrote it.
    #[serde(default)]
    pub authors: Vec<String>,
    /// The image of slides, and of labs that name none.
    #[serde(default)]
    pub image: Images,
    /// Whether containers can be made inside.
    #[serde(default)]
    pub nested: bool,
    /// Whether its sessions have a container engine of their own, for `docker`; they are nested then.
    #[serde(default)]
    pub engine: bool,
    /// Decks and labs, in order.
    pub contents: Option<Vec<At<Item>>>,
}

/// One item of `contents`: either of both.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// A deck's file.
    pub slides: Option<String>,
    /// A lab's name.
    pub lab: Option<String>,
}

/// `lab.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lab.yaml")]
pub struct LabFile {
    /// What the lab is called.
    pub title: At<String>,
    /// What it is about, in Markdown.
    #[serde(default)]
    pub description: String,
    /// In words.
    pub difficulty: Option<String>,
    /// How long it takes, about.
    pub minutes: Option<u32>,
    /// The image, or several: the first in the server's catalogue.
    #[serde(default)]
    pub image: Images,
    /// Whether containers can be made inside.
    pub nested: Option<bool>,
    /// Whether its sessions have a container engine of their own, for `docker`; they are nested then.
    pub engine: Option<bool>,
    /// Terminals that are there at once.
    #[serde(default)]
    pub terminals: Vec<At<String>>,
    /// Values that differ from student to student.
    #[serde(default)]
    pub variables: BTreeMap<String, At<VariableFile>>,
    /// Files that are put into the session.
    #[serde(default)]
    pub files: Vec<At<AssetFile>>,
    /// Ports that are shown.
    #[serde(default)]
    pub ports: Vec<PortFile>,
    /// A script before the first step.
    pub setup: Option<At<Short<ScriptFile>>>,
    /// A script before the end.
    pub cleanup: Option<At<Short<ScriptFile>>>,
    /// Markdown before the first step.
    pub intro: Option<At<String>>,
    /// Markdown after the last step.
    pub finish: Option<At<String>>,
    /// The steps.
    pub steps: At<Vec<At<StepFile>>>,
}

/// A step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepFile {
    /// Its Markdown.
    pub text: At<String>,
    /// The name under which progress is stored.
    pub name: Option<At<String>>,
    /// Its title.
    pub title: Option<String>,
    /// A script when it is first opened.
    pub setup: Option<At<Short<ScriptFile>>>,
    /// What tells whether it is done.
    pub check: Option<At<Short<CheckFile>>>,
    /// What does it.
    pub solve: Option<At<Short<ScriptFile>>>,
    /// Files that the editor shows.
    #[serde(default)]
    pub open: Vec<String>,
    /// Hints.
    #[serde(default)]
    pub hints: Vec<Short<HintFile>>,
    /// Steps that come before.
    #[serde(default)]
    pub after: Vec<At<String>>,
    /// Several things to do.
    #[serde(default)]
    pub tasks: Vec<At<TaskFile>>,
    /// Questions.
    #[serde(default)]
    pub quiz: Vec<At<QuestionFile>>,
}

/// A task of a step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskFile {
    /// The name under which progress is stored.
    pub name: At<String>,
    /// What to do, in Markdown.
    pub text: String,
    /// What tells whether it is done.
    pub check: At<Short<CheckFile>>,
    /// What does it.
    pub solve: Option<At<Short<ScriptFile>>>,
    /// Hints.
    #[serde(default)]
    pub hints: Vec<Short<HintFile>>,
    /// Tasks that come before.
    #[serde(default)]
    pub after: Vec<At<String>>,
}

/// A question.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuestionFile {
    /// The name under which progress is stored.
    pub name: At<String>,
    /// What is asked, in Markdown.
    pub question: String,
    /// What there is to choose from.
    #[serde(default)]
    pub choices: Vec<ChoiceFile>,
    /// Whether several may be ticked although one is right.
    #[serde(default)]
    pub multiple: bool,
    /// A regular expression that the whole answer must match.
    pub answer: Option<At<String>>,
}

/// One answer to choose.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceFile {
    /// It, in Markdown.
    pub text: String,
    /// Whether it is right.
    #[serde(default)]
    pub right: bool,
    /// Shown once it was chosen.
    pub why: Option<String>,
}

/// A script: a file, or itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptFile {
    /// The file.
    pub script: Option<String>,
    /// The script.
    pub run: Option<String>,
}

/// A script that tells whether something is done.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckFile {
    /// The file.
    pub script: Option<String>,
    /// The script.
    pub run: Option<String>,
    /// A user of the image.
    #[serde(rename = "as")]
    pub user: Option<String>,
    /// Seconds.
    #[schemars(range(min = 1, max = 120))]
    pub timeout: Option<u32>,
    /// How often it is tried again.
    #[serde(default)]
    #[schemars(range(max = 10))]
    pub retries: u32,
    /// Whether it runs by itself.
    #[serde(default)]
    pub auto: bool,
}

/// A hint.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HintFile {
    /// It, in Markdown.
    pub text: String,
    /// Failed tries after which it is offered.
    pub after: Option<u32>,
}

/// A variable: one of three kinds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableFile {
    /// A number of this range.
    pub number: Option<(i64, i64)>,
    /// One of these.
    pub choice: Option<Vec<String>>,
    /// So many random letters and digits.
    #[schemars(range(min = 4, max = 64))]
    pub secret: Option<u32>,
}

/// Files that are put into the session.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetFile {
    /// A file, or with `*` in its last part several.
    pub from: String,
    /// An absolute path; with `/` at its end a folder.
    pub to: String,
    /// Octal digits.
    pub mode: Option<String>,
}

/// A port that is shown.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortFile {
    /// The port.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Some words.
    pub title: Option<String>,
}

/// One text or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images(pub Vec<String>);

impl<'de> Deserialize<'de> for Images {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Images;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an image's name, or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Images, E> {
                Ok(Images(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Images, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element::<String>()? {
                    if names.len() == 16 {
                        return Err(A::Error::custom("more than 16 images"));
                    }
                    names.push(name);
                }
                Ok(Images(names))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Images {
    fn schema_name() -> Cow<'static, str> {
        "Images".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 16}]})
    }
}

/// What a text alone stands for, where a table may stand.
pub trait FromText {
    /// What the text means.
    fn from_text(text: &str) -> Self;
}

impl FromText for ScriptFile {
    fn from_text(text: &str) -> Self {
        Self { script: Some(text.to_owned()), run: None }
    }
}

impl FromText for CheckFile {
    fn from_text(text: &str) -> Self {
        Self { script: Some(text.to_owned()), ..Self::default() }
    }
}

impl FromText for HintFile {
    fn from_text(text: &str) -> Self {
        Self { text: text.to_owned(), after: None }
    }
}

/// A table, or a text that is short for one.
#[derive(Debug, Clone)]
pub struct Short<T>(pub T);

impl<'de, T: Deserialize<'de> + FromText> Deserialize<'de> for Short<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + FromText> Visitor<'de> for Either<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a table")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
                Ok(T::from_text(text))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Either(PhantomData)).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Short<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Short{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<T>();
        json_schema!({"oneOf": [{"type": "string"}, table]})
    }
}

/// The published schema of `course.yaml` or `lab.yaml`.
#[must_use]
pub fn schema(what: &str) -> Option<Schema> {
    match what {
        "course" => Some(schemars::schema_for!(CourseFile)),
        "lab" => Some(schemars::schema_for!(LabFile)),
        _ => None,
    }
}

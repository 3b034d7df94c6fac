//! One instruction: from its line to a typed value. What is wrong is told in Docker's words.

use super::flags::{self, Flag};
use super::health::{self, Health};
use super::lines::{Heredoc, Line, heredoc_name};
use super::words;

/// A command: a string for the shell, or words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// For the shell.
    Shell(String),
    /// As it is.
    Exec(Vec<String>),
}

/// What an instruction says; variables in it are not expanded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the instruction of its name in Docker's reference")]
pub enum Instruction {
    Arg(Vec<(String, Option<String>)>),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    Maintainer(String),
    Run(Run),
    Cmd(Command),
    Entrypoint(Command),
    Shell(Vec<String>),
    Copy(Copy),
    Workdir(String),
    User(String),
    Expose(Vec<String>),
    Volume(Vec<String>),
    StopSignal(String),
    Healthcheck(Health),
    Onbuild(String),
}

/// `RUN`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What is run.
    pub command: Command,
    /// The here-documents that its line names.
    pub heredocs: Vec<Heredoc>,
    /// `--mount`, as written.
    pub mounts: Vec<String>,
    /// `--network`.
    pub network: Option<String>,
}

/// Which of the two instructions that copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `ADD` unpacks archives.
    Add,
    /// `COPY` does not.
    Copy,
}

impl Verb {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Copy => "COPY",
        }
    }
}

/// From where something is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A path or a pattern, in the context, a stage or an image.
    Path(String),
    /// What stands in the Dockerfile.
    Here(Heredoc),
}

/// `COPY` and `ADD`
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the instruction")]
pub struct Copy {
    /// Which of the two.
    pub verb: Verb,
    /// A stage's name or number, or an image.
    pub from: Option<String>,
    /// `user[:group]`
    pub chown: Option<String>,
    /// An octal mode.
    pub chmod: Option<String>,
    /// Whether what is below at the target does not matter.
    pub link: bool,
    /// Whether the source's directories are made at the target, too.
    pub parents: bool,
    /// Whether archives are unpacked, where that was said.
    pub unpack: Option<bool>,
    /// What is left out.
    pub excludes: Vec<String>,
    /// At least one.
    pub sources: Vec<Source>,
    /// To where.
    pub target: String,
}

/// Whether an instruction may stand behind `ONBUILD`.
pub(super) fn may_wait(verb: &str) -> Result<(), String> {
    match verb.to_ascii_uppercase().as_str() {
        "ONBUILD" => Err("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed".into()),
        verb @ ("MAINTAINER" | "FROM") => Err(format!("{verb} isn't allowed as an ONBUILD trigger")),
        _ => Ok(()),
    }
}

/// Reads the instruction of a line.
pub(super) fn parse(line: &Line, escape: char) -> Result<Instruction, String> {
    let (verb, rest) = line.verb();
    let verb = verb.to_ascii_uppercase();
    let needs_one = || match rest {
        "" => Err(format!("{verb} requires exactly one argument")),
        rest => Ok(rest.to_owned()),
    };
    let needs_some = |list: Vec<String>| match list.is_empty() {
        true => Err(format!("{verb} requires at least one argument")),
        false => Ok(list),
    };
    Ok(match verb.as_str() {
        "ARG" => Instruction::Arg(arguments(&needs_some(words::split(rest, escape))?)?),
        "ENV" => Instruction::Env(words::pairs(&verb, rest, escape)?),
        "LABEL" => Instruction::Label(words::pairs(&verb, rest, escape)?),
        "MAINTAINER" => Instruction::Maintainer(needs_one()?),
        "RUN" => run(line, rest)?,
        "CMD" => Instruction::Cmd(command(rest)),
        "ENTRYPOINT" => Instruction::Entrypoint(command(&needs_some(vec![rest.to_owned()])?.concat())),
        "SHELL" => {
            let list = words::json(rest).filter(|list| !list.is_empty());
            Instruction::Shell(list.ok_or("SHELL requires the arguments to be in JSON form")?)
        }
        "COPY" => copy(Verb::Copy, line, rest, escape)?,
        "ADD" => copy(Verb::Add, line, rest, escape)?,
        "WORKDIR" => Instruction::Workdir(needs_one()?),
        "USER" => Instruction::User(needs_one()?),
        "STOPSIGNAL" => Instruction::StopSignal(needs_one()?),
        "EXPOSE" => Instruction::Expose(needs_some(words::split(rest, escape))?),
        "VOLUME" => {
            let list = words::json(rest).unwrap_or_else(|| words::split(rest, escape));
            if list.iter().any(|path| path.trim().is_empty()) {
                return Err("VOLUME specified can not be an empty string".into());
            }
            Instruction::Volume(needs_some(list)?)
        }
        "HEALTHCHECK" => {
            let (flags, rest) = flags::take(rest)?;
            Instruction::Healthcheck(health::parse(&flags, rest)?)
        }
        "ONBUILD" => onbuild(line, rest)?,
        _ => return Err(format!("unknown instruction: {verb}")),
    })
}

/// A JSON list of words, or a string for the shell.
pub(super) fn command(text: &str) -> Command {
    words::json(text).map_or_else(|| Command::Shell(text.to_owned()), Command::Exec)
}

fn arguments(words: &[String]) -> Result<Vec<(String, Option<String>)>, String> {
    let one = |word: &String| match word.split_once('=') {
        Some(("", _)) => Err("ARG names can not be blank".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), Some(value.to_owned()))),
        None => Ok((word.clone(), None)),
    };
    words.iter().map(one).collect()
}

fn run(line: &Line, rest: &str) -> Result<Instruction, String> {
    let (flags, rest) = flags::take(rest)?;
    let (mut mounts, mut network) = (Vec::new(), None);
    for flag in &flags {
        match flag.name.as_str() {
            "mount" => mounts.push(flag.text()?.to_owned()),
            "network" => match flag.text()? {
                "default" => {}
                "none" => network = Some("none".to_owned()),
                other => {
                    return Err(format!(
                        "--network={other} is never done by Sandlot: choose default or none"
                    ));
                }
            },
            "security" => {
                return Err("--security is never done by Sandlot: no build gets rights on the host".into());
            }
            other => return Err(format!("unknown flag: --{other}")),
        }
    }
    if rest.is_empty() {
        return Err("RUN requires at least one argument".into());
    }
    let command = command(rest);
    Ok(Instruction::Run(Run { command, heredocs: line.heredocs.clone(), mounts, network }))
}

fn copy(verb: Verb, line: &Line, rest: &str, escape: char) -> Result<Instruction, String> {
    let (flags, rest) = flags::take(rest)?;
    let mut copy = Copy {
        verb,
        from: None,
        chown: None,
        chmod: None,
        link: false,
        parents: false,
        unpack: None,
        excludes: Vec::new(),
        sources: Vec::new(),
        target: String::new(),
    };
    for flag in &flags {
        copy_flag(&mut copy, flag)?;
    }
    let mut list = words::json(rest).unwrap_or_else(|| words::split(rest, escape));
    let too_few = || {
        format!(
            "{} requires at least two arguments, but only one was provided. Destination could not be determined.",
            verb.word()
        )
    };
    copy.target = list.pop().filter(|_| !list.is_empty()).ok_or_else(too_few)?;
    let mut heredocs = line.heredocs.iter();
    for word in list {
        match heredoc_name(&word).and_then(|_| heredocs.next()) {
            Some(heredoc) => copy.sources.push(Source::Here(heredoc.clone())),
            None => copy.sources.push(Source::Path(word)),
        }
    }
    let address = |s: &&Source| matches!(s, Source::Path(p) if is_address(p));
    if let Some(Source::Path(address)) = copy.sources.iter().find(address) {
        return Err(match verb {
            Verb::Add => format!("ADD {address} is refused: the engine fetches nothing but images"),
            Verb::Copy => format!("source can't be a URL for COPY: {address}"),
        });
    }
    if flags.iter().any(|flag| flag.name == "checksum") {
        return Err("checksum is only supported for HTTP(S) and Git sources, which are refused".into());
    }
    Ok(Instruction::Copy(copy))
}

fn copy_flag(copy: &mut Copy, flag: &Flag) -> Result<(), String> {
    let unknown = || Err(format!("unknown flag: --{}", flag.name));
    match (flag.name.as_str(), copy.verb) {
        ("from", Verb::Copy) => copy.from = Some(flag.text()?.to_owned()),
        ("parents", Verb::Copy) => copy.parents = flag.on()?,
        ("checksum", Verb::Add) => flag.text().map(drop)?,
        ("keep-git-dir", Verb::Add) => flag.on().map(drop)?,
        ("unpack", Verb::Add) => copy.unpack = Some(flag.on()?),
        ("chown", _) => copy.chown = Some(flag.text()?.to_owned()),
        ("chmod", _) => copy.chmod = Some(flag.text()?.to_owned()),
        ("link", _) => copy.link = flag.on()?,
        ("exclude", _) => copy.excludes.push(flag.text()?.to_owned()),
        _ => return unknown(),
    }
    Ok(())
}

fn is_address(path: &str) -> bool {
    let schemes = ["http://", "https://", "git://", "git@", "ssh://", "ftp://"];
    schemes.iter().any(|s| path.to_ascii_lowercase().starts_with(s))
}

fn onbuild(line: &Line, rest: &str) -> Result<Instruction, String> {
    if rest.is_empty() {
        return Err("ONBUILD requires at least one argument".into());
    }
    let (verb, _) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    may_wait(verb)?;
    let trigger = line.whole.trim().split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
    // What waits is read now, so that its error stands where it was written.
    let waiting = Line { text: rest.to_owned(), whole: trigger.to_owned(), ..line.clone() };
    parse(&waiting, '\\').map_err(|why| format!("ONBUILD: {why}"))?;
    Ok(Instruction::Onbuild(trigger.to_owned()))
}

//! `sandlot run` with the commonest options, read without the parser: to know all options of all verbs takes that half a
//! millisecond. What is not understood here is for the parser, which also says what is wrong with it.

use super::container_options::{Attachment, ContainerOptions, Creation};
use super::network_options::NetworkOptions;
use super::values;

/// A container whose output and whose end are wanted, and nothing else.
#[derive(Debug, Default)]
pub(super) struct Shortcut {
    /// The engine that was named.
    pub(super) host: Option<String>,
    /// The container's name.
    pub(super) name: Option<String>,
    options: ContainerOptions,
}

impl Shortcut {
    /// What these arguments ask for, the program's name not among them; `None` for anything out of the common.
    pub(super) fn of(arguments: &[String]) -> Option<Self> {
        let mut all = arguments.iter().map(String::as_str);
        let mut wanted = Self::default();
        let (mut names, mut networks, mut env) = (Vec::new(), Vec::new(), Vec::new());
        let (mut directories, mut users, mut hosts, mut removals) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let mut verb = false;
        let image = loop {
            let word = all.next()?;
            let (option, joined) = match word.split_once('=') {
                Some((option, value)) if word.starts_with("--") => (option, Some(value)),
                _ => (word, None),
            };
            let list = match option {
                "-H" | "--host" => &mut hosts,
                "run" if !verb => {
                    verb = true;
                    continue;
                }
                _ if !verb => return None,
                "--rm" if joined.is_none() => {
                    removals += 1;
                    continue;
                }
                "--name" => &mut names,
                "--network" | "--net" => &mut networks,
                "-e" | "--env" => &mut env,
                "-w" | "--workdir" => &mut directories,
                "-u" | "--user" => &mut users,
                image if !image.starts_with('-') => break image,
                _ => return None,
            };
            let value = joined.map_or_else(|| all.next(), Some)?;
            if value.is_empty() || value.starts_with('-') {
                return None;
            }
            list.push(value.to_owned());
        };
        let words: Vec<String> = std::iter::once(image).chain(all).map(str::to_owned).collect();
        let once = |list: &[String]| list.len() <= 1;
        let odd = image.is_empty() || words.iter().any(|word| word == "--");
        if odd || removals > 1 || ![&names, &directories, &users, &hosts].into_iter().all(|list| once(list)) {
            return None;
        }
        wanted.host = hosts.pop();
        wanted.name = names.pop();
        let options = &mut wanted.options;
        options.rm = removals == 1;
        options.env = env.iter().map(|text| values::env(text)).collect::<Result<_, _>>().ok()?;
        (options.workdir, options.user) = (directories.pop(), users.pop());
        options.restart = values::restart("no").ok()?;
        options.network = NetworkOptions::only(networks);
        options.words = words;
        Some(wanted)
    }

    /// The creation that is asked for.
    pub(super) fn creation(self) -> Option<Creation> {
        self.options.creation(Attachment::Here).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Whole {
        #[arg(short = 'H', long)]
        host: Option<String>,
        #[command(flatten)]
        container: ContainerOptions,
    }

    /// As the parser understands it; the first argument is the verb.
    fn parsed(arguments: &[String]) -> Option<(Option<String>, serde_json::Value)> {
        let Whole { host, container } = Whole::try_parse_from(arguments).ok()?;
        let name = container.name.clone();
        Some((host, serde_json::json!([name, container.creation(Attachment::Here).unwrap()])))
    }

    fn short(arguments: &[String]) -> Option<(Option<String>, serde_json::Value)> {
        let short = Shortcut::of(arguments)?;
        let (host, name) = (short.host.clone(), short.name.clone());
        Some((host, serde_json::json!([name, short.creation().unwrap()])))
    }

    #[test]
    fn what_is_understood_is_what_the_parser_understands() {
        let words: Vec<String> = [
            "run",
            "--rm",
            "--network",
            "none",
            "--network=a",
            "--net=b",
            "--name",
            "--name=x",
            "-e",
            "A=1",
            "--env=B=2=3",
            "-w",
            "/tmp",
            "--user=1:2",
            "-u",
            "i",
            "-x",
            "--",
            "",
            "-H",
            "unix:///s",
            "--host=/s",
            "-t",
            "--rm=x",
            "=",
            "-e=A",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut state = 1u64;
        let mut next = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % most
        };
        let mut understood = 0;
        for _ in 0..20_000 {
            let chosen = (0..next(9)).map(|_| words[next(words.len())].clone());
            let arguments: Vec<String> = std::iter::once("run".to_owned()).chain(chosen).collect();
            if let Some(short) = short(&arguments) {
                understood += 1;
                assert_eq!(Some(short), parsed(&arguments), "{arguments:?}");
            }
        }
        assert!(understood > 1000, "{understood}");
    }

    #[test]
    fn the_common_is_understood() {
        let all = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for common in [
            "run i",
            "run --rm --network none i true",
            "run -H /s --rm -e A=1 i sh -c -x",
            "run --name=a i --rm",
        ] {
            let short = short(&all(common));
            assert!(short.is_some() && short == parsed(&all(common)), "{common}");
        }
        assert!(Shortcut::of(&all("--host /s run --rm i")).unwrap().host.as_deref() == Some("/s"));
        for other in
            ["", "ps", "run", "run -it i", "run -d i", "run --pull always i", "run --rm --rm i", "run -- i"]
        {
            assert!(Shortcut::of(&all(other)).is_none(), "{other}");
        }
    }
}

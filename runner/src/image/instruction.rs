//! Dockerfile instructions that change an image's configuration, as `commit --change` and `import --change` take them.

use super::Error;
use serde_json::{Map, Value, json};

/// Changes `config` (`Cmd`, `Env`, …) as the instruction says.
///
/// # Errors
/// [`Error::Damaged`] that shows the instruction.
pub(super) fn apply(config: &mut Map<String, Value>, instruction: &str) -> Result<(), Error> {
    let wrong = |why: &str| Error::Damaged(format!("the change {instruction:?}: {why}"));
    let (verb, rest) = instruction.trim().split_once(char::is_whitespace).unwrap_or((instruction.trim(), ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(wrong("nothing stands behind it"));
    }
    let mut set = |name: &str, value: Value| drop(config.insert(name.to_owned(), value));
    match verb.to_ascii_uppercase().as_str() {
        "CMD" => set("Cmd", command(rest)),
        "ENTRYPOINT" => set("Entrypoint", command(rest)),
        "USER" => set("User", rest.into()),
        "WORKDIR" => set("WorkingDir", rest.into()),
        "STOPSIGNAL" => set("StopSignal", rest.into()),
        "ENV" => {
            for (name, value) in pairs(rest).ok_or_else(|| wrong("write ENV name=value"))? {
                let list = config.entry("Env").or_insert_with(|| json!([]));
                let list = list.as_array_mut().ok_or_else(|| wrong("the image's Env is no list"))?;
                let own = |v: &Value| v.as_str().is_some_and(|v| v.split('=').next() == Some(&name));
                list.retain(|v| !own(v));
                list.push(format!("{name}={value}").into());
            }
        }
        "LABEL" => {
            let pairs = pairs(rest).ok_or_else(|| wrong("write LABEL name=value"))?;
            let labels = config.entry("Labels").or_insert_with(|| json!({}));
            let labels = labels.as_object_mut().ok_or_else(|| wrong("the image's Labels are no table"))?;
            labels.extend(pairs.into_iter().map(|(name, value)| (name, value.into())));
        }
        verb @ ("EXPOSE" | "VOLUME") => {
            let name = if verb == "EXPOSE" { "ExposedPorts" } else { "Volumes" };
            let words: Vec<String> = serde_json::from_str(rest)
                .unwrap_or_else(|_| rest.split_whitespace().map(ToOwned::to_owned).collect());
            let all = config.entry(name).or_insert_with(|| json!({}));
            let all = all.as_object_mut().ok_or_else(|| wrong("what the image has there is no table"))?;
            let full = |word: String| match verb {
                "EXPOSE" if !word.contains('/') => word + "/tcp",
                _ => word,
            };
            all.extend(words.into_iter().map(|word| (full(word), json!({}))));
        }
        _ => {
            return Err(wrong(
                "CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR can be changed",
            ));
        }
    }
    Ok(())
}

/// A JSON list as it is; anything else for the shell.
fn command(text: &str) -> Value {
    let list = serde_json::from_str::<Vec<String>>(text).ok();
    list.map_or_else(|| json!(["/bin/sh", "-c", text]), |list| json!(list))
}

/// `a=1 b="two words"`, or the old `a one` for one.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let first = text.split_whitespace().next()?;
    if !first.contains('=') {
        let (name, value) = text.split_once(char::is_whitespace)?;
        return Some(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    let mut words = vec![String::new()];
    let (mut quote, mut escaped) = (None, false);
    for c in text.chars() {
        match (quote, c) {
            _ if escaped => {
                words.last_mut()?.push(c);
                escaped = false;
            }
            (_, '\\') if quote != Some('\'') => escaped = true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (_, c) => words.last_mut()?.push(c),
        }
    }
    let words = words.into_iter().filter(|w| !w.is_empty());
    words.map(|word| word.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_change_what_they_name() {
        let mut config = json!({ "Env": ["A=1", "B=2"], "Cmd": ["x"] }).as_object().unwrap().clone();
        for instruction in [
            "CMD [\"sh\", \"-l\"]",
            "ENTRYPOINT echo hi",
            "ENV A=9 C=\"two words\"",
            "ENV D all of it",
            "label k=v",
            "EXPOSE 80 53/udp",
            "VOLUME /data",
            "USER 1000",
            "WORKDIR /w",
        ] {
            apply(&mut config, instruction).unwrap();
        }
        let expected = json!({
            "Cmd": ["sh", "-l"], "Entrypoint": ["/bin/sh", "-c", "echo hi"],
            "Env": ["B=2", "A=9", "C=two words", "D=all of it"], "Labels": {"k": "v"},
            "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/data": {}},
            "User": "1000", "WorkingDir": "/w",
        });
        assert_eq!(Value::Object(config.clone()), expected);
        for bad in ["RUN x", "CMD", "", "ENV X", "LABEL k=v bare"] {
            assert!(apply(&mut config, bad).is_err(), "{bad}");
        }
    }
}

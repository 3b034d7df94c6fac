//! A corpus of Dockerfiles: what they say, and what is wrong with them.

use super::*;

fn steps(text: &str) -> Vec<Instruction> {
    let file = parse(&format!("FROM x\n{text}")).unwrap();
    file.stages[0].steps.iter().map(|s| s.instruction.clone()).collect()
}

fn one(text: &str) -> Instruction {
    steps(text).remove(0)
}

fn shell(text: &str) -> Command {
    Command::Shell(text.into())
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn stages_have_names_and_platforms() {
    let file =
        parse("ARG A=1 B\nARG C\nfrom --platform=linux/amd64 x:$A as Base\nRUN a\nFROM base\n").unwrap();
    assert_eq!(file.arguments, [("A".into(), Some("1".into())), ("B".into(), None), ("C".into(), None)]);
    let [first, second] = &file.stages[..] else { panic!("two stages") };
    assert_eq!((first.base.as_str(), first.name.as_deref()), ("x:$A", Some("base")));
    assert_eq!((first.platform.as_deref(), first.line), (Some("linux/amd64"), 3));
    assert_eq!((second.base.as_str(), second.steps.len()), ("base", 0));
}

#[test]
fn lines_are_joined() {
    assert_eq!(
        steps("RUN a \\\n  # not this\n\n   && b\\\n c\nRUN d \\  \n e"),
        [run("a    && b c"), run("d  e")]
    );
    let file = parse("# escape=`\nFROM x\nRUN dir c:\\ `\n  more").unwrap();
    assert_eq!(file.escape, '`');
    assert_eq!(file.stages[0].steps[0].text, "RUN dir c:\\   more");
    assert_eq!(file.stages[0].steps[0].line, 3);
    // After anything else a directive is a comment.
    assert_eq!(parse("# hello\n# escape=`\nFROM x").unwrap().escape, '\\');
    assert_eq!(
        parse("\u{feff}# syntax=a/b:1\n#check=skip=all\nFROM x\r\nRUN a\r\n").unwrap().stages.len(),
        1
    );
}

fn run(text: &str) -> Instruction {
    Instruction::Run(Run { command: shell(text), heredocs: vec![], mounts: vec![], network: None })
}

#[test]
fn commands_are_words_or_for_the_shell() {
    assert_eq!(one("CMD [\"a\", \"b c\"]"), Instruction::Cmd(Command::Exec(words(&["a", "b c"]))));
    assert_eq!(one("CMD ['a']"), Instruction::Cmd(shell("['a']")));
    assert_eq!(one("ENTRYPOINT exec a"), Instruction::Entrypoint(shell("exec a")));
    assert_eq!(one("SHELL [\"bash\", \"-c\"]"), Instruction::Shell(words(&["bash", "-c"])));
    let Instruction::Run(run) =
        one("RUN --mount=type=cache,target=/c --network=none --mount=\"type=tmpfs,target=/t\" x --y")
    else {
        panic!("a RUN")
    };
    assert_eq!(run.mounts, ["type=cache,target=/c", "type=tmpfs,target=/t"]);
    assert_eq!((run.network.as_deref(), run.command), (Some("none"), shell("x --y")));
}

#[test]
fn pairs() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        one("ENV A=1 B=\"two words\" C=three\\ words"),
        Instruction::Env(vec![pair("A", "1"), pair("B", "\"two words\""), pair("C", "three\\ words")])
    );
    assert_eq!(one("ENV A all of  it"), Instruction::Env(vec![pair("A", "all of  it")]));
    assert_eq!(one("LABEL a.b=c"), Instruction::Label(vec![pair("a.b", "c")]));
    assert_eq!(one("VOLUME [\"/a\", \"/b\"]"), Instruction::Volume(words(&["/a", "/b"])));
    assert_eq!(one("EXPOSE 80 53/udp"), Instruction::Expose(words(&["80", "53/udp"])));
}

#[test]
fn copies() {
    let Instruction::Copy(copy) =
        one("COPY --from=a --chown=u:g --chmod=755 --link --exclude=*.o --exclude=x a b /c/")
    else {
        panic!("a COPY")
    };
    assert_eq!((copy.from.as_deref(), copy.chown.as_deref()), (Some("a"), Some("u:g")));
    assert_eq!((copy.link, copy.excludes.len(), copy.target.as_str()), (true, 2, "/c/"));
    assert_eq!(copy.sources, [Source::Path("a".into()), Source::Path("b".into())]);
    let Instruction::Copy(copy) = one("ADD [\"a b\", \"/c d\"]") else { panic!("an ADD") };
    assert_eq!((copy.sources, copy.target.as_str()), (vec![Source::Path("a b".into())], "/c d"));
}

#[test]
fn here_documents() {
    let text = "RUN <<EOF\necho a\n# kept\n\necho b\nEOF\nCOPY <<-\"x\" <<y /to/\n\t$a\n\tx\n$b\ny\nCMD a";
    let all = steps(text);
    let Instruction::Run(run) = &all[0] else { panic!("a RUN") };
    assert_eq!(run.heredocs[0].content, "echo a\n# kept\n\necho b\n");
    let Instruction::Copy(copy) = &all[1] else { panic!("a COPY") };
    let here = |name: &str, content: &str, expands| {
        Source::Here(Heredoc { name: name.into(), content: content.into(), expands })
    };
    assert_eq!(copy.sources, [here("x", "$a\n", false), here("y", "$b\n", true)]);
    assert_eq!(all.len(), 3);
    // What a trigger keeps is read again as it was written.
    let Instruction::Onbuild(kept) = one("ONBUILD RUN <<A\nb\nA") else { panic!("an ONBUILD") };
    let again = trigger(&kept, '\\').unwrap();
    assert!(matches!(&again[0].instruction, Instruction::Run(r) if r.heredocs[0].content == "b\n"));
    // A shift is no here-document.
    assert_eq!(one("RUN echo $((1<<2))"), super::tests::run("echo $((1<<2))"));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, line, why) in [
        ("FROM x\n\nRUNN a", 3, "unknown instruction: RUNN"),
        ("RUN a", 1, "no build stage in current context"),
        ("", 1, "file with no instructions"),
        ("# only\n", 1, "file with no instructions"),
        ("ARG A", 1, "there is no FROM"),
        ("FROM", 1, "FROM requires either one or three arguments"),
        ("FROM a b", 1, "FROM requires either one or three arguments"),
        ("FROM a AS 1x", 1, "invalid name for build stage"),
        ("FROM a AS b\nFROM c AS B", 2, "duplicate name"),
        ("FROM --x=y a", 1, "unknown flag: --x"),
        ("FROM x\nCOPY a", 2, "COPY requires at least two arguments"),
        ("FROM x\nADD http://h/x /y", 2, "fetches nothing but images"),
        ("FROM x\nCOPY https://h/x /y", 2, "source can't be a URL for COPY"),
        ("FROM x\nADD --checksum=sha256:00 a /y", 2, "checksum is only supported"),
        ("FROM x\nENV A", 2, "ENV must have two arguments"),
        ("FROM x\nENV A=1 b", 2, "can't find = in \"b\""),
        ("FROM x\nENV =1", 2, "names can not be blank"),
        ("FROM x\nSHELL bash", 2, "SHELL requires the arguments to be in JSON form"),
        ("FROM x\nRUN", 2, "RUN requires at least one argument"),
        ("FROM x\nRUN --security=insecure a", 2, "--security is never done"),
        ("FROM x\nRUN --network=host a", 2, "--network=host is never done"),
        ("FROM x\nRUN --device=x a", 2, "unknown flag: --device"),
        ("FROM x\nONBUILD ONBUILD RUN a", 2, "isn't allowed"),
        ("FROM x\nONBUILD FROM a", 2, "FROM isn't allowed as an ONBUILD trigger"),
        ("FROM x\nONBUILD NOPE a", 2, "unknown instruction: NOPE"),
        ("FROM x\nHEALTHCHECK CMD", 2, "Missing command after HEALTHCHECK CMD"),
        ("FROM x\nHEALTHCHECK --interval=x CMD a", 2, "--interval: x"),
        ("FROM x\nHEALTHCHECK SOME", 2, "Unknown type \"SOME\""),
        ("FROM x\nRUN <<EOF\na\n", 2, "unterminated heredoc: EOF"),
        ("# escape=x\nFROM a", 1, "invalid ESCAPE 'x'"),
        ("# escape=`\n# escape=`\nFROM a", 2, "only one escape parser directive"),
        ("FROM x\nVOLUME [\" \"]", 2, "VOLUME specified can not be an empty string"),
        ("FROM x\nWORKDIR", 2, "WORKDIR requires exactly one argument"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.line == line && error.why.contains(why), "{text:?}: {error}");
    }
    assert!(parse(&"#".repeat(SIZE + 1)).is_err());
    assert!(
        parse(&format!("FROM x\n{}", "CMD a\n".repeat(3000))).unwrap_err().why.contains("more than 2000")
    );
}

#[test]
fn variables_are_expanded() {
    let values = |name: &str| match name {
        "a" => Some("one".to_owned()),
        "empty" => Some(String::new()),
        "path" => Some("/a/b/c.tar.gz".to_owned()),
        _ => None,
    };
    for (text, expected) in [
        ("$a ${a}x $none.", "one onex ."),
        ("'$a' \"$a\" \\$a", "$a one $a"),
        ("\"a\\\"b\\n\"", "a\"b\\n"),
        ("${none:-x$a} ${none-y} ${empty-y} ${empty:-z}", "xone y  z"),
        ("${a:+yes} ${none:+yes} ${empty+set} ${empty:+set}", "yes  set "),
        ("${path#*/} ${path##*/} ${path%.*} ${path%%.*}", "a/b/c.tar.gz c.tar.gz /a/b/c.tar /a/b/c"),
        ("${path/\\//_} ${path//\\//_} ${a/o/}", "_a/b/c.tar.gz _a_b_c.tar.gz ne"),
        ("${none:-${a:-x}}", "one"),
        ("$ a$ $1", "$ a$ "),
        ("${a:?must}", "one"),
    ] {
        assert_eq!(expand::word(text, &values, '\\').unwrap(), expected, "{text}");
    }
    for (text, why) in [
        ("${none:?must be}", "none: must be"),
        ("${none?}", "not allowed to be unset"),
        ("${a", "missing '}'"),
        ("${}", "bad substitution"),
        ("${a!b}", "unsupported modifier (!)"),
        ("'a", "single-quote"),
        ("\"a", "double-quote"),
        (&"${none:-".repeat(100), "deep"),
    ] {
        let error = expand::word(text, &values, '\\').unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert_eq!(expand::here("\"$a\" \\$a '${a}'", &values, '\\').unwrap(), "\"one\" $a 'one'");
}

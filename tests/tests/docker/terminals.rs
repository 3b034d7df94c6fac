//! Lines of the `docker` command that are typed at a terminal: a person types on to what they start, changes the window's size,
//! and leaves by the keys that detach.

use super::play::Peer;
use super::rows::Row;
use anyhow::{Context, Result};
use sandlot_tests::terminal::Person;

/// What a person does.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Waits until that was printed.
    Sees(&'static str),
    /// Types.
    Types(&'static str),
    /// Makes the window that many columns and rows large.
    Resizes(u16, u16),
}

use Does::{Resizes, Sees, Types};

/// What is typed at a terminal, and what comes of it.
struct Scene {
    name: &'static str,
    /// Lines that are typed before, elsewhere.
    before: &'static [&'static str],
    /// The line.
    line: &'static str,
    then: &'static [Does],
    /// What it ends with.
    code: u32,
    /// Lines that are typed after it, elsewhere; what they print is compared, too.
    after: &'static [&'static str],
}

/// The prompt of a shell.
const PROMPT: Does = Sees("# ");
/// Waits inside until the new size has come.
const NEW_SIZE: Does = Types("until [ \"$(stty size)\" = '40 120' ]; do :; done; echo resi''zed\n");

const SCENES: &[Scene] = &[
    Scene {
        name: "tty-run",
        before: &[],
        line: "docker run -it --rm $image sh",
        then: &[
            PROMPT,
            Types("until stty size | grep '30 100'; do :; done; tty\n"),
            Sees("30 100\r\n"),
            Sees("/dev/pts/0"),
            PROMPT,
            Resizes(120, 40),
            NEW_SIZE,
            Sees("resized"),
            PROMPT,
            Types("exit 7\n"),
        ],
        code: 7,
        after: &["docker ps -aq --filter name=$name"],
    },
    Scene {
        name: "tty-exec",
        before: &["docker run -d --name $name-a $image sleep 1000"],
        line: "docker exec -it -e A=b $name-a sh",
        then: &[
            PROMPT,
            Types("until stty size | grep '30 100'; do :; done; echo $A$A\n"),
            Sees("bb"),
            PROMPT,
            Resizes(120, 40),
            NEW_SIZE,
            Sees("resized"),
            PROMPT,
            Types("sh -c 'echo on$((1+1)); exec sleep 1000'\n"),
            Sees("on2"),
            Types("\x03"),
            PROMPT,
            Types("exit 5\n"),
        ],
        code: 5,
        after: &["docker inspect -f '{{.State.Running}} {{.ExecIDs}}' $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-detach",
        before: &[],
        line: "docker run -it --name $name-a $image sh",
        then: &[PROMPT, Types("x=kept\n"), PROMPT, Types("\x10\x11")],
        code: 0,
        after: &["docker inspect -f '{{.State.Running}}' $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-attach",
        before: &["docker run -dit --name $name-a $image sh"],
        line: "docker attach $name-a",
        then: &[Types("echo on$((1+1))e\n"), Sees("on2e"), PROMPT, Types("exit 3\n")],
        code: 3,
        after: &["docker wait $name-a", "docker rm $name-a"],
    },
    Scene {
        name: "tty-leave-attach",
        before: &["docker run -dit --name $name-a $image sh"],
        line: "docker attach $name-a",
        then: &[Types("echo on$((1+1))e\n"), Sees("on2e"), PROMPT, Types("\x10\x11")],
        code: 1,
        after: &["docker inspect -f '{{.State.Running}}' $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-keys",
        before: &[],
        line: "docker run -it --detach-keys ctrl-e,b --name $name-a $image sh",
        // The usual ones are plain typing then: none is lost to the shell.
        then: &[PROMPT, Types("cat\n"), Sees("cat"), Types("\x05c\n"), Sees("c"), Types("\x05b")],
        code: 0,
        after: &["docker inspect -f '{{.State.Running}}' $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-exec-keys",
        before: &["docker run -d --name $name-a $image sleep 1000"],
        line: "docker exec -it --detach-keys a,b,c $name-a sh",
        then: &[PROMPT, Types("abc")],
        code: 1,
        after: &["docker inspect -f '{{.State.Running}}' $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-configured-keys",
        before: &["echo '{\"detachKeys\":\"ctrl-f,f\"}' > config/config.json"],
        line: "docker run -it --name $name-a $image sh",
        then: &[PROMPT, Types("\x06f")],
        code: 0,
        after: &["docker inspect -f '{{.State.Running}}' $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-bad-keys",
        before: &[],
        line: "docker run -it --detach-keys ctrl-1 $image sh",
        then: &[],
        code: 1,
        after: &[],
    },
    Scene {
        name: "tty-start",
        before: &["docker create -it --name $name-a $image sh"],
        line: "docker start -ai $name-a",
        then: &[PROMPT, Types("exit 4\n")],
        code: 4,
        after: &["docker start $name-a", "docker rm -f $name-a"],
    },
    Scene {
        name: "tty-interrupt",
        before: &[],
        line: "docker run --rm $image sh -c 'trap \"echo caught; exit 6\" INT; echo ready; while :; do sleep 0.1; done'",
        then: &[Sees("ready"), Types("\x03"), Sees("caught")],
        code: 6,
        after: &[],
    },
    Scene {
        name: "tty-output",
        before: &[],
        line: "docker run -t --rm $image sh -c 'echo out; echo err >&2; [ -t 0 ] && echo a terminal'",
        then: &[Sees("a terminal")],
        code: 0,
        after: &[],
    },
];

/// Plays all scenes to both engines; what is not as it should be.
pub(super) async fn both(ours: &Peer, docker: &Peer) -> Vec<String> {
    let mut running = Vec::new();
    for scene in SCENES {
        let (a, b) = (ours.clone(), docker.clone());
        running.push(tokio::spawn(async move {
            let (a, b) = tokio::join!(play(a, scene), play(b, scene));
            let same = matches!((&a, &b), (Ok(a), Ok(b)) if a == b);
            (!same).then(|| format!("{}\n    ours   {a:?}\n    docker {b:?}", scene.name))
        }));
    }
    let mut wrong = Vec::new();
    for one in running {
        wrong.extend(one.await.unwrap());
    }
    wrong
}

/// All that was to be seen of a scene.
async fn play(peer: Peer, scene: &'static Scene) -> Result<String> {
    let lines = |lines: &[&str]| -> Vec<Row> {
        lines.iter().map(|line| Row { line: (*line).to_owned(), ..Row::default() }).collect()
    };
    peer.play(scene.name, &lines(scene.before)).await?;
    let there = peer.clone();
    let mut seen = tokio::task::spawn_blocking(move || at_a_terminal(&there, scene))
        .await?
        .with_context(|| scene.name.to_owned())?;
    if scene.then.iter().any(|does| matches!(does, Sees("# "))) {
        // When a shell writes its prompt anew depends on when it hears of the window.
        seen.clear();
    }
    for said in peer.play(scene.name, &lines(scene.after)).await? {
        seen += &format!("{} {}\n", said.code, said.whole());
    }
    Ok(seen)
}

fn at_a_terminal(peer: &Peer, scene: &Scene) -> Result<String> {
    let mut person = Person::start(peer.at_a_terminal(scene.name, scene.line), 100, 30)?;
    let mut seen = String::new();
    for does in scene.then {
        match does {
            Sees(text) => seen += &person.until(text)?,
            Types(text) => person.type_in(text)?,
            Resizes(columns, rows) => person.resize(*columns, *rows)?,
        }
    }
    let code = person.end()?;
    anyhow::ensure!(code == scene.code, "it ended with {code}, not {}: {seen:?}", scene.code);
    Ok(seen)
}

//! Promise: a Dockerfile becomes an image as Docker's builder makes it, by the real `docker` client.

use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The image that most of it is built on.
pub(crate) const BASE: &str = "sandlot/starter";

/// A folder to build from.
pub(crate) struct Context(TempDir);

impl Context {
    pub(crate) fn new(dockerfile: &str) -> Self {
        let context = Self(tempfile::tempdir().unwrap());
        context.file("Dockerfile", dockerfile);
        context
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }
}

/// `docker build …` in the classic way.
pub(crate) fn docker_build(sandbox: &Sandbox, arguments: &[&str], context: &Path) -> Command {
    let mut command = sandbox.command(&[&["build"][..], arguments].concat());
    command.arg(context).env("DOCKER_BUILDKIT", "0");
    command
}

/// What it printed, and its exit code.
pub(crate) fn said(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// Builds what must succeed; answers what was printed.
pub(crate) fn built(sandbox: &Sandbox, arguments: &[&str], context: &Path) -> String {
    let output = run(&mut docker_build(sandbox, arguments, context)).unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// That no build has left anything where builds work.
pub(crate) fn nothing_is_left(sandbox: &Sandbox) {
    for place in ["build/contexts", "images/making", "containers"] {
        let left: Vec<PathBuf> = std::fs::read_dir(sandbox.dir().join("state").join(place))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            // One that goes is renamed first, and deleted off the client's path.
            .filter(|path| path.extension().is_none_or(|e| e != "gone"))
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{place}");
    }
    assert_eq!(sandlot_tests::traces::mounts(&sandbox.mark()).unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_build_is_told_as_docker_tells_it_and_what_was_done_is_taken() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new(&format!(
        "ARG VERSION=1\nFROM {BASE}\nARG VERSION\nENV GREETING=\"hello $VERSION\"\nWORKDIR /work\nCOPY text .\n\
         RUN cat text; echo \"$GREETING\" > said; id -u\nCMD [\"cat\", \"/work/said\"]\n"
    ));
    context.file("text", "of the context\n");
    let first = built(&sandbox, &["-t", "made:1", "-t", "made/too"], context.dir());
    for words in [
        "Step 1/7 : FROM sandlot/starter\n ---> ",
        "Step 6/7 : RUN cat text; echo \"$GREETING\" > said; id -u\n ---> Running in ",
        "\nof the context\n0\nRemoving intermediate container ",
        "Successfully built ",
        "Successfully tagged made:1\nSuccessfully tagged made/too:latest\n",
    ] {
        assert!(first.contains(words), "{words:?} is not in {first}");
    }
    assert_eq!(sandbox.ok(&["run", "--rm", "made:1"]).unwrap(), "hello 1");
    // Nothing has changed but times: nothing is done, and it is the same image.
    run(Command::new("touch").arg(context.path("text"))).unwrap();
    let second = built(&sandbox, &["-t", "made:1"], context.dir());
    assert_eq!(second.matches(" ---> Using cache\n").count(), 6, "{second}");
    let id = |text: &str| text.split("Successfully built ").nth(1).unwrap()[..12].to_owned();
    assert_eq!(id(&first), id(&second));
    // An argument that is used, and content: what depends on them is done again.
    let third = built(&sandbox, &["--build-arg", "VERSION=2", "-t", "made:2"], context.dir());
    assert_eq!(sandbox.ok(&["run", "--rm", "made:2"]).unwrap(), "hello 2", "{third}");
    context.file("text", "of another\n");
    assert!(built(&sandbox, &[], context.dir()).contains("of another\n"));
    let again = built(&sandbox, &["--no-cache"], context.dir());
    assert!(!again.contains("Using cache"), "{again}");
    // What is kept outlives the engine.
    let mut sandbox = sandbox;
    sandbox.kill(sandlot_tests::sandbox::Part::Engine).unwrap();
    sandbox.start(sandlot_tests::sandbox::Part::Engine).await.unwrap();
    let after = built(&sandbox, &[], context.dir());
    assert!(after.contains("Using cache") && !after.contains("Running in"), "{after}");
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn the_clients_options_do_what_they_say() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new("FROM scratch\n");
    context.file(
        "other/Dockerfile.x",
        &format!(
            "FROM {BASE} AS first\nRUN echo first > /which\nFROM first AS second\nRUN echo second > /which\n\
             FROM {BASE}\nRUN exit 9\n"
        ),
    );
    let iid = context.path("id");
    let options =
        ["-q", "-f", &context.path("other/Dockerfile.x").display().to_string(), "--target", "second"];
    let more = ["--label", "a=b", "--iidfile", &iid.display().to_string(), "-t", "second"];
    let printed = built(&sandbox, &[&options[..], &more].concat(), context.dir());
    // Asked to be quiet, the client writes what it was told, its end of line included.
    let id = std::fs::read_to_string(&iid).unwrap().trim().to_owned();
    assert_eq!(printed.trim(), id);
    let format = "{{.Id}} {{index .Config.Labels \"a\"}}";
    assert_eq!(sandbox.ok(&["inspect", "-f", format, "second"]).unwrap(), format!("{id} b"));
    assert_eq!(sandbox.ok(&["run", "--rm", "second", "cat", "/which"]).unwrap(), "second");
    // By number, and one that is not there.
    let file = context.path("other/Dockerfile.x").display().to_string();
    built(&sandbox, &["-f", &file, "--target", "0", "-t", "zero"], context.dir());
    assert_eq!(sandbox.ok(&["run", "--rm", "zero", "cat", "/which"]).unwrap(), "first");
    let (code, text) = said(&mut docker_build(&sandbox, &["-f", &file, "--target", "nope"], context.dir()));
    assert!(code == Some(1) && text.contains("failed to reach build target nope in Dockerfile"), "{text}");
    // Limits and hosts reach the commands.
    let limited = Context::new(&format!(
        "FROM {BASE}\nRUN grep -q '10.1.2.3.*other' /etc/hosts && df -k /dev/shm | grep -q 16384\n"
    ));
    built(&sandbox, &["--add-host", "other:10.1.2.3", "--shm-size", "16m"], limited.dir());
    let hungry = Context::new(&format!("FROM {BASE}\nRUN tail /dev/zero\n"));
    let (code, text) = said(&mut docker_build(&sandbox, &["-m", "16m"], hungry.dir()));
    assert!(code == Some(137) && text.contains("returned a non-zero code: 137"), "{code:?} {text}");
    // Context by standard input, packed; Dockerfile by standard input.
    let packed = context.path("packed.tgz");
    run(Command::new("tar").arg("-czf").arg(&packed).arg("-C").arg(limited.dir()).arg(".")).unwrap();
    for input in [packed, limited.path("Dockerfile")] {
        let mut command =
            sandbox.command(&["build", "--add-host", "other:10.1.2.3", "--shm-size", "16m", "-"]);
        command.env("DOCKER_BUILDKIT", "0").stdin(std::fs::File::open(&input).unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}: {output:?}", input.display());
    }
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn what_buildkit_alone_does_is_refused_with_the_way_out() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new(&format!("FROM {BASE}\n"));
    let client = reqwest::Client::builder().unix_socket(sandbox.dir().join("engine.sock")).build().unwrap();
    for (query, words) in [
        ("version=2", "DOCKER_BUILDKIT=0"),
        ("remote=https%3A%2F%2Fexample.org%2Fx.git", "fetches nothing but images"),
        ("squash=1", "--squash is never done"),
        ("buildargs=%7Bx", "the parameter buildargs"),
        ("platform=odd", "is not a platform"),
        ("t=UPPER", "must be lowercase"),
    ] {
        let answer = client.post(format!("http://engine/v1.47/build?{query}")).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{query}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(words), "{query}: {text}");
    }
    let cancelled = client.post("http://engine/build/cancel?id=none").send().await.unwrap();
    assert_eq!(cancelled.status(), 204);
    drop(context);
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn stages_that_are_not_needed_are_left_out_and_others_run_side_by_side() {
    let sandbox = Sandbox::engine().await.unwrap();
    // Each waits for the other's sign: one after the other they would wait for ever.
    let meet = |own: &str, other: &str| {
        format!(
            "FROM {BASE} AS {own}\nRUN --mount=type=cache,id=meet,target=/m touch /m/{own}; \
             until [ -e /m/{other} ]; do sleep 0.01; done; echo {own} > /{own}\n"
        )
    };
    let context = Context::new(&format!(
        "{}{}FROM {BASE} AS never\nRUN echo never; exit 1\nFROM {BASE}\nCOPY --from=a /a /\nCOPY --from=1 /b /\nRUN cat /a /b\n",
        meet("a", "b"),
        meet("b", "a"),
    ));
    let text = built(&sandbox, &[], context.dir());
    assert!(text.contains("Step 8/8 : RUN cat /a /b") && text.contains("\na\nb\n"), "{text}");
    assert!(!text.contains("never"), "{text}");
    // What is said stands in the order of the file, whatever ran first.
    let places: Vec<_> = (1..=8).map(|n| text.find(&format!("Step {n}/8")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn two_builds_at_once_do_a_step_once() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new(&format!(
        "FROM {BASE}\nRUN --mount=type=cache,target=/count echo x >> /count/times; sleep 0.5\n\
         RUN --mount=type=cache,target=/count grep -c x /count/times\n"
    ));
    let start =
        || docker_build(&sandbox, &[], context.dir()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let both = [start(), start(), start()].map(|child| child.wait_with_output().unwrap());
    let texts = both.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let ids: Vec<&str> = texts.iter().map(|t| t.split("Successfully built ").nth(1).unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.contains("\n1\n")).count(), 1, "{texts:?}");
    nothing_is_left(&sandbox);
}

#[tokio::test]
async fn the_same_input_makes_the_same_image() {
    let dockerfile = format!(
        "FROM {BASE} AS a\nRUN date > /etc/stamp; rm /etc/stamp; mkdir /made; echo x > /made/x\n\
         FROM {BASE}\nCOPY --from=a /made /made\nCOPY file dir /to/\nADD <<EOF /here\ntext\nEOF\nENV A=1\n"
    );
    let mut ids = Vec::new();
    for _ in 0..2 {
        let sandbox = Sandbox::engine().await.unwrap();
        let context = Context::new(&dockerfile);
        context.file("file", "content");
        context.file("dir/inner", "content");
        let options = ["-q", "--build-arg", "SOURCE_DATE_EPOCH=1000000000", "-t", "same"];
        ids.push(built(&sandbox, &options, context.dir()));
        let created = sandbox.ok(&["inspect", "-f", "{{.Created}}", "same"]).unwrap();
        assert!(created.starts_with("2001-09-09T01:46:40"), "{created}");
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn what_is_kept_is_shown_and_given_back() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = Context::new(&format!(
        "FROM {BASE}\nRUN --mount=type=cache,target=/c head -c 300000 /dev/zero > /c/kept; head -c 200000 /dev/zero > /big\n"
    ));
    built(&sandbox, &["-t", "big"], context.dir());
    let row = |sandbox: &Sandbox| {
        let table = sandbox.ok(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Size}}"]).unwrap();
        table.lines().find(|line| line.starts_with("Build Cache")).unwrap().to_owned()
    };
    assert!(row(&sandbox).contains("2 300kB"), "{}", row(&sandbox));
    sandbox.ok(&["rmi", "big"]).unwrap();
    assert!(row(&sandbox).contains("2 500kB"), "{}", row(&sandbox));
    let pruned = sandbox.ok(&["builder", "prune", "--all", "--force"]).unwrap();
    assert!(pruned.contains("500"), "{pruned}");
    assert!(row(&sandbox).contains("0 0B"), "{}", row(&sandbox));
    let again = built(&sandbox, &[], context.dir());
    assert!(!again.contains("Using cache"), "{again}");
}

//! Promise: a lab's steps are checked in the student's session by what the student can neither read nor replace, and what was
//! passed is kept.

use sandlot_tests::client::Visitor;
use sandlot_tests::sandbox::{Part, Sandbox};
use sandlot_tests::wait::until;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const LAB: &str = "\
title: A lab
image: [no/such, sandlot/starter]
variables:
  word: { secret: 12 }
files:
  - { from: assets/*, to: /srv/lab/, mode: \"0750\" }
setup: { run: 'echo \"$LAB_WORD\" > /srv/word' }
intro: intro.md
steps:
  - text: 10-file.md
    check: check.sh
    solve: { run: 'cp /srv/word /tmp/answer' }
    hints: [{ after: 1, text: \"Look at `/srv`.\" }]
  - text: 20-who.md
    after: [file]
    check: { run: 'id -un; [ \"$(id -u)\" = 1000 ]', as: student }
    tasks:
      - name: slow
        text: Something slow.
        check: { run: 'echo begun; sleep 600 & sleep 600', timeout: 1 }
      - name: loud
        text: Something loud.
        check: { run: 'yes word | head -c 9000000; echo the end; exit 3' }
    quiz:
      - name: where
        question: Where?
        choices: [{ text: here, right: true }, { text: there, why: \"Not *there*.\" }]
";

/// Whoever gets hold of this word has seen the check.
const SECRET: &str = "SEALED-7f3a9";

fn course(sandbox: &Sandbox) -> PathBuf {
    let courses = sandbox.dir().join("courses");
    let lab = courses.join("mine/labs/first");
    std::fs::create_dir_all(lab.join("assets")).unwrap();
    std::fs::write(courses.join("mine/course.yaml"), "title: Mine\n").unwrap();
    for (name, text) in [
        ("lab.yaml", LAB),
        ("intro.md", "# Hello\n\n![](assets/tree.svg)\n"),
        (
            "10-file.md",
            "# Make a file\n\nYour word is [[word]].\n\n```sh\ncp /srv/word /tmp/answer\n```{{exec}}\n",
        ),
        ("20-who.md", "# Who\n\n<script>alert(1)</script>text\n"),
        ("assets/tool", "#!/bin/sh\necho tool\n"),
    ] {
        std::fs::write(lab.join(name), text).unwrap();
    }
    let check = format!(
        "# {SECRET}\nwhile [ -f /tmp/hold ]; do touch /tmp/begun; sleep 0.1; done\n\
         [ -f /tmp/answer ] || {{ echo There is no answer.; exit 1; }}\ngrep -qx \"$LAB_WORD\" /tmp/answer || {{ echo It is another.; exit 1; }}\n\
         [ \"$(stat -c %a /srv/lab/tool)\" = 750 ] || {{ echo The tool is not there.; exit 1; }}\n"
    );
    std::fs::write(lab.join("check.sh"), check).unwrap();
    // The server has given root up.
    let mut all = vec![courses.clone()];
    while let Some(path) = all.pop() {
        let folder = path.is_dir();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(if folder { 0o755 } else { 0o644 }))
            .unwrap();
        if folder {
            all.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    courses
}

async fn sandbox() -> Sandbox {
    let mut sandbox = Sandbox::engine().await.unwrap();
    let courses = course(&sandbox);
    std::fs::set_permissions(sandbox.dir(), PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.settings(&["--courses", courses.to_str().unwrap()]);
    sandbox.start(Part::Server).await.unwrap();
    sandbox
}

/// A student in the lab, whose session is ready: its id, and its container's.
async fn student(sandbox: &Sandbox) -> (Visitor, String, String) {
    let visitor = Visitor::new(sandbox.address()).await.unwrap();
    let (status, session) =
        visitor.call("POST", "/sessions", Some(json!({"lab": "mine/first"}))).await.unwrap();
    assert_eq!(status, 201, "{session}");
    let id = session["id"].as_str().unwrap().to_owned();
    let path = format!("/sessions/{id}/lab");
    let ready = || async {
        let (_, lab) = visitor.call("GET", &path, None).await.ok()?;
        assert_ne!(lab["state"], "failed", "{lab}");
        (lab["state"] == "ready").then_some(())
    };
    until("the lab to be ready", ready).await.unwrap();
    let label = format!("label=sandlot.session={id}");
    let container = sandbox.ok(&["ps", "-q", "--no-trunc", "--filter", &label]).unwrap();
    (visitor, id, container)
}

async fn check(who: &Visitor, session: &str, step: &str, task: Option<&str>) -> (u16, Value) {
    let body = match task {
        Some(task) => json!({"step": step, "task": task}),
        None => json!({"step": step}),
    };
    who.call("POST", &format!("/sessions/{session}/lab/check"), Some(body)).await.unwrap()
}

#[tokio::test]
async fn a_student_passes_a_lab_and_their_progress_is_kept() {
    let sandbox = sandbox().await;
    let (who, id, container) = student(&sandbox).await;
    let word = sandbox.ok(&["exec", &container, "cat", "/srv/word"]).unwrap();
    let (_, lab) = who.call("GET", "/courses/mine/labs/first", None).await.unwrap();
    assert_eq!((word.len(), lab["session"].as_str()), (12, Some(id.as_str())));
    let text = lab["steps"][0]["html"].as_str().unwrap();
    assert!(text.contains(&word) && text.contains("data-mark=\"exec\""), "{text}");
    assert!(!lab.to_string().contains("<script") && !lab.to_string().contains("right"), "{lab}");

    let (status, first) = check(&who, &id, "file", None).await;
    assert_eq!(
        (status, &first["passed"], &first["feedback"]),
        (200, &json!(false), &json!("There is no answer."))
    );
    assert_eq!(check(&who, &id, "who", None).await.0, 409, "a step that comes before");
    sandbox.ok(&["exec", &container, "sh", "-c", "echo wrong > /tmp/answer"]).unwrap();
    assert_eq!(check(&who, &id, "file", None).await.1["feedback"], "It is another.");
    let solve = format!("/sessions/{id}/lab/solve");
    assert_eq!(who.call("POST", &solve, Some(json!({"step": "file"}))).await.unwrap().0, 204);
    let (_, passed) = check(&who, &id, "file", None).await;
    assert_eq!((&passed["passed"], &passed["step_passed"]), (&json!(true), &json!(true)), "{passed}");

    let (_, student) = check(&who, &id, "who", None).await;
    assert_eq!(
        (&student["passed"], &student["feedback"], &student["step_passed"]),
        (&json!(true), &json!("student"), &json!(false))
    );
    let (_, slow) = check(&who, &id, "who", Some("slow")).await;
    let said = slow["feedback"].as_str().unwrap();
    assert!(
        slow["passed"] == false && said.starts_with("begun\n") && said.contains("longer than 1 s"),
        "{slow}"
    );
    let (_, loud) = check(&who, &id, "who", Some("loud")).await;
    let said = loud["feedback"].as_str().unwrap();
    assert!(loud["passed"] == false && said.ends_with("the end") && said.len() <= 2000, "{loud}");
    assert_eq!(check(&who, &id, "who", Some("none")).await.0, 404);
    let answer = |choices: Value| json!({"step": "who", "question": "where", "choices": choices});
    let path = "/courses/mine/labs/first/answer";
    let (_, wrong) = who.call("POST", path, Some(answer(json!([1])))).await.unwrap();
    assert_eq!(
        (&wrong["passed"], wrong["said"][0].as_str().unwrap().trim()),
        (&json!(false), "<p>Not <em>there</em>.</p>")
    );
    assert_eq!(who.call("POST", path, Some(answer(json!([0])))).await.unwrap().1["passed"], true);

    let (_, courses) = who.call("GET", "/courses", None).await.unwrap();
    assert_eq!((&courses[0]["passed"], &courses[0]["steps"]), (&json!(1), &json!(2)));
    let (_, rows) = who.call("GET", "/courses/mine/progress", None).await.unwrap();
    let tries = |part: &str| {
        rows.as_array().unwrap().iter().find(|row| row["part"] == part).map(|row| row["tries"].clone())
    };
    assert_eq!((tries("check"), tries("quiz:where")), (Some(json!(3)), Some(json!(2))));
    let csv = who
        .raw("GET", "/courses/mine/progress?format=csv", &[], Vec::new())
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(csv.starts_with("visitor,lab,step,part,tries,") && csv.contains(",first,file,check,3,"), "{csv}");
    let other = Visitor::new(sandbox.address()).await.unwrap();
    assert_eq!(other.call("GET", "/courses/mine/progress", None).await.unwrap().1, json!([]));
    assert_eq!(check(&other, &id, "file", None).await.0, 404, "another's session");
    let all = sandbox.administrator().unwrap().call("GET", "/courses/mine/progress", None).await.unwrap().1;
    assert_eq!(all.as_array().unwrap().len(), rows.as_array().unwrap().len());
}

#[tokio::test]
async fn a_check_can_neither_be_read_nor_replaced_from_inside() {
    let sandbox = sandbox().await;
    let (who, id, container) = student(&sandbox).await;
    let inside = |script: &str| sandbox.ok(&["exec", &container, "sh", "-c", script]).unwrap();
    // Programs planted where a check would find them, and a profile that a shell would read: they would all say that it is done.
    inside(
        "for t in grep stat sh test [ cat; do for d in /bin /usr/bin /sbin; do rm -f $d/$t; printf '#!/bin/busybox true\\n' > $d/$t; \
            chmod 755 $d/$t; done; done; echo 'exit 0' > /etc/profile; echo 'exit 0' > /root/.profile; echo 'exit 0' > /etc/shrc",
    );
    let (_, verdict) = check(&who, &id, "file", None).await;
    assert_eq!(verdict["passed"], false, "planted programs pass a check: {verdict}");

    // While a check waits, everything that root inside can look at is searched for a word of it.
    let busybox =
        |script: &str| sandbox.docker(&["exec", &container, "/bin/busybox", "ash", "-c", script]).unwrap();
    busybox("touch /tmp/hold");
    let (asker, session) = (who, id.clone());
    let checking = tokio::spawn(async move { check(&asker, &session, "file", None).await });
    let running = || async { busybox("busybox test -f /tmp/begun").status.success().then_some(()) };
    until("the check to run", running).await.unwrap();
    // Shown to see what there is to be seen: a shell of the session's own, with the same word in it.
    let search = "for p in /proc/[0-9]*; do [ $p = /proc/$$ ] && continue; \
        for f in $p/cmdline $p/environ $p/mem $p/fd/0 $p/root/tmp/*; do \
        case $f in */mem) busybox dd if=$f bs=1 count=1 >/dev/null 2>&1 && echo readable $f;; \
        */fd/0) busybox timeout 1 busybox head -c 65536 $f 2>/dev/null | busybox grep -q SEALED-7f3a9 && echo found $f;; \
        *) busybox grep -q SEALED-7f3a9 $f 2>/dev/null && echo found $f;; esac; done; done";
    let own =
        format!("busybox ash -c 'busybox sleep 30; : SEALED-7f3a9' & busybox sleep 0.3; {search}; kill $!");
    let seen = busybox(&own);
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.lines().any(|line| line.ends_with("/cmdline")), "the search finds nothing at all: {seen}");
    let seen = busybox(search);
    let found: Vec<String> = String::from_utf8_lossy(&seen.stdout)
        .lines()
        .filter(|l| l.starts_with("found"))
        .map(str::to_owned)
        .collect();
    assert!(found.is_empty(), "{found:?}");
    busybox("busybox rm /tmp/hold");
    let (status, verdict) = checking.await.unwrap();
    assert_eq!((status, &verdict["passed"]), (200, &json!(false)));
}

#[tokio::test]
async fn back_to_the_start_of_a_step_does_what_came_before() {
    let sandbox = sandbox().await;
    let (who, id, container) = student(&sandbox).await;
    sandbox.ok(&["exec", &container, "sh", "-c", "echo x > /tmp/mine"]).unwrap();
    let back = format!("/sessions/{id}/lab/back");
    let (status, said) = who.call("POST", &back, Some(json!({"step": "who"}))).await.unwrap();
    assert_eq!(status, 204, "{said}");
    let label = format!("label=sandlot.session={id}");
    let fresh = || async {
        let all = sandbox.ok(&["ps", "-q", "--no-trunc", "--filter", &label]).ok()?;
        (all.lines().count() == 1 && all != container).then_some(all)
    };
    let fresh = until("the fresh machine", fresh).await.unwrap();
    let files =
        sandbox.ok(&["exec", &fresh, "sh", "-c", "ls /tmp; cmp /srv/word /tmp/answer && echo same"]).unwrap();
    assert_eq!(files, "answer\nsame");
}

#[tokio::test]
async fn course_test_tries_every_check_before_and_after() {
    let sandbox = sandbox().await;
    let folder = sandbox.dir().join("courses/mine");
    let report = sandbox.dir().join("report.xml");
    let run = |folder: &Path| {
        let program = sandlot_tests::program("sandlot-server").unwrap();
        let engine = format!("unix://{}", sandbox.dir().join("engine.sock").display());
        let command = ["course", "test", "--lab", "first", "--engine", &engine, "--junit"];
        Command::new(program).args(command).arg(&report).arg(folder).output().unwrap()
    };
    let done = run(&folder);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    // Two checks of this lab cannot pass, which must be told.
    assert!(!done.status.success(), "{said}");
    for line in [
        "ok      first: file: fails before",
        "ok      first: file: passes after",
        "FAILED  first: who: solve",
    ] {
        assert!(said.contains(line), "{line} is missing in {said}{}", String::from_utf8_lossy(&done.stderr));
    }
    let xml = std::fs::read_to_string(&report).unwrap();
    assert!(xml.contains("<testsuite name=\"mine\"") && xml.contains("name=\"file: passes after\""), "{xml}");
    let short = "title: A\nimage: sandlot/starter\nsteps:\n  - text: 10-file.md\n    check: { run: '[ -f /a ]' }\n    solve: { run: 'touch /a' }\n";
    std::fs::write(folder.join("labs/first/lab.yaml"), short).unwrap();
    let done = run(&folder);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(said.contains("4 tried, 0 failed"), "{said}");
    let left = sandbox.ok(&["ps", "-aq", "--filter", "label=sandlot.session"]).unwrap();
    assert_eq!(left, "", "sessions were left behind");
}

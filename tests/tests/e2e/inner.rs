//! The engine of a session: in a container that has one, `/var/run/docker.sock` answers, and `docker` works as anywhere.

use sandlot_tests::process::run;
use sandlot_tests::sandbox::Sandbox;
use sandlot_tests::wait::until;
use std::process::Command;

const IMAGE: &str = "sandlot/starter";

/// A container with an engine of its own, bounded as a session is.
pub(crate) fn session(sandbox: &Sandbox, image: &str) {
    let flags = "run -d --network none --security-opt profile=engine -m 512m --pids-limit 200 --storage-opt size=256m --name lab";
    let mut arguments: Vec<&str> = flags.split(' ').collect();
    arguments.extend([image, "sleep", "1000"]);
    sandbox.ok(&arguments).unwrap();
}

/// What a script says in it, on both outputs.
pub(crate) fn student(sandbox: &Sandbox, script: &str) -> String {
    let output = sandbox.docker(&["exec", "lab", "sh", "-c", script]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    said.trim_end().to_owned()
}

/// The words of a table or a list, without what separates them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn nothing_of_it_runs_until_somebody_asks() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let running = "ps -o comm,args | grep -c '[s]andlot'";
    assert_eq!(student(&sandbox, &format!("test -S /var/run/docker.sock; {running}")), "0");
    assert_eq!(student(&sandbox, "docker run --rm --network none sandlot/starter echo hello"), "hello");
    // An engine and its spawner.
    assert_eq!(student(&sandbox, running), "2");
    assert_eq!(student(&sandbox, "sandlot ps -q; sandlot version --format '{{.Server.Os}}'"), "linux");
}

#[tokio::test]
async fn containers_are_made_looked_at_and_ended() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let script = "docker run -d --name one -m 32m --pids-limit 20 sandlot/starter sh -c 'echo said; exec sleep 1000' >/dev/null
        docker ps --format '{{.Names}} {{.Image}}'
        docker logs one
        docker exec one sh -c 'id -u; hostname | wc -c; cat /sys/class/net/eth0/address | wc -c'
        docker run --rm --pids-limit 20 sandlot/starter sh -c 'for i in $(seq 40); do sleep 9 & done; wait' 2>&1 | grep -o \"can't fork\" | head -n1
        docker run --rm -m 16m sandlot/starter dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2>/dev/null; echo $?
        docker exec one sh -c 'echo kept >/kept'; docker diff one; docker commit one mine >/dev/null
        docker run --rm mine cat /kept
        docker pause one; docker unpause one
        docker stop -t 0 one; docker ps -a --format '{{.Status}}' | cut -c1-12
        docker rm one; docker ps -aq | wc -l";
    let expected =
        "one sandlot/starter said 0 13 18 can't fork 137 A /kept kept one one one Exited (137) one 0";
    assert_eq!(words(&student(&sandbox, script)), expected);
}

#[tokio::test]
async fn images_are_built_and_what_a_layer_hides_stays_hidden() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let dockerfile = r#"FROM sandlot/starter\nRUN mkdir -p /d/e && echo old >/d/e/f && rm /etc/motd\nRUN rm -rf /d && mkdir /d && echo new >/d/g\nCOPY file /file\nCMD ["cat","/file"]\n"#;
    let script = format!(
        "mkdir /tmp/b; cd /tmp/b; echo content >file; printf '{dockerfile}' >Dockerfile
        docker build -q -t mine . | cut -c1-7; docker run --rm mine
        docker run --rm mine sh -c 'exec 2>&1; ls /d; ls /etc/motd'
        docker save mine -o /tmp/mine.tar; docker rmi mine | sed -n 1p; docker load -i /tmp/mine.tar
        docker run --rm mine ls /d"
    );
    let expected = "sha256: content g ls: /etc/motd: No such file or directory Untagged: mine:latest Loaded image: mine:latest g";
    assert_eq!(words(&student(&sandbox, &script)), expected);
}

#[tokio::test]
async fn two_services_find_each_other_and_a_port_is_on_the_sessions_loopback() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let serve = "mkdir /w; echo page >/w/index.html; exec httpd -f -p 80 -h /w";
    let ask = "for i in $(seq 50); do wget -qO- http://web/ && break; sleep 0.1; done";
    let script = format!(
        "docker network create net >/dev/null
        docker run -d --name web --network net -p 8080:80 sandlot/starter sh -c '{serve}' >/dev/null
        docker run --rm --network net sandlot/starter sh -c '{ask}'
        wget -qO- http://127.0.0.1:8080/; docker port web
        docker rm -f web; docker network rm net
        docker run --rm -v /tmp:/here -v kept:/kept sandlot/starter sh -c 'ls -d /here; echo x >/kept/x'
        docker run --rm -v kept:/kept:ro sandlot/starter sh -c 'exec 2>&1; cat /kept/x; echo y >/kept/y'"
    );
    let said = words(&student(&sandbox, &script));
    let expected =
        "page page 80/tcp -> 0.0.0.0:8080 web net /here x sh: can't create /kept/y: Read-only file system";
    assert_eq!(said, expected);
}

#[tokio::test]
async fn what_it_cannot_do_it_says() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    for (command, words) in [
        ("run --rm --network internet sandlot/starter true", "gives nobody a way out of it"),
        ("run --rm --storage-opt size=20m sandlot/starter true", "this engine makes no disks"),
        ("volume create -o size=20m many", "this engine makes no disks"),
        ("run --rm --security-opt profile=engine sandlot/starter true", "has no engines below it"),
    ] {
        let said = student(&sandbox, &format!("docker {command}"));
        assert!(said.contains(words), "{command}: {said}");
    }
}

#[tokio::test]
async fn the_real_client_of_an_image_is_left_alone() {
    let sandbox = Sandbox::engine().await.unwrap();
    let context = sandbox.dir().join("context");
    std::fs::create_dir(&context).unwrap();
    let found = run(Command::new("which").arg("docker")).unwrap().stdout;
    let client = String::from_utf8_lossy(&found).trim().to_owned();
    if Command::new("ldd").arg(&client).output().unwrap().status.success() {
        eprintln!("SKIPPED: this machine's docker client needs libraries that the starter image has not");
        return;
    }
    std::fs::copy(client, context.join("docker")).unwrap();
    let dockerfile = format!("FROM {IMAGE}\nCOPY docker /usr/local/bin/docker\n");
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    let context = context.to_string_lossy().into_owned();
    sandbox.sandlot(&["build", "-q", "-t", "with-client", &context]).unwrap();
    session(&sandbox, "with-client");
    let script = "export DOCKER_CONFIG=/tmp/none; docker version --format '{{.Client.Version}} {{.Server.Version}}'
        echo through | docker run --rm -i sandlot/starter cat
        docker run -d --name one sandlot/starter sleep 1000 >/dev/null; docker exec one echo inside; docker rm -f one
        sandlot ps -aq | wc -l";
    let theirs = sandbox.ok(&["version", "--format", "{{.Client.Version}}"]).unwrap();
    let expected = format!("{theirs} {} through inside one 0", env!("CARGO_PKG_VERSION"));
    assert_eq!(words(&student(&sandbox, script)), expected);
}

#[tokio::test]
async fn it_is_killed_and_goes_on() {
    let sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    let count = "n=0; while sleep 0.1; do n=$((n+1)); echo $n; done";
    student(&sandbox, &format!("docker run -d --name one sandlot/starter sh -c '{count}'"));
    let engine = "ps -o pid,comm | awk '$2 == \"sandlot\" { print $1 }'";
    let before = student(&sandbox, engine);
    student(&sandbox, &format!("kill -9 $({engine})"));
    // Its containers do not notice, and the next question starts it again.
    assert_eq!(student(&sandbox, "docker ps --format '{{.Names}}'; docker exec one echo on"), "one\non");
    assert_ne!(student(&sandbox, engine), before);
    let counted = || async {
        let lines = student(&sandbox, "docker logs one | tail -n1").parse::<u32>().ok()?;
        (lines > 5).then_some(lines)
    };
    until("more output", counted).await.unwrap();
    let spawner = engine.replace("sandlot", "sandlot-spawner");
    // With its spawner too, what ran has ended, and is said to have.
    student(&sandbox, &format!("kill -9 $({engine}) $({spawner})"));
    let ended = || async {
        student(&sandbox, "docker ps -a --format '{{.Status}}'").starts_with("Exited").then_some(())
    };
    until("the engine to be back", ended).await.unwrap();
    assert_eq!(student(&sandbox, "docker start one; docker rm -f one"), "one\none");
}

#[tokio::test]
async fn the_hosts_engine_may_be_killed_meanwhile() {
    use sandlot_tests::sandbox::Part;
    let mut sandbox = Sandbox::engine().await.unwrap();
    session(&sandbox, IMAGE);
    student(&sandbox, "docker run -d --name one sandlot/starter sleep 1000");
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert_eq!(student(&sandbox, "docker ps --format '{{.Names}}'"), "one");
    // Started anew, it finds what it had, ended.
    sandbox.ok(&["restart", "-t", "0", "lab"]).unwrap();
    assert_eq!(student(&sandbox, "docker ps -a --format '{{.Names}} {{.State}}'"), "one exited");
    assert_eq!(student(&sandbox, "docker start one; docker ps -q | wc -l"), "one\n1");
}

#[tokio::test]
async fn compose_brings_up_two_services() {
    let sandbox = Sandbox::engine().await.unwrap();
    if Command::new("docker-compose").arg("version").output().is_err() {
        eprintln!("SKIPPED: the Debian package docker-compose is not installed");
        assert!(std::env::var("SANDLOT_TESTS_STRICT").is_err());
        return;
    }
    session(&sandbox, IMAGE);
    let folder = sandbox.dir().join("two");
    std::fs::create_dir(&folder).unwrap();
    let file = "version: '3'\nservices:\n  web:\n    image: sandlot/starter\n    command: sh -c 'mkdir /w; echo page >/w/index.html; exec httpd -f -p 80 -h /w'\n    ports: ['8081:80']\n  client:\n    image: sandlot/starter\n    depends_on: [web]\n    command: sh -c 'for i in $$(seq 100); do wget -qO- http://web/ && break; sleep 0.1; done; exec sleep 1000'\n";
    std::fs::write(folder.join("docker-compose.yml"), file).unwrap();
    let first = sandbox.ok(&["inspect", "--format", "{{.State.Pid}}", "lab"]).unwrap();
    let compose = |arguments: &[&str]| {
        let mut command = Command::new("docker-compose");
        command.args(arguments).current_dir(&folder).env("HOME", sandbox.dir());
        // Its python is the host's; the socket is the session's.
        command.env("DOCKER_HOST", format!("unix:///proc/{first}/root/var/run/docker.sock"));
        String::from_utf8_lossy(&run(&mut command).unwrap().stdout).into_owned()
    };
    compose(&["up", "-d"]);
    let fetched = || async { compose(&["logs", "--no-color", "client"]).contains("page").then_some(()) };
    until("one service to reach the other by its name", fetched).await.unwrap();
    assert_eq!(student(&sandbox, "wget -qO- http://127.0.0.1:8081/"), "page");
    compose(&["down"]);
    assert_eq!(
        student(&sandbox, "docker ps -aq | wc -l; docker network ls --format '{{.Name}}' | grep -c two"),
        "0\n0"
    );
}

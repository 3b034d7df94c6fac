//! Processes, sockets, queues, mounts and files of the host and of other containers.

#![allow(clippy::unwrap_used)]

use crate::attack::{Walls, armed, python, shell, succeed_only_without_walls};
use crate::spawned::Spawned;
use sandlot::container::spec::{Init, Profile};
use sandlot::spawner::client::{INIT, StdioFds};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process with a secret, sockets and queues; ended when dropped.
struct Victim {
    child: Child,
    port: u16,
    name: String,
}

impl Victim {
    fn new() -> Self {
        let name = format!("sandlot-victim-{}", std::process::id());
        let code = format!(
            "
tcp, unix = socket.socket(), socket.socket(socket.AF_UNIX)
tcp.bind((\"127.0.0.1\", 0))
unix.bind(\"\\0{name}\")
tcp.listen()
unix.listen()
queue = LIBC.msgget(os.getpid(), 0o1666)
LIBC.mq_open(b\"/{name}\", os.O_CREAT | os.O_RDWR, 0o666, None)
print(tcp.getsockname()[1], flush=True)
sys.stdin.read()
LIBC.msgctl(queue, 0, None)
LIBC.mq_unlink(b\"/{name}\")"
        );
        let mut child = Command::new("/usr/bin/python3")
            .args(["-S", "-c", include_str!("attack.py"), &code])
            .env("SECRET", &name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap(), name }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn processes_sockets_and_queues_of_the_host_are_out_of_reach() {
    let mut s = Spawned::new().await;
    let victim = Victim::new();
    let (pid, port, name) = (victim.child.id(), victim.port, &victim.name);
    let (_master, terminal) = terminal();
    let attacks = [
        shell("signal", format!("kill -CONT {pid}")),
        shell("environment", format!("grep -q {name} /proc/{pid}/environ")),
        shell("list", format!("test -d /proc/{pid}")),
        shell("root", format!("ls /proc/{pid}/root/{}", s.dir.path().display())),
        shell("namespace", format!("nsenter -t {pid} -n true")),
        python("debugger", &format!("call(\"ptrace\", 0x4206, {pid}, 0, 0)")),
        python("descriptor", &format!("os.pidfd_open({pid})")),
        python("tcp", &format!("socket.create_connection((\"127.0.0.1\", {port}))")),
        python("abstract", &format!("socket.socket(socket.AF_UNIX).connect(\"\\0{name}\")")),
        python("listed_socket", &format!("sys.exit(\"{name}\" not in open(\"/proc/net/unix\").read())")),
        python("message_queue", &format!("sys.exit(LIBC.msgget({pid}, 0) == -1)")),
        python(
            "spawner",
            &format!(
                "socket.socket(socket.AF_UNIX).connect(\"/proc/{}/root{}\")",
                std::process::id(),
                s.dir.path().join("spawner.sock").display()
            ),
        ),
        shell("terminal", format!("echo typed >{terminal}")),
        python("posix_queue", &format!("call(\"mq_open\", b\"{name}\", 0, 0, 0)")),
    ];
    succeed_only_without_walls(&mut s, &attacks, &Walls::EACH).await;
}

/// A terminal of the host's, and its path; those below are held while it is looked for one that no container has.
fn terminal() -> (Vec<std::os::fd::OwnedFd>, String) {
    let mut held = Vec::new();
    loop {
        let master =
            rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let path = rustix::pty::ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        held.push(master);
        if path.trim_start_matches("/dev/pts/").parse::<u32>().unwrap() >= 64 || held.len() > 70 {
            return (held, path);
        }
    }
}

/// The mounts of that name in the host's mount namespace.
fn seen(name: &str) -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    mounts.lines().filter(|line| line.contains(&format!(" {name} "))).count()
}

#[tokio::test]
async fn what_is_mounted_inside_does_not_show_outside() {
    // In a namespace whose mounts are shared with it, a mount made by an inner one arrives in the outer one.
    // Private first, lest it arrives on the host.
    let outer = "mount --make-rprivate / && mount --make-rshared / && \
                 unshare -m --propagation unchanged mount -t tmpfs arrived /mnt; grep -c ' arrived ' /proc/self/mountinfo";
    let shared =
        Command::new("unshare").args(["-m", "--propagation", "private", "sh", "-c", outer]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shared.stdout), "1\n");
    let s = Spawned::new().await;
    let name = format!("escaped-{}", std::process::id());
    let script = format!(
        "mkdir /tmp/m; mount --make-rshared /; mount -t tmpfs {name} /tmp/m && grep -c ' {name} ' /proc/self/mountinfo; \
                          mount -t tmpfs {name} /usr; sleep 1000"
    );
    let process = crate::spawned::sh(&script);
    let (profile, process) = Walls::All(Profile::Nested).around(process);
    let (mut spec, fds) = armed(&s, Init::Command, Some(process));
    spec.profile = profile;
    let started = s.start(&spec, fds).await.unwrap();
    let StdioFds::Pipes { stdout, .. } = started.stdio else { panic!("no pipes") };
    let mut line = String::new();
    BufReader::new(std::fs::File::from(stdout)).read_line(&mut line).unwrap();
    assert_eq!((line.as_str(), seen(&name)), ("1\n", 0));
    s.client.signal(&spec.id, INIT, 9).await.unwrap();
}

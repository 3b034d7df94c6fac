//! Processes, sockets, queues, mounts and files of the host and of other containers.

#![allow(clippy::unwrap_used)]

use crate::attack::{Walls, python, shell, succeed_only_without_walls};
use crate::spawned::Spawned;
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
        python("posix_queue", &format!("call(\"mq_open\", b\"{name}\", 0, 0, 0)")),
    ];
    succeed_only_without_walls(&mut s, &attacks, &Walls::EACH).await;
}

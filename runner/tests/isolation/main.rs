//! The walls of every container, each tried from inside: the forbidden thing is done, and the denial asserted.

#![allow(unreachable_pub, reason = "modules of a test")]

mod attack;
mod charged;
mod descriptors;
mod filter;
mod host;
mod identity;
mod links;
mod neighbours;
mod paths;
mod pools;
#[path = "../spawned/mod.rs"]
mod spawned;
mod spying;
mod stalled;
mod users;

use sandlot::container::spec::Init;
use spawned::{Spawned, sh};

#[tokio::test]
async fn pid_1_that_was_never_executed_shows_nothing_of_the_spawner() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    let script = "for f in maps mem environ auxv exe fd cwd root; do cat /proc/1/$f >/dev/null 2>&1 && echo read $f; \
                  ls /proc/1/$f/ >/dev/null 2>&1 && echo listed $f; readlink /proc/1/$f; done; \
                  tr '\\0' . </proc/1/cmdline; echo; echo x 2>/dev/null >/proc/1/mem && echo written; echo end";
    let (_, text) = s.exec(&spec.id, "spy", sh(script)).await.unwrap();
    let words: String = text.trim_matches(['.', '\n']).into();
    assert_eq!(words, "end", "{text}");
}

#[tokio::test]
async fn two_containers_share_no_uid_and_the_layer_stays_untouched() {
    let mut s = Spawned::new().await;
    let before = std::fs::metadata(s.layer().join("etc/passwd")).unwrap();
    let (_, text) = s
        .sh("stat -c %u /etc/passwd /bin; echo evil:x:0:0::/:/bin/sh >>/etc/passwd; rm -r /bin/vi; echo ok")
        .await;
    assert_eq!(text, "0\n0\nok\n");
    let after = std::fs::metadata(s.layer().join("etc/passwd")).unwrap();
    assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
    assert!(s.layer().join("bin/vi").symlink_metadata().is_ok());
    let own = std::os::unix::fs::MetadataExt::uid(
        &std::fs::metadata(s.dir.path().join("1/upper/etc/passwd")).unwrap(),
    );
    assert_eq!(own, s.range.base);
}

#[tokio::test]
async fn another_user_cannot_use_the_spawner() {
    let s = Spawned::new().await;
    let socket = s.dir.path().join("spawner.sock");
    std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let said = |user: u32| {
        let script = format!(
            "import os,socket\nos.setgid({user}); os.setuid({user})\ns=socket.socket(socket.AF_UNIX); s.connect('{}')\n\
             s.sendall(b'\\x03\\0\\0\\0\\x01\\0\\x01'); print(len(s.recv(64)))",
            socket.display()
        );
        let output = std::process::Command::new("python3").args(["-c", &script]).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    // Root gets an answer: what it is asked can be understood.
    assert!(said(0).trim().parse::<u32>().is_ok_and(|length| length > 0), "{}", said(0));
    let text = said(65_534);
    assert!(text.trim() == "0" || text.contains("BrokenPipe") || text.contains("ConnectionReset"), "{text}");
    assert_eq!(s.client.processes().await.unwrap().len(), 0);
}

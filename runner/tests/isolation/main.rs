//! The walls of every container, each tried from inside: the forbidden thing is done, and the denial asserted.

#![allow(unreachable_pub, reason = "modules of a test")]

mod attack;
mod descriptors;
mod host;
mod neighbours;
mod paths;
mod pools;
#[path = "../spawned/mod.rs"]
mod spawned;

use sandlot::container::spec::{Init, Process};
use spawned::{CAPABILITIES, Spawned, sh};

#[tokio::test]
async fn pid_1_that_was_never_executed_shows_nothing_of_the_spawner() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.client.start(&spec, fds).await.unwrap();
    let script = "for f in maps mem environ auxv exe fd cwd root; do cat /proc/1/$f >/dev/null 2>&1 && echo read $f; \
                  ls /proc/1/$f/ >/dev/null 2>&1 && echo listed $f; readlink /proc/1/$f; done; \
                  tr '\\0' . </proc/1/cmdline; echo; echo x 2>/dev/null >/proc/1/mem && echo written; echo end";
    let (_, text) = s.exec(&spec.id, "spy", sh(script)).await.unwrap();
    let words: String = text.trim_matches(['.', '\n']).into();
    assert_eq!(words, "end", "{text}");
}

#[tokio::test]
async fn the_bounding_set_and_no_new_privs_hold() {
    let mut s = Spawned::new().await;
    let (_, text) = s.sh("grep -E 'Cap|NoNewPrivs' /proc/self/status").await;
    for line in ["CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(text.contains(line), "{text}");
    }
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert!(text.contains(&format!("{set}:\t{CAPABILITIES:016x}")), "{text}");
    }
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
async fn a_standard_container_makes_no_namespace() {
    let mut s = Spawned::new().await;
    let all = Process {
        capabilities: !(1 << 24),
        ..sh("for n in -U -m -n -p -i -u; do unshare $n true && echo made $n; done; \
        echo 5 >/proc/sys/user/max_user_namespaces && echo raised; echo end")
    };
    let (spec, fds) = s.container(Init::Command, Some(all));
    let (_, text) = s.run(&spec, fds).await.unwrap();
    assert!(!text.contains("made") && !text.contains("raised"), "{text}");
}

#[tokio::test]
async fn another_user_cannot_use_the_spawner() {
    let s = Spawned::new().await;
    let socket = s.dir.path().join("spawner.sock");
    std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let script = format!(
        "import os,socket\nos.setgid(65534); os.setuid(65534)\ns=socket.socket(socket.AF_UNIX); s.connect('{}')\n\
         s.sendall(b'\\x03\\0\\0\\0\\x01\\0\\x01'); print(len(s.recv(64)))",
        socket.display()
    );
    let output = std::process::Command::new("python3").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.trim() == "0" || text.contains("BrokenPipe") || text.contains("ConnectionReset"), "{text}");
    assert_eq!(s.client.processes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_shell_works_under_the_filter_and_what_it_denies_is_denied() {
    use sandlot::container::{capabilities, seccomp, spec::Profile};
    let mut s = Spawned::new().await;
    // Each of these succeeds for the container's root unless something denies it; under `nested` all do.
    let script = "cd /tmp; mkdir m; mount -t tmpfs x m 2>/dev/null && echo mounted; \
                  unshare -m true 2>/dev/null && echo unshared; hostname other 2>/dev/null && echo named; \
                  chroot / true && echo chrooted; (sleep 0 | cat; wait) && echo piped";
    for (profile, expected) in [
        (Profile::Standard, "chrooted\npiped\n"),
        (Profile::Nested, "mounted\nunshared\nnamed\nchrooted\npiped\n"),
    ] {
        let capabilities = capabilities::effective(profile, &[], &[]).unwrap();
        let nested = capabilities::effective(Profile::Nested, &[], &[]).unwrap();
        // The capabilities of the wider profile in both: the filter alone makes the difference.
        let seccomp = seccomp::programs(profile, capabilities).unwrap();
        let first = Process { capabilities: nested, seccomp, ..sh(script) };
        let (mut spec, fds) = s.container(Init::Command, Some(first));
        spec.profile = Profile::Nested;
        let (_, text) = s.run(&spec, fds).await.unwrap();
        assert_eq!(text, expected, "{profile:?}");
    }
}

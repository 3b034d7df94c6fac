//! Whoever a process is to be is looked up in files that a stranger wrote: they make nobody root, and nobody wait.

#![allow(clippy::unwrap_used)]

use crate::spawned::{Spawned, sh};
use sandlot::container::spec::{Init, Process};
use sandlot::spawner::client::Error;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What is planted at `$F`; in each, ann is root for who reads it without care.
const PLANTED: [(&str, &str); 10] = [
    ("pipe", "mkfifo $F"),
    ("endless", "ln -s /dev/zero $F"),
    ("environment", "ln -s /proc/self/environ $F"),
    ("memory", "ln -s /proc/self/mem $F"),
    ("descriptor", "ln -s /proc/self/fd/0 $F"),
    ("directory", "mkdir $F"),
    ("loop", "ln -s $F $F"),
    ("binary", "head -c 1000000 /dev/urandom >$F"),
    ("huge", "head -c 4000000 /dev/zero | tr '\\0' '\\n' >$F; echo ann:x:0:0::/:/bin/sh >>$F"),
    ("long", "head -c 4000000 /dev/zero >$F; echo ann:x:0:0::/:/bin/sh >>$F"),
];

#[tokio::test]
async fn a_hostile_passwd_makes_nobody_root_and_nobody_wait() {
    let mut s = Spawned::new().await;
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    for file in ["/etc/passwd", "/etc/group"] {
        for (name, plant) in PLANTED {
            let script = format!("rm -rf {file}; {}", plant.replace("$F", file));
            assert_eq!(s.exec(&spec.id, "plant", sh(&script)).await.unwrap(), (0, String::new()), "{name}");
            s.client.forget(&spec.id, "plant").await.unwrap();
            if name == "pipe" {
                // Who opens it as if it were a file waits until somebody writes.
                let naive = sh(&format!("timeout 1 cat {file} 2>&1; echo $?"));
                assert_eq!(s.exec(&spec.id, "naive", naive).await.unwrap().1, "Terminated\n143\n");
                s.client.forget(&spec.id, "naive").await.unwrap();
            }
            let user = if file == "/etc/passwd" { "ann" } else { "7:ann" };
            let ann = Process { user: user.into(), ..sh("true") };
            let looked = tokio::time::timeout(PATIENCE, s.exec(&spec.id, "ann", ann)).await;
            match looked.unwrap_or_else(|_| panic!("{file} as {name} is waited for")) {
                Err(Error::Refused(f)) => {
                    assert!(f.exit_code == 125 && f.message.contains("ann"), "{f:?}")
                }
                other => panic!("{file} as {name}: {other:?}"),
            }
            // A number needs no file.
            let number =
                Process { user: "1000:7".into(), ..sh("grep -E ^[UG]id: /proc/self/status | cut -f 2") };
            assert_eq!(s.exec(&spec.id, "number", number).await.unwrap().1, "1000\n7\n", "{name}");
            s.client.forget(&spec.id, "number").await.unwrap();
        }
    }
}

#[tokio::test]
async fn no_number_overflows_to_root() {
    // CVE-2024-40635, 2026-46680, 2026-30892: as asked for, and as the container's own files say.
    let mut s = Spawned::new().await;
    let lines = "ann:x:4294967296:1::/:/bin/sh\nbob:x:1:4294967296::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n\
                 18446744073709551616:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n";
    std::fs::write(s.layer().join("etc/passwd"), lines).unwrap();
    std::fs::write(s.layer().join("etc/group"), "ann:x:4294967296:\n4294967296:x:0:\n1000:x:0:\n").unwrap();
    let (spec, fds) = s.container(Init::Only, None);
    s.start(&spec, fds).await.unwrap();
    for user in [
        "4294967296",
        "4294967295",
        "18446744073709551616",
        "99999999999999999999999",
        "-1",
        "-0",
        "+0",
        "0x0",
        " 0",
        "ann",
        "bob",
        "1:ann",
        "1:4294967296",
        "1:4294967295",
        "1:-1",
        "0:0:0",
    ] {
        let result = s.exec(&spec.id, "bad", Process { user: user.into(), ..sh("true") }).await;
        assert!(matches!(&result, Err(Error::Refused(f)) if f.exit_code == 125), "{user}: {result:?}");
    }
    let digits = Process { user: "1000:1000".into(), ..sh("grep -E ^[UG]id: /proc/self/status | cut -f 2") };
    assert_eq!(s.exec(&spec.id, "digits", digits).await.unwrap().1, "1000\n1000\n");
}

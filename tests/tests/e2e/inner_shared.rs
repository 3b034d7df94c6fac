//! Images that the host shares with a session's own engine: there without being fetched, of no weight, and nobody's to write.

use crate::inner::student;
use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

/// An image of three layers, of which the second hides something of the first, and the third is a directory that hides all below.
fn layered(sandbox: &Sandbox, name: &str) {
    let context = sandbox.dir().join(name);
    std::fs::create_dir(&context).unwrap();
    let dockerfile = format!(
        "FROM {IMAGE}\nRUN mkdir -p /d/e && echo old >/d/e/f && rm /etc/motd\nRUN rm -rf /d && mkdir /d && echo {name} >/d/g\n"
    );
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    sandbox.sandlot(&["build", "-q", "-t", name, &context.to_string_lossy()]).unwrap();
}

fn session(sandbox: &Sandbox) {
    let flags = "run -d --network none --security-opt profile=engine -m 512m --pids-limit 200 --storage-opt size=64m --name lab \
                 --annotation sandlot.share=sandlot/starter,shared,absent";
    let mut arguments: Vec<&str> = flags.split_whitespace().collect();
    arguments.extend([IMAGE, "sleep", "1000"]);
    sandbox.ok(&arguments).unwrap();
}

#[tokio::test]
async fn what_is_shared_is_there_at_once_and_what_is_not_is_not() {
    let sandbox = Sandbox::engine().await.unwrap();
    layered(&sandbox, "shared");
    layered(&sandbox, "somebody-elses");
    // The same image under a name that is nobody's business.
    sandbox.ok(&["tag", "shared", "somebody-elses-name"]).unwrap();
    session(&sandbox);
    assert_eq!(student(&sandbox, "docker images -q | wc -l"), "0");
    let pulled = student(&sandbox, "docker pull shared");
    assert!(pulled.contains("Status: Downloaded newer image for shared"), "{pulled}");
    // What its layers hide is hidden.
    let look = "docker run --rm shared sh -c 'exec 2>&1; find /d; cat /d/g; ls /etc/motd'";
    assert_eq!(student(&sandbox, look), "/d\n/d/g\nshared\nls: /etc/motd: No such file or directory");
    // And without a pull: `run` pulls.
    assert_eq!(student(&sandbox, "docker run --rm sandlot/starter echo it runs 2>/dev/null"), "it runs");
    // It takes no room: less than a quarter of what busybox alone has.
    let own = "du -sk /var/lib/sandlot/images | awk '{ print ($1 < 500) ? \"small\" : $1 }'";
    assert_eq!(student(&sandbox, own), "small");
    let other =
        student(&sandbox, "docker pull somebody-elses; grep -rl somebody-elses /var/lib/sandlot/shared");
    assert!(!other.contains("Status:") && !other.contains("shared/"), "{other}");
}

#[tokio::test]
async fn what_is_built_on_a_shared_image_is_an_image_like_any_other() {
    let sandbox = Sandbox::engine().await.unwrap();
    layered(&sandbox, "shared");
    session(&sandbox);
    let script = "mkdir /tmp/b; cd /tmp/b; printf 'FROM shared\\nRUN rm /d/g && echo mine >/d/h\\n' >Dockerfile
        docker build -q -t mine . >/dev/null; docker run --rm mine ls /d
        printf 'FROM sandlot/starter\\nRUN echo mine >/mine\\n' >Dockerfile
        docker build -q -t second . >/dev/null; docker save second -o /tmp/second.tar; docker rmi second sandlot/starter >/dev/null
        docker load -i /tmp/second.tar; docker run --rm second cat /mine /etc/hostname | wc -l
        docker rmi -f shared mine >/dev/null; docker pull shared >/dev/null; docker run --rm shared cat /d/g";
    assert_eq!(student(&sandbox, script), "h\nLoaded image: second:latest\n2\nshared");
}

#[tokio::test]
async fn what_is_shared_is_written_by_nobody() {
    let sandbox = Sandbox::engine().await.unwrap();
    layered(&sandbox, "shared");
    session(&sandbox);
    let script = "docker pull shared >/dev/null; cd /var/lib/sandlot/shared
        touch /tmp/own && echo WRITTEN own
        for v in views/* .; do mount -o remount,rw,bind $v; mount -o remount,rw $v; done
        for f in views/*/d/g views/*/bin/busybox blobs/* index.json; do (echo x >>$f) && echo WRITTEN $f; rm $f && echo WRITTEN $f; done
        for d in views/* blobs .; do touch $d/new && echo WRITTEN $d; chmod 777 $d && echo WRITTEN $d; done
        docker run --rm --cap-add ALL -v /var/lib/sandlot/shared:/s sandlot/starter sh -c 'for d in /s/views/* /s/blobs; do touch $d/new && echo WRITTEN $d; done'
        echo end";
    let said = student(&sandbox, script);
    let written: Vec<&str> = said.lines().filter(|l| l.starts_with("WRITTEN") || *l == "end").collect();
    assert_eq!(written, ["WRITTEN own", "end"], "{said}");
    // The host's, too, are what they were.
    let look = ["run", "--rm", "--network", "none", "shared", "sh", "-c", "cat /d/g; ls /new"];
    let output = sandbox.docker(&look).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "shared\n");
}

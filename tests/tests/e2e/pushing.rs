//! Pushing to a real registry, by the real client and by ours; what arrived, skopeo judges.

use sandlot_tests::image::{Compression, Layout, busybox};
use sandlot_tests::process::run;
use sandlot_tests::registry::{PASSWORD, Registry, USER};
use sandlot_tests::sandbox::Sandbox;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

/// A registry with `busybox:latest`, two layers; its full name.
async fn stocked(sandbox: &Sandbox) -> (Registry, String) {
    let registry = Registry::start().await.unwrap();
    let (root, noise) = (sandbox.dir().join("root"), sandbox.dir().join("noise"));
    busybox(&root).unwrap();
    std::fs::create_dir_all(&noise).unwrap();
    let mut bytes = vec![0; 4 << 20];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    std::fs::write(noise.join("noise"), bytes).unwrap();
    let layout = Layout::new(&sandbox.dir().join("layout")).unwrap();
    let layout = layout.layer(&root, Compression::Gzip).unwrap().layer(&noise, Compression::Gzip).unwrap();
    let layout = layout.finish(&json!({ "Cmd": ["/bin/echo", "here"] })).unwrap();
    let name = registry.push(&layout, "busybox:latest").unwrap();
    (registry, name)
}

fn skopeo(arguments: &[&str]) -> String {
    let output = run(Command::new("skopeo").arg("--insecure-policy").args(arguments)).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The manifest behind a name, as it is.
fn raw(name: &str) -> String {
    skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")])
}

/// Fetches all of an image, and compares each blob with its digest.
fn whole(sandbox: &Sandbox, name: &str) {
    let to = format!("dir:{}", sandbox.dir().join("fetched").display());
    skopeo(&["copy", "--quiet", "--src-tls-verify=false", &format!("docker://{name}"), &to]);
}

#[tokio::test]
async fn the_real_client_pushes_what_it_pulled_under_the_same_digest() {
    let sandbox = Sandbox::engine().await.unwrap();
    let (source, name) = stocked(&sandbox).await;
    let docker_form = format!("{}/form:2", source.host());
    let (from, to) = (format!("docker://{name}"), format!("docker://{docker_form}"));
    let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false", "--format", "v2s2"];
    skopeo(&[&["copy", "--quiet"], &insecure[..], &[&from, &to]].concat());
    let target = Registry::start().await.unwrap();
    for (name, kind) in [(&name, "oci.image.manifest"), (&docker_form, "docker.distribution.manifest")] {
        sandbox.ok(&["pull", name]).unwrap();
        let new = format!("{}/copy/of:{}", target.host(), &kind[..3]);
        sandbox.ok(&["tag", name, &new]).unwrap();
        let said = sandbox.ok(&["push", &new]).unwrap();
        let manifest = raw(&new);
        assert!(manifest.contains(kind) && manifest == raw(name), "{manifest}");
        let digest = sandlot_tests::image::digest(manifest.as_bytes());
        assert!(
            said.contains(&format!("The push refers to repository [{}/copy/of]", target.host())),
            "{said}"
        );
        assert!(
            said.ends_with(&format!("{}: digest: {digest} size: {}", &kind[..3], manifest.len())),
            "{said}"
        );
        whole(&sandbox, &new);
        let known = sandbox.ok(&["image", "inspect", "-f", "{{json .RepoDigests}}", &new]).unwrap();
        assert!(known.contains(&format!("{}/copy/of@{digest}", target.host())), "{known}");
    }
}

#[tokio::test]
async fn what_a_registry_has_is_not_sent_again() {
    let sandbox = Sandbox::engine().await.unwrap();
    let (registry, name) = stocked(&sandbox).await;
    sandbox.ok(&["pull", &name]).unwrap();
    let again = sandbox.ok(&["push", &name]).unwrap();
    assert_eq!(again.matches(": Layer already exists").count(), 2, "{again}");
    // From another repository of the same registry.
    let other = format!("{}/another/place:1", registry.host());
    sandbox.ok(&["tag", &name, &other]).unwrap();
    let mounted = sandbox.sandlot(&["push", &other]).unwrap();
    assert_eq!(mounted.matches(": Mounted from busybox").count(), 2, "{mounted}");
    whole(&sandbox, &other);
    // What a container wrote is pushed alone.
    sandbox.ok(&["run", "--name", "box", &name, "sh", "-c", "echo mine > /mine"]).unwrap();
    let mine = format!("{}/another/place:2", registry.host());
    sandbox.ok(&["commit", "box", &mine]).unwrap();
    let said = sandbox.ok(&["push", &mine]).unwrap();
    assert_eq!(
        (said.matches(": Pushed").count(), said.matches(": Layer already exists").count()),
        (1, 2),
        "{said}"
    );
    sandbox.ok(&["rm", "box"]).unwrap();
    sandbox.ok(&["rmi", &mine]).unwrap();
    assert_eq!(sandbox.ok(&["run", "--rm", &mine, "cat", "/mine"]).unwrap(), "mine");
}

#[tokio::test]
async fn all_tags_quietly_and_names_that_are_not_there() {
    let sandbox = Sandbox::engine().await.unwrap();
    let registry = Registry::start().await.unwrap();
    let name = format!("{}/all", registry.host());
    for tag in ["1", "2"] {
        sandbox.ok(&["tag", "sandlot/starter", &format!("{name}:{tag}")]).unwrap();
    }
    assert_eq!(sandbox.sandlot(&["push", "-q", &format!("{name}:1")]).unwrap(), format!("{name}:1"));
    let said = sandbox.sandlot(&["push", "--all-tags", &name]).unwrap();
    assert!(said.contains("1: digest: sha256:") && said.contains("2: digest: sha256:"), "{said}");
    assert_eq!(raw(&format!("{name}:1")), raw(&format!("{name}:2")));
    sandbox.ok(&["push", "-a", &name]).unwrap();
    let (code, said) = sandbox.said(&["push", "-a", &format!("{name}:1")]).unwrap();
    assert!(code == Some(1) && said.contains("tag can't be used with --all-tags/-a"), "{said}");
    // The words are the same from both clients.
    for (wanted, words) in [
        (format!("{name}:3"), format!("tag does not exist: {name}:3")),
        (format!("{name}x:1"), format!("An image does not exist locally with the tag: {name}x")),
    ] {
        let (code, said) = sandbox.said(&["push", &wanted]).unwrap();
        assert!(code == Some(1) && said.contains(&words), "{said}");
        let output = sandbox.docker(&["push", &wanted]).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(&words), "{said}");
    }
}

#[tokio::test]
async fn a_guarded_registry_takes_from_who_logged_in() {
    let sandbox = Sandbox::engine().await.unwrap();
    let registry = Registry::guarded().await.unwrap();
    let name = format!("{}/mine:1", registry.host());
    sandbox.ok(&["tag", "sandlot/starter", &name]).unwrap();
    let (code, said) = sandbox.said(&["push", &name]).unwrap();
    assert!(code == Some(1) && said.contains("denied: requested access to mine is denied"), "{said}");
    let mut login = sandbox.command(&["login", "-u", USER, "--password-stdin", &registry.host()]);
    let mut child = login.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    sandbox.sandlot(&["push", &name]).unwrap();
    sandbox.ok(&["push", &name]).unwrap();
    sandbox.ok(&["rmi", &name]).unwrap();
    sandbox.ok(&["pull", &name]).unwrap();
}

/// A wire to a registry whose connections break after so many bytes, each in its turn; later ones do not.
fn wire(host: String, breaks: Vec<usize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut breaks = breaks.into_iter();
        while let Ok((near, _)) = listener.accept() {
            let Ok(far) = TcpStream::connect(&host) else { return };
            let most = breaks.next().unwrap_or(usize::MAX);
            let (mut answers, mut back) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
            std::thread::spawn(move || {
                let mut bytes = (&near).take(most as u64);
                let _ended = std::io::copy(&mut bytes, &mut &far);
                for end in [&near, &far] {
                    let _already = end.shutdown(std::net::Shutdown::Both);
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_goes_on_where_the_registry_says() {
    let sandbox = Sandbox::engine().await.unwrap();
    let (_source, name) = stocked(&sandbox).await;
    sandbox.ok(&["pull", &name]).unwrap();
    for most in [1_500, 600_000, 3 << 20] {
        let registry = Registry::start().await.unwrap();
        let there = format!("{}/torn:{most}", wire(registry.host(), vec![most; 6]));
        sandbox.ok(&["tag", &name, &there]).unwrap();
        let said = sandbox.sandlot(&["push", &there]).unwrap();
        assert!(said.contains("Retrying in"), "{said}");
        let arrived = format!("{}/torn:{most}", registry.host());
        assert_eq!(raw(&arrived), raw(&name), "cut after {most}");
        whole(&sandbox, &arrived);
    }
}

/// A layer whose blob is gone is packed again: other bytes, the same files.
#[tokio::test]
async fn a_layer_without_a_blob_is_packed_again() {
    let sandbox = Sandbox::engine().await.unwrap();
    let (_source, name) = stocked(&sandbox).await;
    sandbox.ok(&["pull", &name]).unwrap();
    let manifest: Value = serde_json::from_str(&raw(&name)).unwrap();
    let digest = manifest["layers"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    std::fs::remove_file(sandbox.dir().join("state/images/blobs").join(digest)).unwrap();
    let target = Registry::start().await.unwrap();
    let new = format!("{}/again:1", target.host());
    sandbox.ok(&["tag", &name, &new]).unwrap();
    sandbox.ok(&["push", &new]).unwrap();
    whole(&sandbox, &new);
    let other = Sandbox::engine().await.unwrap();
    other.ok(&["pull", &new]).unwrap();
    let listing = [
        "run",
        "--rm",
        "IMAGE",
        "sh",
        "-c",
        "find / -xdev -type f | sort | xargs md5sum; ls -lnR /bin /home",
    ];
    let list = |sandbox: &Sandbox, image: &str| {
        let arguments = listing.map(|word| if word == "IMAGE" { image } else { word });
        let all = sandbox.ok(&arguments).unwrap();
        // What every container gets anew.
        all.lines().filter(|line| !line.contains("/etc/")).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(&sandbox, &name), list(&other, &new));
}

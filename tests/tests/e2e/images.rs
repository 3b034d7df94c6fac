//! What the real client does with images: names, filters, removal and its conflicts, digests, archives, pruning.

use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::Sandbox;
use serde_json::Value;

const STARTER: &str = "sandlot/starter";

/// What `docker …` says where it fails.
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.docker(arguments).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr)
        .unwrap()
        .trim_end()
        .trim_start_matches("Error response from daemon: ")
        .to_owned()
}

/// An image of one's own on top of the starter; its id.
fn made(sandbox: &Sandbox, name: &str, change: &str) -> String {
    sandbox.ok(&["run", "--name", "maker", STARTER, "sh", "-c", &format!("echo {name} > /made")]).unwrap();
    sandbox.ok(&["commit", "-c", change, "maker", name]).unwrap();
    sandbox.ok(&["rm", "maker"]).unwrap();
    sandbox.ok(&["image", "inspect", "-f", "{{.Id}}", name]).unwrap()
}

fn listed(sandbox: &Sandbox, filters: &[&str]) -> Vec<String> {
    let mut arguments = vec!["images", "--format", "{{.Repository}}:{{.Tag}}"];
    filters.iter().for_each(|filter| arguments.extend(["--filter", filter]));
    sandbox.ok(&arguments).unwrap().lines().map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn images_are_chosen_by_filters() {
    let sandbox = Sandbox::engine().await.unwrap();
    let old = made(&sandbox, "shop/old:1", "LABEL kind=old");
    made(&sandbox, "shop/new:2", "LABEL kind=new");
    assert_eq!(listed(&sandbox, &[]), ["shop/new:2", "shop/old:1", "sandlot/starter:latest"]);
    for (filter, names) in [
        ("label=kind", &["shop/new:2", "shop/old:1"][..]),
        ("label=kind=old", &["shop/old:1"]),
        ("since=shop/old:1", &["shop/new:2"]),
        ("before=shop/old:1", &["sandlot/starter:latest"]),
        ("reference=shop/*", &["shop/new:2", "shop/old:1"]),
        ("reference=*/*:1", &["shop/old:1"]),
        ("until=1h", &["sandlot/starter:latest"]),
        ("dangling=true", &[]),
    ] {
        assert_eq!(listed(&sandbox, &[filter]), names, "{filter}");
    }
    assert_eq!(refused(&sandbox, &["images", "--filter", "since=nobody"]), "No such image: nobody:latest");
    assert!(refused(&sandbox, &["images", "--filter", "dangling=x"]).contains("invalid filter 'dangling=x'"));
    assert!(refused(&sandbox, &["images", "--filter", "colour=red"]).contains("invalid filter 'colour'"));
    // Another image takes the name away: the first one dangles.
    made(&sandbox, "shop/old:1", "LABEL kind=other");
    assert_eq!(listed(&sandbox, &["dangling=true"]), ["<none>:<none>"]);
    let pruned = sandbox.ok(&["image", "prune", "-f"]).unwrap();
    assert!(pruned.contains(&format!("deleted: {old}")), "{pruned}");
    let pruned = sandbox.ok(&["image", "prune", "-af", "--filter", "label=kind=new"]).unwrap();
    assert!(pruned.contains("untagged: shop/new:2") && !pruned.contains("shop/old"), "{pruned}");
    sandbox.ok(&["image", "prune", "-af", "--filter", "until=1h"]).unwrap();
    assert_eq!(listed(&sandbox, &[]), ["shop/old:1", "sandlot/starter:latest"]);
    let words = refused(&sandbox, &["image", "prune", "-af", "--filter", "until=x"]);
    assert!(words.contains("invalid filter 'until=x'"), "{words}");
}

#[tokio::test]
async fn removal_has_dockers_words() {
    let sandbox = Sandbox::engine().await.unwrap();
    let id = made(&sandbox, "shop/app:1", "LABEL a=b");
    let short = &id[7..19];
    assert_eq!(refused(&sandbox, &["rmi", "nobody"]), "No such image: nobody:latest");
    assert_eq!(refused(&sandbox, &["tag", "nobody", "a:b"]), "No such image: nobody:latest");
    sandbox.ok(&["tag", "shop/app:1", "other/app:1"]).unwrap();
    let several = "(must be forced) - image is referenced in multiple repositories";
    assert_eq!(refused(&sandbox, &["rmi", &id]), format!("conflict: unable to delete {short} {several}"));
    assert_eq!(sandbox.ok(&["rmi", "other/app:1"]).unwrap(), "Untagged: other/app:1");
    let container = sandbox.ok(&["run", "-d", "--name", "box", "shop/app:1", "sleep", "1000"]).unwrap();
    let container = &container[..12];
    let last = format!(
        "conflict: unable to remove repository reference \"shop/app:1\" (must force) - container {container} is using its referenced image {short}"
    );
    assert_eq!(refused(&sandbox, &["rmi", "shop/app:1"]), last);
    let running = format!(
        "conflict: unable to delete {short} (cannot be forced) - image is being used by running container {container}"
    );
    assert_eq!(refused(&sandbox, &["rmi", short]), running);
    assert_eq!(refused(&sandbox, &["rmi", "-f", short]), running);
    sandbox.ok(&["kill", "box"]).unwrap();
    sandbox.ok(&["wait", "box"]).unwrap();
    assert_eq!(refused(&sandbox, &["rmi", "shop/app:1"]), last);
    assert!(
        refused(&sandbox, &["rmi", short])
            .ends_with(&format!("(must be forced) - image is being used by stopped container {container}"))
    );
    // By force the name goes; the layers stay, for the container can start again.
    assert_eq!(sandbox.ok(&["rmi", "-f", "shop/app:1"]).unwrap(), "Untagged: shop/app:1");
    sandbox.ok(&["start", "box"]).unwrap();
    sandbox.ok(&["rm", "-f", "box"]).unwrap();
    let gone = sandbox.ok(&["rmi", short]).unwrap();
    assert!(gone.starts_with(&format!("Deleted: {id}\nDeleted: sha256:")), "{gone}");
    assert_eq!(gone.lines().count(), 2, "the starter's layer is not this image's alone: {gone}");
    assert_eq!(sandbox.ok(&["run", "--rm", STARTER, "echo", "fine"]).unwrap(), "fine");
}

#[tokio::test]
async fn pulls_by_digest_and_of_all_tags() {
    let sandbox = Sandbox::engine().await.unwrap();
    let registry = Registry::start().await.unwrap();
    let name = format!("{}/app", registry.host());
    for tag in ["1", "2"] {
        sandbox.ok(&["tag", STARTER, &format!("{name}:{tag}")]).unwrap();
    }
    sandbox.ok(&["push", "-a", &name]).unwrap();
    let digests = ["images", "--digests", "--format", "{{.Tag}} {{.Digest}}", &name];
    let known = sandbox.ok(&digests).unwrap();
    let digest = known.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(known, format!("1 {digest}\n2 {digest}"));
    let gone = sandbox.ok(&["rmi", &format!("{name}:1"), &format!("{name}:2")]).unwrap();
    assert_eq!(gone, format!("Untagged: {name}:1\nUntagged: {name}:2\nUntagged: {name}@{digest}"));
    let exact = format!("{name}@{digest}");
    let said = sandbox.ok(&["pull", &exact]).unwrap();
    assert!(said.ends_with(&format!("Status: Downloaded newer image for {exact}\n{exact}")), "{said}");
    assert_eq!(sandbox.ok(&digests).unwrap(), format!("<none> {digest}"));
    assert_eq!(sandbox.sandlot(&digests).unwrap(), format!("<none> {digest}"));
    assert_eq!(sandbox.ok(&["run", "--rm", &exact, "echo", "by digest"]).unwrap(), "by digest");
    sandbox.ok(&["pull", "-a", &name]).unwrap();
    assert_eq!(sandbox.ok(&digests).unwrap(), format!("1 {digest}\n2 {digest}"));
    sandbox.ok(&["rmi", &format!("{name}:1")]).unwrap();
    sandbox.sandlot(&["pull", "--all-tags", &name]).unwrap();
    assert_eq!(sandbox.sandlot(&digests).unwrap(), format!("1 {digest}\n2 {digest}"));
    // What is not there is said before anything else.
    let missing = format!("{name}:3");
    let output = sandbox.docker(&["pull", &missing]).unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(1), String::new()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/app:3 not found: manifest unknown"));
    assert!(refused(&sandbox, &["search", "app"]).contains("searching is refused"));
    let manifest = sandbox.ok(&["manifest", "inspect", "--insecure", &format!("{name}:1")]).unwrap();
    assert!(serde_json::from_str::<Value>(&manifest).unwrap()["layers"].is_array(), "{manifest}");
}

#[tokio::test]
async fn archives_of_several_images_and_of_none_by_name() {
    let sandbox = Sandbox::engine().await.unwrap();
    let id = made(&sandbox, "shop/app:1", "LABEL a=b");
    let file = sandbox.dir().join("archive.tar");
    let file = file.to_str().unwrap();
    sandbox.ok(&["save", "-o", file, "shop/app:1", STARTER]).unwrap();
    sandbox.ok(&["rmi", "shop/app:1"]).unwrap();
    let loaded = sandbox.ok(&["load", "-q", "-i", file]).unwrap();
    let mut lines: Vec<&str> = loaded.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["Loaded image: sandlot/starter:latest", "Loaded image: shop/app:1"]);
    assert_eq!(sandbox.ok(&["image", "inspect", "-f", "{{.Id}}", "shop/app:1"]).unwrap(), id);
    sandbox.ok(&["save", "-o", file, &id]).unwrap();
    sandbox.ok(&["rmi", "shop/app:1"]).unwrap();
    assert_eq!(sandbox.ok(&["load", "-i", file]).unwrap(), format!("Loaded image ID: {id}"));
    assert!(
        refused(&sandbox, &["save", "-o", file, "nobody", STARTER]).contains("No such image: nobody:latest")
    );
    let inspected: Value = serde_json::from_str(&sandbox.ok(&["image", "inspect", &id]).unwrap()).unwrap();
    let image = &inspected[0];
    assert_eq!(image["RootFS"]["Layers"].as_array().unwrap().len(), 2);
    assert_eq!(image["Config"]["Labels"]["a"], "b");
    assert!(image["Size"].as_u64().unwrap() > 1 << 20 && image["GraphDriver"]["Name"] == "overlay2");
    assert!(image["RepoTags"].is_array() && image["RepoDigests"].is_array() && image["Metadata"].is_object());
    let history = sandbox.ok(&["history", "--format", "{{.ID}} {{.Size}}", &id]).unwrap();
    assert!(history.starts_with(&format!("{} ", &id[7..19])) && history.contains("<missing>"), "{history}");
}

//! What containers of a network do for each other and for the host: names, ports; by the real `docker` client.

use super::networks::{IMAGE, address, container, denied, fetch};
use sandlot_tests::sandbox::{Part, Sandbox};

#[tokio::test]
async fn containers_find_each_other_by_name() {
    let mut sandbox = Sandbox::networked().await.unwrap();
    for name in ["red", "blue"] {
        sandbox.ok(&["network", "create", name]).unwrap();
    }
    container(&sandbox, "web", &["--network", "red", "--network-alias", "shop", "--hostname", "first"]);
    container(&sandbox, "db", &["--network", "red"]);
    container(&sandbox, "far", &["--network", "blue"]);
    container(&sandbox, "plain", &[]);
    let conf = sandbox.ok(&["exec", "web", "cat", "/etc/resolv.conf"]).unwrap();
    assert_eq!(conf, "nameserver 127.0.0.11\noptions ndots:0");
    let id = sandbox.ok(&["inspect", "--format", "{{slice .Id 0 12}}", "web"]).unwrap();
    for name in ["web", "shop", "web.red", "WEB", &id, "first"] {
        assert_eq!(fetch(&sandbox, "db", name).as_deref(), Some("here is first"), "{name}");
    }
    let address = address(&sandbox, "web", "red");
    let looked = |from: &str, what: &str| {
        let output = sandbox.docker(&["exec", from, "nslookup", what]).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(looked("db", &address).contains("web.red"), "{}", looked("db", &address));
    for (from, name) in [("far", "web"), ("plain", "web"), ("web", "plain"), ("db", "nobody")] {
        assert!(denied(&sandbox, from, name), "{from} reaches {name}");
    }
    // Names follow, while all of them run.
    sandbox.ok(&["rename", "db", "store"]).unwrap();
    assert!(fetch(&sandbox, "web", "store").is_some() && denied(&sandbox, "web", "db"));
    sandbox.ok(&["network", "connect", "--alias", "guest", "blue", "web"]).unwrap();
    assert!(fetch(&sandbox, "far", "guest").is_some() && fetch(&sandbox, "web", "far").is_some());
    sandbox.ok(&["network", "disconnect", "blue", "web"]).unwrap();
    assert!(denied(&sandbox, "far", "guest") && denied(&sandbox, "web", "far"));
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert!(fetch(&sandbox, "web", "store").is_some() && fetch(&sandbox, "store", "shop").is_some());
    sandbox.ok(&["rm", "-f", "web"]).unwrap();
    assert!(denied(&sandbox, "store", "web"));
}

#[tokio::test]
async fn published_ports_are_reached_from_the_host_and_given_back() {
    let mut sandbox = Sandbox::networked().await.unwrap();
    container(
        &sandbox,
        "web",
        &["-p", "8080:80", "-p", "127.0.0.1:0:80", "-p", "9000:9000/udp", "--expose", "443"],
    );
    let get = |sandbox: &Sandbox, at: &str| {
        let mut curl = sandbox.netns().unwrap().command("curl");
        curl.args([
            "-s",
            "--retry",
            "20",
            "--retry-connrefused",
            "--retry-all-errors",
            "--retry-delay",
            "1",
            "-m",
            "5",
        ]);
        let output = curl.arg(format!("http://{at}/")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert!(get(&sandbox, "127.0.0.1:8080").starts_with("here is"));
    let listed = sandbox.ok(&["port", "web"]).unwrap();
    assert!(
        listed.contains("80/tcp -> 0.0.0.0:8080") && listed.contains("9000/udp -> 0.0.0.0:9000"),
        "{listed}"
    );
    let drawn = listed.lines().find_map(|l| l.strip_prefix("80/tcp -> 127.0.0.1:")).unwrap().to_owned();
    assert!(get(&sandbox, &format!("127.0.0.1:{drawn}")).starts_with("here is"));
    let shown = sandbox.ok(&["ps", "--format", "{{.Ports}}"]).unwrap();
    assert!(shown.contains("0.0.0.0:8080->80/tcp") && shown.contains("443/tcp"), "{shown}");
    assert_eq!(sandbox.ok(&["ps", "-q", "--filter", "publish=80"]).unwrap().lines().count(), 1);
    let taken = sandbox.docker(&["run", "--name", "late", "-p", "8080:80", IMAGE, "true"]).unwrap();
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(
        taken.status.code() == Some(125)
            && said.contains("Bind for 0.0.0.0:8080 failed: port is already allocated"),
        "{said}"
    );
    sandbox.kill(Part::Engine).unwrap();
    sandbox.start(Part::Engine).await.unwrap();
    assert!(get(&sandbox, "127.0.0.1:8080").starts_with("here is"));
    assert!(
        get(&sandbox, &format!("127.0.0.1:{drawn}")).starts_with("here is"),
        "the drawn port is remembered"
    );
    sandbox.ok(&["stop", "-t", "0", "web"]).unwrap();
    assert_eq!(sandbox.ok(&["ps", "-a", "--filter", "name=web", "--format", "{{.Ports}}"]).unwrap(), "");
    sandbox.ok(&["start", "late"]).unwrap();
    // With no network nothing is published.
    sandbox.ok(&["run", "-d", "--network", "none", "-p", "8081:80", IMAGE, "sleep", "1000"]).unwrap();
    let at = "127.0.0.1:8081".parse::<std::net::SocketAddr>().unwrap();
    assert!(sandbox.netns().unwrap().inside(|| Ok(std::net::TcpStream::connect(at)?)).is_err());
}

#[tokio::test]
async fn an_internal_network_leads_nowhere_and_its_names_neither() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "--internal", "inner"]).unwrap();
    container(&sandbox, "one", &["--network", "inner", "-p", "8080:80"]);
    container(&sandbox, "two", &["--network", "inner"]);
    assert!(fetch(&sandbox, "two", "one").is_some());
    assert_eq!(sandbox.ok(&["port", "one"]).unwrap(), "");
    let routes = sandbox.ok(&["exec", "two", "ip", "route"]).unwrap();
    assert!(!routes.contains("default"), "{routes}");
    let asked = sandbox.docker(&["exec", "two", "nslookup", "example.com"]).unwrap();
    assert!(String::from_utf8_lossy(&asked.stdout).contains("NXDOMAIN"), "{asked:?}");
}

#[tokio::test]
async fn twenty_at_once_are_all_reached_and_nothing_is_left() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "crowd"]).unwrap();
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let sandbox = &sandbox;
            scope.spawn(move || container(sandbox, name, &["--network", "crowd"]));
        }
    });
    let all: std::collections::BTreeSet<String> =
        names.iter().map(|n| address(&sandbox, n, "crowd")).collect();
    assert_eq!(all.len(), 20, "two have the same address");
    for name in &names[1..] {
        assert!(fetch(&sandbox, "c0", name).is_some(), "{name}");
    }
    let mut arguments = vec!["rm", "-f"];
    arguments.extend(names.iter().map(String::as_str));
    sandbox.ok(&arguments).unwrap();
    sandbox.ok(&["network", "rm", "crowd"]).unwrap();
    let links = || async {
        let output = sandbox.netns().unwrap().command("ip").args(["-br", "link"]).output().ok()?;
        (String::from_utf8_lossy(&output.stdout).lines().count() == 1).then_some(())
    };
    sandlot_tests::wait::until("the interfaces to go", links).await.unwrap();
}

#[tokio::test]
async fn what_happens_to_networks_is_told() {
    let sandbox = Sandbox::networked().await.unwrap();
    sandbox.ok(&["network", "create", "red"]).unwrap();
    container(&sandbox, "web", &["--network", "red"]);
    sandbox.ok(&["rm", "-f", "web"]).unwrap();
    sandbox.ok(&["network", "rm", "red"]).unwrap();
    sandbox.ok(&["network", "prune", "-f"]).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let (until, format) = (now.to_string(), "{{.Action}} {{.Actor.Attributes.name}}");
    let filter = "type=network";
    let told =
        sandbox.ok(&["events", "--since", "0", "--until", &until, "--filter", filter, "--format", format]);
    let told = told.unwrap();
    for line in ["create red", "connect red", "disconnect red", "destroy red"] {
        assert!(told.lines().any(|l| l == line), "{line} in {told}");
    }
    assert!(told.contains("prune"), "{told}");
}

#[tokio::test]
async fn the_own_command_line_knows_networks() {
    let sandbox = Sandbox::networked().await.unwrap();
    let ok = |arguments: &[&str]| sandbox.sandlot(arguments).unwrap();
    ok(&["network", "create", "--subnet", "10.6.0.0/24", "--label", "a=b", "shop"]);
    ok(&["network", "create", "--internal", "inner"]);
    let listed = ok(&["network", "ls"]);
    for line in ["NETWORK ID", "bridge", "inner", "internet", "none", "shop"] {
        assert!(listed.contains(line), "{line} in {listed}");
    }
    assert_eq!(
        ok(&["network", "ls", "-f", "label=a", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]),
        "shop bridge local"
    );
    let server = "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 80 -h /www";
    let first =
        ["run", "-d", "--name", "web", "--network", "shop", "--ip", "10.6.0.7", "--network-alias", "front"];
    ok(&[&first[..], &["-p", "127.0.0.1:0:80", IMAGE, "sh", "-c", server]].concat());
    ok(&["run", "-d", "--name", "two", "--net", "inner", IMAGE, "sleep", "1000"]);
    assert!(ok(&["port", "web", "80"]).starts_with("127.0.0.1:"));
    assert_eq!(
        ok(&["inspect", "--format", "{{.NetworkSettings.Networks.shop.IPAddress}}", "web"]),
        "10.6.0.7"
    );
    assert!(denied(&sandbox, "two", "front"));
    ok(&["network", "connect", "--alias", "second", "shop", "two"]);
    assert_eq!(fetch(&sandbox, "two", "front").as_deref(), Some("hello"));
    assert_eq!(ok(&["ps", "--filter", "name=two", "--format", "{{.Networks}}"]), "inner,shop");
    assert!(ok(&["network", "inspect", "shop"]).contains("10.6.0.7/24"));
    let (code, said) = sandbox.said(&["network", "rm", "shop"]).unwrap();
    assert!(code == Some(1) && said.contains("has active endpoints"), "{code:?}: {said}");
    ok(&["network", "disconnect", "shop", "two"]);
    assert!(denied(&sandbox, "two", "front"));
    let (code, said) = sandbox.said(&["run", "--rm", "--network", "nope", IMAGE, "true"]).unwrap();
    assert!(code == Some(125) && said.contains("network nope not found"), "{code:?}: {said}");
    ok(&["rm", "-f", "web", "two"]);
    let pruned = ok(&["network", "prune", "-f"]);
    assert!(pruned.contains("shop") && pruned.contains("inner"), "{pruned}");
}

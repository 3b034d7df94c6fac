//! Mounts as they are asked for, good and bad.

use super::*;
use crate::engine::model::TmpfsOptions;

fn asked(binds: &[&str], mounts: Vec<MountRequest>) -> HostConfig {
    let binds = binds.iter().map(|b| (*b).to_owned()).collect();
    HostConfig { binds, mounts, ..HostConfig::default() }
}

fn of(config: &Config, host: &HostConfig) -> Result<Vec<Mount>, Error> {
    all(config, host, Vec::new(), &Settings::system())
}

fn refused(host: &HostConfig) -> String {
    of(&Config::default(), host).unwrap_err().to_string()
}

fn volume_at(target: &str) -> Config {
    Config { volumes: [(target.to_owned(), serde_json::Value::Null)].into(), ..Config::default() }
}

#[test]
fn mounts_are_ordered_by_depth_and_volumes_of_the_image_yield() {
    let mounts = of(&volume_at("/data"), &asked(&["v1:/data/in/", "w1:/data:ro"], vec![])).unwrap();
    assert_eq!(mounts.iter().map(|m| m.target.as_str()).collect::<Vec<_>>(), ["/data", "/data/in"]);
    assert_eq!((&mounts[0].source, mounts[0].readonly), (&Source::Volume("w1".into()), true));
    assert_eq!((mounts[0].mode.as_str(), mounts[1].mode.as_str()), ("ro", "z"));
}

#[test]
fn other_containers_volumes_yield_to_what_was_asked_for() {
    let others = of(&Config::default(), &asked(&["o1:/a:ro", "o2:/b"], vec![])).unwrap();
    let host = asked(&["mine:/b"], vec![]);
    let mounts = all(&volume_at("/a"), &host, others, &Settings::system()).unwrap();
    let sources: Vec<_> = mounts.iter().map(|m| m.source.clone()).collect();
    assert_eq!(sources, [Source::Volume("o1".into()), Source::Volume("mine".into())]);
    assert!(mounts[0].readonly);
}

#[test]
fn the_long_form_says_the_same() {
    let volume = MountRequest {
        kind: "volume".into(),
        source: "data".into(),
        target: "/d".into(),
        volume_options: Some(VolumeOptions {
            no_copy: true,
            subpath: "a/b".into(),
            labels: [("k".to_owned(), "v".to_owned())].into(),
            ..VolumeOptions::default()
        }),
        ..MountRequest::default()
    };
    let tmpfs = MountRequest {
        kind: "tmpfs".into(),
        target: "/t".into(),
        tmpfs_options: Some(TmpfsOptions { size_bytes: 4096, mode: 0o1770, options: vec![] }),
        ..MountRequest::default()
    };
    let mounts = of(&Config::default(), &asked(&[], vec![volume, tmpfs])).unwrap();
    assert_eq!((mounts[0].first, mounts[0].subpath.clone()), (First::Nothing, Some("a/b".into())));
    assert_eq!(mounts[1].source, Source::Tmpfs("size=4096,mode=1770".into()));
}

#[test]
fn bad_mounts_are_named() {
    let long = |kind: &str, source: &str| MountRequest {
        kind: kind.into(),
        source: source.into(),
        target: "/x".into(),
        ..MountRequest::default()
    };
    let shared = MountRequest {
        bind_options: Some(BindOptions { propagation: "rshared".into(), ..BindOptions::default() }),
        ..long("bind", "/tmp")
    };
    let up = VolumeOptions { subpath: "../x".into(), ..VolumeOptions::default() };
    let up = MountRequest { volume_options: Some(up), ..long("volume", "vol") };
    let tmpfs = |target: &str, options: &str| HostConfig {
        tmpfs: [(target.to_owned(), options.to_owned())].into(),
        ..HostConfig::default()
    };
    for (host, word) in [
        (asked(&["a1:b:c:d"], vec![]), "a1:b:c:d"),
        (asked(&["../x:/y"], vec![]), "../x"),
        (asked(&["v1:/y:odd"], vec![]), "invalid mode: odd"),
        (asked(&["v1:/y", "w1:/y"], vec![]), "Duplicate mount point: /y"),
        (asked(&["/etc:/x"], vec![]), "/etc is refused"),
        (asked(&["v1:/"], vec![]), "destination can't be '/'"),
        (asked(&[], vec![long("odd", "x")]), "type \"odd\": mount type unknown"),
        (asked(&[], vec![long("volume", "/abs")]), "absolute path"),
        (asked(&[], vec![long("tmpfs", "x")]), "Source must not be specified"),
        (asked(&[], vec![shared]), "bind-propagation=rshared"),
        (asked(&[], vec![up]), "subpath must be a relative path"),
        (tmpfs("/x/../y", ""), "/x/../y"),
        (tmpfs("/x", "evil=1"), "evil"),
        (HostConfig { volume_driver: "nfs".into(), ..HostConfig::default() }, "plugin \"nfs\" not found"),
    ] {
        let words = refused(&host);
        assert!(words.contains(word), "{words}");
    }
}

#[test]
fn a_sources_links_are_resolved_before_it_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(dir.path()).unwrap();
    std::fs::create_dir(root.join("allowed")).unwrap();
    std::os::unix::fs::symlink("/etc", root.join("allowed/out")).unwrap();
    let settings = Settings { bind_roots: vec![root.join("allowed")], ..Settings::system() };
    let bind = |path: &str, missing| place(&root.join(path).to_string_lossy(), missing, &settings);
    assert!(bind("allowed/out", Missing::Made).is_err());
    assert!(bind("allowed/out/new", Missing::Made).is_err());
    assert!(bind("allowed/../other", Missing::Made).is_err());
    assert!(bind("allowed/new/deep", Missing::Refused).is_err());
    assert!(!root.join("allowed/new").exists() && !root.join("other").exists());
    assert_eq!(bind("allowed/new/deep", Missing::Made).unwrap(), Source::Bind(root.join("allowed/new/deep")));
    assert!(root.join("allowed/new/deep").is_dir());
}

#[test]
fn a_source_swapped_for_a_link_is_not_followed() {
    const ROUNDS: usize = 10_000;
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = std::fs::File::open(dir.path()).unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
    let there = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(outside.path()).unwrap());
    let done = std::sync::atomic::AtomicBool::new(false);
    let data = dir.path().join("data");
    let inode = |fd: &OwnedFd| rustix::fs::fstat(fd).unwrap().st_ino;
    let count = |open: &dyn Fn() -> rustix::io::Result<OwnedFd>| {
        (0..ROUNDS).filter(|_| open().is_ok_and(|fd| inode(&fd) == there)).count()
    };
    let (naive, ours) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(&place, "data", &place, "link", exchange).unwrap();
            }
        });
        let naive = count(&|| rustix::fs::open(&data, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()));
        let ours = count(&|| resolved(&data));
        for n in 0..ROUNDS / 100 {
            // It may be refused, but nothing is made outside.
            make(dir.path(), Path::new(&format!("data/new-{n}/below"))).unwrap_or_default();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (naive, ours)
    });
    assert!(naive > 0, "the swapper was never fast enough to be shown");
    assert_eq!((ours, std::fs::read_dir(outside.path()).unwrap().count()), (0, 0));
}

#[test]
fn nothing_is_mounted_over_what_the_kernel_tells() {
    // CVE-2025-52881: what is written to /proc then goes elsewhere. An image's own volumes are asked, too.
    for target in ["/proc", "/proc/sys/user", "/proc//self/attr", "/sys/fs/cgroup", "/a/../proc"] {
        let words = of(&volume_at(target), &HostConfig::default()).unwrap_err().to_string();
        assert!(words.contains("invalid mount path") && words.contains(target), "{words}");
    }
    assert_eq!(clean("/process").unwrap(), "/process");
}

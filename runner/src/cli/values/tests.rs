//! Each kind of value, good and bad.

use super::*;

#[test]
fn sizes() {
    for (text, n) in
        [("0", 0), ("1024", 1024), ("1k", 1024), ("512m", 512 << 20), ("2G", 2 << 30), ("1.5GiB", 3 << 29)]
    {
        assert_eq!(bytes(text), Ok(n), "{text}");
    }
    for bad in ["", "m", "-1", "1x", "1.2.3m", "12 apples", "99999999999999999999", "9999999999t", ".5m"] {
        assert!(bytes(bad).is_err(), "{bad}");
    }
    assert_eq!(bytes_or_unlimited("-1"), Ok(-1));
    assert!(bytes_or_unlimited("-2").is_err());
}

#[test]
fn processors() {
    assert_eq!(cpus("1.5"), Ok(1_500_000_000));
    assert_eq!(cpus(".25"), Ok(250_000_000));
    for bad in ["", ".", "-1", "1,5", "two", "1.2.3", "0.0000000001", "99999999999999"] {
        assert!(cpus(bad).is_err(), "{bad}");
    }
}

#[test]
fn ulimits() {
    let limit = |soft, hard| Ok(Ulimit { name: "nofile".into(), soft, hard });
    assert_eq!(ulimit("nofile=10"), limit(10, 10));
    assert_eq!(ulimit("nofile=10:20"), limit(10, 20));
    assert_eq!(ulimit("nofile=10:-1"), limit(10, -1));
    for bad in
        ["", "nofile", "nofile=", "=1", "nofile=x", "nofile=1:x", "nofile=2:1", "nofile=-1:5", "nofile=-2"]
    {
        assert!(ulimit(bad).is_err(), "{bad}");
    }
}

#[test]
fn devices() {
    assert_eq!(device_bps("/dev/sda:1mb"), Ok(Throttle { path: "/dev/sda".into(), rate: 1 << 20 }));
    assert_eq!(device_iops("/dev/sda:9"), Ok(Throttle { path: "/dev/sda".into(), rate: 9 }));
    for bad in ["", "/dev/sda", "/dev/sda:", "sda:1mb", "/dev/sda:fast", "/dev/sda:-1"] {
        assert!(device_bps(bad).is_err() && device_iops(bad).is_err(), "{bad}");
    }
}

#[test]
fn environment() {
    assert!(env("A=1").is_ok() && env("A").is_ok() && env("A=").is_ok());
    assert!(env("").is_err() && env("=1").is_err());
    let lookup = |name: &str| (name == "HOME").then(|| "/root".to_owned());
    assert_eq!(resolve(vec!["A=1".into(), "HOME".into(), "NONE".into()], lookup), ["A=1", "HOME=/root"]);
    assert_eq!(env_file("# c\n\nA=1\n  B\nC=a b\n").unwrap(), ["A=1", "B", "C=a b"]);
    for bad in ["A B=1", "=1", "ok=1\nexport X=1"] {
        assert!(env_file(bad).is_err(), "{bad}");
    }
    assert!(env_file("A=1\n=2").unwrap_err().starts_with("line 2"));
}

#[test]
fn mounts() {
    assert_eq!(volume("/a:/b:ro").unwrap(), "/a:/b:ro");
    assert_eq!(volume("data:/b").unwrap(), "data:/b");
    assert_eq!(volume("/b").unwrap(), "/b");
    assert!(volume("./x:/b").unwrap().starts_with('/'));
    for bad in ["", "a", "/a:b", "/a:/", "/a:/b:rx", "/a:/b:ro:x", ":/b"] {
        assert!(volume(bad).is_err(), "{bad}");
    }
    assert_eq!(tmpfs("/tmp:size=1m"), Ok(("/tmp".into(), "size=1m".into())));
    assert!(tmpfs("tmp").is_err());
}

#[test]
fn the_rest() {
    assert_eq!(restart("on-failure:3").unwrap().maximum_retry_count, 3);
    for bad in ["", "sometimes", "always:3", "on-failure:x"] {
        assert!(restart(bad).is_err(), "{bad}");
    }
    assert_eq!(host("db:10.0.0.2"), Ok("db:10.0.0.2".into()));
    assert_eq!(host("db=[::1]"), Ok("db:::1".into()));
    for bad in ["", "db", ":1.2.3.4", "db:nowhere"] {
        assert!(host(bad).is_err(), "{bad}");
    }
    assert!(pair("=x").is_err() && full_pair("a").is_err() && pair("a").is_ok());
}

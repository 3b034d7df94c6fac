//! Promise: a wrong setting is refused in words that name the place, the value and what is allowed.

use super::*;
use std::io::Write;

fn read(arguments: &[&str]) -> Result<Config, Error> {
    Config::read(["sandlot-server"].iter().chain(arguments).map(Into::into))
}

fn refused(arguments: &[&str]) -> String {
    read(arguments).expect_err("it was accepted").to_string()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_defaults_are_valid() {
    let config = read(&[]).unwrap();
    assert_eq!(config.web.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.engine, PathBuf::from("/run/sandlot/server.sock"));
    assert_eq!(config.policy.limits.memory, 512 << 20);
    assert_eq!(config.policy.catalogue[0].name, "sandlot/starter");
    assert_eq!(config.account, Account::Usual);
}

#[test]
fn arguments_go_before_the_file() {
    let file = file("memory = \"64m\"\npids = 100\n[[images]]\nname = \"debian\"\nprofile = \"nested\"\n");
    let path = file.path().to_str().unwrap();
    let config = read(&["--config", path, "--memory", "1g"]).unwrap();
    assert_eq!((config.policy.limits.memory, config.policy.limits.pids), (1 << 30, 100));
    assert_eq!(config.policy.catalogue.len(), 1);
    assert_eq!(config.policy.catalogue[0].profile, crate::session::engine::Profile::Nested);
}

#[test]
fn what_is_out_of_range_is_named() {
    for (argument, value, allowed) in [
        ("--memory", "1k", "4194304"),
        ("--memory", "lots", "512m"),
        ("--memory", "99999999999t", "512m"),
        ("--cpus", "0", "0.01"),
        ("--cpus", "NaN", "0.01"),
        ("--pids", "1", "from 4"),
        ("--idle", "soon", "30m"),
        ("--idle", "0", "1 s"),
        ("--idle", "é", "30m"),
        ("--sessions", "0", "from 1"),
        ("--terminals", "33", "1 to 32"),
        ("--listen", "localhost", "127.0.0.1:8080"),
        ("--public-url", "ftp://x", "https"),
        ("--public-url", "https://x/path", "without a path"),
        ("--allowed-origins", "https://a.example,nonsense", "separated by commas"),
        ("--engine", "tcp://127.0.0.1:1", "unix://"),
        ("--user", "0:0", "above 0"),
        ("--user", "root", "above 0"),
    ] {
        let message = refused(&[argument, value]);
        assert!(message.starts_with(argument), "{message}");
        assert!(message.contains(value) && message.contains(allowed), "{message}");
    }
}

#[test]
fn a_short_token_is_refused_and_not_repeated() {
    let message = refused(&["--admin-token", "secret"]);
    assert!(message.contains("16") && !message.contains("secret"), "{message}");
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_file_and_key() {
    for (text, key, allowed) in [
        ("memory = 5", "memory", "512m"),
        ("memroy = \"5m\"", "memroy", "memory"),
        ("listen = [", "", ""),
        ("[[images]]\nname = \"\"", "images[0].name", "reference"),
        (
            "[[images]]\nname = \"a\"\nprofile = \"privileged\"",
            "images[0].profile",
            "standard, nested or engine",
        ),
        ("[[images]]\nname = \"a\"\ncolour = \"red\"", "images[0].colour", "title"),
        ("images = 5", "images", "[[images]]"),
    ] {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let message = refused(&["--config", path]);
        assert!(message.contains(path) && message.contains(key) && message.contains(allowed), "{message}");
    }
    assert!(refused(&["--config", "/nowhere/sandlot.toml"]).contains("/nowhere/sandlot.toml"));
}

#[test]
fn an_image_may_be_recorded_or_not_for_itself() {
    let file = file("[[images]]\nname = \"a\"\n[[images]]\nname = \"b\"\nrecording = true\n");
    let path = file.path().to_str().unwrap();
    let policy = read(&["--config", path]).unwrap().policy;
    assert_eq!((policy.is_recorded("a"), policy.is_recorded("b")), (false, true));
    let policy = read(&["--config", path, "--recording", "on"]).unwrap().policy;
    assert_eq!((policy.is_recorded("a"), policy.is_recorded("another")), (true, true));
    let file = self::file("[recording]\non = true\n[[images]]\nname = \"a\"\nrecording = false\n");
    let policy = read(&["--config", file.path().to_str().unwrap()]).unwrap().policy;
    assert_eq!((policy.is_recorded("a"), policy.is_recorded("another")), (false, true));
    let file = self::file("[[images]]\nname = \"a\"\nrecording = \"maybe\"\n");
    let refusal = refused(&["--config", file.path().to_str().unwrap()]);
    assert!(refusal.contains("images[0].recording") && refusal.contains("true or false"), "{refusal}");
}

#[test]
fn what_is_made_ahead_at_set_times_is_a_list_of_the_file() {
    let read = |text: &str| {
        let file = file(&format!("{text}\n[[images]]\nname = \"lab\"\n"));
        self::read(&["--config", file.path().to_str().unwrap()])
    };
    let weekly =
        "[[warmups]]\nimage = \"lab\"\ncount = 8\ndays = [\"mon\"]\nfrom = \"08:45\"\nuntil = \"12:00\"\n";
    let once = "[[warmups]]\nimage = \"lab\"\ncount = 3\nfrom = \"2026-11-24T08:45:00Z\"\nuntil = \"2026-11-24T10:00:00Z\"\n";
    let schedule = read(&format!("{weekly}{once}")).unwrap().policy.schedule;
    assert_eq!(schedule.iter().map(|one| one.count).collect::<Vec<_>>(), [8, 3]);
    // A Monday at nine, and the Tuesday's hour.
    let open = |n: usize, time: &str| {
        schedule[n].window.open(time.parse::<jiff::Timestamp>().unwrap().as_second()).is_some()
    };
    assert!(open(0, "2026-11-23T09:00:00Z") && !open(0, "2026-11-24T09:00:00Z"));
    assert!(open(1, "2026-11-24T09:00:00Z") && !open(1, "2026-11-23T09:00:00Z"));
    for (from, to, words) in [
        ("\"lab\"\ncount", "\"other\"\ncount", "warmups[0].image"),
        ("count = 8", "count = 9", "from 1 to 8, which is pool-count"),
        ("\"mon\"", "\"monday\"", "mon, tue"),
        ("until = \"12:00\"", "until = \"08:00\"", "the later one last"),
        ("until = \"12:00\"", "until = \"12:00\"\nzone = \"Nowhere/At_all\"", "Europe/Berlin"),
        ("days = [\"mon\"]\n", "", "2026-11-24T08:45:00Z"),
        ("count = 8", "count = 8\nsize = 4", "warmups[0].size"),
    ] {
        let refusal = read(&weekly.replace(from, to)).expect_err("it was accepted").to_string();
        assert!(refusal.contains(words), "{to}: {refusal}");
    }
}

#[test]
fn what_is_recorded_is_a_table_of_the_file() {
    assert_eq!(read(&[]).unwrap().policy.recording, None, "nothing, unless it is said");
    let file = file("[recording]\non = true\nage = \"7d\"\nlargest = \"8m\"\n");
    let path = file.path().to_str().unwrap();
    let recording = read(&["--config", path]).unwrap().policy.recording.unwrap();
    assert_eq!((recording.age.as_secs(), recording.each.largest), (7 * 24 * 3600, 8 << 20));
    assert_eq!(recording.each.input, Input::Left);
    assert_eq!(read(&["--config", path, "--recording", "off"]).unwrap().policy.recording, None);
    for (text, words) in [
        ("[recording]\nloud = true\n", "recording-loud"),
        ("[recording]\non = \"maybe\"\n", "on or off"),
        ("recording = true\n", "a table [recording]"),
        ("[recording]\nlargest = \"1k\"\n", "1048576"),
    ] {
        let file = self::file(text);
        let refusal = refused(&["--config", file.path().to_str().unwrap()]);
        assert!(refusal.contains(words), "{text}: {refusal}");
    }
}

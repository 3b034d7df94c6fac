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

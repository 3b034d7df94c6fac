//! Output that is logged and read back: whole, in order, bounded.

use super::*;
use std::os::unix::fs::MetadataExt;

fn output(dir: &tempfile::TempDir, size: u64, files: u32) -> Output {
    let logging = Logging { files, size, attributes: BTreeMap::new() };
    Output::new(&dir.path().join("log"), logging)
}

fn chunk(text: impl Into<Vec<u8>>) -> Chunk {
    Chunk { stream: Stream::Stdout, bytes: bytes::Bytes::from(text.into()) }
}

fn lines(output: &Output) -> Vec<String> {
    let mut reader = output.read().unwrap();
    std::iter::from_fn(|| reader.past().unwrap()).map(|line| line.log).collect()
}

fn kept(dir: &tempfile::TempDir) -> u64 {
    std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().size()).sum()
}

#[tokio::test]
async fn lines_are_put_together_and_the_last_needs_no_newline() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(&dir, 1 << 20, 2);
    let mut attached = output.attach();
    for text in ["on", "e\ntwo\nthr", "ee"] {
        output.take(chunk(text)).await;
    }
    output.end();
    assert_eq!(lines(&output), ["one\n", "two\n", "three"]);
    let mut all = Vec::new();
    while let Some(chunk) = attached.recv().await {
        all.extend_from_slice(&chunk.bytes);
    }
    assert_eq!(all, b"one\ntwo\nthree");
}

#[tokio::test]
async fn a_line_without_end_is_cut_between_letters_and_the_log_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(&dir, 1 << 20, 3);
    let flood = "ä€x".repeat(50_000);
    for _ in 0..20 {
        output.take(chunk(flood.clone())).await;
    }
    output.end();
    assert!(kept(&dir) <= 3 << 20, "{}", kept(&dir));
    let lines = lines(&output);
    assert!(lines.iter().all(|l| l.len() <= LINE && !l.contains('\u{fffd}')));
    assert!(lines.len() > 100);
}

#[tokio::test]
async fn each_number_of_files_keeps_the_newest() {
    for files in [1, 2, 4] {
        let dir = tempfile::tempdir().unwrap();
        let output = output(&dir, 4096, files);
        for n in 0..1000 {
            output.take(chunk(format!("line {n}\n"))).await;
        }
        output.end();
        let there = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(there, usize::try_from(files).unwrap());
        assert!(kept(&dir) <= 4096 * u64::from(files));
        let lines = lines(&output);
        let first: usize = lines[0].trim().strip_prefix("line ").unwrap().parse().unwrap();
        let wanted: Vec<String> = (first..1000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(lines, wanted);
        // Another engine finds the same.
        assert_eq!(self::lines(&self::output(&dir, 4096, files)), wanted);
    }
}

#[tokio::test]
async fn a_follower_misses_nothing_over_files_that_are_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(&dir, 2048, 50);
    output.take(chunk("before\n")).await;
    let mut reader = output.read().unwrap();
    let following = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(line) = reader.past().unwrap() {
            all.push(line.log);
        }
        while let Some(line) = reader.next().await.unwrap() {
            all.push(line.log);
        }
        all
    });
    for n in 0..500 {
        output.take(chunk(format!("{n}\n"))).await;
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    output.take(chunk("last")).await;
    output.end();
    let all = following.await.unwrap();
    let mut wanted = vec!["before\n".to_owned()];
    wanted.extend((0..500).map(|n| format!("{n}\n")));
    wanted.push("last".into());
    assert_eq!(all, wanted);
}

#[tokio::test]
async fn what_is_not_kept_is_passed_on_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(&dir, 0, 0);
    let mut attached = output.attach();
    output.take(chunk("text\n")).await;
    output.end();
    assert_eq!(attached.recv().await.unwrap().bytes, "text\n");
    assert!(output.read().is_none());
    assert_eq!(kept(&dir), 0);
}

#[tokio::test]
async fn an_end_is_known_to_whoever_comes_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(&dir, 1 << 20, 2);
    output.begin();
    assert!(!output.over());
    output.take(chunk("last words")).await;
    output.end();
    // A reader that begins now would wait for an end that has been: it must be able to know.
    let mut reader = output.read().unwrap();
    assert!(output.over());
    assert_eq!(reader.past().unwrap().unwrap().log, "last words");
    output.begin();
    assert!(!output.over(), "the next process prints, too");
}

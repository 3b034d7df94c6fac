//! Promise: what a terminal showed is on disk soon, whole or with a mark where it is not, whatever happens to the server.

use super::cast::{self, Event};
use super::*;
use crate::terminal::recording::tape::Held;
use bytes::Bytes;
use sandlot_wire::Size;
use std::fs::File;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

const SIZE: Size = Size { cols: 80, rows: 24 };
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps the news, and lets a test wait for some.
#[derive(Default)]
struct Heard {
    news: Mutex<Vec<News>>,
    came: Condvar,
}

impl Shelf for Heard {
    fn tell(&self, news: News) {
        self.news.lock().unwrap().push(news);
        self.came.notify_all();
    }
}

impl Heard {
    fn until(&self, what: &str, wanted: impl Fn(&[News]) -> bool) {
        let news = self.news.lock().unwrap();
        let (news, late) = self.came.wait_timeout_while(news, PATIENCE, |news| !wanted(news)).unwrap();
        assert!(!late.timed_out(), "{what}: {news:?}");
    }

    fn lines(&self) -> Vec<(u64, String)> {
        let news = self.news.lock().unwrap();
        let shown = news.iter().filter_map(|news| match news {
            News::Shown(_, lines) => Some(lines.iter().map(|line| (line.at, line.text.clone()))),
            _ => None,
        });
        shown.flatten().collect()
    }
}

struct Stage {
    folder: tempfile::TempDir,
    heard: Arc<Heard>,
    recorder: Recorder,
}

fn label() -> Label {
    Label { session: "s".to_owned(), terminal: "t".to_owned() }
}

impl Stage {
    fn new(settings: Settings) -> Self {
        let (folder, heard) = (tempfile::tempdir().unwrap(), Arc::<Heard>::default());
        let recorder = Recorder::start(folder.path().to_owned(), settings, heard.clone()).unwrap();
        Self { folder, heard, recorder }
    }

    /// A tape, begun; what it held; what it is told when it stops.
    fn tape(&self) -> (Tape, Held, std::sync::mpsc::Receiver<Stopped>) {
        let mut tape = self.recorder.tape(label(), "A shell".to_owned()).unwrap();
        let (told, stopped) = std::sync::mpsc::channel();
        let held = tape.begin(SIZE, Box::new(move |why| drop(told.send(why)))).unwrap();
        (tape, held, stopped)
    }

    fn cast(&self) -> String {
        let file = File::open(self.recorder.file(&label()).unwrap()).unwrap();
        let all = frames(&file).unwrap();
        String::from_utf8(all.iter().flat_map(|frame| read(&file, frame).unwrap()).collect()).unwrap()
    }

    fn events(&self) -> Vec<Event> {
        self.cast().lines().filter_map(|line| cast::event(line.as_bytes())).collect()
    }

    fn output(&self) -> String {
        self.events().into_iter().filter(|event| event.kind == "o").map(|event| event.text).collect()
    }
}

fn settings() -> Settings {
    Settings { input: Input::Left, largest: 1 << 30 }
}

fn is_ended(news: &[News]) -> bool {
    news.contains(&News::Indexed(label()))
}

#[test]
fn what_is_printed_is_on_disk_within_a_second_though_nothing_follows() {
    let stage = Stage::new(settings());
    let (mut tape, held, _stopped) = stage.tape();
    assert_eq!(held, Held::Nothing);
    let printed = Instant::now();
    tape.output(Bytes::from_static(b"hello\r\n"), 7);
    stage.heard.until("it grows", |news| matches!(news.last(), Some(News::Grown { .. })));
    assert!(stage.output() == "hello\r\n" && SOON < Duration::from_secs(1));
    // The machine may be slow; what is promised is that nothing else is waited for.
    assert!(printed.elapsed() < PATIENCE);
    let file = stage.recorder.file(&label()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_recording_is_an_asciicast_with_resizes_markers_and_no_input() {
    for (input, kinds) in [(Input::Left, "ormx"), (Input::Kept, "oirmx")] {
        let stage = Stage::new(Settings { input, ..settings() });
        let (mut tape, _, _stopped) = stage.tape();
        tape.output(Bytes::from_static("ä$ ".as_bytes()), 4);
        tape.typed(b"secret\r");
        tape.resize(Size { cols: 100, rows: 30 });
        tape.marker("step 1");
        tape.exit(3);
        drop(tape);
        stage.heard.until("it ends", is_ended);
        let text = stage.cast();
        assert!(
            text.starts_with("{") && text.contains("\"version\":3") && text.contains("A shell"),
            "{text}"
        );
        let found: String = stage.events().into_iter().map(|event| event.kind).collect();
        assert_eq!(found, kinds);
        assert_eq!(text.contains("secret"), input == Input::Kept);
    }
}

#[test]
fn a_recording_goes_on_where_it_was_left_and_a_torn_end_is_cut_off() {
    let stage = Stage::new(settings());
    let (mut tape, ..) = stage.tape();
    tape.output(Bytes::from_static(b"before "), 7);
    drop(tape);
    stage.heard.until("it ends", is_ended);
    // As a kill in the middle of a write leaves it.
    let path = stage.recorder.file(&label()).unwrap();
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend_from_slice(&torn.clone()[..20]);
    std::fs::write(&path, torn).unwrap();
    let (mut tape, held, _stopped) = stage.tape();
    assert_eq!(held, Held::UpTo(7));
    tape.output(Bytes::from_static(b"after"), 12);
    drop(tape);
    stage.heard.until("it ends again", |news| {
        news.iter().filter(|news| matches!(news, News::Indexed(_))).count() == 2
    });
    assert_eq!(stage.output(), "before after");
    assert_eq!(stage.cast().matches("\"version\"").count(), 1);
}

#[test]
fn a_recording_of_the_largest_size_stops_with_words() {
    let stage = Stage::new(Settings { largest: 64 * 1024, ..settings() });
    let (mut tape, _, stopped) = stage.tape();
    let mut noise = vec![0_u8; 200_000];
    getrandom::fill(&mut noise).unwrap();
    let text: String = noise.iter().map(|byte| char::from(b'!' + byte % 90)).collect();
    tape.output(text.into(), 200_000);
    let why = stopped.recv_timeout(PATIENCE).unwrap();
    assert_eq!(why, Stopped::Largest);
    assert!(why.to_string().contains("largest size"));
}

/// Shown to be a real one: a disk of 64 KiB.
#[test]
fn a_full_disk_stops_the_recording_and_leaves_a_file_that_can_be_read() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let stage = Stage::new(settings());
    let place = stage.folder.path().join("s");
    std::fs::create_dir(&place).unwrap();
    let options = Some("size=64k");
    if let Err(error) = mount(Some("tmpfs"), &place, Some("tmpfs"), MsFlags::empty(), options) {
        eprintln!("skipped: no small disk can be mounted here: {error}");
        return;
    }
    let (mut tape, _, stopped) = stage.tape();
    tape.output(Bytes::from_static(b"kept\r\n"), 6);
    stage.heard.until("it grows", |news| matches!(news.last(), Some(News::Grown { .. })));
    let mut noise = vec![0_u8; 300_000];
    getrandom::fill(&mut noise).unwrap();
    let text: String = noise.iter().map(|byte| char::from(b'!' + byte % 90)).collect();
    tape.output(text.into(), 300_006);
    let why = stopped.recv_timeout(PATIENCE);
    drop(tape);
    stage.heard.until("it ends", is_ended);
    let output = stage.output();
    umount2(&place, MntFlags::MNT_DETACH).unwrap();
    assert!(matches!(why, Ok(Stopped::Disk(_))), "{why:?}");
    assert!(output.starts_with("kept\r\n") && output.len() < 300_000);
}

#[test]
fn a_flood_is_passed_over_with_a_mark_and_a_fresh_screen_and_what_follows_is_recorded() {
    let stage = Stage::new(settings());
    let (mut tape, _, _stopped) = stage.tape();
    let chunk = Bytes::from(b"the same line again\r\n".repeat(50_000));
    let (mut seq, began) = (0, Instant::now());
    while tape.due().is_none() {
        assert!(began.elapsed() < PATIENCE, "nothing was passed over after {seq} bytes");
        seq += chunk.len() as u64;
        tape.output(chunk.clone(), seq);
    }
    while !tape.wants_screen() {
        assert!(began.elapsed() < PATIENCE * 3, "no fresh screen was due");
        std::thread::sleep(Duration::from_millis(20));
    }
    tape.screen(b"the screen".to_vec(), seq);
    tape.output(Bytes::from_static(b" and more"), seq + 9);
    drop(tape);
    stage.heard.until("it ends", is_ended);
    assert!(stage.output().ends_with("\x18\x1bcthe screen and more"));
    let marked = stage.events().into_iter().find(|event| event.kind == "m").unwrap();
    assert!(marked.text.contains("passed over"), "{}", marked.text);
}

#[test]
fn the_lines_that_were_shown_are_told_with_their_moments() {
    let stage = Stage::new(settings());
    let (mut tape, _, _stopped) = stage.tape();
    let mut seq = 0;
    let mut print = |text: &str| {
        seq += text.len() as u64;
        tape.output(Bytes::copy_from_slice(text.as_bytes()), seq);
    };
    print("$ ec\x08\x1b[Kcho \x1b[1mhe\x1b[mllo\r\nhello\r\n$ ");
    stage.heard.until("the line", |news| matches!(news.last(), Some(News::Shown(..))));
    let later = Instant::now();
    while later.elapsed() < Duration::from_millis(50) {
        std::thread::yield_now();
    }
    print("\x1b[?1049h\x1b[Hin the editor\x1b[5;1H");
    print("\x1b[?1049l");
    print("exit\r\n");
    drop(tape);
    stage.heard.until("it ends", is_ended);
    let lines = stage.heard.lines();
    let texts: Vec<&str> = lines.iter().map(|(_, text)| &text[..]).collect();
    assert!(
        texts.contains(&"$ echo hello") && texts.contains(&"hello") && texts.contains(&"$ exit"),
        "{texts:?}"
    );
    assert!(!texts.iter().any(|text| text.contains('\x1b')), "{texts:?}");
    let at = |wanted: &str| lines.iter().find(|(_, text)| text == wanted).unwrap().0;
    assert!(at("$ exit") >= at("hello") + 40);
}

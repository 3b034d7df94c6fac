//! Promise: a screen written down and read again is the same screen, wherever the stream is cut.

use super::*;
use proptest::prelude::*;

const SIZE: Size = Size { cols: 20, rows: 6 };

fn shown(bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(SIZE);
    screen.feed(bytes);
    screen
}

/// All that a viewer could see, now or by scrolling or by leaving the alternate screen.
fn state(screen: &Screen) -> String {
    dump::write(&screen.emulator, 1000)
}

/// What a viewer sees, cell by cell. A cell that is empty and a space look alike, whatever the colour of their letters.
fn seen(screen: &Screen) -> String {
    use std::fmt::Write;
    let e = &screen.emulator;
    let on = if e.is_alternate() { &e.alternate } else { &e.normal };
    let mut text = format!(
        "{:?} {},{} {}-{} {:?} {:?} {:?}\n",
        e.shown, on.x, on.y, on.top, on.bottom, e.pen, e.modes, e.charsets
    );
    let alternate = e.alternate.lines.iter().filter(|_| e.is_alternate());
    for line in e.normal.lines.iter().chain(alternate) {
        for cell in &line.cells {
            let mut glyph = String::new();
            cell.write(&mut glyph);
            let blank = glyph.trim().is_empty();
            let pen = if blank { cell.pen.erasing() } else { cell.pen };
            let _ = write!(text, "{}{pen:?} ", if blank { " " } else { &glyph });
        }
        text.push('\n');
    }
    text.replace(&format!("{:?}", pen::Pen::default()), "")
}

/// The text of the normal screen's lines, those above it too.
fn lines(screen: &Screen) -> Vec<String> {
    let text = |line: &line::Line| {
        let mut text = String::new();
        line.cells.iter().for_each(|cell| cell.write(&mut text));
        text.trim_end().to_owned()
    };
    screen.emulator.normal.lines.iter().map(text).collect()
}

fn cut_and_resumed(bytes: &[u8], at: usize) -> Screen {
    let mut resumed = shown(&shown(&bytes[..at]).snapshot());
    resumed.feed(&bytes[at..]);
    resumed
}

#[test]
fn every_cut_of_a_rich_stream_resumes_exactly() {
    let stream = "\x1b]0;tïtle\x07plain\r\n\x1b[1;31mröd\x1b[0m 漢字\r\n\x1b[?2004h\x1b[?1049h\x1b[2;3Hvim\x1b[38;2;1;2;3m~\
        \x1b[?1000;1006h\x1b[?1049l$ \x1b[2;5rregion\n\n\n\n\x1b[rend\x1b[3 q\x1b[?25l"
        .as_bytes();
    let whole = state(&shown(stream));
    for at in 0..=stream.len() {
        assert_eq!(state(&cut_and_resumed(stream, at)), whole, "cut at {at}");
    }
}

/// Where lines do not wrap, a wide character that does not fit tears the last one: what is left of it is replayed.
#[test]
fn a_torn_character_at_the_end_of_a_line_that_does_not_wrap_is_replayed() {
    for stream in [
        "\x1b[?7l\x1b[1;19H漢字漢",
        "\x1b[?7l\x1b[1;19H漢字漢x",
        "\x1b[44m\x1b[?7l\x1b[1;19H漢\x1b[45m字\x1b[?7h\r\nnext",
        "\x1b[?7l\x1b[1;19H漢字e\u{301}\x1b[?7h",
        "\x1b[?7l\x1b[1;19H漢字\u{301}",
        "\x1b[?7l0123456789012345678901234",
    ] {
        let whole = seen(&shown(stream.as_bytes()));
        for (at, _) in stream.char_indices() {
            assert_eq!(seen(&cut_and_resumed(stream.as_bytes(), at)), whole, "{stream:?} cut at {at}");
        }
        assert_eq!(seen(&shown(&shown(stream.as_bytes()).snapshot())), whole, "{stream:?}");
    }
}

/// Inserting at the second half of a wide character leaves that half alone, which takes a column and shows nothing.
#[test]
fn a_second_half_without_its_first_is_replayed() {
    for stream in [
        "\x1b[30;40mあ\x08\x1b[@\r\nnext",
        "aa漢é漢漢\x1b[1;8H\x1b[@\x1b[2;1Hx",
        "\x1b[41mあいう\x1b[44m\x1b[1;4H\x1b[2@\x1b[1;12Hend",
        "漢字漢字漢字漢字漢字漢字\x1b[1;4H\x1b[@\x1b[2;3H\x1b[@",
    ] {
        let whole = seen(&shown(stream.as_bytes()));
        for (at, _) in stream.char_indices() {
            assert_eq!(seen(&cut_and_resumed(stream.as_bytes(), at)), whole, "{stream:?} cut at {at}");
        }
        assert_eq!(seen(&shown(&shown(stream.as_bytes()).snapshot())), whole, "{stream:?}");
    }
}

/// A restored cursor brings its character set, and leaves the one that was chosen since.
#[test]
fn a_restored_character_set_leaves_the_chosen_one() {
    for stream in ["\x1b(0\x1b8aa\x0f\x0ea", "\x1b(0\x1b7\x1b(B\x1b8qq\x1b)Aq", "\x1b(0\x1b8\x1b[3;9Hqqqq"] {
        let whole = state(&shown(stream.as_bytes()));
        for at in 0..=stream.len() {
            assert_eq!(state(&cut_and_resumed(stream.as_bytes(), at)), whole, "{stream:?} cut at {at}");
        }
    }
}

#[test]
fn a_thousand_lines_of_scrollback_survive() {
    let stream: String = (0..1500).map(|n| format!("\x1b[3{}mline {n}\r\n", n % 8)).collect();
    let resumed = shown(&shown(stream.as_bytes()).snapshot());
    let lines = lines(&resumed);
    assert!(lines.len() >= 1000, "{}", lines.len());
    assert_eq!(lines[lines.len() - 2], "line 1499");
    assert_eq!(lines[lines.len() - 1000], "line 501");
}

#[test]
fn a_huge_colourful_screen_still_fits_a_snapshot() {
    let mut screen = Screen::new(Size { cols: 1000, rows: 1000 });
    let row: String = (0..1000).map(|n| format!("\x1b[38;2;{};{};7mx", n % 256, n / 4 % 256)).collect();
    (0..1000).for_each(|_| screen.feed(row.as_bytes()));
    let snapshot = screen.snapshot();
    assert!(snapshot.len() <= SNAPSHOT && snapshot.len() > 1000);
}

/// Seed 3301 of `tests/browser/replay.test.mjs`.
#[test]
fn nothing_that_is_repeated_takes_nothing_away() {
    let mark = "\x1b[999G\x1b[?7l漢\u{301}";
    for repeated in ["", "\x1b[5b"] {
        let snapshot = shown([mark, repeated].concat().as_bytes()).snapshot();
        assert!(String::from_utf8(snapshot).unwrap().contains('\u{301}'), "{repeated:?}");
    }
}

#[test]
fn repeating_a_character_65535_times_costs_a_line_at_most() {
    let mut screen = shown(b"x");
    screen.feed(&b"\x1b[65535b".repeat(10_000));
    assert!(screen.emulator.normal.lines.len() <= SCROLLBACK_LINES + 6 + 1);
}

#[test]
fn an_unfinished_title_without_end_is_bounded() {
    let mut screen = shown(b"\x1b]0;");
    screen.feed(&vec![b'a'; 1 << 20]);
    assert!(screen.unfinished.len() <= UNFINISHED);
}

/// How many cases: `SANDLOT_CASES` for more than usual.
fn cases(usual: u32) -> u32 {
    std::env::var("SANDLOT_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-z ]{0,30}".prop_map(String::into_bytes),
        "[漢字あéü]{1,8}".prop_map(String::into_bytes),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\t".to_vec()),
        Just(b"\x08".to_vec()),
        (1..9u16, 1..25u16).prop_map(|(row, col)| format!("\x1b[{row};{col}H").into_bytes()),
        (0..8u8, 0..8u8).prop_map(|(f, b)| format!("\x1b[3{f};4{b}m").into_bytes()),
        prop::sample::select(vec![
            "\x1b[0m",
            "\x1b[1m",
            "\x1b[7m",
            "\x1b[2J",
            "\x1b[K",
            "\x1b[1K",
            "\x1b[?1049h",
            "\x1b[?1049l",
            "\x1b7",
            "\x1b8",
            "\x1b[2;4r",
            "\x1b[r",
            "\x1b[L",
            "\x1b[M",
            "\x1b[P",
            "\x1b[@",
            "\x1bM",
            "\x1b[?25l",
            "\x1b[?25h",
            "\x1b(0",
            "\x1b(B",
            "\x1b[?2004h",
            "\x1b]2;t\x07",
            "\x1b[4h",
            "\x1b[4l",
            "\x1b[?7l",
            "\x1b[?7h",
            "\x1b[S",
            "\x1b[T",
            "\x1b[J",
            "\x1b[1J",
        ])
        .prop_map(|s| s.as_bytes().to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(64), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_and_rest_equal_the_whole(
        pieces in prop::collection::vec(piece(), 1..60),
        place in any::<prop::sample::Index>(),
    ) {
        let stream = pieces.concat();
        let at = place.index(stream.len() + 1);
        prop_assert_eq!(seen(&cut_and_resumed(&stream, at)), seen(&shown(&stream)));
    }

    #[test]
    fn random_bytes_never_break_it(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = shown(&shown(&bytes).snapshot());
    }
}

/// What `bytes` come to when nothing is passed over: fed in pieces too short for that.
fn wholly(screen: &mut Screen, bytes: &[u8]) {
    bytes.chunks(512).for_each(|piece| screen.feed(piece));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn passing_over_what_scrolls_away_changes_nothing(
        before in "(\\x1b\\[(2;5r|r|1;6r|\\?1049h|4h|\\?7l|7m|1;1H|\\?6h)|\\x1b7|[a-z]|\n){0,8}",
        flood in prop::collection::vec("(a{0,30}|\\x1b\\[3[0-7]m|\t|漢|é|°|\x08| )\r\n", 1100..1400),
        after in "(b{0,30}|\\x1b\\[(m|A|3C|K|J|L|2M)|\\x1b8|\n|\r){0,8}",
    ) {
        let (first, rest) = (before.as_bytes(), [flood.concat(), after].concat());
        let (mut quick, mut slow) = (Screen::new(SIZE), Screen::new(SIZE));
        // What comes before is fed by itself, as what an earlier half of the ring held.
        wholly(&mut quick, first);
        quick.feed(rest.as_bytes());
        wholly(&mut slow, first);
        wholly(&mut slow, rest.as_bytes());
        prop_assert_eq!(state(&quick), state(&slow));
    }
}

#[test]
fn a_flood_is_passed_over_and_a_scrolling_region_is_not() {
    let flood = "line\r\n".repeat(3000);
    let mut screen = shown(b"");
    assert!(screen.pass_over(flood.as_bytes()).len() < flood.len() / 2);
    for (region, passes) in
        [("\x1b[2;5r", false), ("\x1b[1;6r", true), ("\x1b[r", true), ("\x1b[2r", false), ("\x1bc", true)]
    {
        screen.feed(region.as_bytes());
        assert_eq!(screen.pass_over(flood.as_bytes()).len() < flood.len(), passes, "{region:?}");
    }
    screen.feed(b"\x1b[1");
    assert_eq!(screen.pass_over(flood.as_bytes()).len(), flood.len(), "in the midst of a sequence");
}

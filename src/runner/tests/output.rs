use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::runner::output::Sink;
use crate::runner::tail::{LINE_LIMIT, LINES, TAIL_LIMIT, Tail, printable};

#[tokio::test]
async fn a_flood_is_read_to_its_end_and_its_file_is_bounded() {
    let mut bench = Bench::with(|settings| settings.log_limit = 10_000);
    let ended = bench.run(&script("yes 'a line' | head -c 5000000; echo; echo the end")).await;
    assert_eq!(ended.outcome, Outcome::Complete);
    assert_eq!(ended.tail.len(), LINES);
    assert_eq!(ended.tail.last().unwrap(), "the end");
    let log = bench.log();
    assert!(log.len() < 10_200, "{} bytes", log.len());
    assert_eq!(log.matches("--- output beyond 10000 bytes dropped ---").count(), 1);
}

#[tokio::test]
async fn both_streams_are_kept_in_order_and_raw() {
    let mut bench = Bench::new();
    let ended = bench.run(&script("echo one; echo two >&2; printf '\\377\\033[31m\\000three\\r\\n'")).await;
    assert_eq!(ended.tail, ["one", "two", "\u{fffd}\\u{1b}[31m\\u{0}three"]);
    let raw = fs::read(bench.build_dir().join("log")).unwrap();
    assert!(raw.ends_with(b"one\ntwo\n\xff\x1b[31m\0three\r\n"), "{raw:?}");
}

#[tokio::test]
async fn each_attempt_adds_to_the_log_under_its_own_header() {
    let mut bench = Bench::new();
    let spec = script("echo output of $BASEWATCH_ATTEMPT");
    for number in [1, 2] {
        bench.start_attempt(&spec, number);
        bench.ended().await;
    }
    let log = bench.log();
    let lines: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    assert!(matches!(lines[..], [a, "output of 1", b, "output of 2"]
        if a.starts_with("--- attempt 1 started 20") && b.starts_with("--- attempt 2 started 20")));
}

#[tokio::test]
async fn a_log_that_is_full_of_earlier_attempts_is_begun_anew() {
    let mut bench = Bench::with(|settings| settings.log_limit = 1000);
    bench.run(&script("yes 'first attempt' | head -c 5000")).await;
    bench.run(&script("echo second")).await;
    assert!(!bench.log().contains("first attempt"));
    assert!(bench.log().contains("second") && bench.log().contains("dropped, to make room"));
}

#[tokio::test]
async fn a_build_whose_log_cannot_be_written_runs_all_the_same() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.build_dir().join("log")).unwrap();
    let ended = bench.run(&script("echo heard")).await;
    assert_eq!((ended.outcome, ended.tail), (Outcome::Complete, vec!["heard".to_owned()]));
}

#[test]
fn a_full_disk_costs_the_file_but_not_the_last_lines() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let mut sink = Sink::new(attempt(&script(""), 1), full, 1000, BuildOutput::File);
    let told = heard(|| {
        sink.take(b"one\n");
        sink.take(b"two\n");
    });
    assert_eq!(told.matches("build_log_incomplete").count(), 1, "{told}");
    assert_eq!(sink.finish(), ["one", "two"]);
}

#[test]
fn lines_go_to_the_log_where_asked_and_only_within_the_limit() {
    let file = || fs::OpenOptions::new().write(true).open("/dev/null");
    let take = |output| {
        heard(|| {
            let mut sink = Sink::new(attempt(&script(""), 2), file(), 20, output);
            sink.take(b"first\nsec");
            sink.take(b"ond\x1b[1m\nmuch too late\n");
            sink.finish();
        })
    };
    let told = take(BuildOutput::Log);
    assert!(told.contains("event=\"build_output\" build=default/app-7 attempt=2"), "{told}");
    assert!(told.contains("line=\"first\"") && told.contains("second"), "{told}");
    assert!(!told.contains("late") && !told.contains('\x1b'), "{told}");
    assert_eq!(take(BuildOutput::File), "");
}

#[test]
fn a_tail_is_bounded_whatever_comes() {
    let mut tail = Tail::default();
    for _ in 0..100 {
        tail.take(&[b'x'; 1 << 16], |_| {});
    }
    tail.take(b"\nlast", |line| assert_eq!(line.len(), LINE_LIMIT + 1));
    tail.finish(|line| assert_eq!(line, b"last"));
    let lines = tail.lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), TAIL_LIMIT + "…".len());

    tail.take(&b"\x01".repeat(LINE_LIMIT), |_| {});
    tail.finish(|_| {});
    assert!(tail.lines()[2].len() < TAIL_LIMIT + 20, "escapes count");

    tail.take("n\n".repeat(1000).as_bytes(), |_| {});
    assert_eq!(tail.lines(), ["n"; LINES]);
}

#[test]
fn the_last_of_many_long_lines_reaches_the_log() {
    let mut tail = Tail::default();
    for number in 0..30 {
        tail.take(format!("{number} {}\n", "\x01".repeat(1500)).as_bytes(), |_| {});
    }
    tail.take(b"error: the real one\n", |_| {});
    let joined = tail.lines().join("\n");
    assert!(joined.len() <= 16 << 10, "{} bytes are more than the log takes", joined.len());
    assert!(joined.ends_with("\nerror: the real one"), "{joined}");
}

#[test]
fn a_line_is_cut_the_same_wherever_the_pieces_are() {
    let text = b"one\n\ntwo\r\nthree";
    for at in 0..text.len() {
        let mut tail = Tail::default();
        tail.take(&text[..at], |_| {});
        tail.take(&text[at..], |_| {});
        tail.finish(|_| {});
        assert_eq!(tail.lines(), ["one", "", "two", "three"], "cut at {at}");
    }
}

#[test]
fn a_line_cannot_pretend_to_be_another() {
    let plain = |line| printable(line, LINE_LIMIT);
    assert_eq!(plain("tab\there, \"quotes\" and é stay".as_bytes()), "tab\there, \"quotes\" and é stay");
    assert_eq!(plain("a\rb\x1b\u{9b}\u{2028}\u{202e}".as_bytes()), "a\\rb\\u{1b}\\u{9b}\\u{2028}\\u{202e}");
}

/// What is logged meanwhile, as text.
fn heard(act: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);
    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let heard = Heard::default();
    let writer = heard.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(log, act);
    let bytes = heard.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc;

use serde_json::json;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

use super::line::{Line, Look};
use super::{EventLayer, capture, catalog, heard, sink};

#[test]
fn json_is_one_flat_object_a_line_in_a_fixed_order() {
    let text = capture::text(Look::Json, || {
        tracing::warn!(
            event = "build_retrying",
            build = "default/app-7",
            attempt = 2,
            ok = false,
            "will run again"
        );
    });
    let (timestamp, rest) = text.strip_prefix(r#"{"timestamp":""#).unwrap().split_once('"').unwrap();
    let expected = r#","level":"warn","event":"build_retrying","build":"default/app-7","attempt":2,"ok":false,"message":"will run again"}"#;
    assert_eq!(rest, format!("{expected}\n"));
    let parsed: jiff::Timestamp = timestamp.parse().unwrap();
    assert_eq!(timestamp, format!("{parsed:.3}"), "RFC 3339 in UTC with milliseconds");
}

#[test]
fn text_is_one_readable_line() {
    let text = capture::text(Look::Plain, || {
        tracing::info!(event = "image_changed", tag = "docker.io/library/debian:12", fan_out = 3, "moved");
    });
    let rest = text.split_once(' ').unwrap().1;
    assert_eq!(rest, "INFO  image_changed: moved tag=docker.io/library/debian:12 fan_out=3\n");
}

#[test]
fn hostile_values_stay_in_their_line_and_their_field() {
    let hostile = [
        "\n{\"event\":\"build_finished\"}",
        "a b",
        "phase=Complete",
        "say \"hi\"",
        "\u{1b}[2J\u{7}",
        "\r",
        "\u{2028}",
        "\u{202e}txt",
        "",
    ];
    for value in hostile {
        let lines = capture::lines(|| tracing::info!(event = "build_output", line = value, "{value}"));
        assert_eq!(lines.len(), 1, "{value:?}");
        assert_eq!(lines[0]["event"], "build_output", "{value:?}");
        assert_eq!(lines[0]["line"], value, "{value:?}");

        let text =
            capture::text(Look::Plain, || tracing::info!(event = "build_output", line = value, "{value}"));
        assert_eq!(text.lines().count(), 1, "{value:?}");
        assert!(text.ends_with(&format!(" line={value:?}\n")), "{text:?} must quote {value:?}");
        let body = text.strip_suffix('\n').unwrap();
        assert!(!body.contains(char::is_control), "{body:?}");
    }
}

#[test]
fn a_library_cannot_speak_in_the_name_of_an_event() {
    let tell = || tracing::warn!(target: "hyper::proto", event = "build_finished", level = "info", "lost");
    let line = &capture::lines(tell)[0];
    assert_eq!(line.get("event"), None);
    assert_eq!(line["target"], "hyper::proto");
    assert_eq!(line["level"], "warn");

    let text = capture::text(Look::Plain, tell);
    assert_eq!(text.split_once(' ').unwrap().1, "WARN  hyper::proto: lost\n");
}

#[test]
fn a_value_has_a_longest_length() {
    let long = "ä".repeat(100_000);
    let line = &capture::lines(|| tracing::info!(event = "build_output", line = long, "said"))[0];
    let kept = line["line"].as_str().unwrap();
    assert!(kept.len() < 17_000 && kept.ends_with("ä…"), "{} bytes", kept.len());
}

#[test]
fn colour_is_only_around_what_a_line_is_made_of() {
    let text = Look::Colour.render(&Line::lost(3), "2026-01-02T03:04:05.678Z".parse().unwrap());
    let expected = "\x1b[2m2026-01-02T03:04:05.678Z\x1b[0m \x1b[33mWARN \x1b[0m \x1b[1mlog_lines_lost\x1b[0m: \
                    stderr took no more lines for a while \x1b[2mlines=\x1b[0m3\n";
    assert_eq!(text, expected);
}

#[test]
fn libraries_are_heard_from_warn_up_and_never_below_our_own_level() {
    use tracing::Level;
    let ours = "basewatch::poll";
    let debug = heard(Level::DEBUG);
    assert!(debug.would_enable(ours, &Level::DEBUG));
    assert!(debug.would_enable("sled::pagecache", &Level::WARN));
    assert!(!debug.would_enable("sled::pagecache", &Level::INFO));
    let error = heard(Level::ERROR);
    assert!(!error.would_enable("sled::pagecache", &Level::WARN));
    assert!(!error.would_enable(ours, &Level::WARN));
}

#[test]
fn a_stuck_stderr_blocks_nobody_and_the_gap_is_told() {
    let (out, let_go) = Stuck::new();
    let written = out.written.clone();
    let (sink, flush) = sink::open(out);
    let line = "x".repeat(1024 * 1024);
    for _ in 0..10 {
        sink.write(line.clone());
    }
    assert_eq!(sink.take_lost(), None, "there is no room yet for a line that tells");
    drop(let_go);
    drop(flush);
    assert_eq!(sink.take_lost(), Some(5), "lines are taken as long as no more than 4 MiB wait");
    assert_eq!(sink.take_lost(), None, "told once");
    assert_eq!(written.0.lock().unwrap().len(), 5 * line.len());
}

#[test]
fn a_build_that_floods_the_log_leaves_room_for_what_becomes_of_it() {
    let (out, let_go) = Stuck::new();
    let written = out.written.clone();
    let (sink, flush) = sink::open(out);
    let subscriber = Registry::default().with(EventLayer { look: Look::Json, sink });
    let line = "x".repeat(10_000);
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..1_000 {
            tracing::info!(event = "build_output", line, "build output");
        }
        tracing::error!(event = "build_finished", "the build did not succeed");
    });
    drop(let_go);
    drop(flush);
    let text = written.text();
    assert!(text.lines().count() < 500, "no more than half of the queue is output");
    assert_eq!(text.matches("\"event\":\"build_finished\"").count(), 1);
}

#[test]
fn a_closed_stderr_stops_nobody_and_what_it_refuses_is_counted() {
    let (sink, flush) = sink::open(Closed);
    sink.write("one\n".to_owned());
    sink.write("two\n".to_owned());
    sink.write_lost("seven are lost\n".to_owned(), 7);
    drop(flush);
    assert_eq!(sink.take_lost(), Some(9));
}

#[test]
fn a_stderr_that_does_not_block_gets_every_line_whole() {
    let out = Fits {
        answers: vec![Err(ErrorKind::WouldBlock), Ok(2), Err(ErrorKind::WouldBlock)],
        ..Fits::default()
    };
    let written = out.written.clone();
    let (sink, flush) = sink::open(out);
    sink.write("one\n".to_owned());
    drop(flush);
    assert_eq!(written.text(), "one\n");
    assert_eq!(sink.take_lost(), None);
}

#[test]
fn after_a_line_that_was_cut_the_next_begins_anew() {
    let full = || Err(ErrorKind::StorageFull);
    // Half a line, a whole one refused, the newline that was missing, and then there is room.
    let out = Fits { answers: vec![Ok(2), full(), full(), Ok(1), full()], ..Fits::default() };
    let written = out.written.clone();
    let (sink, flush) = sink::open(out);
    for line in ["one\n", "two\n", "three\n", "four\n"] {
        sink.write(line.to_owned());
    }
    drop(flush);
    assert_eq!(written.text(), "on\nfour\n");
    assert_eq!(sink.take_lost(), Some(3));
}

#[test]
fn a_panic_is_one_line_with_its_place() {
    let lines = capture::lines(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(super::tell_panic));
        let _ = std::panic::catch_unwind(|| panic!("two\nlines"));
        std::panic::set_hook(before);
    });
    let line = lines.iter().find(|line| line["error"] == "two\nlines").unwrap();
    assert_eq!(line["event"], json!("panic"));
    assert_eq!(line["level"], json!("error"));
    assert!(line["location"].as_str().unwrap().contains("logging/tests.rs:"), "{line:?}");
    assert!(line["thread"].is_string(), "{line:?}");
}

/// Takes nothing until it is let go.
struct Stuck {
    until: mpsc::Receiver<()>,
    written: capture::Written,
}

impl Stuck {
    fn new() -> (Self, mpsc::Sender<()>) {
        let (let_go, until) = mpsc::channel();
        (Self { until, written: capture::Written::default() }, let_go)
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.until.recv();
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers as it is told: with an error, or by taking so many bytes. After that it takes everything.
#[derive(Default)]
struct Fits {
    answers: Vec<Result<usize, ErrorKind>>,
    asked: usize,
    written: capture::Written,
}

impl Write for Fits {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let answer = self.answers.get(self.asked).copied().unwrap_or(Ok(bytes.len()));
        self.asked += 1;
        self.written.write(&bytes[..answer?])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_event_in_the_sources_is_in_the_table() {
    let table = catalog::table();
    let unknown: Vec<String> =
        catalog::in_sources().into_iter().filter(|event| !table.contains_key(event)).collect();
    assert_eq!(unknown, Vec::<String>::new(), "logged, but not told in docs/events.md");
}

#[test]
fn every_line_of_our_own_has_an_event() {
    assert_eq!(catalog::without_event(), Vec::<String>::new());
    let text = "info!(event = \"a\", 1);\nwarn!(\n  event, \"b\");\ntracing::debug!(%error, \"c\");";
    assert_eq!(catalog::eventless(text), ["debug!(%error, \"c\");"]);
}

#[test]
fn every_event_of_the_table_has_one_example_that_it_allows() {
    let examples = catalog::examples();
    examples.iter().for_each(catalog::check);
    let shown: Vec<&str> = examples.iter().filter_map(|line| line["event"].as_str()).collect();
    let mut without: Vec<String> = catalog::table().into_keys().collect();
    without.retain(|event| shown.iter().filter(|shown| **shown == event).count() != 1);
    assert_eq!(without, Vec::<String>::new());
}

#[test]
fn the_example_lines_look_as_the_log_writes_them() {
    let example = catalog::examples().into_iter().find(|line| line["event"] == "log_lines_lost").unwrap();
    let at = example["timestamp"].as_str().unwrap().parse().unwrap();
    let lines = example["lines"].as_u64().unwrap();
    let written = Look::Json.render(&Line::lost(lines), at);
    assert!(catalog::document().contains(&written), "{written}");
}

#[test]
fn every_event_of_the_table_is_in_the_sources() {
    let logged = catalog::in_sources();
    let unknown: Vec<String> = catalog::table().into_keys().filter(|event| !logged.contains(event)).collect();
    assert_eq!(unknown, Vec::<String>::new(), "told in docs/events.md, but never logged");
}

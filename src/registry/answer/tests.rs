use super::*;

const NOW: &str = "2026-11-01T12:00:00Z";

fn wait(text: &str) -> Option<Duration> {
    retry_after(text, NOW.parse().unwrap())
}

#[test]
fn retry_after_is_read_as_seconds_and_as_a_date() {
    assert_eq!(wait("7"), Some(Duration::from_secs(7)));
    assert_eq!(wait(" 120 "), Some(Duration::from_secs(120)));
    assert_eq!(wait("Sun, 01 Nov 2026 12:01:30 GMT"), Some(Duration::from_secs(90)));
}

#[test]
fn a_wait_is_never_shorter_than_a_second_nor_longer_than_six_hours() {
    assert_eq!(wait("0"), Some(Duration::from_secs(1)));
    assert_eq!(wait("Sun, 01 Nov 2026 11:00:00 GMT"), Some(Duration::from_secs(1)));
    assert_eq!(wait("18446744073709551615"), Some(Duration::from_secs(21_600)));
    assert_eq!(wait("Tue, 01 Nov 2033 12:00:00 GMT"), Some(Duration::from_secs(21_600)));
}

#[test]
fn a_retry_after_that_is_neither_is_no_wish() {
    for text in ["", "soon", "-3", "1.5", "2026-11-01", "s", "1x", "1s2", "1.2.3s", "m30s", "+1s"] {
        assert_eq!(wait(text), None, "{text}");
    }
}

#[test]
fn retry_after_is_read_as_go_prints_durations_and_never_below_a_second() {
    assert_eq!(wait("880.092µs"), Some(Duration::from_secs(1)));
    assert_eq!(wait("880.092\u{3bc}s"), Some(Duration::from_secs(1)));
    assert_eq!(wait("12.5ms"), Some(Duration::from_secs(1)));
    assert_eq!(wait("2s"), Some(Duration::from_secs(2)));
    assert_eq!(wait("1m30.5s"), Some(Duration::from_millis(90_500)));
    assert_eq!(wait("1h0m0s"), Some(Duration::from_secs(3_600)));
    assert_eq!(wait("9999999999999999h"), Some(Duration::from_secs(21_600)));
}

/// A status, headers and a body, and the seconds that they ask for.
type Wish = (u16, &'static [(&'static str, &'static str)], &'static str, Option<u64>);

fn wished(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Option<Duration> {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let status = StatusCode::from_u16(status).unwrap();
    wish(status, &headers.collect(), body.as_bytes(), NOW.parse().unwrap())
}

#[test]
fn a_wish_is_found_in_a_header_or_in_the_body_of_a_429() {
    const HUB: &str = "You have reached your pull rate limit";
    let table: [Wish; 12] = [
        (429, &[("retry-after", "30")], "", Some(30)),
        (429, &[("retry-after", "Sun, 01 Nov 2026 12:01:30 GMT")], "", Some(90)),
        (503, &[("retry-after", "120")], "", Some(120)),
        (429, &[("x-retry-after", "1793534460")], "", Some(60)),
        (429, &[("x-ratelimit-limit", "180"), ("x-ratelimit-reset", "1793534460")], "", Some(60)),
        (429, &[("retry-after", "7"), ("x-ratelimit-reset", "1793534460")], "", Some(7)),
        (429, &[], "toomanyrequests: retry-after: 880.092µs, allowed: 44000/minute", Some(1)),
        (429, &[], "Retry-After: 1m30s.", Some(90)),
        (
            429,
            &[],
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 2s, allowed: 9/m"}]}"#,
            Some(2),
        ),
        (429, &[], HUB, None),
        (503, &[("x-ratelimit-reset", "1793534460")], "retry-after: 2s", None),
        (404, &[("retry-after", "30")], "", None),
    ];
    for (status, headers, body, seconds) in table {
        let expected = seconds.map(Duration::from_secs);
        assert_eq!(wished(status, headers, body), expected, "{status} {headers:?} {body}");
    }
    let escaped = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1500000.5\u00b5s"}]}"#;
    assert_eq!(wished(429, &[], escaped), Some(Duration::from_nanos(1_500_000_500)));
}

#[test]
fn a_remark_is_the_code_and_message_of_the_first_error() {
    let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"3"}},{"code":"X"}]}"#;
    assert_eq!(remark(body).as_deref(), Some("MANIFEST_UNKNOWN: manifest unknown"));
    assert_eq!(remark(br#"{"errors":[{"code":"UNAVAILABLE"}]}"#).as_deref(), Some("UNAVAILABLE"));
}

#[test]
fn a_body_of_another_form_brings_no_remark() {
    for body in [&b""[..], b"<html>", b"{}", br#"{"errors":[]}"#, br#"{"errors":"no"}"#, &[0xff, 0xfe]] {
        assert_eq!(remark(body), None);
    }
}

#[test]
fn a_remark_cannot_break_a_log_line_nor_fill_a_disk() {
    let long = "x".repeat(10_000);
    let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"a\nb\u001b[31m{long}"}}]}}"#);
    let remark = remark(body.as_bytes()).unwrap();
    assert!(remark.starts_with(r"DENIED: a\nb\u{1b}[31mxxx"), "{remark}");
    assert!(remark.len() < 250, "{}", remark.len());
    assert!(remark.ends_with('…'));
}

#[test]
fn a_remark_cannot_begin_a_line_nor_turn_the_text_around_it() {
    let remark =
        remark("{\"errors\":[{\"code\":\"DENIED\",\"message\":\"a\u{2028}b\u{202e}c\"}]}".as_bytes());
    assert_eq!(remark.as_deref(), Some("DENIED: a\\u{2028}b\\u{202e}c"));
}

#[test]
fn an_answer_names_the_status_and_who_gave_it() {
    let mut answer =
        Answer { status: StatusCode::TOO_MANY_REQUESTS, elsewhere: None, remark: None, retry_after: None };
    assert_eq!(answer.to_string(), "registry answered 429 Too Many Requests");
    answer.remark = Some("TOOMANYREQUESTS: slow down".into());
    assert_eq!(answer.to_string(), "registry answered 429 Too Many Requests (TOOMANYREQUESTS: slow down)");
    answer.elsewhere = Some("cdn.example.com".into());
    assert!(answer.to_string().starts_with("cdn.example.com, where the registry redirects to, answered 429"));
}

use reqwest::header::HeaderValue;

use super::*;

fn offer(lines: &[&str]) -> (bool, Option<String>) {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
    }
    let offer = Offer::of(&headers);
    (offer.basic, offer.other)
}

fn bearer() -> Option<String> {
    Some("Bearer".to_owned())
}

#[test]
fn each_spelling_of_a_challenge_in_the_wild_is_understood() {
    type Line = &'static [&'static str];
    let table: [(Line, (bool, Option<String>)); 16] = [
        (&[r#"Basic realm="Registry Realm""#], (true, None)),
        (&[r#"basic REALM="r""#], (true, None)),
        (&["Basic"], (true, None)),
        (&["Basic realm=/"], (true, None)),
        (&["Basic realm=https://nexus.example.com/a,b"], (true, Some("b".to_owned()))),
        (&[r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#], (false, bearer())),
        (&[r#"Bearer realm="https://a/t" service="s""#], (false, bearer())),
        (&["Bearer realm=https://a/t,service=s"], (false, bearer())),
        (&[r#"Bearer realm="https://a/t",service="s", Basic realm="r""#], (true, bearer())),
        (&[r#"Bearer realm=https://a/t service="s" Basic realm=/"#], (true, bearer())),
        (&[r#"Basic realm="a, Bearer realm=\"b\"""#], (true, None)),
        (&[r#"Basic realm=/ x="a\\" Bearer y="Basic ""#], (true, bearer())),
        (&["Negotiate", r#"Basic realm="r""#], (true, Some("Negotiate".to_owned()))),
        (&[r#"Negotiate, Basic realm="r""#], (true, Some("Negotiate".to_owned()))),
        (&["", r#"Basic realm="unclosed"#], (true, None)),
        (&[], (false, None)),
    ];
    for (lines, expected) in table {
        assert_eq!(offer(lines), expected, "{lines:?}");
    }
}

#[test]
fn nonsense_offers_nothing_and_ends() {
    for line in ["=", "===", ",,,", "\"", "=\"", " = , =", "realm=\"x\""] {
        assert_eq!(offer(&[line]), (false, None), "{line}");
    }
}

#[test]
fn only_so_many_lines_are_read() {
    let mut lines = vec!["Negotiate"; MOST_LINES];
    lines.push("Basic");
    assert_eq!(offer(&lines), (false, Some("Negotiate".to_owned())));
}

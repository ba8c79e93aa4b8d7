use reqwest::header::HeaderValue;

use super::*;

fn read(lines: &[&str]) -> Offer {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
    }
    Offer::of(&headers)
}

/// Whether user and password are offered, the realm of a token, and what else is.
type Seen = (bool, Option<String>, Option<String>);

fn offer(lines: &[&str]) -> Seen {
    let offer = read(lines);
    (offer.basic, offer.bearer.map(|challenge| challenge.realm.into()), offer.other)
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn each_spelling_of_a_challenge_in_the_wild_is_understood() {
    type Line = &'static [&'static str];
    let table: [(Line, Seen); 19] = [
        (&[r#"Basic realm="Registry Realm""#], (true, None, None)),
        (&[r#"basic REALM="r""#], (true, None, None)),
        (&["Basic"], (true, None, None)),
        (&["Basic realm=/"], (true, None, None)),
        (&["Basic realm=https://nexus.example.com/a,b"], (true, None, text("b"))),
        (
            &[r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#],
            (false, text("https://auth.docker.io/token"), None),
        ),
        (&[r#"Bearer realm="https://a/t" service="s""#], (false, text("https://a/t"), None)),
        (&["bearer REALM=https://a/t?x=y&z,service=s"], (false, text("https://a/t?x=y&z"), None)),
        (&["Bearer realm=/token"], (false, text("/token"), None)),
        (&[r#"Bearer realm="https://a/\"t\\\"""#], (false, text(r#"https://a/"t\""#), None)),
        (&[r#"Bearer  realm = "https://a/\"t""#], (false, text(r#"https://a/"t"#), None)),
        (&["Bearer"], (false, text(""), None)),
        (&[r#"Bearer realm="https://a/t",service="s", Basic realm="r""#], (true, text("https://a/t"), None)),
        (&[r#"Bearer realm=https://a/t service="s" Basic realm=/"#], (true, text("https://a/t"), None)),
        (&[r#"Basic realm="a, Bearer realm=\"b\"""#], (true, None, None)),
        (&[r#"Basic realm=/ x="a\\" Bearer y="Basic ""#], (true, text(""), None)),
        (&["Negotiate", r#"Basic realm="r""#], (true, None, text("Negotiate"))),
        (&["", r#"Basic realm="unclosed"#], (true, None, None)),
        (&[], (false, None, None)),
    ];
    for (lines, expected) in table {
        assert_eq!(offer(lines), expected, "{lines:?}");
    }
}

#[test]
fn a_byte_that_is_no_ascii_hides_no_challenge() {
    for line in [&b"Basic realm=\"R\xe9gistre\""[..], "Basic realm=\"Régistre\"".as_bytes()] {
        let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).unwrap())]);
        assert!(Offer::of(&headers).basic, "{line:?}");
    }
    let line = b"Bearer realm=\"https://a/t\",service=\"s\",error_description=\"acc\xe8s\"";
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_bytes(line).unwrap())]);
    let bearer = Offer::of(&headers).bearer.unwrap();
    assert_eq!((&*bearer.realm, bearer.service.as_deref()), ("https://a/t", Some("s")));
}

#[test]
fn service_and_scopes_are_read_from_strict_and_bent_challenges_alike() {
    let expected = Challenge {
        realm: "https://a/t".into(),
        service: Some("reg, the istry".into()),
        scopes: vec!["repository:a/b:pull".into(), "repository:c:pull,push".into()],
    };
    let strict = r#"Bearer realm="https://a/t",service="reg, the istry",scope="repository:a/b:pull repository:c:pull,push",error="invalid_token""#;
    let bent = r#"Bearer realm=https://a/t service="reg, the istry" scope="repository:a/b:pull  repository:c:pull,push""#;
    for line in [strict, bent] {
        assert_eq!(read(&[line]).bearer, Some(expected.clone()), "{line}");
    }
}

#[test]
fn of_several_tokens_the_first_is_taken() {
    assert_eq!(offer(&["Bearer realm=/1", "Bearer realm=/2"]), (false, text("/1"), None));
}

#[test]
fn what_is_longer_than_anyone_needs_is_left_out() {
    let realm = format!("Bearer realm=\"/{}\"", "x".repeat(LONGEST_REALM));
    assert_eq!(offer(&[&realm]), (false, text(""), None));
    let scopes = (0..2 * MOST_SCOPES).map(|number| format!("s{number}")).collect::<Vec<_>>().join(" ");
    let challenge = read(&[&format!("Bearer realm=\"/\",scope=\"{scopes}\"")]).bearer.unwrap();
    assert_eq!(challenge.scopes.len(), MOST_SCOPES);
    let scope = format!("Bearer realm=\"/\",scope=\"a {}\"", "x".repeat(LONGEST_SCOPE + 1));
    assert_eq!(read(&[&scope]).bearer.unwrap().scopes, ["a".into()]);
}

#[test]
fn nonsense_offers_nothing_and_ends() {
    for line in ["=", "===", ",,,", "\"", "=\"", " = , =", "realm=\"x\""] {
        assert!(read(&[line]).is_empty(), "{line}");
    }
}

#[test]
fn only_so_many_lines_are_read() {
    let mut lines = vec!["Negotiate"; MOST_LINES];
    lines.push("Basic");
    assert_eq!(offer(&lines), (false, None, text("Negotiate")));
}

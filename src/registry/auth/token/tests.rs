use serde_json::json;

use super::*;

fn purpose(repositories: &[&str]) -> Purpose {
    let repositories = repositories.iter().map(|name| (*name).into()).collect();
    Purpose { repositories, besides: Vec::new(), strikes: 0 }
}

fn read(body: &serde_json::Value) -> Result<Token, &'static str> {
    Token::read(body.to_string().as_bytes(), purpose(&["a", "b", "c"]), Instant::now(), wall())
}

fn wall() -> Timestamp {
    "2026-11-02T10:00:00Z".parse().unwrap()
}

fn jwt(access: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    [part(&json!({ "alg": "RS256" })), part(&json!({ "iss": "x", "access": access })), "c2lnbmVk".to_owned()]
        .join(".")
}

#[test]
fn a_token_lives_as_long_as_it_says_but_a_minute_at_least_and_a_day_at_most() {
    let day = 24 * 60 * 60;
    let table = [
        (json!(null), json!(null), 60),
        (json!(300), json!(null), 300),
        (json!("300"), json!(null), 300),
        (json!(300.5), json!(null), 300),
        (json!(5), json!(null), 60),
        (json!(0), json!(null), 60),
        (json!(-1), json!(null), 60),
        (json!(1e300), json!(null), 60),
        (json!(10_000_000), json!(null), day),
        (json!({}), json!([]), 60),
        // Twenty seconds of it are over.
        (json!(300), json!("2026-11-02T09:59:40Z"), 280),
        (json!(300), json!("2026-11-02T10:59:40.123+01:00"), 280),
        // The server's clock is not ours: it is late, or early.
        (json!(300), json!("2026-11-02T09:00:00Z"), 300),
        (json!(300), json!("2026-11-02T09:55:00Z"), 300),
        (json!(300), json!("2026-11-02T10:00:20Z"), 300),
        // So late that next to nothing would be left.
        (json!(300), json!("2026-11-02T09:55:10Z"), 300),
        (json!(300), json!("2026-11-02T09:55:11Z"), 11),
        (json!(60), json!("2026-11-02T09:59:04Z"), 60),
        (json!(60), json!("2026-11-02T09:59:01Z"), 60),
        (json!(300), json!("yesterday"), 300),
    ];
    for (expires_in, issued_at, seconds) in table {
        assert_eq!(life(&expires_in, &issued_at, wall()).as_secs(), seconds, "{expires_in} {issued_at}");
    }
}

#[test]
fn a_token_is_renewed_before_its_end() {
    for (expires_in, seconds) in [(60, 54), (300, 270), (3600, 3540)] {
        let start = Instant::now();
        let body = json!({ "token": "t", "expires_in": expires_in }).to_string();
        let token = Token::read(body.as_bytes(), purpose(&["a"]), start, wall()).unwrap();
        assert!(token.is_usable(start + Duration::from_secs(seconds - 1)), "{expires_in}");
        assert!(!token.is_usable(start + Duration::from_secs(seconds)), "{expires_in}");
    }
}

#[test]
fn a_token_that_seems_to_be_over_already_is_used_all_the_same() {
    for seconds in 0..60 {
        let start = Instant::now();
        let issued = wall() - Duration::from_secs(seconds);
        let token =
            read(&json!({ "token": "t", "expires_in": 60, "issued_at": issued.to_string() })).unwrap();
        assert!(token.is_usable(start + Duration::from_secs(5)), "{seconds} s behind");
    }
}

#[test]
fn both_names_of_a_token_are_read() {
    for body in [
        json!({ "token": "secret" }),
        json!({ "access_token": "secret" }),
        json!({ "token": "", "access_token": "secret" }),
        json!({ "token": "secret", "access_token": "secret", "refresh_token": "x", "scope": "y" }),
    ] {
        let header = read(&body).unwrap().header().unwrap();
        assert_eq!(header.as_bytes(), b"Bearer secret", "{body}");
        assert!(header.is_sensitive());
    }
}

#[test]
fn what_holds_no_token_is_told_without_a_word_of_it() {
    for body in [
        json!("secret"),
        json!(["secret"]),
        json!({ "token": ["secret"] }),
        json!({ "token": "" }),
        json!({ "error": "secret" }),
        json!({ "token": "sec\nret" }),
    ] {
        let text = read(&body).unwrap_err();
        assert!(!text.contains("sec"), "{text}");
    }
    assert!(Token::read(b"<html>", purpose(&["a"]), Instant::now(), wall()).is_err());
}

#[test]
fn a_token_that_can_be_read_is_used_for_what_it_grants() {
    let access =
        |name: &str, actions: &[&str]| json!({ "type": "repository", "name": name, "actions": actions });
    let granted = json!([access("a", &["pull"]), access("b", &["push"]), access("c", &["pull", "push"])]);
    let serves = |token: &str| {
        let token = read(&json!({ "token": token })).unwrap();
        (token.is_readable(), token.serves().map(str::to_owned).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(serves(&jwt(&granted)), (true, "a c".to_owned()));
    assert_eq!(serves(&jwt(&json!([access("b", &["*"])]))), (true, "a b".to_owned()));
    assert_eq!(serves(&jwt(&json!([]))), (true, "a".to_owned()));
    for opaque in ["opaque", "a.b.c", "a.e30.c", &format!("{}.x", jwt(&granted)), &jwt(&json!("none"))] {
        assert_eq!(serves(opaque), (false, "a b c".to_owned()), "{opaque}");
    }
}

#[test]
fn a_token_prints_nothing_of_itself() {
    let token = read(&json!({ "token": "secret" })).unwrap();
    let printed = format!("{token:?} {:?}", token.header());
    assert!(printed.contains("REDACTED") && !printed.contains("secret"), "{printed}");
}

//! Tokens: as few as there can be, for whom they are, and from where they may come.

use std::io::Write as _;

use basewatch::registry::Credentials;

use super::*;
use crate::support::fake_registry::{Grants, Recorded, Tokens};

mod counts;
mod realms;

fn open_to(tokens: &Tokens) -> FakeRegistry {
    let registry = FakeRegistry::start();
    registry.want_tokens(tokens);
    registry.push("team/app", "1", 1);
    registry
}

/// HEADs to the registry, and requests for tokens.
fn heads_and_tokens(registry: &FakeRegistry) -> (usize, usize) {
    (registry.count(Method::HEAD, "/v2/"), registry.count(Method::GET, "/token"))
}

/// The scopes of each request for a token, in order.
fn scopes(registry: &FakeRegistry) -> Vec<Vec<String>> {
    let requests = registry.requests().into_iter().filter(|request| request.path == "/token");
    let scopes = |query: String| {
        let url = reqwest::Url::parse(&format!("http://token/?{query}")).unwrap();
        let scopes = url.query_pairs().filter(|(name, _)| name == "scope");
        scopes.map(|(_, scope)| scope.into_owned()).collect()
    };
    requests.map(|request| scopes(request.query)).collect()
}

impl Asker {
    /// Asks for a tag of a group.
    async fn ask_in(&self, tag: &TagRef, group: &[TagRef]) -> Result<Digest, Error> {
        let found = self.registries.resolve(Target { group, ..target(tag) }, &self.gate).await?;
        match found.polled {
            Polled::Manifest(manifest) => Ok(manifest.digest),
            other @ (Polled::V1(_) | Polled::Unasked) => {
                panic!("{tag} is no image of a v2 registry: {other:?}")
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_fetched_when_it_is_asked_for_and_sent_unasked_from_then_on() {
    let registry = open_to(&Tokens::new());
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1));
    assert_eq!(asker.permits(), 3, "a request for a token has a permit too");
    let asked = registry.requests().into_iter().find(|request| request.path == "/token").unwrap();
    assert_eq!(asked.query, "service=fake+registry&scope=repository%3Ateam%2Fapp%3Apull&client_id=basewatch");
    assert_eq!(asked.headers["user-agent"], concat!("basewatch/", env!("CARGO_PKG_VERSION")));
    assert!(!asked.has_authorization);

    registry.reset_counts();
    for _ in 0..5 {
        asker.digest(&tag).await;
    }
    assert_eq!(heads_and_tokens(&registry), (5, 0));
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_costs_no_refused_request() {
    let registry = open_to(&Tokens::new());
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    an_hour_later().await;
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (1, 1));
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_early_serves_until_its_end() {
    let registry = open_to(&Tokens::new());
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    registry.fault("/token", Fault::status(503));
    // It lives for five minutes, and is renewed in the last half minute of them.
    later(Duration::from_secs(272)).await;
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (1, 1));
    asker.digest(&tag).await;
    later(Duration::from_secs(30)).await;
    asker.error(&tag).await;
}

#[tokio::test]
async fn a_token_that_is_refused_before_its_time_is_replaced_once() {
    let tokens = Tokens::new();
    let registry = open_to(&tokens);
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    tokens.revoke();
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1));
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (1, 0));
}

#[tokio::test]
async fn what_a_good_token_does_not_open_is_denied_for_that_tag_alone() {
    let registry = open_to(&Tokens::granting(Grants::Only(&["team/app"])));
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    let hidden = registry.tag("team/hidden", "1");
    let error = asker.error(&hidden).await;
    assert_eq!(error.kind(), "denied");
    assert!(
        error.to_string().contains("there is no such repository, or it is shown to a login only"),
        "{error}"
    );
    assert_eq!(heads_and_tokens(&registry), (2, 1));

    asker.digest(&tag).await;
    registry.reset_counts();
    assert_eq!(asker.error(&hidden).await.kind(), "denied");
    assert_eq!(heads_and_tokens(&registry), (1, 1), "no loop");
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1), "and others keep their tokens");
}

#[tokio::test]
async fn a_400_to_an_old_token_is_met_with_a_new_one_and_to_a_new_one_with_a_get() {
    let registry = open_to(&Tokens::new());
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    registry.reset_counts();
    registry.fault("team/app", Fault::status(400).times(1));
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1));

    registry.reset_counts();
    registry.fault("team/app", Fault::status(400).on(Method::HEAD));
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1));
    assert_eq!(registry.count(Method::GET, "/v2/"), 1);
}

#[tokio::test]
async fn a_registry_that_challenges_at_its_root_only_is_asked_there_once() {
    let registry = open_to(&Tokens::new().quiet());
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    let paths: Vec<String> = registry.requests().into_iter().map(|request| request.path).collect();
    let manifest = "/v2/team/app/manifests/1";
    assert_eq!(paths, [manifest, "/v2/", "/token", manifest]);
    asker.digest(&tag).await;
    assert_eq!(registry.requests().len(), 5);
}

#[tokio::test]
async fn a_scope_of_the_registrys_own_is_asked_for_too_and_again_at_the_next_token() {
    let registry = open_to(&Tokens::new().below("mirror/"));
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    let both = [["repository:team/app:pull", "repository:mirror/team/app:pull"]];
    assert_eq!(scopes(&registry), both);
    an_hour_later().await;
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(scopes(&registry), both);
    assert_eq!(heads_and_tokens(&registry), (1, 1));
}

#[tokio::test]
async fn a_token_server_that_is_of_no_use_is_an_error_that_names_it() {
    let json = |body: &str| Fault::status(200).body(body);
    let table = [
        (Fault::status(401), "denied", "set username and password_file"),
        (Fault::status(403), "denied", "set username and password_file"),
        (Fault::status(404), "token_refused", "the token server answered 404 Not Found"),
        (Fault::status(429).header("retry-after", "7"), "too_many_requests", "429"),
        (Fault::status(503), "server_error", "503"),
        (Fault::status(302).header("location", "/token"), "token_refused", "302 Found"),
        (Fault::drop(), "exchange", "talk to the token server"),
        (Fault::hang(), "timeout", "wait for the token server's answer"),
        (Fault::endless_body(), "token_malformed", "longer than the 65536 bytes"),
        (Fault::cut_body(), "exchange", "talk to the token server"),
        (json("{\"token\":\"\"}"), "token_malformed", "not JSON with a token"),
        (json("<html>"), "token_malformed", "not JSON with a token"),
    ];
    for (fault, kind, text) in table {
        let registry = open_to(&Tokens::new());
        registry.fault("/token", fault.clone());
        let error = Asker::with(in_a_hurry(&registry)).error(&registry.tag("team/app", "1")).await;
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.to_string().contains("get a token from 127.0.0.1: "), "{error}");
        assert_eq!(heads_and_tokens(&registry), (1, 1), "{fault:?}");
        if kind == "too_many_requests" {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
        registry.release();
    }
}

#[tokio::test]
async fn a_token_server_that_recovers_is_asked_again() {
    let registry = open_to(&Tokens::new());
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    registry.fault("/token", Fault::status(503).times(2));
    asker.error(&tag).await;
    asker.error(&tag).await;
    asker.digest(&tag).await;
}

#[tokio::test]
async fn a_repository_that_no_token_is_given_for_costs_others_nothing() {
    let registry = open_to(&Tokens::granting(Grants::AllOrNothing(&["team/app"])));
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::new(&registry));
    let hidden = registry.tag("team/hidden", "1");
    asker.digest(&tag).await;
    registry.reset_counts();
    assert_eq!(asker.error(&hidden).await.kind(), "denied");
    assert_eq!(heads_and_tokens(&registry), (0, 1));
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (1, 1));
}

#[tokio::test]
async fn a_registry_that_goes_over_from_passwords_to_tokens_and_back_is_followed() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"s3cret").unwrap();
    let credentials = Credentials { username: "ci".to_owned(), password_file: file.path().to_owned() };
    let asker = Asker::with(Settings { credentials: Some(credentials), ..settings(&registry) });
    let tag = registry.tag("app", "1");

    registry.fault("app", Fault::basic_login("ci", "s3cret"));
    asker.digest(&tag).await;
    registry.heal();
    registry.want_tokens(&Tokens::new().for_login("ci", "s3cret"));
    asker.digest(&tag).await;
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (1, 0));

    registry.want_none();
    registry.fault("app", Fault::basic_login("ci", "s3cret"));
    asker.digest(&tag).await;
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (1, 0));
}

#[tokio::test]
async fn a_challenge_that_names_another_token_server_is_met_even_after_a_fresh_token() {
    let (registry, moved) = (open_to(&Tokens::new()), FakeRegistry::start());
    let asker = Asker::with_all(&[settings(&registry), settings(&moved)]);
    let (tag, tokens) = (registry.tag("team/app", "1"), Tokens::new());
    asker.digest(&tag).await;
    // The old server goes on issuing tokens, which are of no use any more.
    moved.issue(&tokens);
    registry.want_tokens_from(&tokens, &format!("{}/token", moved.url()));
    an_hour_later().await;
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1));
    assert_eq!(moved.count(Method::GET, "/token"), 1);
}

#[tokio::test]
async fn a_token_server_that_moves_is_found_again() {
    let (registry, moved) = (open_to(&Tokens::new()), FakeRegistry::start());
    let tokens = Tokens::new();
    let asker = Asker::with_all(&[settings(&registry), settings(&moved)]);
    let tag = registry.tag("team/app", "1");
    asker.digest(&tag).await;
    moved.issue(&tokens);
    registry.want_tokens_from(&tokens, &format!("{}/token", moved.url()));
    asker.digest(&tag).await;
    registry.fault("/token", Fault::status(404));
    an_hour_later().await;
    asker.digest(&tag).await;
    assert_eq!(moved.count(Method::GET, "/token"), 2);
}

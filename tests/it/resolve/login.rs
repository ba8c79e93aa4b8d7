//! User and password: sent where they belong, and no oftener than needed.

use std::io::Write;

use super::*;
use crate::support::fake_registry::Tokens;

fn private_registry() -> FakeRegistry {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    registry.fault(ANY, Fault::basic_login("ci", PASSWORD));
    registry
}

/// How many requests came, and how many of them with a login.
fn requests_and_logins(registry: &FakeRegistry) -> (usize, usize) {
    let requests = registry.requests();
    (requests.len(), requests.iter().filter(|request| request.has_authorization).count())
}

#[tokio::test]
async fn the_first_check_waits_for_the_challenge_and_later_ones_send_the_login_at_once() {
    let registry = private_registry();
    let file = password_file(&format!("{PASSWORD}\n"));
    let (tag, asker) = (registry.tag("app", "1"), Asker::with(with_login(&registry, &file)));

    asker.digest(&tag).await;
    assert_eq!(requests_and_logins(&registry), (2, 1));
    registry.reset_counts();
    asker.digest(&tag).await;
    asker.digest(&tag).await;
    assert_eq!(requests_and_logins(&registry), (2, 2));
    assert_eq!(asker.permits(), 4);
}

#[tokio::test]
async fn an_index_is_read_with_the_login() {
    let registry = private_registry();
    registry.push_platforms("app", "index", &[("linux/amd64", 1)], 1);
    let file = password_file(PASSWORD);
    let (tag, asker) = (registry.tag("app", "index"), Asker::with(with_login(&registry, &file)));
    let target = Target { depth: Depth::Contents, ..target(&tag) };
    let found = asker.registries.resolve(target, &asker.gate).await.unwrap();
    assert_eq!(found.children.unwrap().len(), 1);
    assert_eq!(requests_and_logins(&registry), (3, 2), "the challenge, the tag, the index");
}

#[tokio::test]
async fn a_registry_that_asks_for_no_login_is_sent_none() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let file = password_file(PASSWORD);
    Asker::with(with_login(&registry, &file)).digest(&registry.tag("app", "1")).await;
    assert_eq!(requests_and_logins(&registry), (1, 0));
}

#[tokio::test]
async fn a_rejected_login_is_parked_until_its_file_changes() {
    let registry = private_registry();
    let mut file = password_file("wrong");
    let (tag, asker) = (registry.tag("app", "1"), Asker::with(with_login(&registry, &file)));

    let error = asker.error(&tag).await;
    assert_eq!(error.kind(), "credentials_rejected");
    assert!(error.to_string().contains("user `ci`") && !error.to_string().contains("wrong"), "{error}");
    registry.reset_counts();
    for _ in 0..3 {
        assert_eq!(asker.error(&tag).await.kind(), "credentials_rejected");
    }
    assert_eq!(requests_and_logins(&registry), (0, 0));

    file.as_file().set_len(0).unwrap();
    file.reopen().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    file.flush().unwrap();
    asker.digest(&tag).await;
    assert_eq!(requests_and_logins(&registry), (1, 1));
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_however_many_ask_together() {
    let registry = private_registry();
    let file = password_file("wrong");
    let (tag, asker) = (registry.tag("app", "1"), Asker::with(with_login(&registry, &file)));
    let errors = futures_util::future::join_all((0..8).map(|_| asker.error(&tag))).await;
    assert!(errors.iter().all(|error| error.kind() == "credentials_rejected"));
    assert_eq!(requests_and_logins(&registry).1, 1);
}

#[tokio::test]
async fn a_password_that_changed_is_read_again() {
    let registry = private_registry();
    let mut file = password_file(PASSWORD);
    let (tag, asker) = (registry.tag("app", "1"), Asker::with(with_login(&registry, &file)));
    asker.digest(&tag).await;

    registry.heal();
    registry.fault(ANY, Fault::basic_login("ci", "open sesame, again"));
    file.write_all(b", again").unwrap();
    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(requests_and_logins(&registry), (1, 1));
}

#[tokio::test]
async fn a_403_or_a_404_does_not_park_the_login() {
    let registry = private_registry();
    let file = password_file(PASSWORD);
    let asker = Asker::with(with_login(&registry, &file));
    registry.fault("secret", Fault::status(403));
    assert_eq!(asker.error(&registry.tag("secret", "1")).await.kind(), "denied");
    assert_eq!(asker.error(&registry.tag("app", "none")).await.kind(), "missing");
    asker.digest(&registry.tag("app", "1")).await;
}

#[tokio::test]
async fn without_a_login_the_error_says_what_to_set() {
    let registry = private_registry();
    let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "denied");
    assert!(error.to_string().contains("set username and password_file"), "{error}");
    assert_eq!(requests_and_logins(&registry), (1, 0));
}

#[tokio::test]
async fn a_registry_that_takes_tokens_and_passwords_is_asked_with_a_token_by_who_has_no_password() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    registry.issue(&Tokens::new());
    let both = Fault::status(401)
        .header("www-authenticate", "Bearer realm=/token")
        .header("www-authenticate", "Basic realm=\"r\"");
    registry.fault("app", both.times(1));
    Asker::new(&registry).digest(&registry.tag("app", "1")).await;
    assert_eq!(registry.count(Method::GET, "/token"), 1);
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_an_error_with_the_files_name() {
    let registry = private_registry();
    let file = password_file("");
    let error = Asker::with(with_login(&registry, &file)).error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "password_unreadable");
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
    assert_eq!(requests_and_logins(&registry), (1, 0));
}

#[tokio::test]
async fn a_challenge_that_we_cannot_meet_is_told_and_answered_with_nothing() {
    let registry = FakeRegistry::start();
    registry.fault(ANY, Fault::status(401).header("www-authenticate", "Negotiate"));
    let file = password_file(PASSWORD);
    let error = Asker::with(with_login(&registry, &file)).error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "login_unsupported");
    assert!(error.to_string().contains("asks for a Negotiate login"), "{error}");
    assert_eq!(requests_and_logins(&registry), (1, 0));
}

#[tokio::test]
async fn of_several_challenges_the_one_that_can_be_met_is_met() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let challenges = Fault::status(401)
        .header("www-authenticate", "Negotiate")
        .header("www-authenticate", "Bearer realm=https://a/t service=s, basic realm=/");
    registry.fault(ANY, challenges.times(1));
    let file = password_file(PASSWORD);
    Asker::with(with_login(&registry, &file)).digest(&registry.tag("app", "1")).await;
    assert_eq!(requests_and_logins(&registry), (2, 1));
}

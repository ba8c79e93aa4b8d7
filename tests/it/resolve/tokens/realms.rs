//! Where tokens are asked for, and where the login goes.

use super::*;

fn private() -> Tokens {
    Tokens::new().for_login("ci", PASSWORD)
}

/// Which of the requests for tokens came with a login.
fn logins(registry: &FakeRegistry) -> Vec<bool> {
    let requests = registry.requests().into_iter().filter(|request| request.path == "/token");
    requests.map(|request| request.has_authorization).collect()
}

#[tokio::test]
async fn the_registrys_own_token_server_is_sent_the_login_and_the_registry_is_not() {
    let registry = open_to(&private());
    let (file, tag) = (password_file(&format!("{PASSWORD}\n")), registry.tag("team/app", "1"));
    Asker::with(with_login(&registry, &file)).digest(&tag).await;
    assert_eq!((heads_and_tokens(&registry), logins(&registry)), ((2, 1), vec![true]));
    let requests = registry.requests();
    let asked = requests.iter().find(|request| request.path == "/token").unwrap();
    assert!(asked.query.contains("account=ci"), "{}", asked.query);
    let basic = |request: &&Recorded| {
        request.headers.get("authorization").is_some_and(|sent| sent.as_bytes().starts_with(b"Basic"))
    };
    assert!(requests.iter().filter(basic).all(|request| request.path == "/token"));
}

#[tokio::test]
async fn a_token_server_elsewhere_is_sent_the_login_only_if_it_is_trusted() {
    let (registry, auth, tokens) = (open_to(&private()), FakeRegistry::start(), private());
    auth.issue(&tokens);
    registry.want_tokens_from(&tokens, &format!("{}/token", auth.url()));
    let (file, tag) = (password_file(PASSWORD), registry.tag("team/app", "1"));

    let error = Asker::with(with_login(&registry, &file)).error(&tag).await;
    assert_eq!((error.kind(), logins(&auth)), ("denied", vec![false]));
    assert!(error.to_string().contains("trusted_realms"), "{error}");

    auth.reset_counts();
    let trusting = Settings { trusted_realms: vec![auth.host()], ..with_login(&registry, &file) };
    Asker::with(trusting).digest(&tag).await;
    assert_eq!(logins(&auth), [true]);
    assert_eq!(logins(&registry), Vec::<bool>::new());
}

#[tokio::test]
async fn without_the_login_what_is_open_to_all_is_still_looked_at() {
    let (registry, auth, tokens) = (open_to(&Tokens::new()), FakeRegistry::start(), Tokens::new());
    auth.issue(&tokens);
    registry.want_tokens_from(&tokens, &format!("{}/token", auth.url()));
    let (file, tag) = (password_file(PASSWORD), registry.tag("team/app", "1"));
    Asker::with(with_login(&registry, &file)).digest(&tag).await;
    assert_eq!(logins(&auth), [false]);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_parked_until_its_file_changes() {
    let registry = open_to(&private());
    registry.push("team/other", "1", 1);
    let mut file = password_file("wrong");
    let (tag, asker) = (registry.tag("team/app", "1"), Asker::with(with_login(&registry, &file)));
    let group = [tag.clone(), registry.tag("team/other", "1")];
    let looks = (0..8).map(|number| asker.ask_in(&group[number % 2], &group));
    for result in futures_util::future::join_all(looks).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), "credentials_rejected");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
    assert_eq!(logins(&registry), [true]);
    registry.reset_counts();
    assert_eq!(asker.error(&tag).await.kind(), "credentials_rejected");
    assert!(logins(&registry).is_empty());

    file.as_file().set_len(0).unwrap();
    file.reopen().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    file.flush().unwrap();
    asker.digest(&tag).await;
    assert_eq!(logins(&registry), [true]);
}

#[tokio::test]
async fn a_login_that_nobody_took_yet_is_parked_by_a_401_and_by_nothing_else() {
    for (status, kind, requests) in
        [(401, "credentials_rejected", 1), (403, "denied", 2), (503, "server_error", 2)]
    {
        let registry = open_to(&private());
        registry.fault("/token", Fault::status(status));
        let (file, tag) = (password_file(PASSWORD), registry.tag("team/app", "1"));
        let asker = Asker::with(with_login(&registry, &file));
        for _ in 0..2 {
            assert_eq!(asker.error(&tag).await.kind(), kind, "{status}");
        }
        assert_eq!(logins(&registry), vec![true; requests], "{status}");
    }
}

#[tokio::test]
async fn a_login_that_was_taken_before_is_not_parked_by_one_repository_it_may_not_see() {
    let registry = open_to(&private());
    let (file, tag) = (password_file(PASSWORD), registry.tag("team/app", "1"));
    let asker = Asker::with(with_login(&registry, &file));
    asker.digest(&tag).await;
    registry.fault("/token", Fault::status(403).times(1));
    let error = asker.error(&registry.tag("team/hidden", "1")).await;
    assert_eq!(error.kind(), "denied");
    assert!(error.to_string().contains("the configured user may not see it"), "{error}");
    an_hour_later().await;
    asker.digest(&tag).await;
}

#[tokio::test]
async fn with_a_login_a_group_shares_tokens_once_the_login_was_taken() {
    let registry = open_to(&private());
    let group: Vec<TagRef> = ["a", "b", "c", "d"].map(|name| registry.tag(name, "1")).to_vec();
    for tag in &group {
        registry.push(tag.repository(), "1", 1);
    }
    let file = password_file(PASSWORD);
    let asker = Asker::with(with_login(&registry, &file));
    for tag in &group {
        asker.ask_in(tag, &group).await.unwrap();
    }
    let asked: Vec<usize> = scopes(&registry).iter().map(Vec::len).collect();
    assert_eq!(asked, [1, 4]);
}

#[tokio::test]
async fn plain_http_on_another_host_is_not_asked_unless_that_host_is_insecure_too() {
    let registry = open_to(&Tokens::new());
    registry.want_tokens_from(&Tokens::new(), "http://auth.invalid/token");
    let error = Asker::new(&registry).error(&registry.tag("team/app", "1")).await;
    assert_eq!(error.kind(), "realm_refused");
    assert!(error.to_string().contains("auth.invalid: the registry names plain http"), "{error}");
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn a_registry_with_tls_is_not_followed_to_plain_http() {
    let (registry, auth) = (FakeRegistry::start_tls(), FakeRegistry::start());
    registry.push("app", "1", 1);
    let tokens = Tokens::new();
    auth.issue(&tokens);
    registry.want_tokens_from(&tokens, &format!("{}/token", auth.url()));
    let secure = Settings { insecure: false, ca_file: Some(registry.ca_file()), ..settings(&registry) };
    let trusting = Settings { trusted_realms: vec![auth.host()], ..secure };
    let error = Asker::with_all(&[trusting, settings(&auth)]).error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "realm_refused");
    assert!(auth.requests().is_empty());
}

#[tokio::test]
async fn a_token_server_with_tls_is_held_to_the_registrys_ca_file() {
    let registry = FakeRegistry::start_tls();
    registry.push("app", "1", 1);
    registry.want_tokens(&Tokens::new());
    let trusting = Settings { insecure: false, ca_file: Some(registry.ca_file()), ..settings(&registry) };
    Asker::with(trusting).digest(&registry.tag("app", "1")).await;
    assert_eq!(heads_and_tokens(&registry), (2, 1));
}

#[tokio::test]
async fn a_realm_may_be_relative_and_carries_no_login_of_its_own() {
    let registry = open_to(&Tokens::new());
    let tokens = Tokens::new();
    registry.issue(&tokens);
    registry.want_tokens_from(&tokens, "/token");
    Asker::new(&registry).digest(&registry.tag("team/app", "1")).await;

    registry.want_tokens_from(&tokens, &format!("http://ci:s3cret@{}/token", registry.host()));
    let error = Asker::new(&registry).error(&registry.tag("team/app", "1")).await;
    assert_eq!(error.kind(), "realm_refused");
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test]
async fn a_service_or_a_scope_adds_no_parameter_of_its_own() {
    let registry = open_to(&Tokens::new());
    let challenge =
        format!("Bearer realm=\"{}/token\",service=\"s&offline_token=true\",scope=\"a&b=c\"", registry.url());
    registry.fault("team/app", Fault::status(401).header("www-authenticate", &challenge).times(1));
    Asker::new(&registry).digest(&registry.tag("team/app", "1")).await;
    let asked = registry.requests().into_iter().find(|request| request.path == "/token").unwrap();
    assert!(asked.query.contains("service=s%26offline_token%3Dtrue"), "{}", asked.query);
    assert!(asked.query.contains("scope=a%26b%3Dc"), "{}", asked.query);
}

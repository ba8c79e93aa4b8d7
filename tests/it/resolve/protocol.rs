//! Which protocol a host speaks, and what finding that out costs: counted by the registry.

use basewatch::image::{Found, ImageId};
use basewatch::registry::Api;

use super::*;
use crate::support::fake_registry::{Speaks, Tags};

const PAGE: &str = "<html><body>Back soon</body></html>";

fn v1_registry() -> (FakeRegistry, ImageId) {
    let registry = FakeRegistry::start();
    registry.speak(Speaks::V1);
    let id = registry.push_v1("library/app", "1", 1);
    (registry, id)
}

fn asker(registry: &FakeRegistry, api: Api) -> Asker {
    Asker::with(Settings { api, ..settings(registry) })
}

/// As after a restart: the host was found to be v2 before.
fn asker_of_a_v2_host(registry: &FakeRegistry) -> Asker {
    Asker::with(Settings { known_v2: true, ..settings(registry) })
}

fn page(status: u16) -> Fault {
    Fault::status(status).header("content-type", "text/html; charset=utf-8").body(PAGE)
}

/// What a load balancer says of itself in the place of what is behind it.
fn balancer() -> [Fault; 2] {
    let says =
        |media_type: &str, body: &str| Fault::status(200).header("content-type", media_type).body(body);
    [says("text/plain", "OK"), says("application/json", r#"{"status":"maintenance"}"#)]
}

async fn found(asker: &Asker, tag: &TagRef) -> Result<Found, Error> {
    asker.registries.resolve(target(tag), &asker.gate).await
}

async fn image_id(asker: &Asker, tag: &TagRef) -> ImageId {
    found(asker, tag).await.unwrap().polled.image_id().unwrap()
}

fn paths(registry: &FakeRegistry) -> Vec<String> {
    registry.requests().into_iter().map(|request| request.path).collect()
}

#[tokio::test]
async fn an_unchanged_poll_of_a_v1_tag_costs_its_tag_request_alone() {
    let (registry, id) = v1_registry();
    let tag = registry.tag("app", "1");
    let asker = asker(&registry, Api::Auto);
    assert_eq!(image_id(&asker, &tag).await, id);
    let tag_path = "/v1/repositories/library/app/tags/1";
    let first = ["/v2/app/manifests/1", "/v2/app/manifests/1", "/v2/", "/v1/_ping", tag_path];
    assert_eq!(paths(&registry), first);
    assert_eq!(asker.permits(), 5, "every request had its permit");

    registry.reset_counts();
    let moved = registry.push_v1("library/app", "1", 2);
    for _ in 0..3 {
        assert_eq!(image_id(&asker, &tag).await, moved);
    }
    assert_eq!(paths(&registry), [tag_path; 3]);
    assert!(!asker.registries.is_v2(tag.host()));
}

#[tokio::test]
async fn f41_a_tag_without_a_file_of_its_own_is_found_among_all_in_either_form() {
    for tags in [Tags::File, Tags::List] {
        let (registry, id) = v1_registry();
        registry.keep_v1_tags(tags);
        let asker = asker(&registry, Api::Auto);
        assert_eq!(image_id(&asker, &registry.tag("app", "1")).await, id, "{tags:?}");
        let error = found(&asker, &registry.tag("app", "2")).await.unwrap_err();
        assert_eq!(error.kind(), "missing", "{tags:?}: {error}");
    }
}

#[tokio::test]
async fn a_tag_that_a_v1_registry_does_not_have_is_missing_in_its_words() {
    let (registry, _) = v1_registry();
    for api in [Api::Auto, Api::V1] {
        let error = found(&asker(&registry, api), &registry.tag("app", "2")).await.unwrap_err();
        assert_eq!(error.kind(), "missing");
        assert!(error.to_string().ends_with("registry answered 404 Not Found (Tag not found)"), "{error}");
    }
}

#[tokio::test]
async fn a_v1_registry_that_wants_a_login_is_given_it() {
    let (registry, id) = v1_registry();
    registry.fault(ANY, Fault::gate("ci", "open sesame"));
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "open sesame").unwrap();
    let credentials = Credentials { username: "ci".to_owned(), password_file: file.path().to_owned() };
    let without = asker(&registry, Api::Auto);
    assert_eq!(found(&without, &registry.tag("app", "1")).await.unwrap_err().kind(), "denied");
    assert!(!without.registries.is_v2(&registry.host()), "a gate says nothing of what is behind it");
    let with = Asker::with(Settings { credentials: Some(credentials), ..settings(&registry) });
    assert_eq!(image_id(&with, &registry.tag("app", "1")).await, id);
}

#[tokio::test]
async fn f44_where_both_are_spoken_v2_wins() {
    let registry = FakeRegistry::start();
    registry.speak(Speaks::Both);
    registry.push_v1("library/app", "1", 1);
    registry.push_v1("library/old", "1", 1);
    let digest = registry.push("app", "1", 1);
    let asker = asker(&registry, Api::Auto);
    assert_eq!(found(&asker, &registry.tag("old", "1")).await.unwrap_err().kind(), "missing");
    assert_eq!(asker.digest(&registry.tag("app", "1")).await, digest);
    assert_eq!(registry.count(Method::GET, "/v1/"), 0);
}

#[tokio::test]
async fn the_api_that_is_set_is_the_only_one_asked() {
    let registry = FakeRegistry::start();
    registry.speak(Speaks::Both);
    let id = registry.push_v1("library/app", "1", 1);
    let digest = registry.push("app", "1", 1);
    let (tag, missing) = (registry.tag("app", "1"), registry.tag("app", "2"));

    for known_v2 in [false, true] {
        registry.reset_counts();
        let v1 = Asker::with(Settings { api: Api::V1, known_v2, ..settings(&registry) });
        assert_eq!(image_id(&v1, &tag).await, id);
        found(&v1, &missing).await.unwrap_err();
        registry.fault(ANY, Fault::status(401));
        assert_eq!(found(&v1, &tag).await.unwrap_err().kind(), "denied", "there is no challenge at its root");
        registry.heal();
        assert!(paths(&registry).iter().all(|path| path.starts_with("/v1/")), "{:?}", paths(&registry));
    }

    registry.reset_counts();
    let v2 = asker(&registry, Api::V2);
    assert_eq!(v2.digest(&tag).await, digest);
    found(&v2, &missing).await.unwrap_err();
    registry.speak(Speaks::V1);
    assert_eq!(found(&v2, &tag).await.unwrap_err().kind(), "missing");
    assert!(paths(&registry).iter().all(|path| path.starts_with("/v2/")), "{:?}", paths(&registry));
}

#[tokio::test]
async fn d10_v1_is_not_tried_after_trouble_a_page_or_a_login() {
    let doubtful = [500, 502, 503, 429, 401, 403].map(Fault::status);
    for fault in doubtful.into_iter().chain([page(200), page(503), Fault::drop()]) {
        let (registry, _) = v1_registry();
        // For `/v2/`, and for the manifest: v1 would be tried if either were taken for a no.
        registry.fault("", fault.clone());
        registry.fault("app", fault.clone());
        found(&asker(&registry, Api::Auto), &registry.tag("app", "1")).await.unwrap_err();
        assert_eq!(registry.count(Method::GET, "/v1/"), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn d10_a_success_at_v2_that_a_load_balancer_can_give_tries_v2_and_proves_nothing() {
    for fault in balancer() {
        let (registry, id) = v1_registry();
        let (tag, asker) = (registry.tag("app", "1"), asker(&registry, Api::Auto));
        registry.fault(ANY, fault.clone());
        found(&asker, &tag).await.unwrap_err();
        assert_eq!(registry.count(Method::GET, "/v1/"), 0, "{fault:?}");
        assert!(!asker.registries.is_v2(tag.host()), "{fault:?}");
        registry.heal();
        an_hour_later().await;
        assert_eq!(image_id(&asker, &tag).await, id, "{fault:?}");

        // A v1 host that has become v2, without the header of one.
        let digest = registry.push("app", "1", 1);
        registry.speak(Speaks::V2);
        registry.fault("", fault.clone());
        assert_eq!(asker.digest(&tag).await, digest, "{fault:?}");
        assert!(asker.registries.is_v2(tag.host()), "a manifest was read");
    }
}

#[tokio::test]
async fn d10_a_page_at_ping_or_for_the_tag_is_no_v1_registry() {
    for status in [200, 404] {
        let registry = FakeRegistry::start();
        registry.push("app", "1", 1);
        registry.fault(ANY, page(status));
        let asker = asker(&registry, Api::Auto);
        let error = found(&asker, &registry.tag("app", "1")).await.unwrap_err();
        assert!(["malformed", "no_registry"].contains(&error.kind()), "{error}");
        registry.heal();
        asker.digest(&registry.tag("app", "1")).await;
    }
}

#[tokio::test]
async fn d10_a_host_known_as_v2_is_never_asked_by_v1_and_says_so() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let tag = registry.tag("app", "1");
    let living = asker(&registry, Api::Auto);
    living.digest(&tag).await;
    registry.speak(Speaks::V1);
    registry.push_v1("library/app", "1", 1);
    for asker in [&living, &asker_of_a_v2_host(&registry)] {
        for _ in 0..3 {
            let error = found(asker, &tag).await.unwrap_err();
            assert_eq!(error.kind(), "no_longer_v2");
            assert!(error.to_string().contains("set api = \"v1\""), "{error}");
        }
        assert!(asker.registries.is_v2(tag.host()));
    }
    assert_eq!(registry.count(Method::GET, "/v1/"), 0);
    assert_eq!(
        registry.requests().iter().filter(|request| request.path == "/v2/").count(),
        2,
        "one each, not six"
    );
    registry.speak(Speaks::V2);
    living.digest(&tag).await;
}

#[tokio::test]
async fn d10_a_look_in_vain_proves_v2_where_the_registry_answers_as_one() {
    let registry = FakeRegistry::start();
    let asker = asker(&registry, Api::Auto);
    assert!(!asker.registries.is_v2(&registry.host()));
    assert_eq!(found(&asker, &registry.tag("app", "1")).await.unwrap_err().kind(), "missing");
    assert!(asker.registries.is_v2(&registry.host()));
    assert_eq!(registry.heads_and_gets(), (1, 1), "its header says it, and /v2/ need not be asked");

    // Without that header, and with an answer at /v2/.
    let registry = FakeRegistry::start();
    registry.fault("app", Fault::status(404));
    let asker = Asker::new(&registry);
    found(&asker, &registry.tag("app", "1")).await.unwrap_err();
    assert_eq!(registry.count(Method::GET, "/v2/"), 2);
    assert!(asker.registries.is_v2(&registry.host()));
}

#[tokio::test]
async fn f44_a_v1_host_that_becomes_v2_is_found_at_once_when_v1_ends_and_within_an_hour_when_it_does_not() {
    for after in [Speaks::V2, Speaks::Both] {
        let (registry, id) = v1_registry();
        let tag = registry.tag("app", "1");
        let asker = asker(&registry, Api::Auto);
        assert_eq!(image_id(&asker, &tag).await, id);
        let digest = registry.push("app", "1", 1);
        registry.speak(after);
        if after == Speaks::Both {
            registry.reset_counts();
            assert_eq!(image_id(&asker, &tag).await, id);
            assert_eq!(registry.count(Method::GET, "/v2/"), 0);
            an_hour_later().await;
        }
        assert_eq!(asker.digest(&tag).await, digest, "{after:?}");
        assert!(asker.registries.is_v2(tag.host()));
        registry.reset_counts();
        asker.digest(&tag).await;
        assert_eq!(paths(&registry), ["/v2/app/manifests/1"]);
    }
}

#[tokio::test]
async fn f44_the_hourly_look_for_v2_hears_the_wish_to_be_left_alone_and_asks_no_more() {
    let (registry, id) = v1_registry();
    let (tag, asker) = (registry.tag("app", "1"), asker(&registry, Api::Auto));
    image_id(&asker, &tag).await;
    for (status, kind) in [(429, "too_many_requests"), (503, "server_error")] {
        registry.fault("/v2/", Fault::status(status).header("retry-after", "30"));
        an_hour_later().await;
        registry.reset_counts();
        let error = found(&asker, &tag).await.unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (kind, Some(Duration::from_secs(30))));
        assert_eq!(paths(&registry), ["/v2/"]);
        registry.heal();
        registry.reset_counts();
        assert_eq!(image_id(&asker, &tag).await, id);
        assert_eq!(registry.requests().len(), 1);
    }

    registry.fault("/v2/", Fault::status(502));
    an_hour_later().await;
    assert_eq!(image_id(&asker, &tag).await, id, "what only fails below /v2/ is no trouble of a v1 host");
}

#[tokio::test]
async fn a_root_that_is_looked_at_for_its_challenge_is_heard_when_it_wants_to_be_left_alone() {
    for (status, kind) in [(429, "too_many_requests"), (503, "server_error")] {
        let registry = FakeRegistry::start();
        registry.fault("app", Fault::status(401));
        registry.fault("/v2/", Fault::status(status).header("retry-after", "30"));
        let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
        assert_eq!((error.kind(), error.retry_after()), (kind, Some(Duration::from_secs(30))));
        assert_eq!(registry.heads_and_gets(), (1, 1));
    }
}

#[tokio::test]
async fn a_v1_host_in_trouble_stays_one() {
    let (registry, id) = v1_registry();
    let tag = registry.tag("app", "1");
    let asker = asker(&registry, Api::Auto);
    image_id(&asker, &tag).await;
    let faults = [Fault::status(503), Fault::drop(), page(404), page(200)];
    for fault in faults.into_iter().chain(balancer()) {
        registry.fault(ANY, fault);
        found(&asker, &tag).await.unwrap_err();
        assert!(!asker.registries.is_v2(tag.host()));
        registry.heal();
        registry.reset_counts();
        assert_eq!(image_id(&asker, &tag).await, id);
        assert_eq!(registry.requests().len(), 1);
    }
}

#[tokio::test]
async fn what_is_no_image_id_is_told_and_not_taken() {
    let (registry, _) = v1_registry();
    let asker = asker(&registry, Api::V1);
    let long = format!("\"{}\"", "a".repeat(1_000_000));
    let bodies = ["\"latest\"", "{}", "[", "", &long, PAGE, "\"sha256:00\""];
    for body in bodies {
        registry.fault(ANY, Fault::status(200).body(body));
        let error = found(&asker, &registry.tag("app", "1")).await.unwrap_err();
        assert_eq!(error.kind(), "malformed", "{error}");
        assert!(error.to_string().len() < 500, "{error}");
        registry.heal();
    }
}

//! Answers that are none.

use basewatch::registry::{Malformed, Trouble};

use super::*;

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What comes of asking a registry with this fault.
async fn error_with(fault: Fault) -> Error {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    registry.fault(ANY, fault);
    Asker::new(&registry).error(&registry.tag("app", "1")).await
}

#[tokio::test]
async fn each_status_is_told_with_the_tag_and_what_came_back() {
    let table = [
        (401, "denied", "registry answered 401 Unauthorized"),
        (403, "denied", "registry answered 403 Forbidden"),
        (429, "too_many_requests", "registry answered 429 Too Many Requests"),
        (500, "server_error", "registry answered 500 Internal Server Error"),
        (503, "server_error", "registry answered 503 Service Unavailable"),
    ];
    for (status, kind, text) in table {
        let error = error_with(Fault::status(status)).await;
        assert_eq!(error.kind(), kind);
        assert_eq!(error.to_string(), format!("resolve {}: {text}", error.tag));
    }
}

#[tokio::test]
async fn a_definite_status_is_told_as_the_tags_where_v2_answers_and_as_the_hosts_where_it_does_not() {
    let table = [
        (404, "missing", "404 Not Found"),
        (405, "refused", "405 Method Not Allowed"),
        (418, "refused", "418 I'm a teapot"),
    ];
    for (status, kind, text) in table {
        let registry = FakeRegistry::start();
        registry.fault("app", Fault::status(status));
        let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
        assert_eq!(error.kind(), kind);
        assert_eq!(error.to_string(), format!("resolve {}: registry answered {text}", error.tag));

        let error = error_with(Fault::status(status)).await;
        assert_eq!(error.kind(), "no_registry");
        assert!(error.to_string().contains(&format!("{text} at /v2/")), "{error}");
    }
}

#[tokio::test]
async fn what_the_registry_says_about_an_error_is_told_in_one_line() {
    let body = r#"{"errors":[{"code":"UNAVAILABLE","message":"back\nsoon"}]}"#;
    let error = error_with(Fault::status(503).body(body)).await;
    assert!(error.to_string().ends_with(r"503 Service Unavailable (UNAVAILABLE: back\nsoon)"), "{error}");

    let error = error_with(Fault::status(503).body("<html>a proxy's page</html>")).await;
    assert!(error.to_string().ends_with("503 Service Unavailable"), "{error}");
}

#[tokio::test]
async fn a_429_costs_one_request_and_its_wish_is_kept() {
    let registry = FakeRegistry::start();
    registry.fault(ANY, Fault::status(429).header("retry-after", "7"));
    let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(registry.heads_and_gets(), (1, 0));
}

#[tokio::test]
async fn a_body_that_contradicts_its_header_is_refused() {
    let registry = FakeRegistry::start();
    let body = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
    registry.push_raw("app", "1", OCI, body.as_bytes());
    registry.fault(ANY, Fault::no_digest());
    let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
    assert!(matches!(&error.trouble, Trouble::Malformed(Malformed::Contradiction { .. })), "{error}");
}

#[tokio::test]
async fn a_schema_1_manifest_is_refused() {
    let registry = FakeRegistry::start();
    let prettyjws = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    registry.push_raw("app", "1", prettyjws, br#"{"schemaVersion":1,"signatures":[]}"#);
    let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
    assert!(matches!(&error.trouble, Trouble::Malformed(Malformed::Schema1)), "{error}");
}

#[tokio::test]
async fn a_login_page_is_no_manifest() {
    let registry = FakeRegistry::start();
    registry.fault(ANY, Fault::status(200).header("content-type", "text/html").body("<html>log in</html>"));
    let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
    assert!(matches!(&error.trouble, Trouble::Malformed(Malformed::NotAManifest(_))), "{error}");
}

#[tokio::test]
async fn a_manifest_of_four_mebibytes_is_read_and_no_byte_more() {
    let registry = FakeRegistry::start();
    registry.fault(ANY, Fault::no_digest());
    let asker = Asker::new(&registry);
    for (extra, fits) in [(0, true), (1, false)] {
        let mut body = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI}"}}"#).into_bytes();
        body.resize(4 * 1024 * 1024 + extra, b' ');
        let digest = registry.push_raw("app", "1", OCI, &body);
        let answer = asker.ask(&registry.tag("app", "1")).await;
        assert_eq!(answer.as_ref().ok().map(|polled| &polled.digest), fits.then_some(&digest));
        assert_eq!(answer.err().map(|error| error.kind()), (!fits).then_some("malformed"));
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    registry.fault(ANY, Fault::no_digest());
    registry.fault(ANY, Fault::endless_body());
    let error = Asker::new(&registry).error(&registry.tag("app", "1")).await;
    assert!(matches!(&error.trouble, Trouble::Malformed(Malformed::TooLarge(_))), "{error}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_answer() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    registry.fault(ANY, Fault::no_digest());
    registry.fault(ANY, Fault::cut_body().on(Method::GET));
    assert_eq!(Asker::new(&registry).error(&registry.tag("app", "1")).await.kind(), "exchange");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_given_up() {
    let slow_body = [Fault::no_digest(), Fault::slow_body(TINY / 4).on(Method::GET)];
    for faults in [vec![Fault::hang()], slow_body.to_vec()] {
        let registry = FakeRegistry::start();
        registry.push("app", "1", 1);
        for fault in faults {
            registry.fault(ANY, fault);
        }
        let error = Asker::with(in_a_hurry(&registry)).error(&registry.tag("app", "1")).await;
        assert_eq!(error.kind(), "timeout", "{error}");
    }
}

#[tokio::test]
async fn a_hanging_request_goes_on_when_it_is_let_go() {
    let registry = FakeRegistry::start();
    let pushed = registry.push("app", "1", 1);
    registry.fault(ANY, Fault::hang());
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let let_go = async {
        registry.wait_for(1, Method::HEAD, "/v2/app/", GENEROUS).await;
        registry.heal();
    };
    let (answer, ()) = tokio::join!(asker.digest(&tag), let_go);
    assert_eq!(answer, pushed);
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_an_error_of_this_tag_alone() {
    let registry = FakeRegistry::start();
    let (bad, good) = (registry.tag("bad", "1"), registry.tag("good", "1"));
    registry.push("good", "1", 1);
    registry.fault("bad", Fault::drop());
    let asker = Asker::new(&registry);
    assert_eq!(asker.error(&bad).await.kind(), "exchange");
    asker.digest(&good).await;
}

#[tokio::test]
async fn a_host_that_is_not_there_is_told_from_a_name_that_is_unknown() {
    let registry = FakeRegistry::start();
    let (tag, settings) = (registry.tag("app", "1"), settings(&registry));
    drop(registry);
    let error = Asker::with(settings).error(&tag).await;
    assert_eq!(error.kind(), "connect");
    assert!(error.to_string().contains("Connection refused"), "{error}");

    // No label of a name is longer than 63 bytes, so nobody has to be asked.
    let host = format!("{}.example", "a".repeat(64));
    let tag: TagRef = format!("{host}/app:1").parse().unwrap();
    let settings = Settings { insecure: true, ..Settings::new(&host) };
    let error = Asker::with(settings).error(&tag).await;
    assert_eq!(error.kind(), "dns", "{error}");
}

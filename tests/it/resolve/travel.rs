//! Redirects and TLS.

use std::io::Write;

use basewatch::registry::{Credentials, Redirect, Trouble};

use super::*;

#[tokio::test]
async fn a_redirect_is_followed_and_each_hop_has_a_permit() {
    let (front, back) = (FakeRegistry::start(), FakeRegistry::start());
    let pushed = back.push("app", "1", 1);
    front.fault(ANY, Fault::redirect(&back.url()));
    let asker = Asker::with_all(&[settings(&front), settings(&back)]);
    assert_eq!(asker.digest(&front.tag("app", "1")).await, pushed);
    assert_eq!(asker.permits(), 2);
}

#[tokio::test]
async fn a_login_does_not_cross_to_another_host() {
    let (front, back) = (FakeRegistry::start(), FakeRegistry::start());
    back.push("app", "1", 1);
    front.fault(ANY, Fault::basic_login("ci", "s3cret"));
    front.fault(ANY, Fault::redirect(&back.url()));
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"s3cret").unwrap();
    let credentials = Credentials { username: "ci".to_owned(), password_file: file.path().to_owned() };
    let front_settings = Settings { credentials: Some(credentials), ..settings(&front) };
    let asker = Asker::with_all(&[front_settings, settings(&back)]);
    let tag = front.tag("app", "1");

    asker.digest(&tag).await;
    let sent = |registry: &FakeRegistry| -> Vec<bool> {
        registry.requests().iter().map(|request| request.has_authorization).collect()
    };
    assert_eq!((sent(&front), sent(&back)), (vec![false, true], vec![false]));

    // Nor does it when the other host asks for it, and that does not count against the login.
    back.fault(ANY, Fault::basic_login("ci", "s3cret"));
    let error = asker.error(&tag).await;
    assert_eq!(error.kind(), "denied");
    assert!(error.to_string().contains("where the registry redirects to, answered 401"), "{error}");
    assert_eq!(sent(&back), vec![false, false]);
    back.heal();
    asker.digest(&tag).await;
}

#[tokio::test]
async fn a_login_that_was_left_behind_is_not_picked_up_on_the_way_back() {
    let (front, back) = (FakeRegistry::start(), FakeRegistry::start());
    front.push("app", "1", 1);
    front.fault(ANY, Fault::basic_login("ci", "s3cret").times(2));
    front.fault(ANY, Fault::redirect(&back.url()).times(1));
    back.fault(ANY, Fault::redirect(&front.url()));
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"s3cret").unwrap();
    let credentials = Credentials { username: "ci".to_owned(), password_file: file.path().to_owned() };
    let front_settings = Settings { credentials: Some(credentials), ..settings(&front) };
    let asker = Asker::with_all(&[front_settings, settings(&back)]);

    asker.digest(&front.tag("app", "1")).await;
    let sent: Vec<_> = front.requests().iter().map(|request| request.has_authorization).collect();
    assert_eq!(sent, [false, true, false]);
}

#[tokio::test]
async fn a_circle_of_redirects_ends_after_ten() {
    let registry = FakeRegistry::start();
    registry.fault(ANY, Fault::redirect(&registry.url()));
    let asker = Asker::new(&registry);
    let error = asker.error(&registry.tag("app", "1")).await;
    assert!(matches!(&error.trouble, Trouble::Redirect(Redirect::TooMany(10))), "{error}");
    assert_eq!(registry.heads_and_gets(), (11, 0));
    assert_eq!(asker.permits(), 11);
}

#[tokio::test]
async fn a_redirect_with_a_login_in_it_is_not_followed() {
    let (front, back) = (FakeRegistry::start(), FakeRegistry::start());
    front.fault(ANY, Fault::redirect(&format!("http://ci:s3cret@{}", back.host())));
    let error = Asker::new(&front).error(&front.tag("app", "1")).await;
    assert_eq!(error.kind(), "redirect_refused");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(back.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let (front, back) = (FakeRegistry::start_tls(), FakeRegistry::start());
    back.push("app", "1", 1);
    front.fault(ANY, Fault::redirect(&back.url()));
    let error = Asker::with(trusting(&front)).error(&front.tag("app", "1")).await;
    assert!(matches!(&error.trouble, Trouble::Redirect(Redirect::ToHttp)), "{error}");
    assert!(back.requests().is_empty());
}

#[tokio::test]
async fn a_redirect_to_plain_http_on_a_host_that_is_not_insecure_is_not_followed() {
    let (front, back) = (FakeRegistry::start(), FakeRegistry::start());
    back.push("app", "1", 1);
    front.fault(ANY, Fault::redirect(&back.url()));
    let error = Asker::new(&front).error(&front.tag("app", "1")).await;
    assert_eq!(error.kind(), "redirect_refused");
    assert!(
        error.to_string().contains(&back.host()) && error.to_string().contains("insecure = true"),
        "{error}"
    );
    assert!(back.requests().is_empty());
}

#[tokio::test]
async fn the_time_for_an_exchange_is_not_renewed_by_a_redirect() {
    let registry = FakeRegistry::start();
    registry.fault(ANY, Fault::late(TINY / 2));
    registry.fault(ANY, Fault::redirect(&registry.url()));
    let error = Asker::with(in_a_hurry(&registry)).error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "timeout", "{error}");
}

/// https, and its CA known.
fn trusting(registry: &FakeRegistry) -> Settings {
    let ca_file = Some(registry.ca_file());
    Settings { insecure: false, ca_file, ..settings(registry) }
}

#[tokio::test]
async fn a_ca_file_makes_a_private_ca_trusted() {
    let registry = FakeRegistry::start_tls();
    let pushed = registry.push("app", "1", 1);
    assert_eq!(Asker::with(trusting(&registry)).digest(&registry.tag("app", "1")).await, pushed);
}

#[tokio::test]
async fn an_unknown_ca_is_refused_with_the_advice_to_set_ca_file() {
    let registry = FakeRegistry::start_tls();
    let settings = Settings { insecure: false, ..settings(&registry) };
    let error = Asker::with(settings).error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "tls");
    assert!(error.to_string().contains("set ca_file"), "{error}");
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn plain_http_is_spoken_only_where_it_is_allowed_and_the_error_says_so() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let asker = Asker::with(Settings::new(&registry.host()));
    let error = asker.error(&registry.tag("app", "1")).await;
    assert_eq!(error.kind(), "tls");
    assert!(error.to_string().contains("set insecure = true"), "{error}");
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn a_host_without_settings_is_asked_by_https() {
    let registry = FakeRegistry::start();
    let asker = Asker { registries: Registries::new(&[]).unwrap(), gate: CountingGate::default() };
    assert_eq!(asker.error(&registry.tag("app", "1")).await.kind(), "tls");
}

/// Runs the test that calls it a second time, in a process with this environment, and says whether this is that one.
fn in_environment(test: &str, environment: &[(&str, &str)]) -> bool {
    const MARK: &str = "BASEWATCH_TEST_AGAIN";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("resolve::travel::{test}")])
        .envs(environment.iter().copied())
        .env(MARK, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && output.contains("1 passed"), "{output}");
    false
}

#[tokio::test]
async fn without_a_ca_store_http_and_a_ca_file_work_and_https_says_what_to_set() {
    let nowhere = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    if !in_environment("without_a_ca_store_http_and_a_ca_file_work_and_https_says_what_to_set", &nowhere) {
        return;
    }
    let (http, https) = (FakeRegistry::start(), FakeRegistry::start_tls());
    for registry in [&http, &https] {
        registry.push("app", "1", 1);
    }
    Asker::new(&http).digest(&http.tag("app", "1")).await;
    Asker::with(trusting(&https)).digest(&https.tag("app", "1")).await;
    let untrusting = Settings { ca_file: None, ..trusting(&https) };
    let error = Asker::with(untrusting).error(&https.tag("app", "1")).await;
    assert!(error.to_string().contains("set ca_file"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_what_is_on_this_machine() {
    let proxy =
        [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1"), ("NO_PROXY", "")];
    if !in_environment("a_proxy_is_not_asked_for_what_is_on_this_machine", &proxy) {
        return;
    }
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    Asker::new(&registry).digest(&registry.tag("app", "1")).await;
}

//! What a tag points to, asked of a registry that behaves, misbehaves, or does not answer at all.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::Method;
use basewatch::image::{Descriptor, Digest, Polled, TagRef};
use basewatch::registry::{Credentials, Depth, Error, Gate, Registries, Settings, Target};
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;

use crate::support::fake_registry::{ANY, FakeRegistry, Fault};

mod faults;
mod indexes;
mod login;
mod pinned;
mod protocol;
mod tokens;
mod travel;

/// Longer than anything here takes, shorter than a person's patience.
const GENEROUS: Duration = Duration::from_secs(20);
const TINY: Duration = Duration::from_millis(200);

const PASSWORD: &str = "open sesame";

fn password_file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn with_login(registry: &FakeRegistry, file: &NamedTempFile) -> Settings {
    let credentials = Credentials { username: "ci".to_owned(), password_file: file.path().to_owned() };
    Settings { credentials: Some(credentials), ..settings(registry) }
}

fn target(tag: &TagRef) -> Target<'_> {
    Target { tag, group: &[], depth: Depth::Digest, known: None }
}

/// Lets everything through, and counts.
#[derive(Default)]
struct CountingGate(AtomicUsize);

impl Gate for CountingGate {
    async fn permit(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lets through as many as it is told to.
struct Turnstile(Semaphore);

impl Gate for Turnstile {
    async fn permit(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// A registry, and someone who asks it.
struct Asker {
    registries: Registries,
    gate: CountingGate,
}

impl Asker {
    fn new(registry: &FakeRegistry) -> Self {
        Self::with(settings(registry))
    }

    fn with(settings: Settings) -> Self {
        Self::with_all(&[settings])
    }

    fn with_all(settings: &[Settings]) -> Self {
        Self { registries: Registries::new(settings).unwrap(), gate: CountingGate::default() }
    }

    async fn ask(&self, tag: &TagRef) -> Result<Descriptor, Error> {
        let found = tokio::time::timeout(GENEROUS, self.registries.resolve(target(tag), &self.gate))
            .await
            .expect("each exchange has a bound of its own")?;
        match found.polled {
            Polled::Manifest(manifest) => Ok(manifest),
            other @ (Polled::V1(_) | Polled::Unasked) => {
                panic!("{tag} is no image of a v2 registry: {other:?}")
            }
        }
    }

    async fn digest(&self, tag: &TagRef) -> Digest {
        self.ask(tag).await.unwrap().digest
    }

    async fn error(&self, tag: &TagRef) -> Error {
        self.ask(tag).await.unwrap_err()
    }

    fn permits(&self) -> usize {
        self.gate.0.load(Ordering::Relaxed)
    }
}

/// Plain http, as the fake registry speaks it.
fn settings(registry: &FakeRegistry) -> Settings {
    Settings { insecure: true, timeout: GENEROUS, ..Settings::new(&registry.host()) }
}

fn in_a_hurry(registry: &FakeRegistry) -> Settings {
    Settings { timeout: TINY, ..settings(registry) }
}

/// Makes an hour pass for the daemon, and no time for the test.
async fn an_hour_later() {
    later(Duration::from_secs(60 * 60)).await;
}

/// The same for any time.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn each_check_of_a_tag_is_one_head_and_no_get() {
    let registry = FakeRegistry::start();
    let tag = registry.tag("team/app", "1");
    let pushed = [registry.push("team/app", "1", 1), registry.push("team/app", "1", 2)];
    let asker = Asker::new(&registry);

    for _ in 0..5 {
        assert_eq!(asker.digest(&tag).await, pushed[1]);
    }
    assert_eq!(registry.heads_and_gets(), (5, 0));
    assert_eq!(registry.requests()[0].path, "/v2/team/app/manifests/1");
    assert_eq!(asker.permits(), 5);
}

#[tokio::test]
async fn no_request_leaves_before_its_permit() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let tag = registry.tag("app", "1");
    let registries = Registries::new(&[settings(&registry)]).unwrap();
    let gate = Turnstile(Semaphore::new(0));
    let mut check = Box::pin(registries.resolve(target(&tag), &gate));
    assert!(futures_util::poll!(check.as_mut()).is_pending());

    let opened = Instant::now();
    gate.0.add_permits(1);
    check.await.unwrap();
    assert!(registry.requests()[0].at >= opened);
}

#[tokio::test]
async fn a_tag_that_vanishes_is_an_error_and_has_its_old_digest_when_it_returns() {
    let registry = FakeRegistry::start();
    let pushed = registry.push("app", "1", 1);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    registry.remove("app", "1");
    assert_eq!(asker.error(&tag).await.kind(), "missing");
    registry.push("app", "1", 1);
    assert_eq!(asker.digest(&tag).await, pushed);
}

#[tokio::test]
async fn an_index_and_an_image_are_told_apart() {
    let registry = FakeRegistry::start();
    let index = registry.push_index("app", "index", 1);
    registry.push("app", "image", 1);
    let asker = Asker::new(&registry);

    let polled = asker.ask(&registry.tag("app", "index")).await.unwrap();
    assert_eq!((polled.is_index(), &polled.digest, polled.accept_version), (true, &index, 1));
    assert!(!asker.ask(&registry.tag("app", "image")).await.unwrap().is_index());
}

#[tokio::test]
async fn a_request_carries_the_full_accept_set_line_by_line_and_says_who_asks() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    Asker::new(&registry).digest(&registry.tag("app", "1")).await;

    let headers = &registry.requests()[0].headers;
    let accept: Vec<_> = headers.get_all("accept").iter().map(|line| line.to_str().unwrap()).collect();
    let expected = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ];
    assert_eq!(accept, expected);
    assert_eq!(headers["accept-encoding"], "identity");
    assert_eq!(headers["user-agent"], concat!("basewatch/", env!("CARGO_PKG_VERSION")));
    assert!(!headers.contains_key("authorization") && !headers.contains_key("referer"));
}

#[tokio::test]
async fn where_head_is_of_no_use_the_digest_is_that_of_the_body() {
    let useless = [400, 404, 405, 406, 500, 503].map(|status| Fault::status(status).on(Method::HEAD));
    let silent = [
        Fault::no_digest(),
        Fault::digest_header("hello world"),
        Fault::digest_header(&format!("sha256:{}", "0".repeat(5000))),
        Fault::content_type("application/octet-stream"),
        Fault::content_type(""),
    ];
    for fault in useless.into_iter().chain(silent) {
        let registry = FakeRegistry::start();
        let pushed = registry.push("app", "1", 1);
        let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
        registry.fault(ANY, fault.clone());

        assert_eq!(asker.digest(&tag).await, pushed, "{fault:?}");
        assert_eq!(registry.heads_and_gets(), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn once_known_a_host_without_head_costs_one_get_a_check_and_a_head_an_hour() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    registry.fault(ANY, Fault::no_digest());
    asker.digest(&tag).await;

    registry.reset_counts();
    for _ in 0..3 {
        asker.digest(&tag).await;
    }
    assert_eq!(registry.heads_and_gets(), (0, 3));

    an_hour_later().await;
    registry.reset_counts();
    asker.digest(&tag).await;
    asker.digest(&tag).await;
    assert_eq!(registry.heads_and_gets(), (1, 2), "one HEAD, still of no use");

    registry.heal();
    an_hour_later().await;
    registry.reset_counts();
    asker.digest(&tag).await;
    asker.digest(&tag).await;
    assert_eq!(registry.heads_and_gets(), (2, 0), "HEAD works again, and is kept to");
}

#[tokio::test]
async fn what_was_learnt_of_one_host_says_nothing_of_another() {
    let (broken, sound) = (FakeRegistry::start(), FakeRegistry::start());
    broken.fault(ANY, Fault::status(405).on(Method::HEAD));
    let registries = Registries::new(&[settings(&broken), settings(&sound)]).unwrap();
    let asker = Asker { registries, gate: CountingGate::default() };
    for registry in [&broken, &sound] {
        registry.push("app", "1", 1);
        asker.digest(&registry.tag("app", "1")).await;
    }
    assert_eq!(sound.heads_and_gets(), (1, 0));
}

#[tokio::test]
async fn a_404_is_believed_from_a_host_that_answers_head_and_verified_on_one_that_is_not_known_to() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let (there, missing) = (registry.tag("app", "1"), registry.tag("app", "2"));
    let asker = Asker::new(&registry);

    let error = asker.error(&missing).await;
    assert_eq!(registry.heads_and_gets(), (1, 1));
    let expected =
        format!("resolve {missing}: registry answered 404 Not Found (MANIFEST_UNKNOWN: manifest unknown)");
    assert_eq!((error.kind(), error.to_string()), ("missing", expected));

    asker.digest(&there).await;
    registry.reset_counts();
    let error = asker.error(&missing).await;
    assert_eq!(registry.heads_and_gets(), (1, 0));
    assert_eq!(error.to_string(), format!("resolve {missing}: registry answered 404 Not Found"));
}

#[tokio::test]
async fn a_5xx_of_a_host_that_answers_head_does_not_make_it_a_host_for_gets() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    asker.digest(&tag).await;
    registry.fault(ANY, Fault::status(502).on(Method::HEAD).times(1));
    asker.digest(&tag).await;

    registry.reset_counts();
    asker.digest(&tag).await;
    assert_eq!(registry.heads_and_gets(), (1, 0));
}

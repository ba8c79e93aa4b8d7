//! A digest in place of a tag (F6): it is asked for by HEAD, is what comes back, and nothing more is fetched.

use super::*;

fn pinned(registry: &FakeRegistry, digest: &Digest) -> TagRef {
    TagRef::parse_image(&format!("{}/app@{digest}", registry.host())).unwrap()
}

async fn look(asker: &Asker, tag: &TagRef, depth: Depth) -> Result<basewatch::image::Found, Error> {
    asker.registries.resolve(Target { tag, group: &[], depth, known: None }, &asker.gate).await
}

#[tokio::test]
async fn one_head_by_digest_brings_it_and_looks_into_nothing() {
    let registry = FakeRegistry::start();
    let digest = registry.push_platforms("app", "1", &[("linux/amd64", 1), ("linux/arm64", 1)], 1);
    registry.push("app", "1", 2);
    let (tag, asker) = (pinned(&registry, &digest), Asker::new(&registry));
    let found = look(&asker, &tag, Depth::Moves).await.unwrap();
    assert_eq!((found.polled.digest(), found.children), (Some(&digest), None));
    assert_eq!(registry.heads_and_gets(), (1, 0));
    assert_eq!(registry.count(Method::HEAD, &format!("/v2/app/manifests/{digest}")), 1);
}

#[tokio::test]
async fn another_digest_is_no_answer_whether_it_came_by_head_or_by_get() {
    let registry = FakeRegistry::start();
    let digest = registry.push("app", "1", 1);
    let other = registry.push("app", "2", 2);
    let tag = pinned(&registry, &digest);
    registry.fault(ANY, Fault::digest_header(&other.to_string()).on(Method::HEAD));
    let error = look(&Asker::new(&registry), &tag, Depth::Moves).await.unwrap_err().to_string();
    assert!(error.contains(&digest.to_string()) && error.contains(&other.to_string()), "{error}");

    registry.heal();
    registry.fault(ANY, Fault::no_digest());
    let found = look(&Asker::new(&registry), &tag, Depth::Moves).await.unwrap();
    assert_eq!(found.polled.digest(), Some(&digest), "the body has it, whatever a header lacks");
    registry.fault(ANY, Fault::status(200).body(r#"{"schemaVersion":2}"#).on(Method::GET));
    let error = look(&Asker::new(&registry), &tag, Depth::Moves).await.unwrap_err().to_string();
    assert!(error.contains(&digest.to_string()), "{error}");
}

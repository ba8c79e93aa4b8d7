//! When the index behind a tag is looked into, and what becomes of a registry that hands out another.

use basewatch::image::{Found, Platform};
use basewatch::registry::Known;

use super::*;

const BOTH: [(&str, u64); 2] = [("linux/amd64", 1), ("linux/arm64", 1)];
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Asker {
    async fn look(&self, tag: &TagRef, depth: Depth, known: Option<&Known>) -> Result<Found, Error> {
        self.registries.resolve(Target { tag, group: &[], depth, known }, &self.gate).await
    }
}

fn known(digest: &Digest, unread: bool) -> Known {
    Known { digest: digest.clone(), unread }
}

#[tokio::test]
async fn what_is_read_is_what_the_table_says() {
    let registry = FakeRegistry::start();
    let old = registry.push_platforms("app", "1", &BOTH, 1);
    let new = registry.push_platforms("app", "1", &BOTH, 2);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let [first, same, same_unread, moved, moved_unread] = [
        None,
        Some(known(&new, false)),
        Some(known(&new, true)),
        Some(known(&old, false)),
        Some(known(&old, true)),
    ];
    // What is known, and how many indexes are read: the new one, and the old one after it.
    let table = [
        (Depth::Digest, [(&first, 0), (&same, 0), (&same_unread, 0), (&moved, 0), (&moved_unread, 0)]),
        (Depth::Moves, [(&first, 0), (&same, 0), (&same_unread, 0), (&moved, 1), (&moved_unread, 2)]),
        (Depth::Contents, [(&first, 1), (&same, 0), (&same_unread, 1), (&moved, 1), (&moved_unread, 2)]),
    ];
    for (depth, rows) in table {
        for (known, reads) in rows {
            registry.reset_counts();
            let found = asker.look(&tag, depth, known.as_ref()).await.unwrap();
            assert_eq!(registry.heads_and_gets(), (1, reads), "{depth:?} {known:?}");
            assert_eq!(found.polled.digest(), Some(&new));
            assert_eq!(found.children.is_some(), reads > 0);
            assert_eq!(found.earlier.map(|earlier| earlier.digest), (reads > 1).then(|| old.clone()));
        }
    }
}

#[tokio::test]
async fn a_single_manifest_is_never_asked_for_what_is_in_it() {
    let registry = FakeRegistry::start();
    let old = registry.push_platforms("app", "1", &BOTH, 1);
    registry.push("app", "1", 1);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let found = asker.look(&tag, Depth::Contents, Some(&known(&old, true))).await.unwrap();
    assert_eq!((found.children, found.earlier), (None, None));
    assert_eq!(registry.heads_and_gets(), (1, 0));
}

#[tokio::test]
async fn an_index_that_came_instead_of_a_head_is_not_fetched_again() {
    let registry = FakeRegistry::start();
    let old = registry.push_platforms("app", "1", &BOTH, 1);
    registry.push_platforms("app", "1", &BOTH, 2);
    registry.fault(ANY, Fault::no_digest());
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let known = known(&old, false);
    for requests in [(1, 1), (0, 1)] {
        registry.reset_counts();
        let found = asker.look(&tag, Depth::Moves, Some(&known)).await.unwrap();
        assert_eq!(found.children.unwrap().len(), 2);
        assert_eq!(registry.heads_and_gets(), requests, "first a HEAD that is of no use, then none");
    }
}

#[tokio::test]
async fn indexes_in_an_index_are_read_and_each_waits_for_its_permit() {
    let registry = FakeRegistry::start();
    let inner = registry.push_platforms("app", "inner", &BOTH, 1);
    let body = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":"{OCI_INDEX}","digest":"{inner}","size":1}}]}}"#
    );
    registry.push_raw("app", "1", OCI_INDEX, body.as_bytes());
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let found = asker.look(&tag, Depth::Contents, None).await.unwrap();
    let platforms: Vec<String> = found.children.unwrap().keys().map(Platform::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(asker.permits(), 3, "the tag, the index and the one in it");
    assert_eq!(registry.requests().len(), 3);
}

#[tokio::test]
async fn what_has_not_the_digest_that_was_asked_for_is_not_looked_into() {
    let registry = FakeRegistry::start();
    let digest = registry.push_platforms("app", "1", &BOTH, 1);
    let other = r#"{"schemaVersion":2,"manifests":[]}"#;
    registry.fault(ANY, Fault::status(200).body(other).on(Method::GET));
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let error = asker.look(&tag, Depth::Contents, None).await.unwrap_err();
    assert_eq!(error.kind(), "malformed");
    let expected = format!(
        "resolve {tag}: read the index {digest}: registry's answer has the digest {} and not {digest}, which was asked for",
        Digest::sha256_of(other.as_bytes())
    );
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn an_index_that_is_gone_is_no_missing_tag_and_a_wait_that_was_asked_for_is_passed_on() {
    let registry = FakeRegistry::start();
    let digest = registry.push_platforms("app", "1", &BOTH, 1);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    registry.remove("app", &digest.to_string());
    let error = asker.look(&tag, Depth::Contents, None).await.unwrap_err();
    assert_eq!(error.kind(), "index_missing");
    registry.fault(ANY, Fault::status(429).header("retry-after", "7").on(Method::GET));
    let error = asker.look(&tag, Depth::Contents, None).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), ("too_many_requests", Some(Duration::from_secs(7))));
}

#[tokio::test]
async fn of_an_old_index_only_what_is_for_good_is_taken_for_an_answer() {
    let registry = FakeRegistry::start();
    let old = registry.push_platforms("app", "1", &BOTH, 1);
    registry.push_platforms("app", "1", &BOTH, 2);
    let (tag, asker) = (registry.tag("app", "1"), Asker::new(&registry));
    let known = known(&old, true);
    for (status, is_gone) in [
        (404, true),
        (410, true),
        (401, false),
        (403, false),
        (400, false),
        (429, false),
        (500, false),
        (503, false),
    ] {
        registry.heal();
        registry.fault(ANY, Fault::status(status).of(&old));
        let found = asker.look(&tag, Depth::Moves, Some(&known)).await;
        assert_eq!(found.is_ok_and(|found| found.earlier.is_none()), is_gone, "{status}");
    }
    registry.heal();
    registry.fault(ANY, Fault::status(200).body("{}").of(&old));
    let error = asker.look(&tag, Depth::Moves, Some(&known)).await.unwrap_err();
    assert_eq!(error.kind(), "malformed", "a proxy's page says nothing of what it stands in for");

    registry.heal();
    let known = Known { digest: registry.push("app", "0", 1), unread: true };
    let found = asker.look(&tag, Depth::Moves, Some(&known)).await.unwrap();
    assert!(found.children.is_some() && found.earlier.is_none(), "what is no index says nothing");
}

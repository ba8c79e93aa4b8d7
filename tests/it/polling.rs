//! What polling costs: counted by the registry, not by us.

use reqwest::Method;

use crate::support::daemon::Home;
use crate::support::eventually;
use crate::support::fake_registry::{FakeRegistry, Tokens};
use crate::support::watch_list::{Watch, watch_list};

fn hundred_tags(registry: &FakeRegistry, every: &str) -> Home {
    let watches: Vec<Watch> = (0..100)
        .map(|number| {
            registry.push(&format!("base-{number}"), "1", number);
            Watch::new(&format!("app-{number}"), &registry.host(), &format!("base-{number}:1"))
                .key("on_first", "\"record\"")
                .every(every)
        })
        .collect();
    Home::new(&watch_list(&registry.host(), &watches))
}

#[test]
fn five_unchanged_rounds_of_a_hundred_tags_are_five_hundred_heads_and_no_byte_in_the_journal() {
    let registry = FakeRegistry::start();
    let home = hundred_tags(&registry, "15m");
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    registry.reset_counts();
    let journal = home.journal_bytes();
    for _ in 0..5 {
        assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    }
    assert_eq!(registry.count(Method::HEAD, "/"), 500);
    assert_eq!(registry.count(Method::GET, "/"), 0);
    assert_eq!(registry.requests().len(), 500);
    assert_eq!(home.journal_bytes(), journal);
}

#[test]
fn a_running_daemon_asks_for_every_tag_again_and_again_and_writes_nothing() {
    let registry = FakeRegistry::start();
    let home = hundred_tags(&registry, "500ms");
    let daemon = home.start();
    daemon.wait_count("tag_resolved", 100);
    let journal = home.journal_bytes();
    let before = registry.requests().len();
    registry.wait_requests(before + 500, Method::HEAD, "/");
    assert_eq!(home.journal_bytes(), journal);
    let (_, events) = daemon.stop();
    assert_eq!(registry.count(Method::GET, "/"), 0);
    let counts: Vec<usize> =
        (0..100).map(|number| registry.count(Method::HEAD, &format!("/v2/base-{number}/"))).collect();
    // How often within which time is the schedule's own tests' claim; here nobody is left out.
    assert!(counts.iter().all(|count| *count >= 2), "{counts:?}");
    assert_eq!(events.iter().filter(|event| event["event"] == "image_changed").count(), 0);
}

#[test]
fn a_running_daemon_shares_tokens_and_asks_for_none_while_they_live() {
    let registry = FakeRegistry::start();
    registry.want_tokens(&Tokens::new());
    let home = hundred_tags(&registry, "500ms");
    let daemon = home.start();
    daemon.wait_count("tag_resolved", 100);
    // Each tag has been looked at twice, so each group has found its token.
    let twice = |number| (registry.count(Method::HEAD, &format!("/v2/base-{number}/")) >= 4).then_some(());
    (0..100).for_each(|number| eventually("two more rounds", || twice(number)));
    let tokens = registry.count(Method::GET, "/token");
    assert!(tokens < 50, "{tokens} requests for tokens of a hundred repositories");
    let before = registry.count(Method::HEAD, "/v2/");
    registry.wait_requests(before + 300, Method::HEAD, "/v2/");
    assert_eq!(registry.count(Method::GET, "/"), tokens);
    daemon.stop();
}

#[test]
fn ten_watches_of_one_tag_are_one_poll() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let watch = |number| {
        Watch::new(&format!("app-{number}"), &registry.host(), "base:1").key("on_first", "\"record\"")
    };
    let watches: Vec<Watch> = (0..10).map(watch).collect();
    let home = Home::new(&watch_list(&registry.host(), &watches));
    assert_eq!(home.spawn(&["--once"], &[]).finish().0, Some(0));
    assert_eq!(registry.requests().len(), 1);
    let (second_run, _) = home.spawn(&["--once"], &[]).finish();
    assert_eq!(second_run, Some(0));
    assert_eq!(registry.requests().len(), 2, "each run looks once, however many watches share the tag");
}

//! Pausing and resuming, by command and by configuration: nothing starts meanwhile, then the newest once.

use reqwest::Method;
use serde_json::Value;

use crate::support::daemon::{Daemon, Home};
use crate::support::eventually;
use crate::support::fake_registry::FakeRegistry;
use crate::support::watch_list::{Watch, watch_list};

fn app(registry: &FakeRegistry) -> Watch {
    Watch::new("app", &registry.host(), "base:1").every("100ms").key("labels", "{ team = \"pay\" }")
}

fn home(registry: &FakeRegistry, watches: &[Watch]) -> Home {
    Home::new(&watch_list(&registry.host(), watches))
}

/// What a command says that must succeed.
fn says(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code of a command that must not, and what it says.
fn refuses(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let output = home.run(arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Waits until every tag was looked at so often again.
fn looked_again(registry: &FakeRegistry, times: usize) {
    let polls = registry.count(Method::HEAD, "/v2/base");
    registry.wait_requests(polls + times, Method::HEAD, "/v2/base");
}

/// The digests that were built, in the order of the builds.
fn built(home: &Home) -> Vec<String> {
    let answer = home.ask(&["builds"]);
    let names = answer["builds"].as_array().unwrap().iter().rev().map(|build| build["build"].clone());
    let digest = |name: Value| {
        let detail = home.ask(&["build", "show", name.as_str().unwrap()]);
        detail["spec"]["base_image"]["digest"].as_str().unwrap().to_owned()
    };
    names.map(digest).collect()
}

fn seen(daemon: &Daemon, digest: &impl ToString) {
    let digest = digest.to_string();
    daemon.wait_until(&format!("a pending {digest}"), |events| {
        let pending = |event: &&Value| event["event"] == "change_pending" && event["digest"] == *digest;
        events.iter().find(pending).map(|_| ())
    });
}

#[test]
fn what_moved_while_paused_is_one_build_of_the_newest_after_a_restart_and_a_resume() {
    let registry = FakeRegistry::start();
    let first = registry.push("base", "1", 1);
    let home = home(&registry, &[app(&registry)]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);

    let said = says(&home, &["pause", "app", "--reason", "release freeze"]);
    assert!(said.contains("default/app") && said.contains("release freeze"), "{said}");
    let paused = daemon.wait_for("trigger_paused");
    assert_eq!((&paused["build_config"], &paused["actor"]), (&"default/app".into(), &"command".into()));
    assert_eq!(
        (&paused["tag"], &paused["reason"]),
        (&format!("{}/base:1", registry.host()).into(), &"release freeze".into())
    );
    seen(&daemon, &registry.push("base", "1", 2));
    let newest = registry.push("base", "1", 3);
    seen(&daemon, &newest);
    daemon.stop();

    let daemon = home.start();
    looked_again(&registry, 3);
    let trigger = home.ask(&["configs", "--paused"])[0]["triggers"][0].clone();
    assert_eq!(trigger["paused"], true, "{trigger}");
    assert_eq!(trigger["pause"]["reason"], "release freeze");
    assert_eq!(trigger["pause"]["by"], "command");
    assert!(trigger["pause"]["since"].is_string(), "{trigger}");
    assert_eq!(home.ask(&["status"])["paused"][0]["reason"], "release freeze");
    assert_eq!(home.ask(&["status"])["totals"]["paused"], 1);
    assert!(daemon.all("build_queued").is_empty(), "it is paused after a restart, too");

    let said = says(&home, &["resume", "app"]);
    assert_eq!(said, format!("resumed default/app on {}/base:1\n", registry.host()));
    assert_eq!(daemon.wait_for("trigger_resumed")["actor"], "command");
    daemon.wait_for("build_finished");
    assert_eq!(says(&home, &["resume", "app"]), "nothing was paused\n");
    looked_again(&registry, 3);
    assert_eq!(built(&home), [first.to_string(), newest.to_string()]);
    assert!(home.ask(&["configs", "--paused"]).as_array().unwrap().is_empty());
    daemon.stop();
}

#[test]
fn paused_from_the_start_builds_nothing_and_of_command_and_configuration_the_last_word_counts() {
    let registry = FakeRegistry::start();
    let first = registry.push("base", "1", 1);
    let configured = |paused: bool| {
        watch_list(&registry.host(), &[app(&registry).key("paused", if paused { "true" } else { "false" })])
    };
    let home = Home::new(&configured(true));
    let daemon = home.start();
    assert_eq!(daemon.wait_for("trigger_paused")["actor"], "config");
    seen(&daemon, &first);
    looked_again(&registry, 3);
    assert!(daemon.all("build_queued").is_empty());

    says(&home, &["resume", "app"]);
    daemon.wait_count("build_finished", 1);
    // The same value is no word: the command holds.
    says(&home, &["reload"]);
    let second = registry.push("base", "1", 2);
    daemon.wait_count("build_finished", 2);

    home.configure(&configured(false));
    says(&home, &["reload"]);
    home.configure(&configured(true));
    says(&home, &["reload"]);
    let third = registry.push("base", "1", 3);
    seen(&daemon, &third);
    looked_again(&registry, 3);
    assert_eq!(built(&home), [first.to_string(), second.to_string()]);

    home.configure(&configured(false));
    says(&home, &["reload"]);
    daemon.wait_count("build_finished", 3);
    assert_eq!(built(&home).last(), Some(&third.to_string()));
    let (_, events) = daemon.stop();
    let words = events
        .iter()
        .filter(|event| ["trigger_paused", "trigger_resumed"].contains(&event["event"].as_str().unwrap()));
    let words: Vec<&str> = words.map(|event| event["actor"].as_str().unwrap()).collect();
    assert_eq!(words, ["config", "command", "config", "config"]);
}

#[test]
fn a_pause_with_an_end_goes_on_by_itself() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry, &[app(&registry)]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    says(&home, &["pause", "-l", "team=pay", "--until", "4s"]);
    let newest = registry.push("base", "1", 2);
    assert_eq!(daemon.wait_for("trigger_resumed")["actor"], "until");
    daemon.wait_count("build_finished", 2);
    assert_eq!(built(&home).last(), Some(&newest.to_string()));
    assert!(home.ask(&["status"])["paused"].as_array().unwrap().is_empty());
    daemon.stop();
}

#[test]
fn one_of_two_triggers_is_paused_and_the_other_builds() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    registry.push("base-tools", "1", 1);
    let home = home(&registry, &[app(&registry).and("base-tools:1")]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 1);
    let tools = format!("{}/base-tools:1", registry.host());
    let paused = home.ask(&["pause", "app", "--trigger", &tools]);
    assert_eq!(paused["paused"].as_array().unwrap().len(), 1, "{paused}");
    seen(&daemon, &registry.push("base-tools", "1", 2));
    assert_eq!(daemon.all("build_queued").len(), 1);
    registry.push("base", "1", 2);
    daemon.wait_count("build_finished", 2);
    assert_eq!(daemon.all("trigger_swallowed").len(), 1, "the build has the paused image, too");
    says(&home, &["resume", "app"]);
    looked_again(&registry, 6);
    assert_eq!(daemon.all("build_queued").len(), 2);
    daemon.stop();
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_to_do_and_changes_nothing() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = home(&registry, &[app(&registry), Watch::new("web", &registry.host(), "base:1")]);
    let daemon = home.start();
    daemon.wait_count("build_finished", 2);
    let (code, said) = refuses(&home, &["pause", "app", "nope"]);
    assert_eq!(
        (code, &*said),
        (Some(1), "basewatch: there is no build config nope: `basewatch configs` lists them\n")
    );
    let (code, said) = refuses(&home, &["pause", "app", "--trigger", "debian:12"]);
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("basewatch: build config default/app has no trigger on docker.io/library/debian:12"),
        "{said}"
    );
    let (code, said) = refuses(&home, &["pause", "-l", "team=nobody"]);
    assert_eq!(code, Some(1));
    assert!(said.starts_with("basewatch: no build config has the label team=nobody"), "{said}");
    assert!(daemon.all("trigger_paused").is_empty());

    says(&home, &["pause", "app", "--all-builds"]);
    assert_eq!(daemon.all("trigger_paused").len(), 1, "all builds, and no trigger for itself");
    assert_eq!(home.ask(&["configs", "--paused"])[0]["pause"]["by"], "command");
    let (code, said) = refuses(&home, &["resume", "app"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("all builds of default/app are paused: resume it with --all-builds"), "{said}");
    says(&home, &["resume", "app", "--all-builds"]);
    assert!(home.ask(&["configs", "--paused"]).as_array().unwrap().is_empty());
    daemon.stop();
}

#[test]
fn a_poll_asks_now_for_what_is_named_or_for_all_and_refuses_what_is_not_watched() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    registry.push("other", "1", 1);
    let watches = [
        Watch::new("app", &registry.host(), "base:1").every("6h"),
        Watch::new("web", &registry.host(), "other:1").every("6h"),
    ];
    let home = home(&registry, &watches);
    let daemon = home.start();
    daemon.wait_count("build_finished", 2);
    let newest = registry.push("base", "1", 2);
    let said = says(&home, &["poll", &format!("{}/base:1", registry.host())]);
    assert!(said.starts_with("1 tag is looked at now"), "{said}");
    daemon.wait_count("build_finished", 3);
    assert_eq!(built(&home).last(), Some(&newest.to_string()));
    assert_eq!(registry.count(Method::HEAD, "/v2/other"), 1, "it was not named");
    assert_eq!(home.ask(&["poll"])["asked"], 2);
    eventually("a second look at the other", || {
        (registry.count(Method::HEAD, "/v2/other") == 2).then_some(())
    });
    let (code, said) = refuses(&home, &["poll", "debian:12"]);
    assert_eq!(
        (code, &*said),
        (
            Some(1),
            "basewatch: docker.io/library/debian:12 is not watched: `basewatch status` lists the tags that are\n"
        )
    );
    daemon.stop();
}

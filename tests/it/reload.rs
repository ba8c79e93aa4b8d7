//! Loading the configuration anew: all or nothing, and what did not change is not disturbed.

use std::fs;
use std::process::Command;
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;

use crate::support::daemon::{Daemon, Home, signal};
use crate::support::eventually;
use crate::support::fake_registry::{ANY, FakeRegistry, Fault};
use crate::support::watch_list::{Watch, watch_list};

fn said(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let output = home.run(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Reloads, which must succeed, and answers with what changed.
fn reload(home: &Home) -> Value {
    let answer = home.ask(&["reload"]);
    assert_eq!(answer["result"], "reloaded", "{answer}");
    answer
}

fn names(answer: &Value, what: &str) -> Vec<String> {
    let names = answer[what].as_array().unwrap().iter();
    names.map(|name| name.as_str().or(name["name"].as_str()).unwrap().to_owned()).collect()
}

fn finished(daemon: &Daemon, build: &str) -> Value {
    daemon.wait_until(&format!("the end of {build}"), |events| {
        let end = |event: &&Value| event["event"] == "build_finished" && event["build"] == build;
        events.iter().find(end).cloned()
    })
}

/// A command that writes down `what`.
fn write_down(home: &Home, what: &str) -> Vec<String> {
    let line = format!("echo \"{what}\" >> {}/builds.txt", home.path().display());
    vec!["/bin/sh".into(), "-c".into(), line]
}

fn written(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("builds.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// So many watches on a fifth as many tags, which are looked at four times a day and only recorded.
fn many(registry: &FakeRegistry, count: usize) -> Vec<Watch> {
    let watch = |number: usize| {
        let image = format!("base-{}:1", number / 5);
        Watch::new(&format!("app-{number}"), &registry.host(), &image)
            .every("6h")
            .key("on_first", "\"record\"")
    };
    (0..count).map(watch).collect()
}

fn poll(home: &Home, registry: &FakeRegistry, image: &str) {
    assert_eq!(home.ask(&["poll", &format!("{}/{image}", registry.host())])["asked"], 1);
}

#[test]
fn five_thousand_watches_with_one_mistake_are_refused_and_mended_ones_change_only_what_changed() {
    let registry = FakeRegistry::start();
    for number in 0..1_000 {
        registry.push(&format!("base-{number}"), "1", number);
    }
    let mut watches = many(&registry, 5_000);
    let home = Home::new(&watch_list(&registry.host(), &watches));
    let daemon = home.start();
    daemon.wait_count("tag_resolved", 1_000);
    let journal = eventually("all first looks to be stored", || {
        let totals = home.ask(&["status"])["totals"].clone();
        let stale = totals["stale"].as_u64();
        (totals["tags_ok"] == 1_000 && stale == Some(0)).then(|| home.journal_bytes())
    });
    let polls = registry.requests().len();

    // The same again.
    let begun = Instant::now();
    let answer = reload(&home);
    eprintln!("reload of 5,000 watches, nothing changed: {:?}", begun.elapsed());
    for what in ["added", "removed", "edited", "tags_added", "registries_edited", "settings"] {
        assert!(names(&answer, what).is_empty(), "{what}: {answer}");
    }
    assert_eq!(home.journal_bytes(), journal, "what changes nothing writes nothing");

    // One mistake in the last watch.
    let right = watches.pop().unwrap();
    watches.push(right.key("timeout", "\"soon\""));
    let text = watch_list(&registry.host(), &watches);
    home.configure(&text);
    let line = text.lines().position(|line| line.contains("soon")).unwrap() + 1;
    let (code, told) = said(&home, &["reload"]);
    assert_eq!(code, Some(78), "{told}");
    assert!(
        told.contains(&format!("basewatch.toml:{line}: watch[4999].timeout: is not a duration")),
        "{told}"
    );
    let refused = daemon.wait_for("reload_refused");
    assert!(refused["error"].as_str().unwrap().contains(&format!("basewatch.toml:{line}:")), "{refused}");
    let answer = home.run(&["reload", "--json"]);
    assert_eq!(answer.status.code(), Some(78));
    let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!((&answer["result"], &answer["problems"][0]["line"]), (&"refused".into(), &line.into()));
    assert_eq!(home.journal_bytes(), journal);

    // The old one runs on.
    let moved = registry.push("base-7", "1", 70_000);
    poll(&home, &registry, "base-7:1");
    assert_eq!(finished(&daemon, "default/app-35-1")["phase"], "Complete");
    daemon.wait_count("build_finished", 5);
    assert_eq!(registry.requests().len(), polls + 1);

    // Mended, with one added, one removed and one edited.
    watches.pop();
    registry.push("new", "1", 1);
    watches.push(Watch::new("new", &registry.host(), "new:1").every("6h"));
    watches[0] = watches[0].clone().key("env", "{ WORD = \"other\" }");
    home.configure(&watch_list(&registry.host(), &watches));
    let begun = Instant::now();
    let answer = reload(&home);
    eprintln!("reload of 5,000 watches, three changed: {:?}", begun.elapsed());
    assert_eq!(names(&answer, "added"), ["default/new"]);
    assert_eq!(names(&answer, "removed"), ["default/app-4999"]);
    assert_eq!(answer["edited"], serde_json::json!([{ "name": "default/app-0", "keys": ["env"] }]));
    assert_eq!(names(&answer, "tags_added"), [format!("{}/new:1", registry.host())]);
    assert_eq!(finished(&daemon, "default/new-1")["phase"], "Complete");
    assert_eq!(registry.count(Method::HEAD, "/v2/new"), 1);
    assert_eq!(registry.requests().len(), polls + 2, "nobody else was asked again");
    let reloaded = daemon.all("reloaded").pop().unwrap();
    assert_eq!(
        (&reloaded["added"], &reloaded["removed"], &reloaded["edited"]),
        (&1.into(), &1.into(), &1.into())
    );
    let (_, events) = daemon.stop();
    let queued = events.iter().filter(|event| event["event"] == "build_queued").count();
    assert_eq!(queued, 6, "five for {moved}, and the new one");
}

#[test]
fn a_watch_is_added_edited_renamed_and_removed_while_the_daemon_runs() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let home = Home::new("");
    let app = |name: &str, what: &str| {
        Watch::new(name, &registry.host(), "base:1").every("100ms").run(&write_down(&home, what))
    };
    let configure = |watches: &[Watch]| home.configure(&watch_list(&registry.host(), watches));
    configure(&[app("app", "first $BASEWATCH_BUILD")]);
    let daemon = home.start();
    finished(&daemon, "default/app-1");

    // Edited: nothing is built by that, and the next build is another one.
    configure(&[app("app", "second $BASEWATCH_BUILD").key("labels", "{ team = \"pay\" }")]);
    let answer = reload(&home);
    assert_eq!(answer["edited"][0]["keys"], serde_json::json!(["run", "labels"]));
    registry.push("base", "1", 2);
    finished(&daemon, "default/app-2");

    // Added on a tag that is known: its first build comes at once.
    configure(&[app("web", "third $BASEWATCH_BUILD"), app("app", "second $BASEWATCH_BUILD")]);
    reload(&home);
    finished(&daemon, "default/web-1");

    // Renamed: one is removed, another is added and builds; moved in the file: nothing.
    configure(&[app("application", "fourth $BASEWATCH_BUILD"), app("web", "third $BASEWATCH_BUILD")]);
    let answer = reload(&home);
    assert_eq!(
        (names(&answer, "added"), names(&answer, "removed")),
        (vec!["default/application".to_owned()], vec!["default/app".to_owned()])
    );
    finished(&daemon, "default/application-1");

    // Removed: its moves start nothing.
    configure(&[app("web", "third $BASEWATCH_BUILD")]);
    reload(&home);
    registry.push("base", "1", 3);
    finished(&daemon, "default/web-2");
    let mut lines = written(&home);
    lines.sort();
    assert_eq!(lines, ["first app-1", "fourth application-1", "second app-2", "third web-1", "third web-2"]);
    daemon.stop();
}

#[test]
fn a_hang_up_loads_anew_as_the_command_does_and_stops_nothing() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let app = Watch::new("app", &registry.host(), "base:1").every("100ms");
    let home = Home::new(&watch_list(&registry.host(), std::slice::from_ref(&app)));
    let daemon = home.start();
    finished(&daemon, "default/app-1");
    let web = Watch::new("web", &registry.host(), "base:1").every("100ms");
    home.configure(&watch_list(&registry.host(), &[app, web]));
    signal(daemon.pid(), "HUP");
    let reloaded = daemon.wait_for("reloaded");
    assert_eq!((&reloaded["actor"], &reloaded["added"]), (&"signal".into(), &1.into()));
    finished(&daemon, "default/web-1");
    home.configure("[[watch]]\nimage = 5\n");
    signal(daemon.pid(), "HUP");
    let refused = daemon.wait_for("reload_refused");
    assert_eq!(refused["actor"], "signal");
    assert!(refused["error"].as_str().unwrap().contains("basewatch.toml:2: watch[0].image"), "{refused}");
    registry.push("base", "1", 2);
    finished(&daemon, "default/web-2");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_run_once_hears_no_hang_up() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    registry.fault("base", Fault::hang());
    let app = Watch::new("app", &registry.host(), "base:1");
    let home = Home::new(&watch_list(&registry.host(), &[app]));
    let daemon = home.start_with(&["--once"], &[]);
    registry.wait_requests(1, Method::HEAD, "/v2/base");
    home.configure("");
    signal(daemon.pid(), "HUP");
    let (code, told) = said(&home, &["reload"]);
    assert_eq!(code, Some(1));
    assert!(told.contains("`run --once` loads no other configuration"), "{told}");
    registry.heal();
    let (code, events) = daemon.finish();
    assert_eq!(code, Some(0));
    let loaded = |event: &&Value| event["event"] == "reloaded";
    assert_eq!(events.iter().filter(loaded).count(), 0);
}

#[test]
fn a_registry_that_hangs_keeps_no_reload_from_taking_effect() {
    let (hangs, well) = (FakeRegistry::start(), FakeRegistry::start());
    hangs.push("base", "1", 1);
    well.push("base", "1", 1);
    hangs.fault(ANY, Fault::hang());
    let app = Watch::new("app", &hangs.host(), "base:1").every("100ms");
    let home = Home::new(&watch_list(&hangs.host(), std::slice::from_ref(&app)));
    let daemon = home.start();
    hangs.wait_requests(1, Method::HEAD, "/v2/base");
    let web = Watch::new("web", &well.host(), "base:1").every("100ms");
    let registry = format!("[[registry]]\nhost = \"{}\"\ninsecure = true\n", well.host());
    home.configure(&format!("{registry}{}", watch_list(&hangs.host(), &[app, web])));
    let answer = reload(&home);
    assert_eq!(names(&answer, "registries_added"), [well.host()]);
    finished(&daemon, "default/web-1");
    hangs.heal();
    finished(&daemon, "default/app-1");
    daemon.stop();
}

#[test]
fn reloads_at_once_all_succeed_and_each_sees_what_was_written_before_it() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let app = |number: usize| Watch::new(&format!("app-{number}"), &registry.host(), "base:1").every("6h");
    let home = Home::new(&watch_list(&registry.host(), &[app(0)]));
    let daemon = home.start();
    finished(&daemon, "default/app-0-1");
    home.configure(&watch_list(&registry.host(), &[app(0), app(1)]));
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| reload(&home))).collect();
        let configs = |_: Value| home.ask(&["configs"]).as_array().unwrap().len();
        assert!(all.into_iter().all(|one| configs(one.join().unwrap()) == 2));
    });
    finished(&daemon, "default/app-1-1");
    daemon.stop();
}

#[test]
fn a_daemon_that_is_stopping_loads_nothing() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let run = ["/bin/sleep", "600"].map(str::to_owned);
    let app = Watch::new("app", &registry.host(), "base:1").run(&run);
    let home = Home::new(&watch_list(&registry.host(), &[app]));
    let daemon = home.start();
    daemon.wait_for("build_started");
    signal(daemon.pid(), "TERM");
    daemon.wait_for("stopping");
    let (code, told) = said(&home, &["reload"]);
    assert_eq!((code, &*told), (Some(1), "basewatch: the daemon is stopping\n"));
    signal(daemon.pid(), "HUP");
    assert_eq!(daemon.wait_count("reload_refused", 2)[1]["error"], "the daemon is stopping");
    // Asked twice, it waits no longer.
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn settings_of_daemon_and_log_take_effect_or_are_told_to_wait() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let run = ["/bin/echo", "a word"].map(str::to_owned);
    let app = Watch::new("app", &registry.host(), "base:1").every("100ms").run(&run);
    let watches = watch_list(&registry.host(), &[app]);
    let home = Home::new(&watches);
    let daemon = home.start();
    finished(&daemon, "default/app-1");
    assert!(daemon.all("build_output").is_empty());
    let more = "[daemon]\nsocket = \"/nowhere/control.sock\"\nmax_builds = 7\n\
                [log]\nformat = \"json\"\nlevel = \"debug\"\nbuild_output = \"log\"\n";
    home.configure(&format!("{watches}{more}"));
    let answer = reload(&home);
    assert_eq!(names(&answer, "later"), ["daemon.socket", "log.level"]);
    assert_eq!(
        names(&answer, "settings"),
        ["daemon.max_builds", "log.build_output", "daemon.socket", "log.level"]
    );
    assert_eq!(daemon.wait_for("reloaded")["later"], "daemon.socket, log.level");
    assert_eq!(home.ask(&["status"])["totals"]["max_builds"], 7);
    registry.push("base", "1", 2);
    assert_eq!(daemon.wait_for("build_output")["line"], "a word");
    daemon.stop();
}

#[test]
fn a_ca_file_whose_content_changed_is_read_again() {
    let (registry, other) = (FakeRegistry::start_tls(), FakeRegistry::start_tls());
    registry.push("base", "1", 1);
    let home = Home::new("");
    let ca_file = home.path().join("ca.pem");
    fs::copy(other.ca_file(), &ca_file).unwrap();
    let host = registry.host();
    home.configure(&format!(
        "[[registry]]\nhost = \"{host}\"\nca_file = \"{}\"\n\
         [[watch]]\nname = \"app\"\nimage = \"{host}/base:1\"\nrun = [\"/bin/true\"]\ninterval = \"100ms\"\n",
        ca_file.display()
    ));
    let daemon = home.start();
    daemon.wait_for("registry_backing_off");
    fs::copy(registry.ca_file(), &ca_file).unwrap();
    reload(&home);
    finished(&daemon, "default/app-1");
    fs::write(&ca_file, "no certificate").unwrap();
    let (code, told) = said(&home, &["reload"]);
    assert_eq!(code, Some(78));
    assert!(told.contains("basewatch.toml:3: registry[0].ca_file"), "{told}");
    registry.push("base", "1", 2);
    finished(&daemon, "default/app-2");
    daemon.stop();
}

#[test]
fn more_first_builds_than_hold_above_are_held_at_a_reload_too() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let app = |number: usize| Watch::new(&format!("app-{number}"), &registry.host(), "base:1").every("100ms");
    let list = |count: usize| {
        let watches: Vec<Watch> = (0..count).map(app).collect();
        format!("{}[daemon]\nhold_above = 3\n", watch_list(&registry.host(), &watches))
    };
    let home = Home::new(&list(1));
    let daemon = home.start();
    finished(&daemon, "default/app-0-1");
    home.configure(&list(5));
    reload(&home);
    assert_eq!(daemon.wait_for("builds_held")["held"], 4);
    let polls = registry.count(Method::HEAD, "/v2/base");
    registry.wait_requests(polls + 3, Method::HEAD, "/v2/base");
    assert_eq!(daemon.all("build_queued").len(), 1);
    assert_eq!(said(&home, &["release", "--all"]).0, Some(0));
    daemon.wait_count("build_finished", 5);
    daemon.stop();
}

#[test]
fn a_service_is_reloaded_though_its_new_configuration_names_another_socket() {
    let registry = FakeRegistry::start();
    registry.push("base", "1", 1);
    let watches = watch_list(&registry.host(), &[Watch::new("app", &registry.host(), "base:1")]);
    let home = Home::new(&watches);
    let runtime = home.path().join("run");
    fs::create_dir(&runtime).unwrap();
    let unit = [("RUNTIME_DIRECTORY", runtime.to_str().unwrap())];
    let daemon = home.start_with(&[], &unit);
    home.configure(&format!("[daemon]\nsocket = \"new.sock\"\n{watches}"));
    // As in the unit: ExecReload= names neither socket nor state.
    let mut reload = Command::new(env!("CARGO_BIN_EXE_basewatch"));
    reload.arg("reload").arg("--config").arg(home.config()).envs(unit);
    let output = reload.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(daemon.wait_for("reloaded")["later"], "daemon.socket");
    daemon.stop();
}

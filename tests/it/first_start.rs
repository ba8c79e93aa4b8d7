//! The first start: few builds go at once, many wait for a person.

use reqwest::Method;

use crate::support::daemon::Home;
use crate::support::fake_registry::FakeRegistry;
use crate::support::watch_list::{Watch, watch_list};

fn home_with(registry: &FakeRegistry, configs: usize) -> Home {
    registry.push("base", "1", 1);
    let run = ["/bin/true".to_owned()];
    let watch =
        |number| Watch::new(&format!("app-{number}"), &registry.host(), "base:1").run(&run).every("200ms");
    let watches: Vec<Watch> = (0..configs).map(watch).collect();
    Home::new(&watch_list(&registry.host(), &watches))
}

#[test]
fn forty_configs_at_a_first_start_are_built_at_once() {
    let registry = FakeRegistry::start();
    let home = home_with(&registry, 40);
    let daemon = home.start();
    daemon.wait_count("build_finished", 40);
    assert!(daemon.all("builds_held").is_empty());
    daemon.stop();
}

#[test]
fn sixty_configs_at_a_first_start_are_held_in_one_line_until_they_are_released() {
    let registry = FakeRegistry::start();
    let home = home_with(&registry, 60);
    let daemon = home.start();
    assert_eq!(daemon.wait_for("builds_held")["held"], 60);
    daemon.wait_for("tag_resolved");
    let polls = registry.count(Method::HEAD, "/v2/base");
    registry.wait_requests(polls + 3, Method::HEAD, "/v2/base");
    let held = home.ask(&["configs", "--held"]);
    assert_eq!(held.as_array().unwrap().len(), 60);
    assert!(daemon.all("build_queued").is_empty());

    // The hold is stored: a restart changes nothing.
    let (_, events) = daemon.stop();
    assert_eq!(events.iter().filter(|event| event["event"] == "builds_held").count(), 1);
    let daemon = home.start();
    assert_eq!(daemon.wait_for("builds_held")["held"], 60);
    let released = home.run(&["release", "app-7"]);
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    assert_eq!(daemon.wait_for("build_finished")["build"], "default/app-7-1");
    let released = home.run(&["release", "--all"]);
    assert!(released.status.success());
    daemon.wait_count("build_finished", 60);
    assert_eq!(home.ask(&["configs", "--held"]).as_array().unwrap().len(), 0);
    daemon.stop();
}

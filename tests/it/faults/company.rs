//! One registry among others that fail, each in its own way.

use reqwest::Method;

use super::*;

const TAGS: u64 = 12;

fn watches(registry: &FakeRegistry, name: &str) -> Vec<Watch> {
    let watch = |number| {
        registry.push(&format!("base-{number}"), "1", number);
        Watch::new(&format!("{name}-{number}"), &registry.host(), &format!("base-{number}:1"))
            .every("300ms")
            .key("on_first", "\"record\"")
    };
    (0..TAGS).map(watch).collect()
}

/// How often each tag was asked for.
fn rounds(registry: &FakeRegistry) -> Vec<usize> {
    (0..TAGS).map(|number| registry.count(Method::HEAD, &format!("/v2/base-{number}/"))).collect()
}

#[test]
fn a_healthy_registry_is_polled_as_ever_while_others_hang_limit_fail_and_refuse() {
    let names = ["healthy", "hanging", "limiting", "failing", "refusing"];
    let mut registries: Vec<FakeRegistry> = names.iter().map(|_| FakeRegistry::start()).collect();
    let lists = names
        .iter()
        .zip(&registries)
        .map(|(name, registry)| watch_list(&registry.host(), &watches(registry, name)));
    let home = Home::new(&lists.collect::<Vec<_>>().join("\n"));
    let daemon = home.start();
    daemon.wait_count("trigger_recorded", names.len() * TAGS as usize);

    let refusing = registries.pop().unwrap();
    let [healthy, hanging, limiting, failing] = &registries[..] else { panic!("four are left") };
    hanging.fault(ANY, Fault::hang());
    limiting.fault(ANY, Fault::status(429).header("retry-after", "600"));
    failing.fault(ANY, Fault::status(500));
    drop(refusing);
    daemon.wait_until("three in trouble", |events| {
        let in_trouble = events.iter().filter(|event| event["event"] == "registry_backing_off");
        // The one that hangs has its thirty seconds yet.
        let hosts = in_trouble.map(|event| event["registry"].as_str().unwrap_or_default());
        (hosts.filter(|host| *host != hanging.host()).count() >= 3).then_some(())
    });
    let in_flight = eventually("polls that hang", || {
        let status = home.ask(&["status"]);
        let registries = status["registries"].as_array()?;
        let of_hanging = registries.iter().find(|registry| registry["host"] == hanging.host().as_str())?;
        of_hanging["in_flight"].as_u64().filter(|polls| *polls > 0)
    });
    assert_eq!(in_flight, 1, "its tags are one cohort");

    for registry in &registries {
        registry.reset_counts();
    }
    healthy.wait_requests(20, Method::HEAD, "/v2/base-0/");
    let rounds_of_healthy = rounds(healthy);
    assert!(rounds_of_healthy.iter().all(|rounds| (19..=22).contains(rounds)), "{rounds_of_healthy:?}");
    assert_eq!(limiting.requests().len(), 0, "it wants to be left alone");
    assert!(rounds(failing).iter().sum::<usize>() <= 8, "probes alone: {:?}", rounds(failing));
    assert!(hanging.requests().len() <= 8, "{}", hanging.requests().len());

    let status = home.ask(&["status"]);
    assert!(status["tags"].as_array().unwrap().iter().all(|tag| tag["digest"].is_string()));
    let (_, events) = daemon.stop();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((of("image_changed"), of("build_queued")), (0, 0));
    assert!(of("tag_unresolved") <= 1, "the first 500 was its repository's");
}

#[test]
fn everything_that_waited_for_a_registry_is_polled_when_it_is_back() {
    let registry = FakeRegistry::start();
    let home = Home::new(&watch_list(&registry.host(), &watches(&registry, "app")));
    let daemon = home.start();
    daemon.wait_count("trigger_recorded", TAGS as usize);
    registry.fault(ANY, Fault::drop());
    daemon.wait_for("registry_backing_off");
    registry.push("base-3", "1", 100);
    registry.heal();
    daemon.wait_for("registry_recovered");
    assert_eq!(daemon.wait_for("image_changed")["tag"], format!("{}/base-3:1", registry.host()));
    registry.reset_counts();
    registry.wait_requests(3, Method::HEAD, "/v2/base-0/");
    assert!(rounds(&registry).iter().all(|rounds| *rounds >= 2), "{:?}", rounds(&registry));
    let (_, events) = daemon.stop();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    let told = ["registry_backing_off", "registry_recovered", "tag_unresolved", "tag_recovered"].map(of);
    assert_eq!(told, [1, 1, 0, 0]);
}

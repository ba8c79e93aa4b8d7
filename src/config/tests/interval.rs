//! How often tags are polled, and what holds for their hosts.

use std::time::Duration;

use super::{loaded, problems};
use crate::config::Host;
use crate::poll::Limits;

fn interval(text: &str) -> Duration {
    let tags = loaded(text).settings.tags;
    assert_eq!(tags.len(), 1, "one tag, however many watches name it");
    tags[0].interval
}

fn host(name: &str) -> Host {
    let text = format!("[[watch]]\nimage = \"{name}/a/b:c\"\nrun = [\"make\"]\n");
    loaded(&text).settings.registries.remove(name).unwrap()
}

#[test]
fn the_shortest_interval_of_a_tag_wins() {
    let watch = |name: &str, interval: &str| {
        format!(
            "[[watch]]\nimage = \"reg.example.com/a:1\"\nname = \"{name}\"\nrun = [\"make\"]\n{interval}\n"
        )
    };
    let registry =
        |interval: &str| format!("[[registry]]\nhost = \"reg.example.com\"\ninterval = \"{interval}\"\n");
    let defaults = "[defaults]\ninterval = \"20m\"\n";
    let (short, long) = (watch("short", "interval = \"5m\""), watch("long", "interval = \"1h\""));
    let silent = watch("silent", "");
    let cases = [
        (silent.clone(), 15),
        (format!("{silent}{defaults}"), 20),
        (long.clone(), 60),
        (format!("{long}{short}"), 5),
        (format!("{short}{long}"), 5),
        (format!("{long}{silent}"), 15),
        (format!("{short}{}", registry("2m")), 2),
        (format!("{short}{}", registry("10m")), 5),
        (format!("{silent}{}", registry("2m")), 2),
        (format!("{silent}{}{defaults}", registry("6h")), 360),
    ];
    for (text, minutes) in cases {
        assert_eq!(interval(&text), Duration::from_mins(minutes), "of {text}");
    }
}

#[test]
fn a_short_interval_is_told_once_and_not_for_a_host_of_ones_own() {
    let watches = |host: &str| {
        let watch = |name| format!("[[watch]]\nimage = \"{host}/{name}:1\"\nrun = [\"make\"]\n");
        format!("[defaults]\ninterval = \"1s\"\n{}{}", watch("a"), watch("b"))
    };
    assert_eq!(problems(&watches("reg.example.com")).len(), 1);
    assert_eq!(problems(&watches("localhost:5000")), [""; 0]);
    let registry = "[[registry]]\nhost = \"reg.example.com\"\ninterval = \"1s\"\n";
    let watch = "[[watch]]\nimage = \"reg.example.com/a:1\"\nrun = [\"make\"]\n";
    assert_eq!(problems(&format!("{registry}{watch}")).len(), 1);
}

#[test]
fn a_private_address_written_as_such_may_be_asked_without_limit() {
    let free = Limits { max_connections: 16, requests_per_second: None };
    let polite = Limits { max_connections: 2, requests_per_second: Some(2.0) };
    for name in ["localhost:5000", "127.0.0.1:5000", "127.9.9.9", "10.1.2.3", "172.31.0.1:80", "192.168.0.1"]
    {
        assert_eq!(host(name).limits, free, "of {name}");
    }
    for name in
        ["docker.io", "reg.example.com", "172.32.0.1", "169.254.1.1", "8.8.8.8:5000", "localhost.example.com"]
    {
        assert_eq!(host(name).limits, polite, "of {name}");
    }
}

#[test]
fn a_host_without_a_table_is_asked_anonymously_over_https() {
    let registry = host("localhost:5000").registry;
    assert_eq!(registry.host, "localhost:5000");
    assert!(!registry.insecure && registry.ca_file.is_none() && registry.credentials.is_none());
    assert_eq!(registry.timeout, Duration::from_secs(30));
}

#[test]
fn a_host_is_one_host_however_its_letters_are_written() {
    let settings = loaded(
        r#"
        [[registry]]
        host = "REG.example.com"
        timeout = "5s"
        [[watch]]
        images = ["reg.example.com/a:1", "Reg.Example.com/b:1"]
        run = ["make"]
        "#,
    )
    .settings;
    let hosts: Vec<&String> = settings.registries.keys().collect();
    assert_eq!(hosts, ["reg.example.com"]);
    assert_eq!(settings.registries["reg.example.com"].registry.timeout, Duration::from_secs(5));
}

#[test]
fn a_table_says_what_holds_for_its_host_under_every_spelling() {
    let settings = loaded(
        r#"
        [[registry]]
        host = "index.docker.io"
        insecure = true
        max_connections = 5
        requests_per_second = 0.5
        timeout = "5s"
        [[watch]]
        image = "debian:12"
        run = ["make"]
        "#,
    )
    .settings;
    let hosts: Vec<&String> = settings.registries.keys().collect();
    assert_eq!(hosts, ["docker.io"]);
    let host = &settings.registries["docker.io"];
    assert_eq!(host.limits, Limits { max_connections: 5, requests_per_second: Some(0.5) });
    assert!(host.registry.insecure);
    assert_eq!(host.registry.timeout, Duration::from_secs(5));
}

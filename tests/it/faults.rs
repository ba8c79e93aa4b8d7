//! Registries that fail while the daemon runs: nothing is built, nothing is forgotten, a line tells that it began and one
//! that it ended, and the tags of other registries do not notice.

use std::fs;

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::Value;

use crate::support::daemon::{Daemon, Home};
use crate::support::eventually;
use crate::support::fake_registry::{ANY, FakeRegistry, Fault};
use crate::support::watch_list::{Watch, watch_list};

mod company;
mod login;

const OWN: [&str; 2] = ["tag_unresolved", "tag_recovered"];
const MISSING: [&str; 2] = ["tag_missing", "tag_recovered"];
const HOSTS: [&str; 2] = ["registry_backing_off", "registry_recovered"];

/// A daemon that polls one tag of a fake registry ten times a second.
struct Polled {
    registry: FakeRegistry,
    home: Home,
    daemon: Daemon,
    digest: String,
}

impl Polled {
    /// One that has seen the tag; `keys` go into the `[[registry]]` table.
    fn start(keys: &str) -> Self {
        Self::start_with(FakeRegistry::start(), keys)
    }

    /// One that asks by GET, because HEAD brings no digest.
    fn start_with_gets(keys: &str) -> Self {
        let registry = FakeRegistry::start();
        registry.fault(ANY, Fault::no_digest());
        Self::start_with(registry, keys)
    }

    fn start_with(registry: FakeRegistry, keys: &str) -> Self {
        let digest = registry.push("app", "1", 1).to_string();
        let watch = Watch::new("app", &registry.host(), "app:1").every("100ms").key("on_first", "\"record\"");
        let list = watch_list(&registry.host(), &[watch]);
        let home = Home::new(&list.replacen("insecure = true", &format!("insecure = true\n{keys}"), 1));
        let daemon = home.start();
        daemon.wait_for("trigger_recorded");
        Self { registry, home, daemon, digest }
    }

    fn tag(&self) -> Value {
        self.home.ask(&["status"])["tags"][0].clone()
    }

    /// Waits until so many looks in a row were in vain.
    fn wait_in_vain(&self, looks: u64) {
        eventually(&format!("{looks} looks in vain"), || {
            (self.tag()["condition"]["count"].as_u64()? >= looks).then_some(())
        });
        let tag = self.tag();
        assert_eq!(tag["digest"], self.digest.as_str(), "nothing is forgotten: {tag}");
        assert!(tag["last_success"].is_string(), "{tag}");
    }

    /// Nothing was told but this, and nothing was built.
    fn told_only(self, told: &[&str]) {
        let (code, events) = self.daemon.stop();
        assert_eq!(code, Some(0));
        let name = |event: &Value| event["event"].as_str().unwrap_or_default().to_owned();
        let after = events.iter().map(name).skip_while(|name| name != "trigger_recorded").skip(1);
        let after: Vec<String> = after.filter(|name| !name.starts_with("stop")).collect();
        assert_eq!(after, told);
    }
}

/// The repository has faults for a while. What `/v2/` answers then is another matter (D10).
fn holds(polled: Polled, faults: impl IntoIterator<Item = Fault>, told: [&str; 2]) {
    faults.into_iter().for_each(|fault| polled.registry.fault("app", fault));
    polled.daemon.wait_for(told[0]);
    polled.wait_in_vain(2);
    polled.registry.heal();
    polled.daemon.wait_for(told[1]);
    assert!(polled.tag()["condition"].is_null());
    polled.told_only(&told);
}

fn in_a_moment() -> String {
    let then = Timestamp::now() + SignedDuration::from_secs(2);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&then).unwrap()
}

#[test]
fn a_401_is_told_of_the_tag() {
    holds(Polled::start(""), [Fault::status(401)], OWN);
}

#[test]
fn a_403_is_told_of_the_tag() {
    holds(Polled::start(""), [Fault::status(403)], OWN);
}

#[test]
fn a_404_is_told_as_a_missing_tag() {
    holds(Polled::start(""), [Fault::status(404)], MISSING);
}

#[test]
fn a_429_with_seconds_is_told_of_the_host() {
    holds(Polled::start(""), [Fault::status(429).header("retry-after", "1")], HOSTS);
}

#[test]
fn a_429_with_a_date_is_told_of_the_host() {
    holds(Polled::start(""), [Fault::status(429).header("retry-after", &in_a_moment())], HOSTS);
}

#[test]
fn a_429_with_a_duration_in_its_body_is_told_of_the_host() {
    let body = "toomanyrequests: retry-after: 880.092µs, allowed: 44000/minute";
    holds(Polled::start_with_gets(""), [Fault::status(429).body(body)], HOSTS);
}

#[test]
fn a_500_of_one_repository_is_told_of_the_tag() {
    holds(Polled::start(""), [Fault::status(500)], OWN);
}

#[test]
fn a_503_with_a_wish_is_told_of_the_host_and_not_asked_again_by_get() {
    let polled = Polled::start("");
    polled.registry.reset_counts();
    polled.registry.fault(ANY, Fault::status(503).header("retry-after", "1"));
    polled.daemon.wait_for(HOSTS[0]);
    polled.wait_in_vain(2);
    assert_eq!(polled.registry.count(Method::GET, ""), 0);
    polled.registry.heal();
    polled.daemon.wait_for(HOSTS[1]);
    polled.told_only(&HOSTS);
}

#[test]
fn garbage_is_told_of_the_tag() {
    let page = Fault::status(200).header("content-type", "text/html").body("<html>log in</html>");
    holds(Polled::start(""), [page], OWN);
}

#[test]
fn a_body_without_end_is_told_of_the_tag() {
    holds(Polled::start_with_gets(""), [Fault::endless_body().on(Method::GET)], OWN);
}

#[test]
fn a_slow_body_is_told_of_the_host() {
    let slow = Fault::slow_body(std::time::Duration::from_millis(200)).on(Method::GET);
    holds(Polled::start_with_gets("timeout = \"1s\""), [slow], HOSTS);
}

#[test]
fn a_body_that_ends_early_is_told_of_the_host() {
    holds(Polled::start_with_gets(""), [Fault::cut_body().on(Method::GET)], HOSTS);
}

#[test]
fn a_host_that_hangs_is_told_of_the_host() {
    holds(Polled::start("timeout = \"1s\""), [Fault::hang()], HOSTS);
}

#[test]
fn a_closed_connection_is_told_of_the_host() {
    holds(Polled::start(""), [Fault::drop()], HOSTS);
}

#[test]
fn a_redirect_that_never_ends_is_told_of_the_tag() {
    let polled = Polled::start("");
    let to_itself = Fault::redirect(&polled.registry.url());
    holds(polled, [to_itself], OWN);
}

#[test]
fn a_redirect_to_a_host_that_says_no_is_told_of_the_tag() {
    let elsewhere = FakeRegistry::start();
    let list = format!("\n[[registry]]\nhost = \"{}\"\ninsecure = true", elsewhere.host());
    holds(Polled::start(&list), [Fault::redirect(&elsewhere.url())], MISSING);
}

#[test]
fn a_redirect_to_a_host_with_the_same_image_is_no_fault() {
    let mirror = FakeRegistry::start();
    mirror.push("app", "1", 1);
    let polled = Polled::start(&format!("\n[[registry]]\nhost = \"{}\"\ninsecure = true", mirror.host()));
    polled.registry.fault(ANY, Fault::redirect(&mirror.url()));
    mirror.wait_requests(5, Method::HEAD, "/v2/app/");
    polled.told_only(&[]);
}

#[test]
fn a_digest_header_that_is_none_or_not_that_of_the_body_fools_nobody() {
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (header, gets) in [("sha256:nonsense", false), (zeros.as_str(), true)] {
        let polled = if gets { Polled::start_with_gets("") } else { Polled::start("") };
        polled.registry.fault(ANY, Fault::digest_header(header).on(Method::GET));
        if !gets {
            polled.registry.fault(ANY, Fault::digest_header(header));
        }
        polled.registry.reset_counts();
        polled.registry.wait_requests(5, Method::GET, "/v2/app/");
        assert_eq!(polled.tag()["digest"], polled.digest.as_str());
        polled.told_only(&[]);
    }
}

#[test]
fn a_host_that_goes_away_is_told_of_the_host_and_its_digests_stay() {
    let Polled { registry, home, daemon, digest } = Polled::start("");
    drop(registry);
    let told = daemon.wait_for("registry_backing_off");
    // The connection that was open breaks first.
    assert!(["connect", "exchange"].contains(&told["reason"].as_str().unwrap()), "{told}");
    eventually("a refused connection", || {
        let status = home.ask(&["status"]);
        let trouble = &status["registries"][0]["trouble"];
        let refused = trouble["reason"] == "connect" && trouble["closed_until"].is_string();
        (refused && status["tags"][0]["digest"] == digest.as_str()).then_some(())
    });
    let (_, events) = daemon.stop();
    assert!(
        events.iter().all(|event| event["event"] != "tag_unresolved" && event["event"] != "build_queued")
    );
}

#[test]
fn a_name_that_is_unknown_is_told_of_the_host() {
    // No label of a name is longer than 63 bytes, so nobody has to be asked.
    let host = format!("{}.example", "a".repeat(64));
    let watches = ["one", "two", "three"].map(|name| Watch::new(name, &host, &format!("{name}:1")));
    let home = Home::new(&watch_list(&host, &watches));
    let daemon = home.start();
    assert_eq!(daemon.wait_for("registry_backing_off")["reason"], "dns");
    eventually("two probes", || {
        let status = home.ask(&["status"]);
        (status["registries"][0]["trouble"]["count"].as_u64()? >= 2).then_some(())
    });
    let (_, events) = daemon.stop();
    let warnings: Vec<&Value> = events.iter().filter(|event| event["level"] == "warn").collect();
    assert_eq!(warnings.iter().filter(|event| event["event"] == "registry_backing_off").count(), 1);
    assert!(warnings.iter().all(|event| event["event"] != "tag_unresolved"), "{warnings:?}");
}

#[test]
fn a_budget_that_is_too_small_for_its_tags_is_told_and_shown() {
    let registry = FakeRegistry::start();
    let watches: Vec<Watch> = (0..20)
        .map(|number| {
            registry.push(&format!("base-{number}"), "1", number);
            let image = format!("base-{number}:1");
            Watch::new(&format!("app-{number}"), &registry.host(), &image)
                .every("1s")
                .key("on_first", "\"record\"")
        })
        .collect();
    let list = watch_list(&registry.host(), &watches);
    let home = Home::new(&list.replacen("insecure = true", "insecure = true\nrequests_per_second = 5", 1));
    let daemon = home.start();
    let told = daemon.wait_for("registry_interval_stretched");
    assert_eq!(
        (&told["tags"], &told["wanted_ms"], &told["interval_ms"]),
        (&20.into(), &1_000.into(), &4_000.into())
    );
    let shown = home.ask(&["status"])["registries"][0]["stretched"].clone();
    assert_eq!((&shown["wanted_ms"], &shown["interval_ms"]), (&told["wanted_ms"], &told["interval_ms"]));
    daemon.stop();
}

#[test]
fn run_once_does_not_wait_for_a_registry_that_wants_to_be_left_alone() {
    let registry = FakeRegistry::start();
    registry.push("app", "1", 1);
    registry.fault(ANY, Fault::status(429).header("retry-after", "3600"));
    let watches = (0..50)
        .map(|number| Watch::new(&format!("app-{number}"), &registry.host(), &format!("app-{number}:1")));
    let list = watch_list(&registry.host(), &watches.collect::<Vec<_>>());
    let home = Home::new(&list.replacen("insecure = true", "insecure = true\nmax_connections = 1", 1));
    let (code, events) = home.spawn(&["--once"], &[]).finish();
    assert_eq!(code, Some(1));
    assert_eq!(registry.requests().len(), 1);
    assert_eq!(events.iter().filter(|event| event["event"] == "registry_backing_off").count(), 1);
    assert!(events.iter().all(|event| event["event"] != "tag_unresolved"));
    assert!(fs::exists(home.state()).unwrap());
}

mod pause;
mod start;
mod tag;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::control::Refusal;
use crate::control::protocol::{
    self, BuildsQuery, ConditionKind, ConfigFilter, ConfigsQuery, Phase, ReleaseQuery, StatusQuery,
};
use crate::controller::{Base, ImageSource, ImageUse, PATIENCE, Policy, StrategyKind, StreamTag};
use crate::controller::{
    BuildConfig, BuildKey, BuildSpec, ConfigKey, Controller, Ended, Event, Failure, History, Now, OnFirst,
    OnInterrupt, Outcome, Records, Release, Retry, RunPolicy, Settings, Strategy, Supersede, Trigger,
};
use crate::image::{Descriptor, Digest, Platforms, TagRef};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A controller that is fed events, one second apart.
struct World {
    controller: Controller,
    seconds: i64,
    specs: Vec<BuildSpec>,
}

impl World {
    fn new(configs: Vec<BuildConfig>, hold_above: usize) -> Self {
        let mut world = Self {
            controller: Controller::new(Uuid::nil(), Records::default()),
            seconds: 0,
            specs: Vec::new(),
        };
        world.feed(Event::Boot);
        world.load(configs, hold_above);
        world
    }

    fn load(&mut self, configs: Vec<BuildConfig>, hold_above: usize) {
        let build_configs = configs.into_iter().map(Arc::new).collect();
        let settings = Arc::new(Settings { build_configs, max_builds: 2, hold_above });
        self.feed(Event::Load { settings, after_loss: false });
    }

    /// The event, and all that the ticks after it bring.
    fn feed(&mut self, event: Event) {
        self.seconds += 1;
        let now = Now { wall: at(self.seconds), mono: Duration::from_secs(self.seconds.unsigned_abs()) };
        let mut event = event;
        loop {
            let transition = self.controller.decide(&event, now);
            self.controller.apply(&transition);
            self.specs.extend(transition.specs.clone());
            if matches!(event, Event::Tick) && transition.is_empty() {
                return;
            }
            event = Event::Tick;
        }
    }

    fn observe(&mut self, tag: &str, seed: u8) {
        let manifest =
            Descriptor { digest: digest(seed), media_type: OCI_MANIFEST.into(), accept_version: 1 };
        self.feed(Event::Observed { tag: tag.parse().unwrap(), found: manifest.into() });
    }

    fn end(&mut self, build: &str, outcome: Outcome) {
        let build: BuildKey = build.parse().unwrap();
        let attempt = self.controller.records().builds[&build].attempts;
        let elapsed = Duration::from_secs(1);
        self.feed(Event::Ended(Ended {
            build,
            attempt,
            outcome,
            images: Vec::new(),
            commit: None,
            tail: Vec::new(),
            elapsed,
        }));
    }

    fn config(&self, name: &str) -> protocol::Config {
        let configs = configs(&self.controller, &ConfigsQuery::default());
        configs.into_iter().find(|config| config.build_config.name() == name).unwrap()
    }

    fn names(&self, query: &ConfigsQuery) -> Vec<String> {
        configs(&self.controller, query).iter().map(|config| config.build_config.name().to_owned()).collect()
    }

    fn polling(&self) -> Polling {
        let tags = self.controller.settings().build_configs.iter().flat_map(|config| config.triggers.iter());
        let tags = tags.map(|trigger| (trigger.from.tag.clone(), PolledTag::default())).collect();
        let limits = poll::Limits { max_connections: 2, requests_per_second: Some(2.0) };
        let host = |host: &str| PolledHost {
            host: host.to_owned(),
            limits,
            in_flight: 1,
            stretched: None,
            trouble: None,
        };
        Polling { tags, hosts: vec![host("one.example"), host("two.example")] }
    }

    fn status(&self, tags: &str) -> Result<protocol::Status, Refusal> {
        let facts = Facts {
            started: at(0),
            state_dir: "/var/lib/basewatch".into(),
            draining: false,
            store_trouble: None,
        };
        status(&self.controller, &self.polling(), &facts, &StatusQuery { tags: tags.to_owned() })
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn digest(seed: u8) -> Digest {
    Digest::sha256_of(&[seed])
}

fn config(key: &str, tags: &[&str]) -> BuildConfig {
    let trigger = |text: &&str| {
        let tag = text.parse().unwrap();
        let named = (*text).into();
        let from = StreamTag { tag, named, given: None, platforms: Platforms::All, unasked: false };
        Trigger { from: Arc::new(from), paused: false, last: None }
    };
    let triggers: Vec<Trigger> = tags.iter().map(trigger).collect();
    let strategy = Strategy {
        kind: StrategyKind::Command,
        from: Some(Base::Tag(Arc::clone(&triggers[0].from))),
        command: ["make".to_owned(), "BASE={base_image}".to_owned()].into(),
        env: [("TOKEN".to_owned(), "hush".to_owned())].into(),
        working_dir: None,
        options: None,
    };
    BuildConfig {
        key: key.parse().unwrap(),
        strategy,
        triggers,
        config_change: false,
        paused: false,
        policy: Arc::new(Policy {
            run_policy: RunPolicy::SerialLatestOnly,
            supersede: Supersede::Images,
            on_first: OnFirst::Build,
            on_interrupt: OnInterrupt::Retry,
            retry: Retry { attempts: 1, backoff: Duration::from_secs(300) },
            timeout: Duration::from_secs(3600),
            history: History { successful: 20, failed: 20 },
            venue: None,
        }),
        source: None,
        image_sources: Box::default(),
        output: None,
        last_version: 0,
        labels: BTreeMap::from([("team".to_owned(), "pay".to_owned())]),
    }
}

fn paused(mut config: BuildConfig) -> BuildConfig {
    config.triggers.iter_mut().for_each(|trigger| trigger.paused = true);
    config
}

fn failed() -> Outcome {
    Outcome::Failed(Failure::Exit(2))
}

const BASE: &str = "one.example/base:1";
const OTHER: &str = "two.example/other:1";

fn problem(refusal: Refusal) -> String {
    match refusal {
        Refusal::Malformed(problem)
        | Refusal::NotFound(problem)
        | Refusal::Conflict(problem)
        | Refusal::Invalid(problem)
        | Refusal::Unavailable(problem) => problem.error,
    }
}

#[test]
fn a_config_is_stale_from_the_first_image_that_no_complete_build_has() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    assert_eq!(world.config("app").stale_since, None, "built");

    world.observe(BASE, 2);
    let moved = at(world.seconds);
    assert_eq!(world.config("app").stale_since, Some(moved), "a newer image is being built");
    world.end("default/app-2", failed());
    world.observe(BASE, 3);
    assert_eq!(world.config("app").stale_since, Some(moved), "stale since the first of them");

    world.end("default/app-3", Outcome::Complete);
    assert_eq!(world.config("app").stale_since, None, "the last build has them all");
}

#[test]
fn a_paused_config_is_stale_from_the_change_that_waits() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    world.load(vec![paused(config("default/app", &[BASE]))], 50);
    assert_eq!(world.config("app").stale_since, None, "paused alone is not stale");
    assert_eq!(world.config("app").held, vec![], "there is nothing to hold");

    world.observe(BASE, 2);
    let since = at(world.seconds);
    world.observe(BASE, 3);
    let app = world.config("app");
    assert_eq!(app.stale_since, Some(since));
    assert_eq!(app.held.len(), 1);
    assert_eq!((app.held[0].reason.as_str(), app.held[0].since), ("paused", since));
    assert_eq!(app.held[0].tag, Some(BASE.parse().unwrap()));
}

#[test]
fn a_build_that_waits_for_an_image_source_says_so() {
    let mut config = config("default/app", &[BASE]);
    let from = Base::Tag(Arc::clone(&self::config("default/other", &[OTHER]).triggers[0].from));
    config.image_sources = [ImageSource { from, of_use: ImageUse::default() }].into();
    let mut world = World::new(vec![config], 50);
    world.observe(BASE, 1);
    world.seconds += i64::try_from(PATIENCE.as_secs()).unwrap();
    world.feed(Event::Tick);
    let held = world.config("app").held;
    assert_eq!((held.len(), held[0].reason.as_str()), (1, "strategy_unresolved"));
    world.observe(OTHER, 1);
    assert_eq!(world.config("app").held, vec![]);
}

#[test]
fn what_was_only_recorded_is_not_stale() {
    let mut recording = config("default/app", &[BASE]);
    Arc::make_mut(&mut recording.policy).on_first = OnFirst::Record;
    let mut world = World::new(vec![recording], 50);
    world.observe(BASE, 1);
    let app = world.config("app");
    assert_eq!((app.stale_since, app.last_complete), (None, None));
    assert_eq!(app.triggers[0].stored, Some(digest(1)));
}

#[test]
fn a_first_start_is_held_and_stale_until_it_is_released_and_built() {
    let mut world = World::new(vec![config("default/app", &[BASE]), config("default/web", &[BASE])], 1);
    let loaded = at(world.seconds);
    world.observe(BASE, 1);
    let app = world.config("app");
    assert_eq!((app.held[0].reason.as_str(), app.held[0].since), ("first_start", loaded));
    assert_eq!(app.stale_since, Some(at(world.seconds)), "since the image was seen");
    let totals = world.status("").unwrap().totals;
    assert_eq!((totals.held, totals.stale, totals.queued, totals.running), (2, 2, 0, 0));

    let app_only = ReleaseQuery::BuildConfigs(vec!["app".to_owned()]);
    let release = check_release(&world.controller, &app_only).unwrap();
    assert_eq!(release, Release::These(vec![ConfigKey::new("default", "app")]));
    world.feed(Event::Release(release));
    assert_eq!(world.config("app").held, vec![]);
    assert_eq!(world.names(&filter(ConfigFilter::Held)), ["web"]);

    let again = problem(check_release(&world.controller, &app_only).unwrap_err());
    assert_eq!(again, "build config default/app is not held: there is nothing to release");
    let unknown = ReleaseQuery::BuildConfigs(vec!["nope".to_owned()]);
    assert!(matches!(check_release(&world.controller, &unknown), Err(Refusal::NotFound(_))));
    assert_eq!(check_release(&world.controller, &ReleaseQuery::All), Ok(Release::All));
}

fn filter(filter: ConfigFilter) -> ConfigsQuery {
    ConfigsQuery { filter: Some(filter), labels: String::new() }
}

#[test]
fn filters_and_labels_select_build_configs() {
    let mut plain = config("default/plain", &[OTHER]);
    plain.labels =
        BTreeMap::from([("team".to_owned(), "web".to_owned()), ("env".to_owned(), "a,b=c".to_owned())]);
    let configs = vec![config("default/bad", &[BASE]), plain, paused(config("default/still", &[OTHER]))];
    let mut world = World::new(configs, 50);
    world.observe(BASE, 1);
    world.end("default/bad-1", failed());

    assert_eq!(world.names(&ConfigsQuery::default()), ["bad", "plain", "still"]);
    assert_eq!(world.names(&filter(ConfigFilter::Failed)), ["bad"]);
    assert_eq!(world.names(&filter(ConfigFilter::Stale)), ["bad"]);
    assert_eq!(world.names(&filter(ConfigFilter::Paused)), ["still"]);
    let labels = |labels: &str| ConfigsQuery { filter: None, labels: labels.to_owned() };
    assert_eq!(world.names(&labels("team=pay")), ["bad", "still"]);
    assert_eq!(world.names(&labels("team=web\nenv=a,b=c")), ["plain"]);
    assert_eq!(world.names(&labels("team=web\nenv=x")), Vec::<String>::new());
}

#[test]
fn a_config_shows_its_last_good_and_its_last_bad_build() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    world.observe(BASE, 2);
    world.end("default/app-2", failed());
    let app = world.config("app");
    assert_eq!(app.digest, Some(digest(2)));
    assert_eq!(app.last_complete.unwrap().build.number, 1);
    let failure = app.last_failure.unwrap();
    assert_eq!(
        (failure.build.number, failure.phase, failure.reason),
        (2, Phase::Failed, Some("exit 2".into()))
    );
    assert_eq!(app.failures_in_row, 1);
}

#[test]
fn status_tells_tags_registries_and_builds() {
    let mut world =
        World::new(vec![config("default/app", &[BASE]), config("default/web", &[OTHER, BASE])], 50);
    world.observe(BASE, 1);
    let seen = at(world.seconds);
    let status = world.status("").unwrap();
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    let base = &status.tags[0];
    assert_eq!((base.tag.as_str(), base.build_configs, base.since), (BASE, 2, Some(seen)));
    assert_eq!(base.image, Some(format!("one.example/base@{}", digest(1))));
    assert_eq!((status.tags[1].tag.as_str(), &status.tags[1].digest), (OTHER, &None));
    let hosts: Vec<(&str, usize)> =
        status.registries.iter().map(|registry| (registry.host.as_str(), registry.tags)).collect();
    assert_eq!(hosts, [("one.example", 1), ("two.example", 1)]);
    let builds: Vec<(String, Phase)> =
        status.builds.iter().map(|build| (build.build.to_string(), build.phase)).collect();
    assert_eq!(builds, [("default/app-1".to_owned(), Phase::Running)]);
    assert_eq!((status.totals.running, status.totals.max_builds), (1, 2));
}

#[test]
fn a_condition_makes_its_tag_and_its_registry_fail() {
    let world = World::new(vec![config("default/app", &[BASE]), config("default/web", &[OTHER])], 50);
    let mut polling = world.polling();
    let condition =
        Condition { kind: ConditionKind::Missing, since: at(0), count: 3, message: "404".to_owned() };
    let tag: TagRef = BASE.parse().unwrap();
    polling.tags.get_mut(&tag).unwrap().condition = Some(condition.clone());
    let facts = Facts { started: at(0), state_dir: "/s".into(), draining: true, store_trouble: None };
    let status = status(&world.controller, &polling, &facts, &StatusQuery::default()).unwrap();
    assert_eq!(status.tags[0].condition, Some(condition));
    let totals = status.totals;
    assert_eq!((totals.tags_ok, totals.tags_unseen, totals.tags_failing), (0, 1, 1));
    let failing: Vec<usize> = status.registries.iter().map(|registry| registry.failing).collect();
    assert_eq!(failing, [1, 0]);
    assert!(status.draining);
}

#[test]
fn the_trouble_of_a_registry_is_told_as_its_own() {
    let world = World::new(vec![config("default/app", &[BASE]), config("default/web", &[OTHER])], 50);
    let mut polling = world.polling();
    let trouble = RegistryTrouble {
        reason: "too_many_requests".to_owned(),
        since: at(0),
        count: 2,
        message: "429".to_owned(),
        closed_until: Some(at(30)),
    };
    let stretched = Stretched { wanted_ms: 60_000, interval_ms: 120_000 };
    (polling.hosts[1].trouble, polling.hosts[1].stretched) = (Some(trouble.clone()), Some(stretched));
    let facts = Facts { started: at(0), state_dir: "/s".into(), draining: false, store_trouble: None };
    let status = status(&world.controller, &polling, &facts, &StatusQuery::default()).unwrap();
    let told: Vec<_> =
        status.registries.into_iter().map(|registry| (registry.trouble, registry.stretched)).collect();
    assert_eq!(told, [(None, None), (Some(trouble), Some(stretched))]);
}

#[test]
fn status_of_one_tag_is_about_nothing_else() {
    let configs = vec![paused(config("default/app", &[BASE])), paused(config("default/web", &[OTHER]))];
    let mut world = World::new(configs, 50);
    world.observe(BASE, 1);
    world.observe(OTHER, 2);
    assert_eq!(world.status("").unwrap().held.len(), 2);

    let status = world.status("one.example/base:1").unwrap();
    assert_eq!((status.tags.len(), status.registries.len(), status.held.len()), (1, 1, 1));
    assert_eq!(status.held[0].build_config.as_str(), "default/app");
    assert_eq!(
        problem(world.status("debian").unwrap_err()),
        "docker.io/library/debian:latest is not watched"
    );
    assert!(matches!(world.status("NOT A TAG"), Err(Refusal::Malformed(_))));
}

#[test]
fn builds_come_newest_first_and_of_one_config_if_asked() {
    let mut world = World::new(vec![config("default/app", &[BASE]), config("default/web", &[OTHER])], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", Outcome::Complete);
    world.observe(OTHER, 1);
    world.observe(BASE, 2);
    let names = |build_config: Option<&str>| -> Vec<String> {
        let query = BuildsQuery { build_config: build_config.map(str::to_owned) };
        let builds = builds(&world.controller, &query).unwrap();
        builds.builds.iter().map(|build| build.build.to_string()).collect()
    };
    assert_eq!(names(None), ["default/app-2", "default/web-1", "default/app-1"]);
    assert_eq!(names(Some("app")), ["default/app-2", "default/app-1"]);
    assert_eq!(names(Some("default/web")), ["default/web-1"]);
    let unknown = BuildsQuery { build_config: Some("nope".to_owned()) };
    assert_eq!(problem(builds(&world.controller, &unknown).unwrap_err()), "there is no build config nope");
}

#[test]
fn a_build_is_shown_with_its_pinned_images_and_without_private_values() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    let key = find_build(&world.controller, "app-1").unwrap();
    let dir = Path::new("/var/lib/basewatch/builds");
    let detail = build(&world.controller, &key, world.specs.first(), dir).unwrap();
    let spec = detail.spec.clone().unwrap();
    let pinned = format!("one.example/base@{}", digest(1));
    assert_eq!(spec.base_image.as_ref().unwrap().reference, pinned);
    assert_eq!(spec.command, ["make".to_owned(), format!("BASE={pinned}")]);
    assert_eq!((spec.env, spec.timeout_ms), (vec!["TOKEN".to_owned()], 3_600_000));
    assert_eq!((spec.causes[0].kind.as_str(), &spec.causes[0].old_digest), ("image-change", &None));
    assert_eq!(detail.log, Path::new("/var/lib/basewatch/builds/default/app-1/log"));
    assert!(!serde_json::to_string(&detail).unwrap().contains("hush"));
    assert_eq!(build(&world.controller, &key, None, dir).unwrap().spec, None, "its file may be gone");
}

#[test]
fn a_build_that_waits_for_its_next_attempt_says_when_that_is() {
    let mut app = config("default/app", &[BASE]);
    Arc::make_mut(&mut app.policy).retry.attempts = 3;
    let mut world = World::new(vec![app], 50);
    world.observe(BASE, 1);
    world.end("default/app-1", failed());
    let key = find_build(&world.controller, "app-1").unwrap();
    let build = summary(&key, &world.controller.records().builds[&key]);
    assert_eq!((build.phase, build.next_attempt), (Phase::Pending, Some(at(world.seconds + 300))));
}

#[test]
fn a_name_without_its_namespace_must_mean_one_thing() {
    let mut world = World::new(vec![config("one/app", &[BASE]), config("two/app", &[BASE])], 50);
    world.observe(BASE, 1);
    assert_eq!(find_build(&world.controller, "two/app-1").unwrap().to_string(), "two/app-1");
    let refusal = find_build(&world.controller, "app-1").unwrap_err();
    assert!(matches!(&refusal, Refusal::Conflict(problem) if problem.hint.is_some()));
    assert_eq!(problem(refusal), "app-1 may be one/app-1 or two/app-1");
    assert!(matches!(find_build(&world.controller, "three/app-1"), Err(Refusal::NotFound(_))));
    assert!(matches!(find_build(&world.controller, "app"), Err(Refusal::Malformed(_))));
    assert_eq!(problem(find_config(&world.controller, "app").unwrap_err()), "app may be one/app or two/app");
}

#[test]
fn only_a_build_that_has_not_ended_can_be_called_off() {
    let mut world = World::new(vec![config("default/app", &[BASE])], 50);
    world.observe(BASE, 1);
    assert_eq!(check_cancel(&world.controller, "app-1").unwrap().to_string(), "default/app-1");
    world.end("default/app-1", Outcome::Complete);
    let refusal = check_cancel(&world.controller, "app-1").unwrap_err();
    assert!(matches!(refusal, Refusal::Conflict(_)));
    assert_eq!(problem(refusal), "build default/app-1 has ended already: it is Complete");
    assert!(matches!(check_cancel(&world.controller, "app-9"), Err(Refusal::NotFound(_))));
}

//! Killed at any instant, the daemon loses nothing and doubles nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::daemon::{Daemon, Home};
use crate::support::fake_registry::FakeRegistry;
use crate::support::watch_list::{Watch, watch_list};

/// Each is pushed to so seldom that all of its builds are within the history of a watch.
const TAGS: u64 = 6;
const KILLS: u64 = 50;

/// A build that holds a lock of its build id for as long as it lives, and waits at a gate: two attempts of one build
/// that are alive together are found out by the lock, which the kernel frees with its holder.
const BUILD: &str = r#"
cd "$HERE"
exec 9>"lock.$BASEWATCH_BUILD_ID"
flock -n 9 || echo "$BASEWATCH_BUILD attempt $BASEWATCH_ATTEMPT" >> overlaps
echo "$BASEWATCH_BUILD_ID $BASEWATCH_ATTEMPT $BASEWATCH_IMAGE" >> started
cat gate > /dev/null
echo "$BASEWATCH_BUILD_ID $BASEWATCH_IMAGE" >> complete
"#;

/// A gate is a FIFO: `cat gate` waits until somebody opens it for writing. Opened for reading and writing by the test,
/// it stays open, and closed it holds every build back.
struct Gate(std::path::PathBuf);

impl Gate {
    fn closed(dir: &Path) -> Self {
        let path = dir.join("gate");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        Self(path)
    }

    /// From now on every build passes: the FIFO becomes an empty file, and who waits at the old one is let go.
    fn open(self) {
        let fifo = fs::File::options().read(true).write(true).open(&self.0).unwrap();
        fs::write(self.0.with_extension("new"), "").unwrap();
        fs::rename(self.0.with_extension("new"), &self.0).unwrap();
        drop(fifo);
    }
}

fn home(registry: &FakeRegistry) -> Home {
    let home = Home::new("");
    let here = format!("{{ HERE = \"{}\" }}", home.path().display());
    let run = ["/bin/bash".to_owned(), "-c".to_owned(), BUILD.to_owned()];
    let watches: Vec<Watch> = (0..TAGS)
        .map(|number| {
            registry.push(&format!("base-{number}"), "1", 0);
            Watch::new(&format!("app-{number}"), &registry.host(), &format!("base-{number}:1"))
                .run(&run)
                .every("100ms")
                .key("env", &here)
        })
        .collect();
    home.configure(&format!("{}\n[daemon]\nmax_builds = 8\n", watch_list(&registry.host(), &watches)));
    home
}

/// A choice that looks random and is the same every time.
fn pick(round: u64, of: u64) -> u64 {
    round.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) % of
}

/// Lets the daemon come to some instant of its life, another one each round, and kills it there.
fn kill_somewhere(daemon: Daemon, round: u64) -> Vec<Value> {
    match round % 5 {
        0 => drop(daemon.wait_for("trigger_fired")),
        1 | 2 => drop(daemon.wait_for("build_started")),
        3 => {
            let nth = usize::try_from(pick(round, 6)).unwrap();
            daemon.wait_until("anything", |events| events.get(nth).cloned());
        }
        _ => drop(daemon.wait_for("config_loaded")),
    }
    daemon.kill()
}

#[test]
fn fifty_kills_lose_no_push_and_start_no_build_twice() {
    let registry = FakeRegistry::start();
    let home = home(&registry);
    let gate = Gate::closed(home.path());
    let mut last = BTreeMap::new();
    for round in 0..KILLS {
        // Every tag moves every third round, so that no build is cut off five times, which would end it in Error.
        for number in (0..TAGS).filter(|number| number % 3 == round % 3) {
            let digest = registry.push(&format!("base-{number}"), "1", 1000 + round);
            last.insert(number, digest);
        }
        let daemon = home.spawn(&[], &[]);
        kill_somewhere(daemon, round);
    }
    gate.open();
    let daemon = home.start();
    let complete = |build: &Value| build["phase"] == "Complete";
    daemon.wait_until("all builds to end", |_| {
        let builds = home.ask(&["builds"]);
        let builds = builds["builds"].as_array().unwrap();
        let ended = builds
            .iter()
            .all(|build| !["New", "Pending", "Running"].contains(&build["phase"].as_str().unwrap()));
        let latest = last.iter().all(|(number, digest)| {
            let tag = format!("app-{number}");
            let made = builds.iter().filter(|build| build["build"].as_str().unwrap().contains(&tag));
            made.clone().any(|build| complete(build) && image_of(&home, build).ends_with(&digest.to_string()))
        });
        (ended && latest).then_some(())
    });

    let builds = home.ask(&["builds"]);
    let builds = builds["builds"].as_array().unwrap();
    let interrupted = builds.iter().filter(|build| build["attempts"].as_u64().unwrap() > 1);
    let cut_off: u64 = interrupted.map(|build| build["attempts"].as_u64().unwrap() - 1).sum();
    println!("{cut_off} attempts were cut off by {KILLS} kills");
    assert!(cut_off >= 15, "only {cut_off} attempts were cut off");
    for (number, digest) in &last {
        let of_last = builds.iter().filter(|build| {
            build["build"].as_str().unwrap().contains(&format!("app-{number}-"))
                && image_of(&home, build).ends_with(&digest.to_string())
        });
        let ids: Vec<&Value> = of_last.clone().map(|build| &build["id"]).collect();
        assert_eq!(ids.len(), 1, "base-{number}: {ids:?}");
        assert!(of_last.clone().all(complete));
    }
    daemon.stop();
    let overlaps = fs::read_to_string(home.path().join("overlaps")).unwrap_or_default();
    assert_eq!(overlaps, "", "attempts of one build were alive together");
    numbers_are_gapless(builds);
}

fn image_of(home: &Home, build: &Value) -> String {
    let detail = home.ask(&["build", "show", build["build"].as_str().unwrap()]);
    detail["spec"]["base_image"]["reference"].as_str().unwrap().to_owned()
}

/// Nothing is pruned here, so every number from 1 up is there.
fn numbers_are_gapless(builds: &[Value]) {
    let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for build in builds {
        let (config, number) = build["build"].as_str().unwrap().rsplit_once('-').unwrap();
        numbers.entry(config).or_default().push(number.parse().unwrap());
    }
    for (config, mut numbers) in numbers {
        numbers.sort_unstable();
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "{config}");
    }
}

//! Two hundred calls at once, half of them with a wrong secret.

use std::collections::BTreeSet;
use std::thread;

use serde_json::Value;

use super::{JSON, Served, app, hooks, path};
use crate::support::http::{Answer, post};

fn served(run_policy: &str) -> Served {
    let keys =
        format!("{run_policy}\nsuccessful_builds_history_limit = 200\nfailed_builds_history_limit = 200");
    Served::new(&app(&keys, &hooks()).replace("/usr/bin/env", "/bin/true"))
}

/// The answers to a hundred calls that may be made, among a hundred that may not.
fn storm(served: &Served) -> Vec<Answer> {
    let call = |number: usize| {
        let secret = if number.is_multiple_of(2) { "generic-s3cret" } else { "wrong" };
        post(&served.address, &path(&format!("{secret}/generic")), &[JSON], "{}")
    };
    let answers: Vec<Answer> = thread::scope(|scope| {
        let calls: Vec<_> = (0..200).map(|number| scope.spawn(move || call(number))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let (good, bad): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), bad.len()), (100, 100));
    assert!(bad.iter().all(|answer| answer.status == 401 && *answer == bad[0]), "{bad:?}");
    good
}

/// The phases of the builds in order of number, once all have ended; each answer names one of them.
fn phases(served: &Served, answers: &[Answer]) -> Vec<String> {
    served.daemon.wait_count("build_finished", answers.len());
    let builds = served.home.ask(&["builds"])["builds"].as_array().unwrap().clone();
    let name = |build: &Value| build["build"].as_str().unwrap().to_owned();
    let kept: BTreeSet<String> = builds.iter().map(name).collect();
    let named: BTreeSet<String> = answers.iter().map(|answer| name(&answer.json()["build"])).collect();
    let gapless: BTreeSet<String> =
        (1..=answers.len()).map(|number| format!("default/app-{number}")).collect();
    assert_eq!(named, gapless);
    assert_eq!(kept, gapless);
    let phase = |number: usize| {
        let named = format!("default/app-{number}");
        let build = builds.iter().find(|build| name(build) == named).unwrap();
        build["phase"].as_str().unwrap().to_owned()
    };
    (1..=answers.len()).map(phase).collect()
}

#[test]
fn serial_completes_a_hundred_of_two_hundred_concurrent_calls() {
    let served = served("run_policy = \"Serial\"");
    let answers = storm(&served);
    let phases = phases(&served, &answers);
    assert!(phases.iter().all(|phase| phase == "Complete"), "{phases:?}");
    assert_eq!(served.daemon.all("webhook_refused").len(), 1);
    assert_eq!(served.daemon.all("webhook_received").len(), 100);
}

#[test]
fn serial_latest_only_completes_the_last_of_two_hundred_concurrent_calls() {
    let served = served("run_policy = \"SerialLatestOnly\"\nsupersede = \"all\"");
    let answers = storm(&served);
    let phases = phases(&served, &answers);
    assert_eq!(phases.last().unwrap(), "Complete");
    assert!(phases.iter().all(|phase| phase == "Complete" || phase == "Cancelled"), "{phases:?}");
}

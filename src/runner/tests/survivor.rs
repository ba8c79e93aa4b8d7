use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::runner::process::Process;

/// A process that an earlier daemon left behind; it prints `up` once it is what it shall be.
struct Stray(Child);

impl Stray {
    fn new(text: &str, name: &str, value: &str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", text])
            .env(name, value)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
        Self(child)
    }

    fn of(id: Uuid) -> Self {
        Self::new("echo up; exec sleep 1000", "BASEWATCH_BUILD_ID", &id.to_string())
    }

    fn signal(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().and_then(|status| status.signal())
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_survivor_is_gone_before_the_next_attempt_starts() {
    let mut bench = Bench::new();
    let mut spec = script("");
    let mut survivor = Stray::of(spec.id);
    // It is a zombie then, since this test has not reaped it.
    spec.command[2] = format!("grep State: /proc/{}/status", survivor.0.id());
    let ended = bench.run(&spec).await;
    assert!(ended.tail[0].contains("zombie"), "{:?}", ended.tail);
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn a_survivor_that_ignores_sigterm_is_killed_after_the_grace() {
    let mut bench = Bench::with(|settings| settings.grace = SHORT);
    let spec = script("exit 0");
    let text = "trap '' TERM; echo up; exec sleep 1000";
    let mut survivor = Stray::new(text, "BASEWATCH_BUILD_ID", &spec.id.to_string());
    assert_eq!(bench.run(&spec).await.outcome, Outcome::Complete);
    assert_eq!(survivor.signal(), Some(9));
}

#[tokio::test]
async fn adopting_ends_what_is_alive_and_reports_an_interruption() {
    let mut bench = Bench::new();
    let spec = script("");
    let mut survivor = Stray::of(spec.id);
    bench.exec.adopt(attempt(&spec, 1));
    let Event::Ended(ended) = bench.next().await else { panic!("nothing was started") };
    assert_eq!((ended.attempt, ended.outcome), (1, Outcome::Interrupted));
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn adopting_what_is_gone_reports_an_interruption_too() {
    let mut bench = Bench::new();
    bench.exec.adopt(attempt(&script(""), 4));
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn processes_of_other_builds_are_left_alone() {
    let mut bench = Bench::new();
    let spec = script("exit 0");
    let id = spec.id.to_string();
    let mut others = [
        Stray::of(Uuid::new_v4()),
        Stray::new("echo up; exec sleep 1000", "BASEWATCH_BUILD_ID", &format!("{id}0")),
        Stray::new("echo up; exec sleep 1000", "MY_BASEWATCH_BUILD_ID", &id),
    ];
    bench.run(&spec).await;
    assert!(others.iter_mut().all(|other| other.signal().is_none()));
}

#[test]
fn a_process_cannot_hide_behind_its_name() {
    let fields = "S 1 42 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 8192 1";
    for name in ["sh", "a b", ") Z 1 1 (", ")"] {
        let stat = Stat::parse(43, &format!("43 ({name}) {fields}")).unwrap();
        assert_eq!(stat, Stat { process: Process { pid: 43, started: 98765 }, group: 42, alive: true });
    }
    let zombie = Stat::parse(43, &format!("43 (sh) {}", fields.replace('S', "Z"))).unwrap();
    assert!(!zombie.alive);
    assert_eq!(Stat::parse(43, "43 (sh) S 1"), None);
}

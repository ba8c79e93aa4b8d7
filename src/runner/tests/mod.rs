//! The runner with real programs: what they are given, how they end, what they leave behind.

mod directory;
mod ending;
mod environment;
mod output;
mod private;
mod result;
mod start;
mod survivor;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::geteuid;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::process::{Stat, all, carries};
use super::{Exec, Settings};
use crate::controller::{
    AttemptRef, BuildKey, BuildSpec, Cause, ConfigKey, Ended, Event, Outcome, PinnedImage, StrategyKind,
};
use crate::image::{Children, Digest, TagRef};
use crate::logging::BuildOutput;

/// Far more than anything here takes, also on a machine that is busy with something else.
const DEADLINE: Duration = Duration::from_secs(60);
/// Short, for the tests in which a process uses all of it.
const SHORT: Duration = Duration::from_millis(150);

/// A runner with a state directory of its own.
struct Bench {
    dir: TempDir,
    exec: Exec,
    events: mpsc::Receiver<Event>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut settings = Settings {
            builds_dir: dir.path().join("builds"),
            output: BuildOutput::File,
            log_limit: Settings::LOG_LIMIT,
            grace: Settings::GRACE,
            own_cgroup: false,
            runtime_dir: None,
            inherited: vec![("PATH".into(), "/usr/bin:/bin".into())],
        };
        change(&mut settings);
        let (sender, events) = mpsc::channel(16);
        Self { dir, exec: Exec::new(settings, sender), events }
    }

    fn start(&self, spec: &BuildSpec) -> AttemptRef {
        self.start_attempt(spec, 1)
    }

    fn start_attempt(&self, spec: &BuildSpec, number: u32) -> AttemptRef {
        let attempt = attempt(spec, number);
        self.exec.start(attempt.clone(), spec.clone());
        attempt
    }

    /// Runs one attempt from start to end.
    async fn run(&mut self, spec: &BuildSpec) -> Ended {
        self.start(spec);
        self.ended().await
    }

    async fn next(&mut self) -> Event {
        timeout(DEADLINE, self.events.recv()).await.expect("an event in time").expect("a runner")
    }

    async fn accepted(&mut self) -> String {
        let event = self.next().await;
        let Event::Accepted { handle, .. } = event else { panic!("{event:?} came before it was accepted") };
        handle.into()
    }

    /// The end of an attempt, whether or not it was accepted before.
    async fn ended(&mut self) -> Ended {
        loop {
            let event = self.next().await;
            if let Event::Ended(ended) = event {
                return ended;
            }
            assert!(matches!(event, Event::Accepted { .. }), "a runner says nothing like {event:?}");
        }
    }

    fn build_dir(&self) -> PathBuf {
        self.dir.path().join("builds/default/app-7")
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.build_dir().join("log")).unwrap_or_default()).into_owned()
    }

    /// Waits until the build has printed `word`.
    async fn printed(&self, word: &str) {
        eventually(word, || self.log().contains(word)).await;
    }
}

pub(super) fn attempt(spec: &BuildSpec, number: u32) -> AttemptRef {
    AttemptRef { build: spec.build.clone(), id: spec.id, attempt: number, runner: None, handle: None }
}

/// Build `default/app-7`, with an id that no other test has.
pub(super) fn spec(command: &[&str]) -> BuildSpec {
    let base = image("docker.io/library/debian:12", b"new");
    let cause = Cause::ImageChange { image: base.clone(), old_digest: Some(Digest::sha256_of(b"old")) };
    BuildSpec {
        build: BuildKey { config: ConfigKey::new("default", "app"), number: 7 },
        id: Uuid::new_v4(),
        created: "2026-01-02T03:04:05Z".parse().unwrap(),
        causes: vec![cause],
        strategy: StrategyKind::Command,
        options: None,
        base_image: Some(base),
        source: None,
        revision: None,
        image_sources: Vec::new(),
        output: None,
        command: command.iter().map(ToString::to_string).collect(),
        working_dir: None,
        env: Vec::new(),
        labels: BTreeMap::new(),
        timeout: Duration::from_secs(3600),
        venue: None,
    }
}

pub(super) fn script(text: &str) -> BuildSpec {
    spec(&["sh", "-c", text])
}

fn image(tag: &str, content: &[u8]) -> PinnedImage {
    let digest = Digest::sha256_of(content);
    let tag: TagRef = tag.parse().unwrap();
    PinnedImage {
        named: tag.as_str().into(),
        reference: tag.pinned(&digest).into(),
        tag,
        digest: Some(digest),
        image_id: None,
        platforms: Children::new(),
    }
}

/// How many live processes carry the id of a build.
fn alive(id: Uuid) -> usize {
    let entry = format!("BASEWATCH_BUILD_ID={id}");
    let uid = geteuid().as_raw();
    let lives = |pid: &i32| Stat::read(*pid).is_some_and(|stat| stat.alive) && carries(*pid, uid, &entry);
    all().unwrap().iter().filter(|pid| lives(pid)).count()
}

pub(super) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("still waiting for: {what}"));
}

//! What outlives a crash: the registry, the disk, the configuration, and now and then a build.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Random;
use super::daemon::Decided;
use crate::controller::tests::ledger::Ledger;
use crate::controller::tests::support::*;
use crate::controller::*;
use crate::image::{Digest, Earlier, Found, Platforms, TagRef};
use crate::registry::{Depth, Known};

pub(super) const TAGS: [&str; 3] = ["debian", "node", "redis"];
const NAMES: [&str; 3] = ["app", "lib", "web"];

pub(super) struct World {
    pub(super) now: Now,
    /// What each of [`TAGS`] points to.
    pub(super) tags: [Found; 3],
    /// One line per stored transition: its records.
    journal: Vec<String>,
    /// The files that say what builds are given.
    files: BTreeMap<BuildKey, String>,
    pub(super) ledger: Ledger,
    pub(super) settings: Arc<Settings>,
    /// Every config there could be, whether it is in the settings or not.
    pub(super) configs: Vec<Configured>,
    pub(super) processes: Vec<Process>,
    pub(super) lives: u32,
}

/// A build config, and how its builds turn out.
pub(super) struct Configured {
    pub(super) config: BuildConfig,
    pub(super) is_there: bool,
    /// It was taken out at some time, which calls off what waits and ends retries.
    pub(super) was_removed: bool,
    pub(super) fails: bool,
}

/// A build that is alive.
pub(super) struct Process {
    pub(super) attempt: AttemptRef,
    /// The daemon that hears of its end; none if that one is gone.
    life: Option<u32>,
    pub(super) hangs: bool,
}

impl World {
    pub(super) fn new(random: &mut Random) -> Self {
        let configs: Vec<Configured> = NAMES.iter().map(|name| Configured::new(name, random)).collect();
        let hold_above = if random.percent(10) { 1 } else { usize::MAX };
        let limits = Settings { max_builds: random.between(1, 4), hold_above, ..settings([]) };
        let mut world = Self {
            now: dawn(),
            tags: std::array::from_fn(|_| image("0")),
            journal: Vec::new(),
            files: BTreeMap::new(),
            ledger: Ledger::default(),
            settings: Arc::new(limits),
            configs,
            processes: Vec::new(),
            lives: 0,
        };
        world.write_settings();
        world
    }

    fn write_settings(&mut self) {
        let there = self.configs.iter().filter(|configured| configured.is_there);
        let build_configs = there.map(|configured| Arc::new(configured.config.clone())).collect();
        self.settings = Arc::new(Settings { build_configs, ..(*self.settings).clone() });
    }

    /// Somebody edits one config: pauses, resumes, removes, returns or changes its policy.
    pub(super) fn edit_settings(&mut self, random: &mut Random) {
        let place = random.below(self.configs.len());
        let configured = &mut self.configs[place];
        match random.below(10) {
            0..2 => {
                configured.is_there = !configured.is_there;
                configured.was_removed |= !configured.is_there;
            }
            2..4 => {
                Arc::make_mut(&mut configured.config.policy).run_policy = some_run_policy(random);
            }
            4..6 => {
                let trigger = random.below(configured.config.triggers.len());
                let trigger = &mut configured.config.triggers[trigger];
                Arc::make_mut(&mut trigger.from).platforms = some_platforms(random);
                configured.config = shared(configured.config.clone());
            }
            6 => configured.config.paused ^= true,
            _ => {
                let trigger = random.below(configured.config.triggers.len());
                configured.config.triggers[trigger].paused ^= true;
            }
        }
        self.write_settings();
    }

    /// A person pauses something, for a while or for good.
    pub(super) fn pause(&self, random: &mut Random) -> Event {
        let seconds = u64::try_from(random.between(1, 120)).unwrap();
        let until = random.percent(50).then(|| self.now.wall + Duration::from_secs(seconds));
        Event::Pause { what: self.some_triggers(random), reason: None, until }
    }

    /// A person or a webhook asks for a build, now and then twice under one name, or after a look.
    pub(super) fn ask(&self, random: &mut Random) -> Event {
        let config = &self.configs[random.below(self.configs.len())].config;
        let hook = Origin::Webhook(HookKind::GitHub);
        let key = random.percent(30).then(|| random.below(3).to_string().into());
        let mut start = Start { config: config.key.clone(), key, ..manual("app") };
        start.origin = if random.percent(50) { hook } else { Origin::Manual };
        if random.percent(30) {
            let at = random.below(TAGS.len());
            start.fresh.push((tag(TAGS[at]), self.tags[at].clone()));
        }
        Event::Start(Box::new(start))
    }

    /// A person asks for an earlier build to be made again, if there is one on the disk.
    pub(super) fn rebuild(&self, random: &mut Random) -> Option<Event> {
        let files: Vec<&String> = self.files.values().collect();
        let of = serde_json::from_str(files[random.place(&files)?]).unwrap();
        Some(Event::Rebuild(Box::new(Rebuild { of: Box::new(of), env: Vec::new(), key: None })))
    }

    /// Some triggers of a config, or all that it ever builds.
    pub(super) fn some_triggers(&self, random: &mut Random) -> Pausable {
        let config = &self.configs[random.below(self.configs.len())].config;
        let all_builds = random.percent(30);
        let some = config.triggers.iter().filter(|_| all_builds || random.percent(60));
        let key =
            |trigger: &Trigger| TriggerKey { config: config.key.clone(), tag: trigger.from.tag.clone() };
        let triggers = some.map(key).collect();
        Pausable { triggers, configs: all_builds.then(|| config.key.clone()).into_iter().collect() }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.wall += time;
        self.now.mono += time;
    }

    /// Somebody pushes an image, now and then an old one, or an index whose images, platforms or attestations differ.
    pub(super) fn push(&mut self, at: usize, random: &mut Random) {
        if at == 0 || random.percent(5) {
            self.tags[at] = image(&random.below(4).to_string());
            return;
        }
        let versions = ["linux/amd64", "linux/arm64"].map(|platform| (platform, random.below(6)));
        let there = versions.iter().filter(|(_, version)| *version < 5);
        // Mostly the same two versions of each: what moves is often an attestation alone.
        let images: Vec<(&str, String)> =
            there.map(|(platform, version)| (*platform, (version / 3).to_string())).collect();
        let platforms: Vec<(&str, &str)> =
            images.iter().map(|(platform, version)| (*platform, version.as_str())).collect();
        let found = index(&format!("{images:?} {}", random.below(2)), &platforms);
        let digest = found.polled.digest().unwrap().clone();
        self.ledger.indexes.insert(digest, children(&platforms));
        self.tags[at] = found;
    }

    /// What a tag points to now.
    pub(super) fn digest(&self, at: usize) -> &Digest {
        self.tags[at].polled.digest().unwrap()
    }

    /// What a look at one of [`TAGS`] finds for someone who knows so much. The index before it may be gone.
    pub(super) fn observe(&self, at: usize, known: &mut Option<Known>, is_gone: bool) -> Event {
        let mut found = self.tags[at].clone();
        let digest = self.digest(at);
        let moved = known.as_ref().is_some_and(|known| known.digest != *digest);
        let is_unread = known.as_ref().is_none_or(|known| known.unread);
        let is_read = match self.depth(&tag(TAGS[at])) {
            Depth::Digest => false,
            Depth::Moves => moved,
            Depth::Contents => moved || is_unread,
        };
        let old = known.as_ref().filter(|known| moved && known.unread && !is_gone);
        if is_read && found.children.is_some() {
            found.earlier = old.map(|old| {
                let children = self.ledger.indexes[&old.digest].clone();
                Earlier { digest: old.digest.clone(), children }
            });
        } else {
            found.children = None;
        }
        let is_index = self.ledger.indexes.contains_key(digest);
        let unread = is_index && found.children.is_none() && (moved || is_unread);
        *known = Some(Known { digest: digest.clone(), unread });
        Event::Observed { tag: tag(TAGS[at]), found }
    }

    /// How far the poller looks, as the settings say.
    fn depth(&self, tag: &TagRef) -> Depth {
        let configs = self.settings.build_configs.iter();
        let followed = configs.flat_map(|config| config.stream_tags().chain(config.strategy.stream_tag()));
        let depth = followed.filter(|from| from.tag == *tag).map(|from| match from.platforms {
            Platforms::Index => Depth::Digest,
            Platforms::All => Depth::Moves,
            Platforms::These(_) | Platforms::Legacy(_) => Depth::Contents,
        });
        depth.max().unwrap_or_default()
    }

    /// The whole group reaches the disk: what builds are given first, then the records that name them.
    pub(super) fn commit(&mut self, group: &[Decided]) {
        for decided in group {
            for spec in &decided.transition.specs {
                self.files.insert(spec.build.clone(), serde_json::to_string(spec).unwrap());
            }
            if decided.transition.is_durable() {
                self.journal.push(serde_json::to_string(&decided.transition.records).unwrap());
            }
            self.ledger.enter(&decided.transition, &decided.settings);
        }
    }

    /// What a process finds on the disk when it starts.
    pub(super) fn read_journal(&self) -> Records {
        let mut records = Records::default();
        for line in &self.journal {
            let stored: Vec<Record> = serde_json::from_str(line).unwrap();
            for record in stored {
                records.put(record);
            }
        }
        records
    }

    /// The runner does what it was told; what it has to say is what the daemon hears.
    pub(super) fn perform(&mut self, effect: Effect, life: u32, random: &mut Random) -> Option<Event> {
        match effect {
            Effect::Start(attempt) => Some(self.start(attempt, life, random)),
            Effect::Adopt(attempt) => self.adopt(&attempt, life, random),
            Effect::Cancel(attempt) => self.end(&attempt, Outcome::Cancelled),
            Effect::Acknowledge(attempt) => panic!("{attempt:?} is the exec runner's, which keeps nothing"),
            Effect::Discard(build) => {
                assert!(!self.ledger.records.builds.contains_key(&build), "{build} is still on record");
                self.files.remove(&build);
                None
            }
        }
    }

    /// Nothing starts before it is on the disk, and nothing beside another build of its config.
    fn start(&mut self, attempt: AttemptRef, life: u32, random: &mut Random) -> Event {
        let AttemptRef { build, attempt: number, .. } = attempt.clone();
        let stored = self.read_journal().builds.remove(&build);
        let stored = stored.filter(|stored| stored.is_running(number));
        let policy = stored.unwrap_or_else(|| panic!("{build} starts before it is stored")).run_policy;
        let spec: BuildSpec = serde_json::from_str(&self.files[&build]).unwrap();
        assert_eq!(spec.id, attempt.id);
        let mut beside = self.processes.iter().filter(|process| process.attempt.build.config == build.config);
        let is_parallel = |build: &BuildKey| {
            [policy, self.ledger.records.builds[build].run_policy] == [RunPolicy::Parallel; 2]
        };
        let rival = beside.find(|process| !is_parallel(&process.attempt.build));
        assert!(rival.is_none(), "{build} starts beside {}", rival.unwrap().attempt.build);
        assert!(self.processes.len() < self.settings.max_builds, "{build} starts where there is no room");

        let fails = self.configured(&build.config).fails;
        if fails && random.percent(10) {
            return Event::Ended(ended(build, number, Outcome::NotStarted("no such file".into())));
        }
        let hangs = fails && random.percent(10);
        self.processes.push(Process { attempt, life: Some(life), hangs });
        Event::Accepted { build, attempt: number, handle: "4711".into() }
    }

    /// Half of the runners take up what is alive; the others end it first. What is gone was interrupted.
    fn adopt(&mut self, attempt: &AttemptRef, life: u32, random: &mut Random) -> Option<Event> {
        let alive = self.processes.iter_mut().find(|process| process.attempt.id == attempt.id);
        if let Some(process) = alive
            && random.percent(50)
        {
            assert!(is_same(&process.attempt, attempt), "{attempt:?} is adopted, {:?} runs", process.attempt);
            process.life = Some(life);
            return None;
        }
        self.processes.retain(|process| process.attempt.id != attempt.id);
        Some(Event::Ended(ended(attempt.build.clone(), attempt.attempt, Outcome::Interrupted)))
    }

    /// An attempt that is alive ends; of one that is not there is nothing to say.
    fn end(&mut self, attempt: &AttemptRef, outcome: Outcome) -> Option<Event> {
        let place = self.processes.iter().position(|process| is_same(&process.attempt, attempt))?;
        let attempt = self.processes.remove(place).attempt;
        Some(Event::Ended(ended(attempt.build, attempt.attempt, outcome)))
    }

    /// A process ends by itself, unless it hangs. Answers who hears of it.
    pub(super) fn end_process(&mut self, place: usize, random: &mut Random) -> Option<(Option<u32>, Event)> {
        let Process { attempt, life, hangs } = &self.processes[place];
        let (attempt, life) = (attempt.clone(), *life);
        let failed = self.configured(&attempt.build.config).fails && random.percent(50);
        let outcome = match failed {
            true => Outcome::Failed(Failure::Exit(1)),
            false => Outcome::Complete,
        };
        if *hangs {
            return None;
        }
        self.end(&attempt, outcome).map(|event| (life, event))
    }

    /// A process that hangs is ended when its time is up.
    pub(super) fn time_out(&mut self, place: usize) -> Option<Event> {
        let attempt = self.processes[place].attempt.clone();
        self.end(&attempt, Outcome::Failed(Failure::DeadlineExceeded))
    }

    /// With the daemon dies about half of its builds. The others run on, and nobody hears of them.
    pub(super) fn lose_some_processes(&mut self, random: &mut Random) {
        self.processes.retain_mut(|process| {
            process.life = None;
            random.percent(50)
        });
        self.now.mono = Duration::ZERO;
    }

    pub(super) fn configured(&self, key: &ConfigKey) -> &Configured {
        self.configs.iter().find(|configured| configured.config.key == *key).unwrap()
    }
}

impl Configured {
    fn new(name: &str, random: &mut Random) -> Self {
        let mut order = TAGS;
        order.rotate_left(random.below(3));
        let mut config = watch(name, &order[..random.between(1, 4)]);
        for trigger in &mut config.triggers {
            trigger.paused = random.percent(15);
            Arc::make_mut(&mut trigger.from).platforms = some_platforms(random);
        }
        config.config_change = random.percent(20);
        let config = with(shared(config), |policy| {
            policy.run_policy = some_run_policy(random);
            policy.supersede = if random.percent(50) { Supersede::All } else { Supersede::Images };
            policy.on_first = if random.percent(20) { OnFirst::Record } else { OnFirst::Build };
            policy.on_interrupt = if random.percent(10) { OnInterrupt::Fail } else { OnInterrupt::Retry };
            policy.retry =
                Retry { attempts: u32::try_from(random.between(1, 4)).unwrap(), backoff: MINUTE / 2 };
            policy.history = History { successful: random.below(3), failed: random.below(3) };
        });
        Self { config, is_there: random.percent(90), was_removed: false, fails: random.percent(50) }
    }

    /// The triggers that start a build of it, by what the daemon remembers of pauses.
    pub(super) fn unpaused(&self, daemon: &Controller) -> impl Iterator<Item = &Trigger> {
        let is_paused = |on: &Trigger| daemon.pause_on(&self.config.key, &on.from.tag).is_some();
        self.config.triggers.iter().filter(move |trigger| !is_paused(trigger))
    }
}

fn some_run_policy(random: &mut Random) -> RunPolicy {
    match random.below(5) {
        0 | 1 => RunPolicy::SerialLatestOnly,
        2 | 3 => RunPolicy::Serial,
        _ => RunPolicy::Parallel,
    }
}

fn some_platforms(random: &mut Random) -> Platforms {
    match random.below(9) {
        8 => legacy(),
        0..4 => Platforms::All,
        4 => Platforms::Index,
        5 => these(&["linux/arm64"]),
        _ => these(&["linux/amd64", "linux/arm64"]),
    }
}

/// Whatever is known of its handle.
fn is_same(one: &AttemptRef, other: &AttemptRef) -> bool {
    (&one.build, one.id, one.attempt) == (&other.build, other.id, other.attempt)
}

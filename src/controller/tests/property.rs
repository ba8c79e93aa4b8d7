//! Whatever happens in whatever order, some things always hold.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::ledger::Ledger;
use super::support::*;
use super::words::Words;
use crate::controller::*;
use crate::image::{Earlier, ImageId, Platforms, Polled};

/// Something that happens. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Happening {
    See(usize, usize),
    SeeV1(usize, usize),
    /// A tag, an index, whether it is read, and perhaps one before it that is read too.
    SeeIndex(usize, usize, bool, Option<usize>),
    Miss(usize, bool),
    /// Of which config, by whom, under which name, and what was looked at for its sake.
    Ask(usize, bool, Option<u8>, Option<(usize, usize)>),
    Rebuild(usize),
    Load(u16),
    Accept(usize),
    End(usize, Outcome),
    EndOfAnEarlierAttempt(usize),
    Cancel(usize),
    ReleaseAll,
    ReleaseOne(usize),
    /// Of the config at this place, its first triggers up to that one, for so many seconds; for ever, if for none.
    Pause(usize, usize, u64),
    PauseAllBuilds(usize, u64),
    Resume(usize, usize),
    ResumeAllBuilds(usize),
    Pass(u64),
    ClockBack(u64),
    Drain,
    Restart,
}

const TAGS: [&str; 3] = ["debian", "node", "redis"];
/// Attestations move, an image moves, platforms vanish and return.
const INDEXES: [&[(&str, &str)]; 6] = [
    &[("linux/amd64", "a"), ("linux/arm64", "b")],
    &[("linux/amd64", "a"), ("linux/arm64", "b")],
    &[("linux/amd64", "a"), ("linux/arm64", "c")],
    &[("linux/amd64", "a")],
    &[("linux/arm64", "b")],
    &[],
];
const NAMES: [&str; 3] = ["app", "lib", "web"];

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let outcome = prop_oneof![
        4 => Just(Outcome::Complete),
        4 => Just(Outcome::Failed(Failure::Exit(1))),
        1 => Just(Outcome::NotStarted("no such file".into())),
        3 => Just(Outcome::Interrupted),
        1 => Just(Outcome::Cancelled),
    ];
    prop_oneof![
        12 => (0..3_usize, 0..4_usize).prop_map(|(tag, version)| See(tag, version)),
        9 => (0..3_usize, 0..INDEXES.len(), prop::bool::weighted(0.8), prop::option::of(0..INDEXES.len()))
            .prop_map(|(tag, index, is_read, earlier)| SeeIndex(tag, index, is_read, earlier)),
        3 => (0..3_usize, 0..3_usize).prop_map(|(tag, version)| SeeV1(tag, version)),
        2 => (0..3_usize, any::<bool>()).prop_map(|(tag, is_v2)| Miss(tag, is_v2)),
        5 => (0..3_usize, any::<bool>(), prop::option::weighted(0.3, 0..3_u8), prop::option::of((0..3_usize, 0..4_usize)))
            .prop_map(|(name, by_hook, key, fresh)| Ask(name, by_hook, key, fresh)),
        2 => (0..6_usize).prop_map(Rebuild),
        3 => any::<u16>().prop_map(Load),
        1 => (0..3_usize).prop_map(Accept),
        9 => (0..3_usize, outcome).prop_map(|(which, outcome)| End(which, outcome)),
        1 => (0..3_usize).prop_map(EndOfAnEarlierAttempt),
        2 => (0..6_usize).prop_map(Cancel),
        1 => Just(ReleaseAll),
        1 => (0..3_usize).prop_map(ReleaseOne),
        3 => (0..3_usize, 0..3_usize, 0..100_u64).prop_map(|(name, upto, time)| Pause(name, upto, time)),
        1 => (0..3_usize, 0..100_u64).prop_map(|(name, time)| PauseAllBuilds(name, time)),
        3 => (0..3_usize, 0..3_usize).prop_map(|(name, upto)| Resume(name, upto)),
        1 => (0..3_usize).prop_map(ResumeAllBuilds),
        5 => (0..200_u64).prop_map(Pass),
        1 => (0..200_u64).prop_map(ClockBack),
        1 => Just(Drain),
        2 => Just(Restart),
    ]
}

/// Settings that `bits` spell: which configs there are, what is paused, and under which policies.
fn some_settings(bits: u16) -> Settings {
    let bit = |place: usize| bits >> place & 1 == 1;
    // There are more choices than bits.
    let more = u32::from(bits).wrapping_mul(0x9e37_79b9);
    let further = |place: usize| more >> (31 - place) & 1 == 1;
    let config = |number: usize| {
        let config = watch(NAMES[number], &TAGS[..=number]);
        let config = match bits.rotate_right(u32::try_from(number).unwrap()) % 6 {
            0 | 1 => config,
            2 => on(&Platforms::Index, config),
            5 => on(&legacy(), config),
            3 => on(&these(&["linux/arm64"]), config),
            _ => on(&these(&["linux/amd64", "linux/arm64"]), config),
        };
        let config = if bit(3 + number) { paused(config, &[TAGS[number]]) } else { config };
        let config_change = further(number);
        let config = BuildConfig { config_change, paused: further(3) && further(4 + number), ..config };
        with(config, |policy| {
            policy.run_policy = match (bit(6), further(7 + number)) {
                (_, true) => RunPolicy::Parallel,
                (true, false) => RunPolicy::Serial,
                (false, false) => RunPolicy::SerialLatestOnly,
            };
            policy.supersede = if bit(7) { Supersede::All } else { Supersede::Images };
            policy.on_first = if bit(8 + number) { OnFirst::Record } else { OnFirst::Build };
            policy.on_interrupt = if bit(11) { OnInterrupt::Fail } else { OnInterrupt::Retry };
            policy.retry = Retry { attempts: 1 + u32::from(bits) % 3, backoff: MINUTE };
            policy.history = History { successful: usize::from(bits) % 3, failed: usize::from(bits) % 2 };
        })
    };
    let there = (0..3).filter(|number| !bit(*number));
    Settings {
        max_builds: 1 + usize::from(bit(12)),
        hold_above: if bit(13) && bit(14) { 1 } else { usize::MAX },
        ..settings(there.map(config))
    }
}

/// A controller, its twin over the same records, and an onlooker.
struct Run {
    controller: Controller,
    twin: Controller,
    ledger: Ledger,
    settings: Arc<Settings>,
    /// What was said of pausing.
    words: Words,
    /// The attempts that may be alive.
    alive: BTreeSet<(BuildKey, u32)>,
    now: Now,
}

impl Run {
    fn start(bits: u16) -> Self {
        let mut run = Self {
            controller: Controller::new(STORE, Records::default()),
            twin: Controller::new(STORE, Records::default()),
            ledger: Ledger::default(),
            settings: Arc::new(some_settings(bits)),
            words: Words::default(),
            alive: BTreeSet::new(),
            now: dawn(),
        };
        for (number, platforms) in INDEXES.iter().enumerate() {
            run.ledger.indexes.insert(digest(&format!("index {number}")), children(platforms));
        }
        run.wake();
        run
    }

    fn wake(&mut self) {
        let adopted = self.step(&Event::Boot).effects.into_iter().filter_map(|effect| {
            let Effect::Adopt(attempt) = effect else { return None };
            Some((attempt.build, attempt.attempt))
        });
        assert_eq!(adopted.collect::<BTreeSet<_>>(), self.alive, "all that may be alive is looked for");
        self.load();
    }

    fn load(&mut self) {
        self.words.load(&self.settings, self.now);
        self.tell(&Event::Load { settings: Arc::clone(&self.settings), after_loss: false });
    }

    fn happen(&mut self, happening: &Happening) {
        use Happening::*;
        match happening {
            See(at, version) => {
                let found = image(&version.to_string());
                self.tell(&Event::Observed { tag: tag(TAGS[*at]), found });
            }
            SeeIndex(at, number, is_read, earlier) => {
                let name = |number: usize| format!("index {number}");
                let mut found = unread(&name(*number));
                if *is_read {
                    found = index(&name(*number), INDEXES[*number]);
                    found.earlier = earlier.map(|earlier| Earlier {
                        digest: digest(&name(earlier)),
                        children: children(INDEXES[earlier]),
                    });
                }
                self.tell(&Event::Observed { tag: tag(TAGS[*at]), found });
            }
            SeeV1(at, version) => {
                let image_id = ImageId::from_hex(&version.to_string().repeat(64)).unwrap();
                self.tell(&Event::Observed { tag: tag(TAGS[*at]), found: Polled::V1(image_id).into() });
            }
            Miss(at, is_v2) => self.tell(&Event::Unresolved { tag: tag(TAGS[*at]), is_v2: *is_v2 }),
            Ask(name, by_hook, key, fresh) => {
                let hook = Origin::Webhook(HookKind::Generic);
                let start = Start {
                    origin: if *by_hook { hook } else { Origin::Manual },
                    key: key.map(|key| key.to_string().into()),
                    fresh: fresh
                        .iter()
                        .map(|(at, version)| (tag(TAGS[*at]), image(&version.to_string())))
                        .collect(),
                    ..manual(NAMES[*name])
                };
                self.ask(start);
            }
            Rebuild(which) => {
                let Some(made) = self.ledger.made.values().nth(*which) else { return };
                let of = Box::new(made.spec.clone());
                let is_refused = self.controller.check_rebuild(&of.build.config).is_err();
                let event =
                    Event::Rebuild(Box::new(crate::controller::Rebuild { of, env: Vec::new(), key: None }));
                assert_eq!(self.controller.decide(&event, self.now).specs.is_empty(), is_refused);
                self.tell(&event);
            }
            Load(bits) => {
                self.settings = Arc::new(some_settings(*bits));
                self.load();
            }
            Accept(which) => {
                let Some((build, attempt)) = self.alive(*which) else { return };
                self.tell(&Event::Accepted { build, attempt, handle: "4711".into() });
            }
            End(which, outcome) => {
                let Some((build, attempt)) = self.alive(*which) else { return };
                self.alive.remove(&(build.clone(), attempt));
                self.tell(&Event::Ended(ended(build, attempt, outcome.clone())));
            }
            EndOfAnEarlierAttempt(which) => {
                let Some((build, attempt)) = self.alive(*which) else { return };
                let late = Event::Ended(ended(build, attempt - 1, Outcome::Complete));
                assert!(self.controller.decide(&late, self.now).is_empty());
            }
            Cancel(which) => {
                let build = self.controller.records().builds.keys().nth(*which).cloned();
                build.into_iter().for_each(|build| self.tell(&Event::Cancel { build }));
            }
            ReleaseAll => self.tell(&Event::Release(Release::All)),
            ReleaseOne(which) => {
                let these = vec![app(NAMES[*which])];
                self.tell(&Event::Release(Release::These(these)));
            }
            Pause(name, upto, seconds) => {
                let what = pausable(NAMES[*name], &TAGS[..=*upto.min(name)]);
                self.pause(what, *seconds);
            }
            PauseAllBuilds(name, seconds) => {
                let what = pausable(NAMES[*name], &TAGS[..=*name]);
                self.pause(Pausable { configs: vec![app(NAMES[*name])], ..what }, *seconds);
            }
            Resume(name, upto) => {
                self.resume(pausable(NAMES[*name], &TAGS[..=*upto.min(name)]));
            }
            ResumeAllBuilds(name) => {
                let what = pausable(NAMES[*name], &TAGS[..=*name]);
                self.resume(Pausable { configs: vec![app(NAMES[*name])], ..what });
            }
            Pass(seconds) => {
                self.now.wall += Duration::from_secs(*seconds);
                self.now.mono += Duration::from_secs(*seconds);
                self.tell(&Event::Tick);
            }
            ClockBack(seconds) => self.now.wall -= Duration::from_secs(*seconds),
            Drain => self.tell(&Event::Drain),
            Restart => {
                self.controller = Controller::new(STORE, reread(self.controller.records()));
                self.twin = Controller::new(STORE, reread(&self.ledger.records));
                self.now.mono = Duration::ZERO;
                self.wake();
            }
        }
    }

    /// What is refused makes nothing, nor does what was asked for before.
    fn ask(&mut self, start: Start) {
        let is_refused = self.controller.check_start(&start).is_err();
        let before = start.key.as_ref().and_then(|key| self.controller.asked_before(&start.config, key));
        let next = self.controller.next_build(&start.config);
        let is_made = !is_refused && before.is_none();
        let event = Event::Start(Box::new(start));
        let decided = self.controller.decide(&event, self.now);
        assert_eq!(decided.specs.first().map(|spec| &spec.build), is_made.then_some(&next));
        assert!(is_made || decided.is_empty());
        self.tell(&event);
    }

    fn pause(&mut self, what: Pausable, seconds: u64) {
        let until = (seconds > 0).then(|| self.now.wall + Duration::from_secs(seconds));
        self.words.pause(&what, until);
        self.tell(&Event::Pause { what, reason: None, until });
    }

    fn resume(&mut self, what: Pausable) {
        self.words.resume(&what);
        self.tell(&Event::Resume(what));
    }

    fn alive(&self, which: usize) -> Option<(BuildKey, u32)> {
        self.alive.iter().nth(which).cloned()
    }

    fn tell(&mut self, event: &Event) {
        self.step(event);
        for _ in 0..100 {
            if self.controller.next_tick(self.now) != Some(Duration::ZERO) {
                self.words.check(&self.controller, self.now);
                return;
            }
            assert!(!self.step(&Event::Tick).is_empty(), "a tick was due and had nothing to do");
        }
        panic!("a hundred ticks in a row were due");
    }

    /// One decision: the twin comes to the same, taking it back leaves no trace, and the onlooker agrees.
    fn step(&mut self, event: &Event) -> Transition {
        let transition = self.controller.decide(event, self.now);
        let words = in_words(&transition);
        assert_eq!(words, in_words(&self.twin.decide(event, self.now)), "the twin decides otherwise");

        let before = (self.controller.records().clone(), self.probe());
        let undo = self.controller.apply(&transition);
        self.controller.undo(undo);
        assert_eq!((self.controller.records().clone(), self.probe()), before, "undo left a trace");

        self.ledger.enter(&transition, self.controller.settings());
        self.controller.apply(&transition);
        self.twin.apply(&transition);
        assert_eq!(*self.controller.records(), self.ledger.records);
        self.note_starts(&transition);
        let due = self.controller.next_tick(self.now) == Some(Duration::ZERO);
        assert_eq!(due, !self.controller.decide(&Event::Tick, self.now).is_empty(), "a tick is due");
        transition
    }

    fn note_starts(&mut self, transition: &Transition) {
        for effect in &transition.effects {
            let Effect::Start(attempt) = effect else { continue };
            let policy = |build: &BuildKey| self.controller.records().builds[build].run_policy;
            let is_parallel = |build: &BuildKey| policy(build) == RunPolicy::Parallel;
            let mut rivals = self.alive.iter().filter(|(build, _)| build.config == attempt.build.config);
            let rival = rivals.find(|(rival, _)| !is_parallel(rival) || !is_parallel(&attempt.build));
            assert_eq!(rival, None, "{} starts beside it", attempt.build);
            self.alive.insert((attempt.build.clone(), attempt.attempt));
        }
    }

    /// What the controller would do next, whatever that is.
    fn probe(&self) -> Vec<String> {
        let looks = TAGS.iter().map(|name| Event::Observed { tag: tag(name), found: image("probe") });
        let events = looks.chain([Event::Tick, Event::Boot, Event::Release(Release::All)]);
        let answers = events.map(|event| in_words(&self.controller.decide(&event, self.now)).concat());
        answers.chain([format!("{:?}", self.controller.next_tick(self.now))]).collect()
    }
}

/// A transition, to be compared. The order of its records means nothing: each has a key of its own, or the last counts.
fn in_words(transition: &Transition) -> Vec<String> {
    let Transition { records, specs, effects, notes, volatile } = transition;
    let mut words: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    words.sort();
    words.push(format!("{specs:?} {effects:?} {notes:?} {volatile:?}"));
    words
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(
        bits in any::<u16>(),
        happenings in prop::collection::vec(happening(), 1..50),
    ) {
        let mut run = Run::start(bits);
        for happening in &happenings {
            run.happen(happening);
        }
    }
}

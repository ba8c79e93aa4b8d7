//! What a decision comes to, for every combination of what it depends on. Each `match` below is the specification;
//! the compiler sees to it that no combination is left out.

use std::time::Duration;

use super::support::*;
use crate::controller::*;
use crate::image::{Found, Identity, Image};

/// Every combination of the values of several lists.
macro_rules! every {
    ($($name:ident in $values:expr),+ => $body:block) => { every!(@ $($name, $values;)+ $body) };
    (@ $name:ident, $values:expr; $($rest:tt)+) => { for $name in $values { every!(@ $($rest)+) } };
    (@ $body:block) => { $body };
}

// === What a trigger comes to when its tag is looked at ===

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    Nothing,
    Same,
    Other,
}

/// Whether the config's other tags were looked at: one that never resolves, and the strategy's own.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Others {
    LookedAt,
    Awaited,
    WaitedFor,
}

/// What was said of pausing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pause {
    None,
    Config,
    Command,
    AllBuilds,
    /// By command, after the configuration paused it.
    Resumed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Base {
    Resolved,
    Unresolved,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Nothing,
    Record,
    Fire,
    Hold(HoldReason),
}

/// One row: a config `app` on `lib` (the subject) and `other`, built from `base`.
#[derive(Debug, Clone, Copy)]
struct Row {
    stored: Stored,
    pause: Pause,
    first_start: FirstStart,
    on_first: OnFirst,
    record_next: bool,
    base: Base,
    others: Others,
    /// It is for a platform that the image lacks.
    lacks: bool,
}

fn verdict_by_the_book(row: &Row) -> Verdict {
    use HoldReason::{FirstLook, FirstStart as Storm, Paused, PlatformMissing, StrategyUnresolved};
    use Others::{Awaited, LookedAt, WaitedFor};
    use Verdict::{Fire, Hold, Nothing, Record};
    let held = matches!(row.first_start, FirstStart::Held(_));
    let records = row.on_first == OnFirst::Record || row.record_next;
    let is_paused = matches!(row.pause, Pause::Config | Pause::Command | Pause::AllBuilds);
    match (row.stored, is_paused, records, held, row.others, row.base) {
        (Stored::Same, true, _, _, _, _) => Nothing,
        (Stored::Nothing | Stored::Other, true, _, _, _, _) => Hold(Paused),
        (_, false, _, _, _, _) if row.lacks => Hold(PlatformMissing),
        (Stored::Same, false, _, _, _, _) => Nothing,
        (Stored::Other, false, _, _, _, Base::Unresolved) => Hold(StrategyUnresolved),
        (Stored::Other, false, _, _, _, Base::Resolved) => Fire,
        (Stored::Nothing, false, true, _, _, _) => Record,
        (Stored::Nothing, false, false, true, _, _) => Hold(Storm),
        (Stored::Nothing, false, false, false, Awaited, _) => Hold(FirstLook),
        (Stored::Nothing, false, false, false, LookedAt | WaitedFor, Base::Unresolved) => {
            Hold(StrategyUnresolved)
        }
        (Stored::Nothing, false, false, false, LookedAt | WaitedFor, Base::Resolved) => Fire,
    }
}

impl Row {
    fn config(&self) -> BuildConfig {
        let config = watch("app", &["lib", "other"]);
        let config = with(
            BuildConfig {
                strategy: Strategy {
                    from: watch("base", &["base"]).strategy.from,
                    ..config.strategy.clone()
                },
                ..config
            },
            |policy| policy.on_first = self.on_first,
        );
        let config = on(&these(&["linux/arm64"]), config);
        match self.pause {
            Pause::Config | Pause::Resumed => paused(config, &["lib"]),
            Pause::None | Pause::Command | Pause::AllBuilds => config,
        }
    }

    /// A single manifest lacks nothing.
    fn found(&self) -> Found {
        if self.lacks { index("A", &[("linux/amd64", "a")]) } else { image("A") }
    }

    fn records(&self) -> Records {
        let mut mind =
            Mind::start([with(watch("seen", &["base"]), |policy| policy.on_first = OnFirst::Record)]);
        if self.base == Base::Resolved {
            mind.see("base", "A");
        }
        let mut records = mind.controller.records().clone();
        records.triggers.clear();
        let stored = match self.stored {
            Stored::Nothing => None,
            Stored::Same => Some(Image::new(self.found().polled, self.found().children).identity),
            Stored::Other => Some(identity("Z")),
        };
        let trigger = TriggerRecord { stored, record_next: self.record_next, ..TriggerRecord::default() };
        let key = TriggerKey { config: app("app"), tag: tag("lib") };
        records.put(Record::Trigger(key, Some(Box::new(trigger))));
        let config = ConfigRecord { first_start: self.first_start, ..ConfigRecord::default() };
        records.put(Record::Config(app("app"), Some(Box::new(config))));
        records
    }

    /// Looks at `lib`, which points to `A`, and reads the verdict from what the controller does.
    fn verdict(&self) -> Verdict {
        let mut mind = Mind::over(self.records(), settings([self.config()]));
        match self.pause {
            Pause::None | Pause::Config => {}
            Pause::Command => drop(mind.pause("app", &["lib"])),
            Pause::Resumed => drop(mind.resume("app", &["lib"])),
            Pause::AllBuilds => {
                let what = Pausable { triggers: Vec::new(), configs: vec![app("app")] };
                mind.tell(&Event::Pause { what, reason: None, until: None });
            }
        }
        match self.others {
            Others::LookedAt => {
                mind.miss("other");
                mind.miss("base");
            }
            Others::Awaited => {}
            Others::WaitedFor => drop(mind.pass(PATIENCE)),
        }
        match answer(&mind.find("lib", self.found()), &mind) {
            Some(verdict) => verdict,
            None => self.why_silent(mind),
        }
    }

    /// A hold that is told and stored nowhere shows when it is lifted.
    fn why_silent(&self, mut mind: Mind) -> Verdict {
        if answer(&mind.pass(PATIENCE), &mind).is_some() {
            return Verdict::Hold(HoldReason::FirstLook);
        }
        match answer(&mind.tell(&Event::Release(Release::All)), &mind) {
            Some(_) => Verdict::Hold(HoldReason::FirstStart),
            None => Verdict::Nothing,
        }
    }
}

/// What `notes` say about `lib`, checked against what was stored with them.
fn answer(notes: &[Note], mind: &Mind) -> Option<Verdict> {
    let stored = mind.trigger("app", "lib").cloned().unwrap_or_default();
    let is_a = |found: Option<&Identity>| assert_eq!(found.and_then(Identity::digest), Some(&digest("A")));
    notes.iter().find_map(|note| {
        if let Note::TriggerFired { .. } = note {
            is_a(stored.stored.as_ref());
            assert_eq!(mind.causes("app-1"), [("lib", digest("A"))]);
            Some(Verdict::Fire)
        } else if let Note::TriggerRecorded { .. } = note {
            is_a(stored.stored.as_ref());
            assert!(!stored.record_next && mind.builds().is_empty());
            Some(Verdict::Record)
        } else if let Note::ChangePending { reason, .. } = note {
            is_a(stored.pending.as_ref().map(|pending| &pending.identity));
            assert!(mind.builds().is_empty());
            Some(Verdict::Hold(*reason))
        } else if let Note::TagHeld { platforms, .. } = note {
            is_a(stored.pending.as_ref().map(|pending| &pending.identity));
            assert!(mind.builds().is_empty());
            assert_eq!(*platforms, ["linux/arm64".parse().unwrap()]);
            Some(Verdict::Hold(HoldReason::PlatformMissing))
        } else {
            None
        }
    })
}

#[test]
fn every_look_at_a_tag_comes_to_what_the_table_says() {
    let held = FirstStart::Held(dawn().wall);
    let mut rows = 0;
    every!(
        stored in [Stored::Nothing, Stored::Same, Stored::Other],
        pause in [Pause::None, Pause::Config, Pause::Command, Pause::AllBuilds, Pause::Resumed],
        first_start in [FirstStart::None, held, FirstStart::Released],
        on_first in [OnFirst::Build, OnFirst::Record],
        record_next in [false, true],
        base in [Base::Resolved, Base::Unresolved],
        others in [Others::LookedAt, Others::Awaited, Others::WaitedFor],
        lacks in [false, true]
        => {
            let row = Row { stored, pause, first_start, on_first, record_next, base, others, lacks };
            assert_eq!(row.verdict(), verdict_by_the_book(&row), "{row:?}");
            rows += 1;
        }
    );
    assert_eq!(rows, 3 * 5 * 3 * 2 * 2 * 2 * 3 * 2);
}

// === What a build comes to when its attempt is over ===

/// What brought the build about.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Image,
    Person,
}

/// What the queued `app-2` is by, if it is there.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Newer {
    None,
    Image,
    Person,
    Rebuild,
}

impl Newer {
    fn urgency(self) -> Option<Urgency> {
        match self {
            Self::None => None,
            Self::Image => Some(Urgency::ImageChange),
            Self::Person => Some(Urgency::Manual),
            Self::Rebuild => Some(Urgency::Rebuild),
        }
    }
}

/// One row: the third attempt of `app-1` is over.
#[derive(Debug, Clone)]
struct Ending {
    outcome: Outcome,
    by: By,
    cancel_asked: bool,
    retries_left: bool,
    newer: Newer,
    interruptions: u32,
    on_interrupt: OnInterrupt,
    policy: (RunPolicy, Supersede),
    config_there: bool,
}

const SERIAL: (RunPolicy, Supersede) = (RunPolicy::Serial, Supersede::Images);
const PARALLEL: (RunPolicy, Supersede) = (RunPolicy::Parallel, Supersede::All);
const LATEST: (RunPolicy, Supersede) = (RunPolicy::SerialLatestOnly, Supersede::Images);
const LATEST_ALL: (RunPolicy, Supersede) = (RunPolicy::SerialLatestOnly, Supersede::All);

fn phase_by_the_book(end: &Ending) -> &'static str {
    let replaced = match (end.newer, end.policy.0, end.policy.1, end.by) {
        (Newer::None | Newer::Rebuild, _, _, _) => false,
        (Newer::Image | Newer::Person, RunPolicy::Serial | RunPolicy::Parallel, _, _) => false,
        (Newer::Image | Newer::Person, RunPolicy::SerialLatestOnly, Supersede::Images, by) => by == By::Image,
        (Newer::Image | Newer::Person, RunPolicy::SerialLatestOnly, Supersede::All, _) => true,
    };
    let pointless = end.newer == Newer::Image && end.by == By::Image;
    let retried = end.retries_left && end.config_there && !pointless;
    match (&end.outcome, end.cancel_asked) {
        (Outcome::Complete, _) => "Complete",
        (Outcome::Cancelled, _) | (_, true) => "Cancelled Asked",
        (Outcome::Failed(_) | Outcome::NotStarted(_), false) if retried => "Pending",
        (Outcome::Failed(_), false) => "Failed",
        (Outcome::NotStarted(_), false) => "Error",
        (Outcome::Interrupted, false) if !end.config_there => "Cancelled ConfigRemoved",
        (Outcome::Interrupted, false) if end.on_interrupt == OnInterrupt::Fail => "Error",
        (Outcome::Interrupted, false) if end.interruptions == 4 => "Error",
        (Outcome::Interrupted, false) if replaced => "Cancelled Superseded(2)",
        (Outcome::Interrupted, false) => "New",
    }
}

impl Ending {
    fn phase(&self) -> String {
        let attempts = 3 + self.interruptions;
        let urgency = if self.by == By::Image { Urgency::ImageChange } else { Urgency::Manual };
        let now = dawn().wall;
        let attempt = Attempt { number: attempts, started: now, handle: None, outcome: None };
        let mut running = new_build("app-1", urgency, now);
        running.phase = Phase::Running;
        running.attempts = attempts;
        running.interruptions = self.interruptions;
        running.cancel_asked = self.cancel_asked;
        running.history.push(attempt);
        let mut records = Records::default();
        records.put(Record::Build(build("app-1"), Some(Box::new(running))));
        if let Some(urgency) = self.newer.urgency() {
            let (run_policy, supersede) = self.policy;
            let newer = Build { run_policy, supersede, ..new_build("app-2", urgency, now) };
            records.put(Record::Build(build("app-2"), Some(Box::new(newer))));
        }
        let mut controller = Controller::new(STORE, records);
        let load = Event::Load { settings: settings([self.config()]).into(), after_loss: false };
        controller.apply(&controller.decide(&load, dawn()));
        let event = Event::Ended(ended(build("app-1"), attempts, self.outcome.clone()));
        let transition = controller.decide(&event, dawn());
        controller.apply(&transition);
        let phase = controller.records().builds[&build("app-1")].phase.clone();
        let told = finished(&transition.notes);
        assert_eq!(told.len(), usize::from(phase.is_terminal()), "told once, when it is over: {self:?}");
        let Phase::Cancelled(reason) = phase else { return phase.name().to_owned() };
        format!("Cancelled {reason:?}")
    }

    fn config(&self) -> BuildConfig {
        let name = if self.config_there { "app" } else { "another" };
        with(watch(name, &["base"]), |policy| {
            policy.run_policy = self.policy.0;
            policy.supersede = self.policy.1;
            policy.on_interrupt = self.on_interrupt;
            policy.retry = Retry { attempts: if self.retries_left { 4 } else { 3 }, backoff: MINUTE };
        })
    }
}

#[test]
fn every_end_of_an_attempt_leads_to_the_phase_the_table_says() {
    let outcomes = [
        Outcome::Complete,
        Outcome::Failed(Failure::Exit(2)),
        Outcome::NotStarted("no such file".into()),
        Outcome::Interrupted,
        Outcome::Cancelled,
    ];
    let mut rows = 0;
    every!(
        outcome in outcomes,
        by in [By::Image, By::Person],
        cancel_asked in [false, true],
        retries_left in [false, true],
        newer in [Newer::None, Newer::Image, Newer::Person, Newer::Rebuild],
        interruptions in [0, 4],
        on_interrupt in [OnInterrupt::Retry, OnInterrupt::Fail],
        policy in [SERIAL, PARALLEL, LATEST, LATEST_ALL],
        config_there in [false, true]
        => {
            let outcome = outcome.clone();
            let end = Ending {
                outcome, by, cancel_asked, retries_left, newer, interruptions, on_interrupt, policy, config_there,
            };
            assert_eq!(end.phase(), phase_by_the_book(&end), "{end:?}");
            rows += 1;
        }
    );
    assert_eq!(rows, 5 * 2 * 2 * 2 * 4 * 2 * 2 * 4 * 2);
}

// === What a newer build makes of an older one ===

fn place_by_the_book(phase: &Phase, by: By, newer: Newer, policy: (RunPolicy, Supersede)) -> &'static str {
    match (phase.name(), by, newer, policy.0, policy.1) {
        (as_it_was, _, Newer::None | Newer::Rebuild, _, _) => as_it_was,
        ("Pending", By::Image, Newer::Image, _, _) => "Failed",
        ("New", By::Image, Newer::Image | Newer::Person, RunPolicy::SerialLatestOnly, _) => "Cancelled",
        ("New", By::Person, Newer::Image | Newer::Person, RunPolicy::SerialLatestOnly, Supersede::All) => {
            "Cancelled"
        }
        (as_it_was, _, Newer::Image | Newer::Person, _, _) => as_it_was,
    }
}

/// A start over `app-1`, the older build; `base` points to `A`, which its trigger has stored.
fn over(older: Build, policy: (RunPolicy, Supersede)) -> Mind {
    let config = with(watch("app", &["base"]), |own| (own.run_policy, own.supersede) = policy);
    let mut mind = Mind::start([config.clone()]);
    mind.see("base", "A");
    let mut records = mind.controller.records().clone();
    records.put(Record::Build(build("app-1"), Some(Box::new(older))));
    Mind::over(records, Settings { max_builds: 0, ..settings([config]) })
}

#[test]
fn a_newer_build_makes_of_an_older_one_what_the_table_says() {
    let now = dawn().wall;
    let pending = Phase::Pending { since: now, wait: Duration::from_secs(300) };
    every!(
        phase in [Phase::New, pending, Phase::Running, Phase::Complete],
        by in [By::Image, By::Person],
        newer in [Newer::Image, Newer::Person, Newer::Rebuild],
        policy in [SERIAL, PARALLEL, LATEST, LATEST_ALL]
        => {
            let urgency = if by == By::Image { Urgency::ImageChange } else { Urgency::Manual };
            let mut older = new_build("app-1", urgency, now);
            older.phase = phase.clone();
            let failed = Some(Outcome::Failed(Failure::Exit(2)));
            older.history.push(Attempt { number: 1, started: now, handle: None, outcome: failed });
            let mut mind = over(older, policy);
            match newer {
                Newer::None => {}
                Newer::Image => drop(mind.see("base", "B")),
                Newer::Person => drop(mind.start_build("app")),
                Newer::Rebuild => {
                    let spec = old_spec();
                    let again = Rebuild { of: Box::new(spec), env: Vec::new(), key: None };
                    mind.tell(&Event::Rebuild(Box::new(again)));
                }
            }
            let expected = place_by_the_book(&phase, by, newer, policy);
            let expected = [format!("app-1 {expected}"), "app-2 New".to_owned()];
            assert_eq!(mind.builds(), expected, "{by:?} {newer:?} {policy:?}");
        }
    );
}

/// What `app-1` was given.
fn old_spec() -> BuildSpec {
    let mut mind = Mind::start([watch("app", &["base"])]);
    mind.see("base", "A");
    mind.spec("app-1").clone()
}

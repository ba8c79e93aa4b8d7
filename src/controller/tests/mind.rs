//! A mind to tell things to, as the driver does, and to read what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::support::*;
use crate::controller::*;
use crate::image::{Digest, Found, Identity};

/// A controller and what a driver keeps around it. Storing always succeeds; crashes are the simulation's.
pub(super) struct Mind {
    pub(super) controller: Controller,
    pub(super) now: Now,
    /// Effects that left and that nobody took yet.
    pub(super) effects: Vec<Effect>,
    specs: BTreeMap<BuildKey, BuildSpec>,
    settings: Arc<Settings>,
}

impl Mind {
    /// The first start, with these build configs.
    pub(super) fn start(configs: impl IntoIterator<Item = BuildConfig>) -> Self {
        Self::over(Records::default(), settings(configs))
    }

    /// A start over what was stored.
    pub(super) fn over(records: Records, settings: Settings) -> Self {
        let mut mind = Self {
            controller: Controller::new(STORE, records),
            now: dawn(),
            effects: Vec::new(),
            specs: BTreeMap::new(),
            settings: Arc::new(settings),
        };
        mind.wake(false);
        mind
    }

    /// The process ends at once, and another begins over what was stored.
    pub(super) fn restart(&mut self) -> Vec<Note> {
        self.controller = Controller::new(STORE, reread(self.controller.records()));
        self.now.mono = Duration::ZERO;
        self.effects.clear();
        self.wake(false)
    }

    /// As [`restart`](Self::restart), but a part of the state was lost.
    pub(super) fn restart_after_loss(&mut self, left: Records) {
        self.controller = Controller::new(STORE, left);
        self.wake(true);
    }

    fn wake(&mut self, after_loss: bool) -> Vec<Note> {
        self.step(&Event::Boot);
        self.tell(&Event::Load { settings: Arc::clone(&self.settings), after_loss })
    }

    /// A reload.
    pub(super) fn load(&mut self, configs: impl IntoIterator<Item = BuildConfig>) -> Vec<Note> {
        self.load_settings(Settings {
            build_configs: settings(configs).build_configs,
            ..(*self.settings).clone()
        })
    }

    pub(super) fn load_settings(&mut self, settings: Settings) -> Vec<Note> {
        self.settings = Arc::new(settings);
        self.tell(&Event::Load { settings: Arc::clone(&self.settings), after_loss: false })
    }

    /// A look at a tag finds this version.
    pub(super) fn see(&mut self, name: &str, version: &str) -> Vec<Note> {
        self.find(name, image(version))
    }

    /// A look at a tag finds this.
    pub(super) fn find(&mut self, name: &str, found: Found) -> Vec<Note> {
        self.tell(&Event::Observed { tag: tag(name), found })
    }

    /// A look at a tag fails, and proves nothing about its host.
    pub(super) fn miss(&mut self, name: &str) -> Vec<Note> {
        self.tell(&Event::Unresolved { tag: tag(name), is_v2: false })
    }

    /// The running attempt of a build ends.
    pub(super) fn end(&mut self, name: &str, outcome: Outcome) -> Vec<Note> {
        let key = build(name);
        let attempt = self.controller.records().builds[&key].attempts;
        self.tell(&Event::Ended(ended(key, attempt, outcome)))
    }

    pub(super) fn complete(&mut self, name: &str) -> Vec<Note> {
        self.end(name, Outcome::Complete)
    }

    pub(super) fn fail(&mut self, name: &str) -> Vec<Note> {
        self.end(name, Outcome::Failed(Failure::Exit(1)))
    }

    pub(super) fn cancel(&mut self, name: &str) -> Vec<Note> {
        self.tell(&Event::Cancel { build: build(name) })
    }

    /// A person pauses triggers of a config.
    pub(super) fn pause(&mut self, config: &str, on: &[&str]) -> Vec<Note> {
        self.tell(&Event::Pause { what: pausable(config, on), reason: None, until: None })
    }

    pub(super) fn resume(&mut self, config: &str, on: &[&str]) -> Vec<Note> {
        self.tell(&Event::Resume(pausable(config, on)))
    }

    /// A build is asked for, as the daemon does it: only if it can be made.
    pub(super) fn ask(&mut self, start: Start) -> Result<Vec<Note>, StartRefused> {
        self.controller.check_start(&start)?;
        Ok(self.tell(&Event::Start(Box::new(start))))
    }

    /// A person asks for a build of `name`, which can be made.
    pub(super) fn start_build(&mut self, name: &str) -> Vec<Note> {
        self.ask(manual(name)).unwrap()
    }

    /// A person asks for an earlier build to be made again.
    pub(super) fn rebuild(&mut self, name: &str, env: &[(&str, &str)]) -> Result<Vec<Note>, StartRefused> {
        let of = Box::new(self.spec(name).clone());
        self.controller.check_rebuild(&of.build.config)?;
        Ok(self.tell(&Event::Rebuild(Box::new(Rebuild { of, env: words(env), key: None }))))
    }

    /// Time passes, and the driver ticks.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Note> {
        self.now.mono += time;
        self.now.wall += time;
        self.tell(&Event::Tick)
    }

    /// The event, then ticks until nothing comes of them, as the driver does. Answers what was told.
    pub(super) fn tell(&mut self, event: &Event) -> Vec<Note> {
        let mut notes = self.step(event).notes;
        for _ in 0..100 {
            let tick = self.step(&Event::Tick);
            if tick.is_empty() {
                return notes;
            }
            notes.extend(tick.notes);
        }
        panic!("a hundred ticks in a row had something to do");
    }

    /// One decision, applied. On the way it is taken back once, as after a failed commit.
    pub(super) fn step(&mut self, event: &Event) -> Transition {
        let transition = self.controller.decide(event, self.now);
        let before = self.controller.records().clone();
        let undo = self.controller.apply(&transition);
        self.controller.undo(undo);
        assert_eq!(*self.controller.records(), before, "undo left a trace of {event:?}");
        self.controller.apply(&transition);
        self.effects.extend(transition.effects.iter().cloned());
        let specs = transition.specs.iter().cloned();
        self.specs.extend(specs.map(|spec| (spec.build.clone(), spec)));
        transition
    }

    /// `["app-1 Complete", "app-2 Running"]`: every build there is.
    pub(super) fn builds(&self) -> Vec<String> {
        let builds = &self.controller.records().builds;
        builds.iter().map(|(key, build)| format!("{} {}", key.name(), build.phase.name())).collect()
    }

    pub(super) fn build(&self, name: &str) -> &Build {
        &self.controller.records().builds[&build(name)]
    }

    pub(super) fn phase(&self, name: &str) -> &Phase {
        &self.build(name).phase
    }

    pub(super) fn spec(&self, name: &str) -> &BuildSpec {
        self.spec_of(&build(name))
    }

    pub(super) fn spec_of(&self, key: &BuildKey) -> &BuildSpec {
        &self.specs[key]
    }

    /// The tags that caused a build, each with its digest, in the order of the causes.
    pub(super) fn causes(&self, name: &str) -> Vec<(&str, Digest)> {
        let causes = self.spec(name).causes.iter();
        causes
            .map(|cause| {
                let Cause::ImageChange { image, .. } = cause else { panic!("{cause:?}") };
                (&*image.named, image.digest.clone().unwrap())
            })
            .collect()
    }

    /// What brought a build about, in words.
    pub(super) fn cause_names(&self, name: &str) -> Vec<&str> {
        self.spec(name).causes.iter().map(Cause::name).collect()
    }

    /// The digest of the strategy's own image.
    pub(super) fn base(&self, name: &str) -> Digest {
        self.spec(name).base().digest.clone().unwrap()
    }

    /// What the trigger of a config on a tag has stored.
    pub(super) fn stored(&self, config: &str, on: &str) -> Option<Identity> {
        self.trigger(config, on)?.stored.clone()
    }

    pub(super) fn trigger(&self, config: &str, on: &str) -> Option<&TriggerRecord> {
        let key = TriggerKey { config: app(config), tag: tag(on) };
        self.controller.records().triggers.get(&key).map(|record| &**record)
    }

    /// The builds whose start left as an effect since the last call, in order.
    pub(super) fn started(&mut self) -> Vec<String> {
        let start = |effect| {
            let Effect::Start(attempt) = effect else { return None };
            Some(attempt.build.name())
        };
        self.effects.drain(..).filter_map(start).collect()
    }
}

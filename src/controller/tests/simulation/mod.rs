//! Thousands of short histories in virtual time: a registry whose tags move, a daemon that crashes between any two
//! steps, and builds that fail, hang or outlive it. What must hold at every step is the [`Ledger`]'s to check; what must
//! have come about once all is quiet is checked at the end.
//!
//! A failing history prints its seed. `BASEWATCH_SIM_SEED=n cargo test simulation` replays it, step by step.

mod daemon;
mod random;
mod rest;
mod world;

use std::ops::Range;

use daemon::Daemon;
use random::Random;
use world::{TAGS, World};

use super::support::*;
use crate::controller::*;

/// How many histories there are in all; each test below has its share, so that they run side by side.
const HISTORIES: u64 = 22_000;
const SHARES: u64 = 4;

#[test]
fn nothing_is_lost_or_doubled_in_the_first_share() {
    replay_or_run(0);
}

#[test]
fn nothing_is_lost_or_doubled_in_the_second_share() {
    replay_or_run(1);
}

#[test]
fn nothing_is_lost_or_doubled_in_the_third_share() {
    replay_or_run(2);
}

#[test]
fn nothing_is_lost_or_doubled_in_the_fourth_share() {
    replay_or_run(3);
}

fn replay_or_run(share: u64) {
    let asked = std::env::var("BASEWATCH_SIM_SEED").ok().map(|seed| seed.parse::<u64>().expect("a number"));
    let seeds: Range<u64> = match asked {
        Some(seed) if seed * SHARES / HISTORIES == share => seed..seed + 1,
        Some(_) => return,
        None => HISTORIES * share / SHARES..HISTORIES * (share + 1) / SHARES,
    };
    for seed in seeds {
        let told = Seed(seed);
        Simulation::new(seed, asked.is_some()).run();
        drop(told);
    }
}

/// Says which history it was, if one fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay this history with BASEWATCH_SIM_SEED={} cargo test simulation", self.0);
        }
    }
}

/// One history: the world, and the daemon that lives and dies in it.
struct Simulation {
    random: Random,
    world: World,
    daemon: Daemon,
    is_told: bool,
}

impl Simulation {
    fn new(seed: u64, is_told: bool) -> Self {
        let mut random = Random::new(seed);
        let mut world = World::new(&mut random);
        let daemon = Daemon::wake(&mut world);
        Self { random, world, daemon, is_told }
    }

    fn run(&mut self) {
        for _ in 0..self.random.between(20, 70) {
            self.step();
        }
        self.come_to_rest();
        self.check();
    }

    /// One thing happens. A crash may come between any two.
    fn step(&mut self) {
        match self.random.below(100) {
            0..10 => self.push(),
            10..30 => self.look(),
            30..56 => self.handle(),
            56..70 => self.act(),
            70..80 => self.end_a_process(),
            80..87 => self.pass_time(),
            87..92 => self.crash("between two steps"),
            92..94 => self.meddle(),
            94..96 => self.ask(),
            _ => self.reload(),
        }
    }

    fn push(&mut self) {
        let at = self.random.below(TAGS.len());
        self.world.push(at, &mut self.random);
        self.tell(|| format!("{} points to {:?}", TAGS[at], self.world.tags[at]));
    }

    /// The poller looks at a tag; the answer waits in the inbox, and may be old when its turn comes.
    fn look(&mut self) {
        let at = self.random.below(TAGS.len());
        let event = match self.random.percent(15) {
            true => Event::Unresolved { tag: tag(TAGS[at]), is_v2: self.random.percent(50) },
            false => {
                let is_gone = self.random.percent(10);
                self.world.observe(at, &mut self.daemon.known[at], is_gone)
            }
        };
        self.tell(|| format!("a look: {event:?}"));
        self.daemon.inbox.push_back(event);
    }

    /// The daemon decides a few events, applies them, and has them stored as one group: or fails to, or dies.
    fn handle(&mut self) {
        let events = self.daemon.take(self.random.between(1, 4), self.world.now);
        let group = self.daemon.decide(&events, self.world.now);
        self.tell(|| format!("decided {events:?}"));
        match self.random.below(100) {
            0..3 => self.crash("before the commit"),
            3..6 => {
                self.world.commit(&group);
                self.crash("after the commit");
            }
            6..12 => {
                self.tell(|| "the commit failed".to_owned());
                self.daemon.take_back(group, events);
            }
            _ => {
                self.world.commit(&group);
                self.daemon.release(group);
            }
        }
    }

    /// One effect leaves, as the runner's contract says.
    fn act(&mut self) {
        let Some(effect) = self.daemon.outbox.pop_front() else { return };
        self.tell(|| format!("effect {effect:?}"));
        let heard = self.world.perform(effect, self.daemon.life, &mut self.random);
        self.daemon.inbox.extend(heard);
    }

    /// A build's process ends; only the daemon that started or adopted it hears of it.
    fn end_a_process(&mut self) {
        let Some(place) = self.random.place(&self.world.processes) else { return };
        if let Some((life, event)) = self.world.end_process(place, &mut self.random) {
            self.tell(|| format!("ended {event:?}"));
            if life == Some(self.daemon.life) {
                self.daemon.inbox.push_back(event);
            }
        }
    }

    fn pass_time(&mut self) {
        let seconds = self.random.between(1, 60);
        self.world.pass(u32::try_from(seconds).unwrap() * SECOND);
    }

    fn crash(&mut self, when: &str) {
        self.tell(|| format!("=== crash {when}"));
        self.world.lose_some_processes(&mut self.random);
        self.daemon = Daemon::wake(&mut self.world);
    }

    /// A person, or systemd.
    fn meddle(&mut self) {
        let live: Vec<BuildKey> = self.daemon.controller.live_builds().map(|(key, _)| key.clone()).collect();
        let event = match self.random.below(6) {
            0 => Event::Release(Release::All),
            4 => self.world.pause(&mut self.random),
            5 => Event::Resume(self.world.some_triggers(&mut self.random)),
            1 if self.random.percent(20) => Event::Drain,
            _ => match self.random.place(&live) {
                Some(place) => Event::Cancel { build: live[place].clone() },
                None => return,
            },
        };
        self.tell(|| format!("a person: {event:?}"));
        self.daemon.inbox.push_back(event);
    }

    /// A build is asked for. What is refused or known already makes nothing, so that nobody need ask before.
    fn ask(&mut self) {
        let asked = match self.random.percent(25) {
            true => self.world.rebuild(&mut self.random),
            false => Some(self.world.ask(&mut self.random)),
        };
        let Some(event) = asked else { return };
        self.tell(|| format!("asked for: {event:?}"));
        self.daemon.inbox.push_back(event);
    }

    /// The configuration is edited and loaded; a crash before it is handled loads it at the next start.
    fn reload(&mut self) {
        self.world.edit_settings(&mut self.random);
        self.tell(|| "reload".to_owned());
        let settings = self.world.settings.clone();
        self.daemon.inbox.push_back(Event::Load { settings, after_loss: false });
    }

    fn tell(&self, line: impl FnOnce() -> String) {
        if self.is_told {
            eprintln!("{}", line());
        }
    }
}

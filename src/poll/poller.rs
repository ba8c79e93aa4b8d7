//! The loop: waits until a tag is due, asks, hands the answer on.
//!
//! One task for everything: the loop, and in it a future for each round that is going on. What is in flight holds the tags
//! and the budgets as they were when it began.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::books::{Answer, Books, Question};
use super::clock::Clock;
use super::gate::Turn;
use super::{Mode, Plan, Resolve, Status, Trouble, log};
use crate::image::{Found, Polled, TagRef};
use crate::registry::{Known, Target};

/// Polls every tag of a plan when it is due.
#[derive(Debug)]
pub struct Poller<R, W> {
    /// What to poll.
    pub plan: Plan,
    /// How long to go on.
    pub mode: Mode,
    /// Whom to ask.
    pub resolver: Arc<R>,
    /// The wall clock. Only its first answer decides when tags are due; the others are shown to people.
    pub wall: W,
    /// Where every answer goes, an unchanged one too. While it is full, polls wait; when it is closed, polling ends.
    pub observations: mpsc::Sender<Observation>,
    /// What others want to know. Closing it ends polling, as [`Command::Stop`] does.
    pub commands: mpsc::Receiver<Command>,
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Which tag was polled.
    pub tag: TagRef,
    /// What came of it.
    pub outcome: Outcome,
    /// When it began: what others saw since is newer.
    pub began: Instant,
}

/// What came of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The tag points to this.
    Resolved(Found),
    /// Nothing is known of the tag that was not known before; what went wrong is in the log and the status.
    Unresolved {
        /// Whether its registry is known to be a v2 one all the same.
        is_v2: bool,
    },
}

/// What can be asked of polling while it goes on.
#[derive(Debug)]
pub enum Command {
    /// How is everything doing?
    Status(oneshot::Sender<Status>),
    /// Poll these tags now, or all if none is named, within the budgets of their hosts; of a host that is left alone one,
    /// as a [`Command::Probe`]. The answer is how many are due
    /// now; each is asked once, and its slot stays where it is.
    Poll {
        /// Tags of the plan; others are passed over.
        tags: Vec<TagRef>,
        /// How many.
        reply: oneshot::Sender<usize>,
    },
    /// What do these tags point to now? Only `reply` is told, as soon as each is known: there is no [`Observation`], and
    /// the next poll of a tag compares with what the last one brought. Every request waits for its host's budget, one look
    /// of a host goes on at a time, and a host that is left alone is not waited for: its trouble is the answer.
    ///
    /// Dropping the receiver calls the looks off. With [`Mode::Once`] the answer is a refusal.
    Look {
        /// Tags of the plan; of any other the answer says that it is none.
        tags: Vec<TagRef>,
        /// Where each answer goes.
        reply: mpsc::Sender<(TagRef, Result<Found, Trouble>)>,
    },
    /// What may have been the trouble of these hosts has changed: those that are left alone are probed now, or as soon as
    /// the registry wants to be asked again.
    Probe(Vec<String>),
    /// Go on with another plan: what is known about its tags and hosts stays known, what is in flight goes on
    /// unless its tag is gone, and what is due stays due. Without effect with [`Mode::Once`].
    Replan(Plan),
    /// Polls in flight are dropped: a poll changes nothing, so nothing is lost.
    Stop,
}

impl<R: Resolve, W: Fn() -> Timestamp> Poller<R, W> {
    /// Polls until it is stopped or, with [`Mode::Once`], until each tag was polled.
    ///
    /// Dropping it is as good as stopping it.
    pub async fn run(mut self) {
        let clock = Clock::new(self.wall);
        let books = Mutex::new(Books::new(self.plan, self.mode, clock.steady()));
        let (resolver, observations) = (&*self.resolver, &self.observations);
        let asker = Asker { resolver, observations, mode: self.mode, books: &books, clock: &clock };
        let mut in_flight = FuturesUnordered::new();
        let mut looks = FuturesUnordered::new();
        // How the poll of each round is called off.
        let mut handles = HashMap::new();
        let go = |question: Question, handles: &mut HashMap<u64, AbortHandle>| {
            let (handle, registration) = AbortHandle::new_pair();
            handles.insert(question.step.round, handle);
            Abortable::new(asker.go(question), registration)
        };
        // What is waited for in every round of the loop is kept from one to the next, as it seldom changes.
        let mut nobody_listens = pin!(self.observations.closed());
        let mut alarm = pin!(clock.reach(None));
        let mut alarm_at = None;
        loop {
            let next_due = {
                let mut books = lock(&books);
                while let Some(question) = books.begin(clock.now()) {
                    in_flight.push(go(question, &mut handles));
                }
                books.next_due()
            };
            if self.mode == Mode::Once && in_flight.is_empty() && next_due.is_none() {
                return;
            }
            if alarm_at != next_due {
                alarm.set(clock.reach(next_due));
                alarm_at = next_due;
            }
            // Cancel safe: a command not received stays in its channel, a poll not finished stays in `in_flight`,
            // and the waits go on.
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop) | None => return,
                    Some(Command::Look { tags, reply }) => {
                        let errands = lock(&books).errands(tags, &reply);
                        looks.extend(errands.into_iter().map(|errand| asker.look(errand)));
                    }
                    Some(command) => {
                        let gone = lock(&books).obey(command, &clock);
                        gone.iter().filter_map(|round| handles.remove(round)).for_each(|handle| handle.abort());
                    }
                },
                () = &mut nobody_listens => return,
                Some(gone) = in_flight.next() => {
                    // Nothing comes of a poll that was called off.
                    if let Ok(Gone { round, next }) = gone {
                        handles.remove(&round);
                        in_flight.extend(next.map(|question| go(question, &mut handles)));
                    }
                }
                Some(()) = looks.next() => {}
                () = &mut alarm => {
                    alarm.set(clock.reach(None));
                    alarm_at = None;
                }
            }
        }
    }
}

impl Books {
    /// Does what is asked. Answers the rounds whose poll in flight is to be called off.
    fn obey(&mut self, command: Command, clock: &Clock<impl Fn() -> Timestamp>) -> Vec<u64> {
        // Who asked may have gone away.
        match command {
            Command::Status(reply) => drop(reply.send(self.status(clock.now()))),
            Command::Poll { tags, reply } => drop(reply.send(self.ask(&tags))),
            Command::Probe(hosts) => self.probe_soon(|name| hosts.iter().any(|host| host == name)),
            Command::Replan(plan) => return self.replan(plan, clock.now(), clock.wall()),
            // The loop's to obey.
            Command::Look { .. } | Command::Stop => {}
        }
        Vec::new()
    }
}

/// What a poll needs.
pub(super) struct Asker<'a, R, W> {
    pub(super) resolver: &'a R,
    observations: &'a mpsc::Sender<Observation>,
    pub(super) mode: Mode,
    pub(super) books: &'a Mutex<Books>,
    pub(super) clock: &'a Clock<W>,
}

/// A round that does not go on by itself any more.
struct Gone {
    round: u64,
    /// What to poll in its place.
    next: Option<Question>,
}

impl<R: Resolve, W: Fn() -> Timestamp> Asker<'_, R, W> {
    /// Polls the tags of a round, one after the other, for as long as all is well with them: so the loop is woken once for
    /// a round and not for each poll.
    async fn go(&self, mut question: Question) -> Gone {
        let round = question.step.round;
        loop {
            let Some(answer) = self.ask(question).await else { return Gone { round, next: None } };
            let is_well = answer.result.is_ok();
            let mut books = lock(self.books);
            let next = books.enter(answer, self.clock.now(), self.clock.wall());
            match next {
                // What else there is to begin is the loop's.
                Some(next) if is_well && next.step.round == round && !books.may_begin() => question = next,
                next => return Gone { round, next },
            }
        }
    }

    /// Polls one tag. The answer leaves from here and not from the loop: a receiver that is slow holds up polls, but
    /// not commands.
    async fn ask(&self, question: Question) -> Option<Answer> {
        let Question { ground, step, known, doubted } = question;
        let host = ground.hosts.get(step.host)?;
        let tag = ground.tags.get(step.tag)?;
        let depth = *ground.depths.get(step.tag)?;
        let target = Target { tag, group: host.group(&ground.tags, step.tag), depth, known: known.as_ref() };
        let turn = Turn::new(&host.gate);
        let start = Instant::now();
        // Cancel safe: a poll that is not finished has changed nothing.
        let result = tokio::select! {
            biased;
            result = self.resolver.resolve(target, &turn) => result,
            trouble = host.gate.given_up(), if self.mode == Mode::Once => Err(trouble),
        };
        // Before anything else: what the registry wishes holds even if this poll is called off.
        let blame = turn.settle(result.as_ref().err(), tag.repository(), doubted);
        let elapsed = start.elapsed();
        log::polled(tag, &result, elapsed);
        let (outcome, result) = match result {
            Ok(found) => {
                let known = known_from(&found, known.as_ref());
                (Outcome::Resolved(found), Ok(known))
            }
            Err(trouble) => (Outcome::Unresolved { is_v2: self.resolver.is_v2(tag.host()) }, Err(trouble)),
        };
        // The loop sees by itself that nobody listens any more.
        let _ = self.observations.send(Observation { tag: tag.clone(), outcome, began: start }).await;
        Some(Answer { round: step.round, blame, result, elapsed })
    }
}

/// Never held across an await: all is one task, and nobody waits for it.
pub(super) fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What need not be looked at again: an index that was read once stays read.
fn known_from(found: &Found, before: Option<&Known>) -> Option<Known> {
    let Polled::Manifest(manifest) = &found.polled else { return None };
    let read_before = before.is_some_and(|known| known.digest == manifest.digest && !known.unread);
    let unread = manifest.is_index() && found.children.is_none() && !read_before;
    Some(Known { digest: manifest.digest.clone(), unread })
}

//! Looks at tags that nobody but who asks is told of, beside the polls and through the same gates.
//!
//! What polling knows of a tag stays as it was, so that its next poll compares with what the last one brought, and hands
//! on what this look has seen before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::backoff::Blame;
use super::books::Books;
use super::condition::{Health, Scope, Trouble};
use super::gate::{HostGate, Turn};
use super::ground::Ground;
use super::lane::Step;
use super::poller::{Asker, lock};
use super::{Mode, Resolve, log};
use crate::image::{Found, TagRef};
use crate::registry::{Known, Target};

/// Where the answers of looks go.
pub(super) type Answers = mpsc::Sender<(TagRef, Result<Found, Trouble>)>;

/// Tags of one host that somebody wants looked at, one after the other.
#[derive(Debug)]
pub(super) struct Errand {
    /// Each with where it stood when it was asked for.
    tags: Vec<(TagRef, usize)>,
    reply: Answers,
}

/// A look to be made.
#[derive(Debug)]
struct Glance {
    ground: Arc<Ground>,
    host: usize,
    tag: usize,
    known: Option<Known>,
    doubted: bool,
}

impl Books {
    /// What `tags` come to, host by host; each is looked at once, in the order in which polls would.
    pub(super) fn errands(&self, tags: Vec<TagRef>, reply: &Answers) -> Vec<Errand> {
        let positions = self.ground.positions();
        let mut by_host: BTreeMap<Box<str>, BTreeSet<(usize, TagRef)>> = BTreeMap::new();
        for tag in tags {
            let position = positions.get(&tag).copied().unwrap_or(usize::MAX);
            by_host.entry(tag.host().into()).or_default().insert((position, tag));
        }
        let errand = |tags: BTreeSet<(usize, TagRef)>| Errand {
            tags: tags.into_iter().map(|(position, tag)| (tag, position)).collect(),
            reply: reply.clone(),
        };
        by_host.into_values().map(errand).collect()
    }

    /// Where a tag stands now, and its host; `hint` is where it stood before.
    fn find(&self, tag: &TagRef, hint: usize) -> Option<(usize, usize)> {
        let is_there = |position: &usize| self.ground.tags.get(*position) == Some(tag);
        let host = self.ground.hosts.iter().position(|host| host.name == tag.host())?;
        let mut of_host = self.ground.hosts.get(host)?.tags.clone();
        let position = Some(hint).filter(is_there).or_else(|| of_host.find(is_there))?;
        Some((host, position))
    }

    fn gate_of(&self, tag: &TagRef) -> Result<Arc<HostGate>, Trouble> {
        let host = self.ground.hosts.iter().find(|host| host.name == tag.host());
        host.map(|host| Arc::clone(&host.gate)).ok_or_else(|| not_polled(tag))
    }

    /// What to look at; or why not, if the registry wants the tag to be left alone or nobody polls it.
    fn glance(&self, tag: &TagRef, hint: usize, now: Duration) -> Result<Glance, Trouble> {
        let (host, position) = self.find(tag, hint).ok_or_else(|| not_polled(tag))?;
        let health = self.health.get(position).ok_or_else(|| not_polled(tag))?;
        match &health.condition {
            Some(condition) if !health.left_alone_for(now).is_zero() => Err(condition.trouble.clone()),
            Some(_) | None => Ok(Glance {
                ground: Arc::clone(&self.ground),
                host,
                tag: position,
                known: self.known.get(position).cloned().flatten(),
                doubted: health.is_doubted(),
            }),
        }
    }

    /// What of a look in vain holds for polls too: the wish of a registry, and that a host is left alone or its login of no
    /// use. The host's trouble is told as if a poll had run into it, for polls feel it; the tag's own is not.
    fn looked_in_vain(
        &mut self,
        (tag, hint): (&TagRef, usize),
        trouble: &Trouble,
        blame: Blame,
        now: Duration,
        wall: Timestamp,
    ) {
        let Some((host, position)) = self.find(tag, hint) else { return };
        let (Some(health), Some(of_host)) = (self.health.get_mut(position), self.ground.hosts.get(host))
        else {
            return;
        };
        match (blame, trouble.retry_after) {
            (Blame::Tag, Some(wish)) => health.leave_alone(Some(now.saturating_add(wish))),
            (Blame::Host, _) => health.accuse(),
            (Blame::Login, _) => health.lack_login(),
            (Blame::Tag, None) => {}
        }
        let closed_until = of_host.gate.closed_until();
        if let Some(of_host_health) = self.hosts.get_mut(host) {
            let closed_for = closed_until.map(|until| until.saturating_sub(now));
            of_host_health.fail(&of_host.name, trouble, blame, wall, closed_for);
        }
        if let Some(until) = closed_until {
            self.progress.hold(host, until);
            if blame == Blame::Host {
                // Only a poll opens the host again, and it may have no tag that has another one to come.
                self.progress.ask_later(&Step { host, tag: position, round: 0 });
            }
        }
    }

    /// The registry answered a look, so that a login that was of no use before is of use again.
    fn look_answered(&mut self, tag: &TagRef, hint: usize, wall: Timestamp) {
        let Some((host, position)) = self.find(tag, hint) else { return };
        if !self.health.get_mut(position).is_some_and(Health::answered) {
            return;
        }
        if let (Some(of_host), Some(health)) = (self.ground.hosts.get(host), self.hosts.get_mut(host)) {
            health.login_accepted(&of_host.name, wall);
        }
    }
}

impl<R: Resolve, W: Fn() -> Timestamp> Asker<'_, R, W> {
    /// Looks at the tags of one host, until all are answered or nobody waits for an answer any more.
    pub(super) async fn look(&self, errand: Errand) {
        let Errand { tags, reply } = errand;
        // Cancel safe: a look that is not finished has changed nothing.
        tokio::select! {
            biased;
            () = reply.closed() => {}
            () = self.look_at_all(tags, &reply) => {}
        }
    }

    async fn look_at_all(&self, tags: Vec<(TagRef, usize)>, reply: &Answers) {
        for (tag, hint) in tags {
            let result = match self.mode {
                Mode::Continuous => self.look_at(&tag, hint).await,
                Mode::Once => Err(polled_once(&tag)),
            };
            if reply.send((tag, result)).await.is_err() {
                return;
            }
        }
    }

    async fn look_at(&self, tag: &TagRef, hint: usize) -> Result<Found, Trouble> {
        let gate = lock(self.books).gate_of(tag)?;
        let _alone = gate.looks().await;
        let glance = lock(self.books).glance(tag, hint, self.clock.now())?;
        let Glance { ground, host, tag: position, known, doubted } = glance;
        let group = ground.hosts.get(host).map(|host| host.group(&ground.tags, position)).unwrap_or_default();
        let depth = ground.depths.get(position).copied().unwrap_or_default();
        let target = Target { tag, group, depth, known: known.as_ref() };
        let turn = Turn::new(&gate);
        let start = Instant::now();
        // A host that is left alone is not waited for, whatever the look is at: it may wait for a poll that waits.
        let result = tokio::select! {
            biased;
            trouble = gate.closed() => return Err(trouble),
            result = self.resolver.resolve(target, &turn) => result,
        };
        let blame = turn.settle(result.as_ref().err(), tag.repository(), doubted);
        log::polled(tag, &result, start.elapsed());
        let (now, wall) = (self.clock.now(), self.clock.wall());
        if result.as_ref().err().is_none_or(|trouble| trouble.scope == Scope::Tag) {
            lock(self.books).look_answered(tag, hint, wall);
        }
        if let (Err(trouble), Some(blame)) = (&result, blame) {
            lock(self.books).looked_in_vain((tag, hint), trouble, blame, now, wall);
        }
        result
    }
}

fn not_polled(tag: &TagRef) -> Trouble {
    refusal(Trouble::NOT_POLLED, format!("{tag} is not polled, so it cannot be looked at"))
}

fn polled_once(tag: &TagRef) -> Trouble {
    refusal(Trouble::POLLED_ONCE, format!("{tag} is polled once by `run --once`, and not looked at besides"))
}

fn refusal(kind: &'static str, message: String) -> Trouble {
    Trouble { kind, message, scope: Scope::Tag, retry_after: None }
}

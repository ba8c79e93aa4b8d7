//! What a person asks of the running daemon, answered; and the hourly summary, which asks the same.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::answer::{self, Facts, PolledHost, PolledTag, Polling};
use super::reload::Asker;
use super::serve::Daemon;
use super::words::millis;
use crate::control::protocol::{
    Build, BuildDetail, BuildName, Condition, ConditionKind, PauseQuery, Pauses, PollQuery, Polled, Problem,
    RegistryTrouble, ReleaseQuery, Released, ResumeQuery, Resumed, Status, StatusQuery, Stretched,
};
use crate::control::{Refusal, Request};
use crate::controller::{BuildKey, ConfigKey, Event, FirstStart, Records};
use crate::poll;

impl Daemon {
    /// Answers one call. Who asked may have gone away meanwhile; what was decided holds all the same.
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Status(query, reply) => drop(reply.send(self.status(&query).await)),
            Request::Configs(query, reply) => {
                drop(reply.send(Ok(answer::configs(&self.engine.controller, &query))));
            }
            Request::Builds(query, reply) => {
                drop(reply.send(answer::builds(&self.engine.controller, &query)));
            }
            Request::Build(name, reply) => drop(reply.send(self.build(&name))),
            Request::Cancel(name, reply) => drop(reply.send(self.cancel(&name).await)),
            Request::Start(query, reply) => self.start(query, reply).await,
            Request::Rebuild(query, reply) => drop(reply.send(self.rebuild(&query).await)),
            Request::Release(query, reply) => drop(reply.send(self.release(&query).await)),
            Request::Pause(query, reply) => drop(reply.send(self.pause(&query).await)),
            Request::Resume(query, reply) => drop(reply.send(self.resume(&query).await)),
            Request::Reload(reply) => self.reload(Asker::Command(reply)),
            Request::Poll(query, reply) => drop(reply.send(self.poll(&query).await)),
            Request::Plan(query, reply) => self.plan(query, reply),
        }
    }

    /// One line an hour, so that a silent log can be told from a dead daemon.
    pub(super) async fn summarize(&mut self) {
        let polling = self.ask_poller().await;
        let totals = answer::totals(&self.engine.controller, &polling);
        tracing::info!(
            event = "summary",
            tags_ok = totals.tags_ok,
            tags_unseen = totals.tags_unseen,
            tags_failing = totals.tags_failing,
            stale = totals.stale,
            held = totals.held,
            paused = totals.paused,
            queued = totals.queued,
            running = totals.running,
            "summary"
        );
    }

    async fn status(&self, query: &StatusQuery) -> Result<Status, Refusal> {
        let facts = Facts {
            started: self.started,
            state_dir: self.options.state_dir.clone(),
            draining: self.draining,
            store_trouble: self.engine.store_trouble(),
        };
        answer::status(&self.engine.controller, &self.ask_poller().await, &facts, query)
    }

    fn build(&self, name: &BuildName) -> Result<BuildDetail, Refusal> {
        let key = answer::find_build(&self.engine.controller, &name.build)?;
        let spec = self.engine.store().specs().read(&key).ok();
        answer::build(&self.engine.controller, &key, spec.as_ref(), &super::builds_dir(&self.options))
    }

    async fn cancel(&mut self, name: &BuildName) -> Result<Build, Refusal> {
        let key = answer::check_cancel(&self.engine.controller, &name.build)?;
        self.engine
            .ask(Event::Cancel { build: key.clone() })
            .await
            .map_err(|error| answer::not_stored(&error))?;
        let builds = &self.engine.controller.records().builds;
        match builds.get(&key) {
            Some(build) => Ok(answer::summary(&key, build)),
            None => Err(gone(&key)),
        }
    }

    async fn release(&mut self, query: &ReleaseQuery) -> Result<Released, Refusal> {
        let release = answer::check_release(&self.engine.controller, query)?;
        let held = |records: &Records| {
            let configs = records.configs.iter();
            let held = configs.filter(|(_, record)| matches!(record.first_start, FirstStart::Held(_)));
            held.map(|(key, _)| key.clone()).collect::<BTreeSet<ConfigKey>>()
        };
        let before = held(self.engine.controller.records());
        self.engine.ask(Event::Release(release)).await.map_err(|error| answer::not_stored(&error))?;
        let after = held(self.engine.controller.records());
        Ok(Released { released: before.difference(&after).cloned().collect() })
    }

    async fn pause(&mut self, query: &PauseQuery) -> Result<Pauses, Refusal> {
        let (what, event) = answer::check_pause(&self.engine.controller, query, Timestamp::now())?;
        self.engine.ask(event).await.map_err(|error| answer::not_stored(&error))?;
        Ok(Pauses { paused: answer::paused_of(&self.engine.controller, &what) })
    }

    async fn resume(&mut self, query: &ResumeQuery) -> Result<Resumed, Refusal> {
        let what = answer::check_resume(&self.engine.controller, query)?;
        let resumed = answer::paused_of(&self.engine.controller, &what);
        self.engine.ask(Event::Resume(what)).await.map_err(|error| answer::not_stored(&error))?;
        Ok(Resumed { resumed })
    }

    async fn poll(&self, query: &PollQuery) -> Result<Polled, Refusal> {
        let tags = answer::check_poll(&self.engine.controller, query)?;
        let over = || Refusal::Unavailable(Problem::new("the daemon does not look at tags any more"));
        let (reply, asked) = oneshot::channel();
        if self.options.once || self.draining {
            return Err(over());
        }
        self.commands.send(poll::Command::Poll { tags, reply }).await.map_err(|_| over())?;
        Ok(Polled { asked: asked.await.map_err(|_| over())? })
    }

    /// What polling says of itself; once it has ended, what it said last.
    pub(super) async fn ask_poller(&self) -> Polling {
        let (reply, status) = oneshot::channel();
        // Others have polling look at tags, so that there may be no room at once; polling never waits for this task.
        if self.commands.send(poll::Command::Status(reply)).await.is_err() {
            return self.last_polling.clone();
        }
        match status.await {
            Ok(status) => in_words(status, Timestamp::now()),
            Err(_) => self.last_polling.clone(),
        }
    }
}

fn in_words(status: poll::Status, now: Timestamp) -> Polling {
    let tags = status.tags.into_iter().map(|tag| {
        let polled = PolledTag {
            next_poll: tag.next_poll.and_then(|wait| now.checked_add(wait).ok()),
            last_success: tag.last_success,
            condition: tag.condition.as_ref().map(condition),
        };
        (tag.tag, polled)
    });
    let hosts = status.hosts.into_iter();
    Polling { tags: tags.collect(), hosts: hosts.map(|host| polled_host(host, now)).collect() }
}

fn polled_host(host: poll::HostStatus, now: Timestamp) -> PolledHost {
    let stretched = host.stretched.map(|stretched| Stretched {
        wanted_ms: millis(stretched.wanted),
        interval_ms: millis(stretched.interval),
    });
    let trouble = host.trouble.map(|poll::HostTrouble { condition, closed_for }| RegistryTrouble {
        reason: condition.trouble.kind.to_owned(),
        since: condition.since,
        count: condition.count.into(),
        message: condition.trouble.message,
        closed_until: closed_for.and_then(|wait| now.checked_add(wait).ok()),
    });
    PolledHost { host: host.host, limits: host.limits, in_flight: host.in_flight, stretched, trouble }
}

fn condition(condition: &poll::Condition) -> Condition {
    let missing = condition.trouble.kind == poll::Trouble::MISSING;
    Condition {
        kind: if missing { ConditionKind::Missing } else { ConditionKind::Unresolved },
        since: condition.since,
        count: condition.count.into(),
        message: condition.trouble.message.clone(),
    }
}

/// The history limit took the build at once.
fn gone(key: &BuildKey) -> Refusal {
    Refusal::NotFound(Problem::new(format!("build {key} was called off, and its record is no longer kept")))
}

/// When a summary is due: every hour, the first one an hour from now.
pub(super) fn hourly() -> tokio::time::Interval {
    const HOUR: Duration = Duration::from_hours(1);
    tokio::time::interval_at(tokio::time::Instant::now() + HOUR, HOUR)
}

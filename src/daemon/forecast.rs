//! What would be built now: the tags are looked at, then what that would lead to is tried out and taken back.
//!
//! ```text
//!  asked ──> a new configuration is read, tags are looked at   (a task of its own: nobody waits for it)
//!              │ Sighting
//!            rehearsal on the real mind ──> who asked is answered
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::rehearsal::Rehearsal;
use super::serve::Daemon;
use super::{answer, plan};
use crate::config::{self, Difference, Problems, SecretFiles};
use crate::control::protocol::{InVain, Looks, PlanAnswer, PlanQuery, Problem};
use crate::control::{Refusal, Reply};
use crate::controller::{Event, PATIENCE};
use crate::image::{Found, TagRef};
use crate::poll;

/// How long tags are looked at before the answer is made of what is known by then. Who asks waits somewhat longer.
const LONGEST_LOOK: Duration = Duration::from_secs(15);

/// What a plan is to be made of.
pub(super) struct Sighting {
    query: PlanQuery,
    reply: Reply<PlanAnswer>,
    new: Option<Box<config::Loaded>>,
    seen: Seen,
}

/// What looks at tags brought.
#[derive(Default)]
struct Seen {
    /// In the order of the answers: polls would have brought them in it, too.
    found: Vec<(TagRef, Found)>,
    in_vain: Vec<InVain>,
}

/// Why there is no plan.
enum Unread {
    Problems(Problems),
    /// A bug.
    Stopped(String),
}

impl Daemon {
    /// Somebody wants to know what would be built now.
    pub(super) fn plan(&mut self, query: PlanQuery, reply: Reply<PlanAnswer>) {
        if self.options.once || self.draining {
            let problem = Problem::new("the daemon does not look at tags any more, so nothing is ahead");
            drop(reply.send(Err(Refusal::Unavailable(problem))));
            return;
        }
        let records = self.engine.controller.records();
        let tags = match query.assume.is_empty() {
            true => plan::polled(&self.settings, records).cloned().collect(),
            false => Vec::new(),
        };
        let (commands, sightings) = (self.commands.clone(), self.sightings.clone());
        tokio::spawn(async move {
            if let Some(sighting) = gather(query, reply, tags, commands).await {
                // A daemon that is gone plans nothing.
                let _ = sightings.send(sighting).await;
            }
        });
    }

    /// All that is known for a plan is there: it is made, in one go.
    pub(super) fn finish_plan(&mut self, sighting: Sighting) {
        let Sighting { query, reply, new, seen } = sighting;
        // Who asked may have gone away.
        let _ = reply.send(self.foresee(&query, new.as_deref(), seen));
    }

    fn foresee(
        &mut self,
        query: &PlanQuery,
        new: Option<&config::Loaded>,
        seen: Seen,
    ) -> Result<PlanAnswer, Refusal> {
        let settings = new.map_or(&*self.settings, |loaded| &loaded.settings);
        let Seen { found, in_vain } = seen;
        let vain: BTreeSet<TagRef> = in_vain.iter().map(|InVain { tag, .. }| tag.clone()).collect();
        let assumed = answer::assumed(&settings.controller, self.engine.controller.records(), &query.assume)?;
        let looks = Looks { looked: found.len(), in_vain, assumed: assumed.len(), ..Looks::default() };
        let known: BTreeSet<TagRef> =
            found.iter().map(|(tag, _)| tag).chain(assumed.keys()).cloned().collect();
        let now = self.engine.now();
        let mut rehearsal = Rehearsal::new(&mut self.engine.controller, now);
        if let Some(loaded) = new {
            let settings = Arc::new(loaded.settings.controller.clone());
            rehearsal.meet(&Event::Load { settings, after_loss: false });
        }
        for (tag, found) in found.into_iter().chain(assumed) {
            rehearsal.meet(&Event::Observed { tag, found });
        }
        rehearsal.wait(PATIENCE);
        let mut planned = answer::planned(rehearsal.controller(), rehearsal.decided());
        drop(rehearsal);
        let records = self.engine.controller.records();
        answer::compare(&mut planned, &settings.controller, records);
        planned.looks = looks;
        for watched in settings
            .tags
            .iter()
            .filter(|watched| !known.contains(&watched.tag) && !vain.contains(&watched.tag))
        {
            match records.tags.contains_key(&watched.tag) {
                true => planned.looks.as_stored += 1,
                false => planned.looks.unseen.push(watched.tag.clone()),
            }
        }
        planned.changes = new.map(|loaded| {
            let difference = Difference::between(&self.settings, &loaded.settings);
            Box::new(answer::changes(&self.settings.controller, difference, loaded))
        });
        Ok(PlanAnswer::Planned(Box::new(planned)))
    }
}

/// Reads the new configuration, if there is one, and looks at the tags that are watched before and after. `None` if who
/// asked has an answer, or does not wait for one any more.
async fn gather(
    query: PlanQuery,
    mut reply: Reply<PlanAnswer>,
    mut tags: Vec<TagRef>,
    commands: mpsc::Sender<poll::Command>,
) -> Option<Sighting> {
    let new = match &query.new {
        None => None,
        Some(file) => match read(file.into()).await {
            Ok(loaded) => Some(loaded),
            Err(unread) => {
                let _ = reply.send(refused(unread));
                return None;
            }
        },
    };
    if let Some(loaded) = &new {
        let watched: BTreeSet<&TagRef> = loaded.settings.tags.iter().map(|watched| &watched.tag).collect();
        tags.retain(|tag| watched.contains(tag));
    }
    // Cancel safe: looks that are not finished have changed nothing.
    let seen = tokio::select! {
        biased;
        () = reply.closed() => return None,
        seen = look_at(tags, &commands) => seen,
    };
    Some(Sighting { query, reply, new, seen })
}

async fn look_at(tags: Vec<TagRef>, commands: &mpsc::Sender<poll::Command>) -> Seen {
    let mut seen = Seen::default();
    if tags.is_empty() {
        return seen;
    }
    let (reply, mut answers) = mpsc::channel(64);
    let looks = async {
        // Polling that has ended brings no answer.
        let _ = commands.send(poll::Command::Look { tags, reply }).await;
        while let Some((tag, result)) = answers.recv().await {
            match result {
                Ok(found) => seen.found.push((tag, found)),
                Err(trouble) => seen.in_vain.push(InVain { tag, error: trouble.message }),
            }
        }
    };
    // What took longer is taken as it was.
    let _ = timeout(LONGEST_LOOK, looks).await;
    seen
}

/// Secrets may be another user's: what is planned needs none.
async fn read(file: PathBuf) -> Result<Box<config::Loaded>, Unread> {
    match spawn_blocking(move || config::load(&file, &SecretFiles::Skip)).await {
        Ok(loaded) => loaded.map(Box::new).map_err(Unread::Problems),
        Err(stopped) => Err(Unread::Stopped(stopped.to_string())),
    }
}

fn refused(unread: Unread) -> Result<PlanAnswer, Refusal> {
    match unread {
        Unread::Problems(problems) => Ok(PlanAnswer::Refused(answer::refused(&problems))),
        Unread::Stopped(error) => {
            let problem = Problem::new(format!("the new configuration cannot be read: {error}"));
            Err(Refusal::Unavailable(problem.hint("this is a bug in basewatch: please report it")))
        }
    }
}

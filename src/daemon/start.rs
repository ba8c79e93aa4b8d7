//! Builds that a person asks for, and earlier ones made again.
//!
//! ```text
//!  asked ──> checked ──────────────────────────────> decided, stored ──> who asked is answered
//!              │ --refresh                               ▲
//!              └──> polling looks (a task of its own) ───┘ Looked
//! ```
//! What registries say meanwhile is one event with the question, so that it is one build, and the images in it are new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::answer;
use super::serve::Daemon;
use crate::control::protocol::{Problem, RebuildQuery, StartQuery, Started};
use crate::control::{Refusal, Reply};
use crate::controller::{Event, Records, Start, StartRefused};
use crate::image::{Found, Polled, TagRef};
use crate::poll;

/// How long registries may take for a build that waits for them: a call of the control socket lasts not much longer.
const PATIENCE: Duration = Duration::from_secs(25);

/// Looks for the sake of a build are over.
pub(super) struct Looked {
    asked: Asked,
    fresh: Result<Vec<(TagRef, Found)>, Refusal>,
    /// What was stored of the tags when the looks began.
    before: Before,
    began: Instant,
}

/// What tags pointed to, where that was known.
type Before = BTreeMap<TagRef, Option<Polled>>;

/// The tags that were looked at for the sake of builds, each with the instant at which the last such look began. A poll
/// that began before that says nothing new, and would turn back what is known.
#[derive(Debug, Default)]
pub(super) struct Refreshed(HashMap<TagRef, Instant>);

impl Refreshed {
    /// Whether a poll of `tag` that began then was overtaken. One that was not is the first of those to come.
    pub(super) fn has_overtaken(&mut self, tag: &TagRef, began: Instant) -> bool {
        // Most of the time nothing was refreshed, and this is all.
        if self.0.is_empty() {
            return false;
        }
        let overtaken = self.0.get(tag).is_some_and(|looked| began < *looked);
        if !overtaken {
            self.0.remove(tag);
        }
        overtaken
    }
}

/// A build that is asked for, and who wants to know what comes of it.
struct Asked {
    start: Start,
    /// It is only told what would be.
    dry_run: bool,
    reply: Reply<Started>,
}

impl Daemon {
    /// A person wants a build.
    pub(super) async fn start(&mut self, query: StartQuery, reply: Reply<Started>) {
        match self.begin(&query) {
            Ok((start, true)) => self.look(Asked { start, dry_run: query.dry_run, reply }),
            Ok((start, false)) => drop(reply.send(self.make(start, query.dry_run).await)),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    /// The registries were asked: the build is made of what they said, or not at all.
    pub(super) async fn finish_start(&mut self, looked: Looked) {
        let Asked { start, dry_run, reply } = looked.asked;
        // Who asked was told, or went away: a build now would be nobody's.
        if reply.is_closed() {
            return;
        }
        let (before, began) = (looked.before, looked.began);
        let records = self.engine.controller.records();
        let start = looked.fresh.and_then(|fresh| {
            let start = answer::with_fresh(&self.engine.controller, start, fresh)?;
            // What a poll brought meanwhile may be newer, and is as good.
            let is_news = |(tag, _): &(TagRef, Found)| before.get(tag) == Some(&polled(records, tag));
            Ok(Start { fresh: start.fresh.into_iter().filter(is_news).collect(), ..start })
        });
        let answer = match start {
            Ok(start) => {
                let tags: Vec<TagRef> = start.fresh.iter().map(|(tag, _)| tag.clone()).collect();
                let answer = self.make(start, dry_run).await;
                if answer.is_ok() && !dry_run {
                    self.refreshed.0.extend(tags.into_iter().map(|tag| (tag, began)));
                }
                answer
            }
            Err(refusal) => Err(refusal),
        };
        drop(reply.send(answer));
    }

    /// A person wants an earlier build again.
    pub(super) async fn rebuild(&mut self, query: &RebuildQuery) -> Result<Started, Refusal> {
        let controller = &self.engine.controller;
        let of = answer::check_rebuild(controller, query)?;
        if let Some(before) = answer::started_before(controller, &of.config, query.key.as_deref()) {
            return Ok(before);
        }
        let refused = |refused: StartRefused| answer::not_startable(controller, &refused);
        controller.check_rebuild(&of.config).map_err(refused)?;
        let spec = self.engine.store().specs().read(&of);
        let spec = spec.map_err(|error| answer::spec_is_gone(&of, &error))?;
        let rebuild = answer::rebuild_of(spec, query);
        let warnings = answer::rebuild_warnings(&rebuild);
        let build = controller.next_build(&of.config);
        let stored = self.engine.ask(Event::Rebuild(Box::new(rebuild))).await;
        stored.map_err(|error| answer::not_stored(&error))?;
        answer::started(&self.engine.controller, &build, warnings)
    }

    /// What is asked for, and whether registries are to be asked first.
    fn begin(&self, query: &StartQuery) -> Result<(Start, bool), Refusal> {
        let controller = &self.engine.controller;
        let start = answer::check_start(controller, query)?;
        let existed = answer::started_before(controller, &start.config, start.key.as_deref()).is_some();
        if !query.refresh || existed {
            return Ok((start, false));
        }
        if self.options.once || self.draining {
            return Err(no_looks());
        }
        match controller.check_start(&start) {
            // That is what the look is to mend.
            Ok(()) | Err(StartRefused::Unresolved { .. }) => {}
            Err(refused @ (StartRefused::NoConfig(_) | StartRefused::Paused(_))) => {
                return Err(answer::not_startable(controller, &refused));
            }
        }
        let is_asked = !answer::tags_to_look_at(controller, &start.config).is_empty();
        Ok((start, is_asked))
    }

    /// Has the tags of the build looked at; this task goes on meanwhile.
    fn look(&self, asked: Asked) {
        let tags = answer::tags_to_look_at(&self.engine.controller, &asked.start.config);
        let records = self.engine.controller.records();
        let own = self.engine.controller.config(&asked.start.config);
        let own = own.iter().flat_map(|config| config.pinned_tags()).map(|from| from.tag.clone()).collect();
        let before = tags.iter().map(|tag| (tag.clone(), polled(records, tag))).collect();
        let (commands, looks, began) = (self.commands.clone(), self.looks.clone(), Instant::now());
        tokio::spawn(async move {
            let fresh =
                timeout(PATIENCE, found(commands, tags, own)).await.unwrap_or_else(|_| Err(too_slow()));
            // A daemon that is gone needs no images.
            let _ = looks.send(Looked { asked, fresh, before, began }).await;
        });
    }

    /// Makes the build, or only tells what would be made.
    async fn make(&mut self, start: Start, dry_run: bool) -> Result<Started, Refusal> {
        let controller = &self.engine.controller;
        if let Some(before) = answer::started_before(controller, &start.config, start.key.as_deref()) {
            return Ok(before);
        }
        controller.check_start(&start).map_err(|refused| answer::not_startable(controller, &refused))?;
        let warnings = answer::start_warnings(controller, &start);
        let build = controller.next_build(&start.config);
        let event = Event::Start(Box::new(start));
        if dry_run {
            let transition = controller.decide(&event, self.engine.now());
            return answer::would_start(&build, &transition, warnings);
        }
        self.engine.ask(event).await.map_err(|error| answer::not_stored(&error))?;
        answer::started(&self.engine.controller, &build, warnings)
    }
}

fn polled(records: &Records, tag: &TagRef) -> Option<Polled> {
    records.tags.get(tag).map(|record| record.observed.polled.clone())
}

/// What `tags` point to now. Without all of `own`, what the build is made from, there is no build; another tag that is not found
/// blocks none (F14), and is taken as it is known.
async fn found(
    commands: mpsc::Sender<poll::Command>,
    tags: BTreeSet<TagRef>,
    own: BTreeSet<TagRef>,
) -> Result<Vec<(TagRef, Found)>, Refusal> {
    let (reply, mut answers) = mpsc::channel(tags.len().max(1));
    let mut missing = tags.len();
    let mut found = Vec::with_capacity(missing);
    let look = poll::Command::Look { tags: tags.into_iter().collect(), reply };
    commands.send(look).await.map_err(|_| no_looks())?;
    while missing > 0 {
        let (tag, answer) = answers.recv().await.ok_or_else(no_looks)?;
        match answer {
            Ok(answer) => found.push((tag, answer)),
            Err(trouble) if own.contains(&tag) => return Err(not_found(&trouble)),
            Err(_) => {}
        }
        missing -= 1;
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn not_found(trouble: &poll::Trouble) -> Refusal {
    Refusal::Unavailable(Problem::new(trouble.message.clone()).hint(WITHOUT))
}

fn too_slow() -> Refusal {
    let problem = format!("the registries did not answer within {} s", PATIENCE.as_secs());
    Refusal::Unavailable(Problem::new(problem).hint(WITHOUT))
}

fn no_looks() -> Refusal {
    Refusal::Unavailable(Problem::new("the daemon does not look at tags any more").hint(WITHOUT))
}

/// What to do about it.
const WITHOUT: &str = "nothing was built; without --refresh it is built of the images that are known";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_a_refresh_has_overtaken_is_known_until_a_newer_one_comes() {
        let (tag, other): (TagRef, TagRef) = ("debian:12".parse().unwrap(), "debian:13".parse().unwrap());
        let before = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        let looked = Instant::now();
        let mut refreshed = Refreshed::default();
        assert!(!refreshed.has_overtaken(&tag, before), "nothing was refreshed");
        refreshed.0.insert(tag.clone(), looked);
        assert!(!refreshed.has_overtaken(&other, before), "another tag was");
        assert!(refreshed.has_overtaken(&tag, before) && refreshed.has_overtaken(&tag, before));
        assert!(!refreshed.has_overtaken(&tag, looked), "one that began with the look is as new");
        assert!(refreshed.0.is_empty(), "all polls to come are newer");
    }
}

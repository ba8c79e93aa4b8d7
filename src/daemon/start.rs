//! Builds that a person asks for, and earlier ones made again.
//!
//! ```text
//!  asked ──> checked ──────────────────────────────> decided, stored ──> who asked is answered
//!              │ --refresh                               ▲
//!              └──> polling looks (a task of its own) ───┘ Looked
//! ```
//! What registries say meanwhile is one event with the question, so that it is one build, and the images in it are new.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer;
use super::serve::Daemon;
use crate::control::protocol::{Problem, RebuildQuery, StartQuery, Started};
use crate::control::{Refusal, Reply};
use crate::controller::{Event, Start, StartRefused};
use crate::image::{Found, TagRef};
use crate::poll;

/// How long registries may take for a build that waits for them: a call of the control socket lasts not much longer.
const PATIENCE: Duration = Duration::from_secs(25);

/// Looks for the sake of a build are over.
pub(super) struct Looked {
    asked: Asked,
    fresh: Result<Vec<(TagRef, Found)>, Refusal>,
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
        let start = looked.fresh.and_then(|fresh| answer::with_fresh(&self.engine.controller, start, fresh));
        let answer = match start {
            Ok(start) => self.make(start, dry_run).await,
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
        let (commands, looks) = (self.commands.clone(), self.looks.clone());
        tokio::spawn(async move {
            let fresh = timeout(PATIENCE, found(commands, tags)).await.unwrap_or_else(|_| Err(too_slow()));
            // A daemon that is gone needs no images.
            let _ = looks.send(Looked { asked, fresh }).await;
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

/// What all of `tags` point to now. One that is not found is enough to know that there is no build.
async fn found(
    commands: mpsc::Sender<poll::Command>,
    tags: BTreeSet<TagRef>,
) -> Result<Vec<(TagRef, Found)>, Refusal> {
    let (reply, mut answers) = mpsc::channel(tags.len().max(1));
    let mut missing = tags.len();
    let mut found = Vec::with_capacity(missing);
    let look = poll::Command::Look { tags: tags.into_iter().collect(), reply };
    commands.send(look).await.map_err(|_| no_looks())?;
    while missing > 0 {
        let (tag, answer) = answers.recv().await.ok_or_else(no_looks)?;
        found.push((tag, answer.map_err(|trouble| not_found(&trouble))?));
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

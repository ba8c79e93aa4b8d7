//! Where builds run, and the files that they are trusted with.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::super::SecretFiles;
use super::super::expand::Layers;
use super::super::file::{Keys, SecretFile};
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::super::suggest::nearest;
use super::super::venue::Runner;
use super::secret::{readable, secret};
use crate::controller::Venue;

/// The runner that is always there: a child of the daemon, as the daemon's own user.
const EXEC: &str = "exec";

/// Checks where builds run. What `[defaults]` or a template says is that of thousands: what is wrong with it is told once.
pub(super) struct Venues<'a> {
    runners: BTreeMap<&'a str, &'a At<Runner>>,
    secrets: &'a SecretFiles,
    told: HashSet<&'a Place>,
    used: HashSet<&'a str>,
}

impl<'a> Venues<'a> {
    pub(super) fn new(
        runners: &'a [(String, At<Runner>)],
        secrets: &'a SecretFiles,
        problems: &mut Problems,
    ) -> Self {
        for (_, runner) in runners.iter().filter(|(name, _)| name == EXEC) {
            let fix = "give it another name: `exec` is the daemon itself";
            problems.push(Problem::error(&runner.place, "cannot be configured", fix));
        }
        let runners = runners.iter().map(|(name, runner)| (name.as_str(), runner)).collect();
        Self { runners, secrets, told: HashSet::new(), used: HashSet::new() }
    }

    /// What the layers say; nothing if they say nothing.
    pub(super) fn of(&mut self, keys: &Layers<'a>, problems: &mut Problems) -> Option<Box<Venue>> {
        let runner = keys.get(Keys::runner).and_then(|name| self.runner(name, problems));
        let secrets = keys.secrets().into_iter();
        let secrets = secrets.filter_map(|(name, file)| Some((name.into(), self.file(file, problems)?)));
        let secrets = secrets.collect();
        let auth_file = keys.get(Keys::auth_file).and_then(|file| self.file(file, problems));
        let venue = Venue { runner, secrets, auth_file };
        (venue != Venue::default()).then(|| Box::new(venue))
    }

    /// Where the socket of each runner is. One that no build uses is probably a slip of the pen.
    pub(super) fn finish(self, problems: &mut Problems) -> BTreeMap<Box<str>, PathBuf> {
        let mut sockets = BTreeMap::new();
        for (name, runner) in self.runners {
            if runner.value.socket.is_absent() {
                let fix = "add socket = \"/run/basewatch-runner/runner.sock\"";
                problems.push(Problem::absence(&runner.value.place, "has no socket", fix));
            }
            if !self.used.contains(name) && !problems.has_errors() {
                let fix = format!("write runner = \"{name}\" in a watch, or delete it");
                problems.push(Problem::warning(&runner.place, "no build runs in this runner", fix));
            }
            sockets.extend(runner.value.socket.value().map(|socket| (name.into(), socket.clone())));
        }
        sockets
    }

    fn runner(&mut self, name: &'a At<String>, problems: &mut Problems) -> Option<Box<str>> {
        let written = name.value.as_str();
        if written == EXEC {
            return None;
        }
        self.used.insert(written);
        if !self.runners.contains_key(written) && self.told.insert(&name.place) {
            let known = self.runners.keys().copied().chain([EXEC]);
            let fix = match nearest(written, known) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("add [runner.{written}] with a socket"),
            };
            let problem = Problem::absence(&name.place, "there is no such runner", fix);
            problems.push(problem.with_value(format!("\"{written}\"")));
        }
        Some(written.into())
    }

    fn file(&mut self, file: &'a At<SecretFile>, problems: &mut Problems) -> Option<Box<Path>> {
        let first = self.told.insert(&file.place);
        let check = |path: &Path| if first { readable(path) } else { Ok(()) };
        secret(file, check, self.secrets, problems).map(PathBuf::into_boxed_path)
    }
}

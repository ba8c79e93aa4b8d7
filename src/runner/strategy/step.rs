//! One command of the driver.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::text::{harmless, quoted};

/// What keeps ssh from asking for a password, or whether it may trust a host.
const NO_QUESTIONS: [(&str, &str); 2] = [("SSH_ASKPASS_REQUIRE", "force"), ("SSH_ASKPASS", "/bin/false")];

/// A command: what is printed is what is run, but for values that may be private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    program: String,
    arguments: Vec<Word>,
    environment: Vec<(&'static str, String)>,
}

/// An argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    /// What is told of it in its place.
    shown: Option<String>,
}

impl Word {
    fn shown(&self) -> String {
        self.shown.clone().unwrap_or_else(|| quoted(&self.text))
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self { text, shown: None }
    }
}

impl Step {
    pub(super) fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let arguments = arguments.into_iter().map(|word| word.to_owned().into()).collect();
        Self { program: program.to_owned(), arguments, environment: Vec::new() }
    }

    pub(super) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into().into());
        self
    }

    /// Adds an argument whose value is nobody's business: it is told as `prefix` and three dots.
    pub(super) fn private_arg(mut self, prefix: &str, value: &str) -> Self {
        let shown = Some(format!("{}…", quoted(prefix)));
        self.arguments.push(Word { text: format!("{prefix}{value}"), shown });
        self
    }

    /// Adds an argument that has the path of a directory in it. While that is known by a variable alone, a shell fills it in.
    pub(super) fn arg_below(mut self, prefix: &str, dir: &str, rest: &str) -> Self {
        let text = format!("{prefix}{dir}{rest}");
        let shown = dir.starts_with('$').then(|| format!("\"{text}\""));
        self.arguments.push(Word { text, shown });
        self
    }

    pub(super) fn args(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Word::from));
        self
    }

    /// Adds to the environment of this command alone.
    pub(super) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// As a shell would take it, once what is private stands in it.
    pub(super) fn shown(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = std::iter::once(quoted(&self.program)).chain(self.arguments.iter().map(Word::shown));
        harmless(&environment.chain(words).collect::<Vec<_>>().join(" "))
    }

    /// The program and what it is to do, for a message.
    pub(super) fn name(&self) -> String {
        let mut verbs = self.arguments.iter().map(|word| &word.text);
        let mut verb = verbs.next();
        if verb.is_some_and(|word| word == "-C") {
            verb = verbs.nth(1);
        }
        let verb = verb.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        harmless(&verb.map_or_else(|| self.program.clone(), |verb| format!("{} {verb}", self.program)))
    }

    /// Runs it to its end; what it prints goes where the driver's own output goes.
    pub(super) fn run(&self) -> io::Result<ExitStatus> {
        self.command().status()
    }

    /// The same for what it prints, if it ends well; what it complains of goes where the driver's does, or nowhere.
    pub(super) fn output(&self, complaints: Stdio) -> io::Result<Result<Vec<u8>, ExitStatus>> {
        let output = self.command().stderr(complaints).stdout(Stdio::piped()).output()?;
        Ok(if output.status.success() { Ok(output.stdout) } else { Err(output.status) })
    }

    /// Lets it take the driver's place in `dir`. Comes back only with what went wrong.
    pub(super) fn replace(&self, dir: &Path) -> io::Error {
        self.command().current_dir(dir).exec()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments.iter().map(|word| &word.text)).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.program == "git" {
            // Nobody is there to type a password: better an error than a wait for one.
            command.env("GIT_TERMINAL_PROMPT", "0");
            // Ssh would ask at the terminal, where there is one, unless a program is to answer.
            let unset = NO_QUESTIONS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
            command.envs(unset);
        }
        command
    }
}

/// The exit code of the driver after a step that failed: the step's own, or what a shell makes of a signal.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1)
}

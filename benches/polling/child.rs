//! This program again, in another role: it is asked a line, and answers a line. Dropping it ends it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;

/// A child that answers.
pub(crate) struct Answerer {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Answerer {
    /// Starts this program with `arguments`.
    pub(crate) fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("find this program")?);
        command.args(arguments);
        Self::start_as(&mut command)
    }

    /// Starts a command that becomes this program.
    pub(crate) fn start_as(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("start {}", command.get_program().display()))?;
        let asks = child.stdin.take().context("take a child's standard input")?;
        let answers = BufReader::new(child.stdout.take().context("take a child's standard output")?);
        Ok(Self { child, asks, answers })
    }

    /// What it says to `line`.
    pub(crate) fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        writeln!(self.asks, "{line}").context("ask a child")?;
        self.answer()
    }

    /// Its next line.
    pub(crate) fn answer(&mut self) -> anyhow::Result<String> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("read a child's answer")?;
        anyhow::ensure!(answer.ends_with('\n'), "a child ended instead of answering");
        Ok(answer.trim_end().to_owned())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Nothing more is asked: waits until it has ended by itself.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Self { mut child, asks, answers } = self;
        drop(asks);
        let status = child.wait().context("wait for a child")?;
        drop(answers);
        anyhow::ensure!(status.success(), "a child ended with {status}");
        Ok(())
    }
}

/// Answers each line of standard input with what `answer` makes of it, until there are no more.
pub(crate) fn answer_lines(mut answer: impl FnMut(&str) -> anyhow::Result<String>) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    for line in std::io::stdin().lines() {
        writeln!(out, "{}", answer(&line?)?)?;
        out.flush()?;
    }
    Ok(())
}

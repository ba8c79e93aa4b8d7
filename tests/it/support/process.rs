//! Other programs: run to their end, or kept only as long as their owner.

use std::process::{Child, ChildStderr, Command, Stdio};

/// A child that does not outlive its owner.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}")))
    }

    /// Its standard error, which must be a pipe; there is only one to take.
    pub(crate) fn take_stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().expect("standard error is a pipe that nobody has taken")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command printed; if it fails, the test does, with what the command said.
pub(crate) fn output_of(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` installs what is missing"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {complaint}", output.status);
    output.stdout
}

//! `argv` in, exit code out; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    // What the suite wants to fail is named in $FAILPOINTS, and only a binary built for it listens.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    basewatch::cli::main(std::env::args_os())
}

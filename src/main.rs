//! `argv` in, exit code out; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    basewatch::cli::main(std::env::args_os())
}

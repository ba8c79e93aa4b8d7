//! The rules, one claim a test, named by what they claim.

mod attempts;
mod firing;
mod first_start;
mod memory;
mod pause;
mod queue;
mod spec;

//! The rules, one claim a test, named by what they claim.

mod attempts;
mod firing;
mod first_start;
mod memory;
mod pause;
mod platforms;
mod queue;
mod spec;
mod v1;

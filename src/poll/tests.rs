//! The claims of polling: pure rules as properties, the loop in virtual time.

mod backoff;
mod budget;
mod closing;
mod command;
mod condition;
mod faults;
mod lines;
mod log;
mod look;
mod once;
mod poller;
mod schedule;
mod status;
mod stretch;
mod support;
mod waits;

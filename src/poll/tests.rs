//! The claims of polling: pure rules as properties, the loop in virtual time.

mod budget;
mod command;
mod condition;
mod log;
mod poller;
mod schedule;
mod status;
mod support;

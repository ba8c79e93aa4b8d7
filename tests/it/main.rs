//! The daemon and its commands from outside, against real and scripted registries.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "panicking is how a test fails; clippy.toml allows it in test functions, this in what they call"
)]

mod architecture;
mod cli;
mod crash;
mod documents;
#[cfg(feature = "failpoints")]
mod failpoints;
mod faults;
mod first_start;
mod import;
mod main_job;
mod openshift;
mod pause;
mod plan;
mod platforms;
mod polling;
mod real_registry;
mod registries;
mod reload;
mod resolve;
mod runner;
mod secrets;
mod start;
mod strategy;
mod support;
mod systemd;
mod v1;
mod webhook;

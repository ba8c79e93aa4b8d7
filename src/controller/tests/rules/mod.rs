//! The rules, one claim a test, named by what they claim.

mod attempts;
mod config_change;
mod custom;
mod firing;
mod first_start;
mod image_sources;
mod imported;
mod legacy;
mod memory;
mod parallel;
mod pause;
mod pause_all;
mod platforms;
mod queue;
mod rebuild;
mod spec;
mod start;
mod strategy;
mod unasked;
mod v1;

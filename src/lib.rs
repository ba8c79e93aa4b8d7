//! basewatch watches base images in container registries and starts a build, with an immutable reference, when one
//! moves.

pub mod cli;
pub mod config;
pub mod control;
pub mod controller;
pub mod daemon;
pub mod dockerfile;
mod failpoint;
mod file;
pub mod image;
pub mod import;
pub mod logging;
pub mod poll;
pub mod registry;
pub mod runner;
pub mod store;
pub mod systemd;
mod text;
pub mod webhook;

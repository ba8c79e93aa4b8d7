//! The daemon and its commands from outside, against real and scripted registries.

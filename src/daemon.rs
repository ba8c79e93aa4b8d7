//! Builds the parts, wires them, owns shutdown; the only room that sees everything.

mod settings;

pub use settings::{OnLostState, Settings};

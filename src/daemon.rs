//! Builds the parts, wires them, owns shutdown; the only room that sees everything.

pub mod answer;
pub mod narrate;
mod settings;
mod words;

pub use settings::{OnLostState, Settings};

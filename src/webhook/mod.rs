//! Webhooks: who may ask for builds over HTTP, and how.

mod settings;

pub use settings::{AllowEnv, Hook, Settings};

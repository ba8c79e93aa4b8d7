//! Webhooks: who may ask for builds over HTTP, and how.
//!
//! ```text
//!  POST …/webhooks/SECRET/KIND ──> place (whose, which kind) ──> hooks (may they?)
//!                                                                   │
//!  the answer <── the daemon's mind <── Call <── bucket (so often?) <── payload (does it concern the config?)
//! ```
//! The paths and the answers are OpenShift's (F31-F34), so that existing hooks need only another host. A payload is never
//! believed about images: a build is made from what is stored, whatever brought it about.
//!
//! The server decides nothing: what is to be built it hands on as a [`Call`]. A caller learns nothing that it does not
//! know: a wrong secret, a config that is not there and a hook that is not enabled are one answer.

mod answer;
mod bucket;
mod env;
mod hooks;
mod line;
mod payload;
mod place;
mod refusals;
mod secret;
mod server;
mod settings;
mod signature;
#[cfg(test)]
mod tests;

pub use answer::{Made, Refusal};
pub use hooks::{Hooks, HooksError};
pub use line::tell_received;
pub use secret::{SecretError, check_secret_file};
pub use server::{BindError, Call, Listener, serve};
pub use settings::{AllowEnv, Hook, Settings};

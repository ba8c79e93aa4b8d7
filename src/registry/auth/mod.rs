//! Ways of being let in: what a 401 offers, and the tokens of registries that want some.
//!
//! ```text
//!  401 ─> challenge (what is offered) ─> realm (may we go there? with the login?)
//!                                          │
//!  request ─> bearer (which scopes) ─> cache (one request for all who wait) ─> fetch ─> token
//!                │                                                               │
//!             sharing (what one token of this host may be asked for)          reach (no private address)
//! ```
//! The rules are those of registries.md, 2.1 to 2.3. User and password themselves are the keychain's.

mod bearer;
mod cache;
mod challenge;
mod fetch;
mod reach;
mod realm;
mod scope;
mod sharing;
mod token;
mod trouble;

pub(in crate::registry) use bearer::{Bearer, Grant, Setup};
pub(in crate::registry) use challenge::Offer;
pub(in crate::registry) use reach::Outward;
pub use trouble::{RealmTrouble, TokenTrouble};

//! When to ask, and how politely.

mod budget;

pub use budget::Limits;

//! The controller's claims: as tables, as rules one by one, over random events, and over random crashes.

mod rules;
mod support;
mod table;

//! The controller's claims: as tables, as rules one by one, over random events, and over random crashes.

mod ledger;
mod mind;
mod property;
mod rules;
mod simulation;
mod support;
mod table;
mod words;

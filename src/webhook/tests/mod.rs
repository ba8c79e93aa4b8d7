mod bucket;
mod env;
mod hooks;
mod payload;
mod place;
mod refusals;
mod server;
mod support;

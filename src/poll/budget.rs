//! How politely a host is asked. Pure: time comes in.

/// What a host may be asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Polls in flight at once, at least 1.
    pub max_connections: usize,
    /// Requests that may leave in a second; `None` for no limit.
    pub requests_per_second: Option<f64>,
}

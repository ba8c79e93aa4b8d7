//! The tokens that a host was given, and the requests for tokens that are under way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::super::error::Trouble;
use super::token::Token;

/// More repositories of one host than this are not remembered to have a token.
const MOST: usize = 16 * 1024;
/// Of more repositories of one host it is not remembered what their tokens must allow besides, which few want at all and
/// can be four kilobytes each.
const MOST_BESIDES: usize = 1024;
/// With fewer entries nobody looks for dead ones.
const FEW: usize = 64;

/// The token of each repository.
#[derive(Debug)]
pub(super) struct Cache {
    tokens: BTreeMap<Box<str>, Arc<Token>>,
    /// What the registry wants the tokens of a repository to allow besides. It outlives them: to be told again is a
    /// refused request.
    besides: BTreeMap<Box<str>, Vec<Box<str>>>,
    /// At how many entries the dead ones go: twice what was alive, so that tidying costs little for each entry.
    tidy_at: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { tokens: BTreeMap::new(), besides: BTreeMap::new(), tidy_at: FEW }
    }
}

impl Cache {
    /// The token of a repository, if it need not be renewed yet.
    pub(super) fn usable(&self, repository: &str, now: Instant) -> Option<Arc<Token>> {
        self.tokens.get(repository).filter(|token| token.is_usable(now)).cloned()
    }

    /// The token of a repository until its very end, for when no other can be had.
    pub(super) fn alive(&self, repository: &str, now: Instant) -> Option<Arc<Token>> {
        self.tokens.get(repository).filter(|token| token.is_alive(now)).cloned()
    }

    /// What the repository's last token was asked for besides.
    pub(super) fn besides(&self, repository: &str) -> Vec<Box<str>> {
        self.besides.get(repository).cloned().unwrap_or_default()
    }

    /// Keeps a token for all that it serves.
    pub(super) fn enter(&mut self, token: &Arc<Token>, now: Instant) {
        if self.tokens.len() >= self.tidy_at {
            self.tokens.retain(|_, token| token.is_alive(now));
            self.tidy_at = (2 * self.tokens.len()).clamp(FEW, MOST);
        }
        for repository in token.serves() {
            if self.tokens.len() >= MOST && !self.tokens.contains_key(repository) {
                self.tokens.pop_first();
            }
            self.tokens.insert(repository.into(), Arc::clone(token));
        }
        self.note(token);
    }

    /// A token with something besides is for one repository.
    fn note(&mut self, token: &Token) {
        let Some(repository) = token.repositories.first() else { return };
        if token.besides.is_empty() {
            self.besides.remove(repository);
            return;
        }
        if self.besides.len() >= MOST_BESIDES && !self.besides.contains_key(repository) {
            self.besides.pop_first();
        }
        self.besides.insert(repository.clone(), token.besides.clone());
    }

    /// The registry refused this token for this repository. For others it may be good.
    pub(super) fn evict(&mut self, repository: &str, token: &Arc<Token>) {
        if self.tokens.get(repository).is_some_and(|kept| Arc::ptr_eq(kept, token)) {
            self.tokens.remove(repository);
        }
    }
}

/// What a request for a token brings to all who wait for it.
type Outcome = Result<Arc<Token>, Trouble>;

/// The requests for tokens that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<BTreeMap<Box<str>, Arc<OnceCell<Outcome>>>>);

/// A place among those who wait for one request.
struct Seat<'a> {
    flights: &'a Flights,
    key: Box<str>,
    cell: Arc<OnceCell<Outcome>>,
}

impl Flights {
    /// Lets one of all who come with the same `key` fetch, and gives all of them what it brought, failure too: a token
    /// server that hangs costs its time once. If the one that fetches is dropped, the next one does it.
    pub(super) async fn join(&self, key: &str, fetch: impl Future<Output = Outcome>) -> Outcome {
        let cell = Arc::clone(self.lock().entry(key.into()).or_default());
        let seat = Seat { flights: self, key: key.into(), cell };
        seat.cell.get_or_init(|| fetch).await.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Arc<OnceCell<Outcome>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    /// Who comes after the end begins anew, and the last who gives up leaves nothing behind.
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        let over = self.cell.initialized() || Arc::strong_count(&self.cell) == 2;
        if over && flights.get(&self.key).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell)) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;

//! What each address may have at once of something that there is only so much of.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// What is one caller's of an IPv6 address: a network of them is given out at once.
const NETWORK: u128 = !0 << 64;

/// The shares of all addresses that have something now.
#[derive(Debug)]
pub(crate) struct Shares {
    most: usize,
    taken: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

impl Shares {
    /// Each address may have `most` at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// Takes one, until it is dropped.
    ///
    /// # Errors
    /// If the address has its share already.
    pub(crate) fn take(&self, address: IpAddr) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.of(address).try_acquire_owned()
    }

    /// Takes one once the address has less than its share.
    pub(crate) async fn wait(&self, address: IpAddr) -> Option<OwnedSemaphorePermit> {
        // Nobody closes the semaphore; if somebody did, there would be no limit rather than no answer.
        self.of(address).acquire_owned().await.ok()
    }

    /// Those who hold or wait keep it alive, and only they.
    fn of(&self, address: IpAddr) -> Arc<Semaphore> {
        let caller = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = taken.get(&caller).and_then(Weak::upgrade) {
            return share;
        }
        taken.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.most));
        taken.insert(caller, Arc::downgrade(&share));
        share
    }
}

//! What all build configs have in common, be they watches or in the long form.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::expand::Layers;
use super::super::problem::{Place, Problems};
use crate::controller::{
    BuildConfig, ConfigKey, History, OnFirst, OnInterrupt, Policy, Retry, RunPolicy, Supersede, Venue,
};

/// The build configs so far, with what is needed to make the next.
#[derive(Default)]
pub(super) struct Configs<'a> {
    places: HashMap<ConfigKey, &'a Place>,
    policies: HashSet<Arc<Policy>>,
    build_configs: Vec<Arc<BuildConfig>>,
}

impl<'a> Configs<'a> {
    /// The key of one build config; no other may have it.
    pub(super) fn key(
        &mut self,
        namespace: &str,
        name: &str,
        place: &'a Place,
        problems: &mut Problems,
    ) -> Option<ConfigKey> {
        let key = ConfigKey::new(namespace, name);
        if let Some(first) = self.places.get(&key) {
            let message = format!("gives a second build config the name {key}, the first is at {first}");
            return problems.wrong(place, message, name, "give one of the two another `name`");
        }
        self.places.insert(key.clone(), place);
        Some(key)
    }

    /// The one copy of a policy. Thousands of configs have the same.
    pub(super) fn policy(&mut self, policy: Policy) -> Arc<Policy> {
        if let Some(known) = self.policies.get(&policy) {
            return Arc::clone(known);
        }
        let policy = Arc::new(policy);
        self.policies.insert(Arc::clone(&policy));
        policy
    }

    pub(super) fn add(&mut self, config: BuildConfig) {
        self.build_configs.push(Arc::new(config));
    }

    pub(super) fn into_build_configs(self) -> Vec<Arc<BuildConfig>> {
        self.build_configs
    }
}

/// What holds for a watch that says nothing else (D18).
pub(super) const OF_A_WATCH: Policy = Policy {
    run_policy: RunPolicy::SerialLatestOnly,
    supersede: Supersede::Images,
    on_first: OnFirst::Build,
    on_interrupt: OnInterrupt::Retry,
    retry: Retry { attempts: 3, backoff: Duration::from_mins(5) },
    timeout: Duration::from_hours(1),
    history: History { successful: 20, failed: 20 },
    venue: None,
};

/// What holds in the long form: OpenShift's own (F38, F39).
pub(super) const OF_THE_LONG_FORM: Policy = Policy {
    run_policy: RunPolicy::Serial,
    supersede: Supersede::All,
    retry: Retry { attempts: 1, ..OF_A_WATCH.retry },
    history: History { successful: 5, failed: 5 },
    ..OF_A_WATCH
};

/// What the layers say, and `otherwise` where they say nothing.
pub(super) fn policy(keys: &Layers<'_>, venue: Option<Box<Venue>>, otherwise: &Policy) -> Policy {
    Policy {
        run_policy: keys.value(|keys| &keys.run_policy).unwrap_or(otherwise.run_policy),
        supersede: keys.value(|keys| &keys.supersede).unwrap_or(otherwise.supersede),
        on_first: keys.value(|keys| &keys.on_first).unwrap_or(otherwise.on_first),
        on_interrupt: keys.value(|keys| &keys.on_interrupt).unwrap_or(otherwise.on_interrupt),
        retry: Retry {
            attempts: keys.value(|keys| &keys.retry.attempts).unwrap_or(otherwise.retry.attempts),
            backoff: keys.value(|keys| &keys.retry.backoff).unwrap_or(otherwise.retry.backoff),
        },
        timeout: keys.value(|keys| &keys.timeout).unwrap_or(otherwise.timeout),
        history: otherwise.history,
        venue,
    }
}

//! Other settings for registries that are being asked, in two steps: what may fail and takes time first, then the change.
//!
//! A host whose settings and CA file say what they said stays as it is: with its connections, its login and all that
//! was learnt about it. What is in flight to another one goes on with what it began with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::clients::{Clients, SetupError, ca_digest};
use super::host::Host;
use super::{Hosts, Registries, Settings};
use crate::image::Digest;

/// Settings that can take effect.
#[derive(Debug)]
pub struct Update {
    hosts: Hosts,
    changed: Vec<String>,
}

/// What a host was made from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    settings: Settings,
    /// What stood in its CA file.
    ca: Option<Digest>,
}

impl Origin {
    /// What a host would be made from now. A CA file that cannot be read has no content; making the host says why.
    pub(super) fn of(settings: &Settings) -> Self {
        Self { settings: settings.clone(), ca: settings.ca_file.as_deref().and_then(ca_digest) }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether both make the same host. What was found out meanwhile about its protocol the host itself knows best.
    fn makes_the_same(&self, other: &Self) -> bool {
        let settings = Settings { known_v2: other.settings.known_v2, ..self.settings.clone() };
        settings == other.settings && self.ca == other.ca
    }

    fn ca(&self) -> Option<(&Path, &Digest)> {
        Some((self.settings.ca_file.as_deref()?, self.ca.as_ref()?))
    }
}

impl Update {
    /// The hosts that are asked in another way than before, or with another CA file.
    pub fn changed(&self) -> &[String] {
        &self.changed
    }
}

impl Registries {
    /// Makes ready what `settings` say, for [`Registries::install`]. It reads files and may take a while; who asks for
    /// tags meanwhile is served as before.
    ///
    /// # Errors
    /// If a `ca_file` cannot be read or holds no certificate.
    pub fn prepare(&self, settings: &[Settings]) -> Result<Update, SetupError> {
        let origins: Vec<Origin> = settings.iter().map(Origin::of).collect();
        let (kept, plain_http, clients) = {
            let hosts = self.lock();
            (hosts.same(&origins), hosts.plain_http.clone(), hosts.clients_with(&origins))
        };
        let mut update = Hosts { plain_http, clients, ..Hosts::default() };
        let mut changed = Vec::new();
        for origin in origins {
            let name = origin.settings.host.as_str();
            match kept.get(name) {
                Some(host) => update.keep(Arc::clone(host), origin),
                None => {
                    changed.push(name.to_owned());
                    update.add_from(origin)?;
                }
            }
        }
        Ok(Update { hosts: update, changed })
    }

    /// From now on tags are asked for as `update` says.
    pub fn install(&self, update: Update) {
        let update = update.hosts;
        update.plain_http.replace(update.origins.values().map(|origin| &origin.settings));
        *self.lock() = update;
    }
}

impl Hosts {
    /// The hosts that were made from these very origins.
    fn same(&self, origins: &[Origin]) -> BTreeMap<Box<str>, Arc<Host>> {
        let is_same = |origin: &&Origin| {
            let old = self.origins.get(origin.settings.host.as_str());
            old.is_some_and(|old| old.makes_the_same(origin))
        };
        let same = origins.iter().filter(is_same).filter_map(|origin| {
            let (name, host) = self.by_name.get_key_value(origin.settings.host.as_str())?;
            Some((name.clone(), Arc::clone(host)))
        });
        same.collect()
    }

    /// The clients whose certificates are still those of their CA files.
    fn clients_with(&self, origins: &[Origin]) -> Clients {
        let now: BTreeMap<&Path, &Digest> = origins.iter().filter_map(Origin::ca).collect();
        let then: BTreeMap<&Path, &Digest> = self.origins.values().filter_map(Origin::ca).collect();
        self.clients.only(|ca_file| now.get(ca_file).is_some_and(|now| then.get(ca_file) == Some(now)))
    }

    /// Takes in a host.
    pub(super) fn keep(&mut self, host: Arc<Host>, origin: Origin) {
        let name: Box<str> = origin.settings.host.as_str().into();
        self.by_name.insert(name.clone(), host);
        self.origins.insert(name, origin);
    }
}

#[cfg(test)]
mod tests;

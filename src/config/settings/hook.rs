//! Who may ask for builds over HTTP.

use std::collections::{BTreeMap, HashMap};

use super::super::SecretFiles;
use super::super::hook::{Hook as Typed, Webhook};
use super::super::problem::{Place, Problem, Problems};
use super::super::section::At;
use super::secret::secret;
use crate::controller::{ConfigKey, HookKind};
use crate::webhook::{AllowEnv, Hook, Settings, check_secret_file};

/// The hooks of all build configs so far.
pub(super) struct Hooks<'a> {
    secrets: &'a SecretFiles,
    /// Where the first is, of any kind and in whatever state.
    first: Option<&'a Place>,
    hooks: BTreeMap<ConfigKey, Vec<Hook>>,
    /// One of `[defaults]` or of a template may be that of thousands: what is wrong with it is told once.
    checked: HashMap<&'a Place, Option<Hook>>,
}

impl<'a> Hooks<'a> {
    pub(super) fn new(secrets: &'a SecretFiles) -> Self {
        Self { secrets, first: None, hooks: BTreeMap::new(), checked: HashMap::new() }
    }

    /// The hook of a watch, which says itself what kind it is.
    pub(super) fn of_watch(&mut self, typed: &'a At<Box<Typed>>, problems: &mut Problems) -> Option<Hook> {
        if let Some(known) = self.checked.get(&typed.place) {
            return known.clone();
        }
        let hook = self.check_watch(typed, problems);
        self.checked.insert(&typed.place, hook.clone());
        hook
    }

    fn check_watch(&mut self, typed: &'a At<Box<Typed>>, problems: &mut Problems) -> Option<Hook> {
        if typed.value.kind.is_absent() {
            let fix = "add type = \"Generic\", \"GitHub\", \"GitLab\" or \"Bitbucket\"";
            problems.push(Problem::absence(&typed.place, "has no type", fix));
        }
        self.check(*typed.value.kind.value()?, &typed.value, problems)
    }

    /// A hook of that kind, if what is written can be used.
    pub(super) fn check(
        &mut self,
        kind: HookKind,
        typed: &'a Typed,
        problems: &mut Problems,
    ) -> Option<Hook> {
        self.first.get_or_insert(&typed.place);
        if typed.secret_file.is_absent() {
            let fix = "add secret_file = \"/path\", or \"credential:NAME\"";
            problems.push(Problem::absence(&typed.place, "has no secret", fix));
        }
        let allow_env = typed.allow_env.value().cloned().unwrap_or_default();
        if let Some(written) = typed.allow_env.given().filter(|_| kind != HookKind::Generic)
            && allow_env != AllowEnv::None
        {
            let message = format!("is for Generic hooks: {} sends no variables", kind.as_str());
            problems.push(Problem::error(&written.place, message, "delete it"));
        }
        let secret_file = secret(typed.secret_file.given()?, check_secret_file, self.secrets, problems)?;
        Some(Hook { kind, secret_file, allow_env })
    }

    pub(super) fn add(&mut self, config: &ConfigKey, hook: Hook) {
        self.hooks.entry(config.clone()).or_default().push(hook);
    }

    /// What is told to the listener.
    pub(super) fn into_settings(self, typed: &Webhook, problems: &mut Problems) -> Settings {
        if let Some(place) = self.first.filter(|_| typed.listen.is_absent()) {
            let fix = "add [webhook] with listen = \"127.0.0.1:8089\"";
            problems.push(Problem::warning(place, "is a hook, and nothing listens for it", fix));
        }
        if let Some(listen) = typed.listen.given().filter(|_| self.first.is_none() && !problems.has_errors())
        {
            let fix = "add a hook to a watch or a build config, or delete it";
            problems.push(Problem::warning(&listen.place, "listens, and no build config has a hook", fix));
        }
        Settings {
            listen: typed.listen.value().copied(),
            requests_per_second: typed
                .requests_per_second
                .value()
                .copied()
                .unwrap_or(Settings::REQUESTS_PER_SECOND),
            hooks: self.hooks,
        }
    }
}

//! The hooks that are enabled, with their secrets: read all or nothing, and asked in constant time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use subtle::Choice;

use super::secret::{Offered, Secret, SecretError};
use super::settings::{AllowEnv, Hook, Settings};
use crate::controller::{BuildConfig, ConfigKey, HookKind, StrategyKind};

/// What is matched where a config names no branch (F33).
const DEFAULT_REFERENCE: &str = "master";

/// Every hook that is enabled, and how often it may ask.
#[derive(Debug)]
pub struct Hooks {
    configs: BTreeMap<ConfigKey, Enabled>,
    requests_per_second: f64,
    /// The most hooks of one kind that a config has. So many secrets are compared for each call, so that the time it
    /// takes tells nobody which configs have hooks.
    most: usize,
    /// What stands in for the secrets that a config has less.
    nobodys: Secret,
}

/// A build config that has hooks.
#[derive(Debug)]
struct Enabled {
    hooks: Vec<Armed>,
    branch: Branch,
}

/// A hook with its secret.
#[derive(Debug)]
struct Armed {
    kind: HookKind,
    secret: Secret,
    allow_env: AllowEnv,
}

/// Which pushes concern a build config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    /// The branch or tag it is built from. None for a command that names no source: any branch concerns it.
    pub(super) wanted: Option<Arc<str>>,
    /// It names a git repository.
    pub(super) has_git: bool,
}

/// What a caller who knows the secret may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leave {
    pub(super) config: ConfigKey,
    pub(super) kind: HookKind,
    pub(super) allow_env: AllowEnv,
    pub(super) branch: Branch,
}

/// A hook whose secret cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("read the secret of the {} webhook of {config}, {}: {source}", kind.as_str(), path.display())]
pub struct HooksError {
    /// Whose hook.
    config: ConfigKey,
    /// Which kind.
    kind: HookKind,
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    #[source]
    source: SecretError,
}

impl Hooks {
    /// Reads the secrets of all hooks. It may wait for a disk.
    ///
    /// # Errors
    /// If one of them cannot be had; then none of them holds.
    pub fn read(settings: &Settings, configs: &[Arc<BuildConfig>]) -> Result<Self, HooksError> {
        let sources: BTreeMap<&ConfigKey, &BuildConfig> =
            configs.iter().map(|config| (&config.key, &**config)).collect();
        let enabled = settings.hooks.iter().map(|(config, hooks)| {
            let armed: Result<Vec<Armed>, HooksError> =
                hooks.iter().map(|hook| Armed::read(config, hook)).collect();
            let branch = Branch::of(sources.get(config).copied());
            Ok((config.clone(), Enabled { hooks: armed?, branch }))
        });
        let configs: BTreeMap<ConfigKey, Enabled> = enabled.collect::<Result<_, _>>()?;
        let most = configs.values().map(Enabled::most).max().unwrap_or_default();
        let nobodys = Secret::new(Vec::new());
        Ok(Self { configs, requests_per_second: settings.requests_per_second, most, nobodys })
    }

    /// Whether what is offered is the secret of a hook of this kind. All of its secrets are looked at, and as many where
    /// there are none.
    pub(super) fn ask(&self, config: &ConfigKey, kind: HookKind, offered: &Offered<'_>) -> Option<Leave> {
        let enabled = self.configs.get(config);
        let hooks: Vec<&Armed> = enabled
            .iter()
            .flat_map(|enabled| enabled.hooks.iter())
            .filter(|hook| hook.kind == kind)
            .collect();
        let rest = self.most.max(1).saturating_sub(hooks.len());
        let mut nothing = Choice::from(0);
        (0..rest).for_each(|_| nothing |= self.nobodys.is(offered));
        let answers: Vec<Choice> = hooks.iter().map(|hook| hook.secret.is(offered)).collect();
        let known = hooks.into_iter().zip(answers).find(|(_, answer)| bool::from(*answer));
        std::hint::black_box(nothing);
        let (hook, branch) = known.map(|(hook, _)| hook).zip(enabled.map(|enabled| &enabled.branch))?;
        Some(Leave {
            config: config.clone(),
            kind,
            allow_env: hook.allow_env.clone(),
            branch: branch.clone(),
        })
    }

    /// How many builds of one config may be asked for in a second, on average.
    pub(super) fn requests_per_second(&self) -> f64 {
        self.requests_per_second
    }

    /// Whether a config has hooks.
    pub(super) fn has(&self, config: &ConfigKey) -> bool {
        self.configs.contains_key(config)
    }
}

impl Enabled {
    fn most(&self) -> usize {
        let kinds = [HookKind::Generic, HookKind::GitHub, HookKind::GitLab, HookKind::Bitbucket];
        let count = |kind| self.hooks.iter().filter(|hook| hook.kind == kind).count();
        kinds.map(count).into_iter().max().unwrap_or_default()
    }
}

impl Armed {
    fn read(config: &ConfigKey, hook: &Hook) -> Result<Self, HooksError> {
        let Hook { kind, secret_file, allow_env } = hook;
        let secret = Secret::read(secret_file).map_err(|source| HooksError {
            config: config.clone(),
            kind: *kind,
            path: secret_file.clone(),
            source,
        })?;
        Ok(Self { kind: *kind, secret, allow_env: allow_env.clone() })
    }
}

impl Branch {
    /// A command that names no source, as that of a watch, has no branch that could be another.
    fn of(config: Option<&BuildConfig>) -> Self {
        let git = config.and_then(|config| config.source.as_ref()?.git.as_ref());
        let is_command = config.is_some_and(|config| config.strategy.kind == StrategyKind::Command);
        let wanted = match git.map(|git| git.reference.as_deref()) {
            Some(reference) => Some(reference.unwrap_or(DEFAULT_REFERENCE)),
            None if is_command => None,
            None => Some(DEFAULT_REFERENCE),
        };
        Self { wanted: wanted.map(|wanted| short(wanted).into()), has_git: git.is_some() }
    }

    /// Whether a push to `reference` concerns the config (F33).
    pub(super) fn is(&self, reference: &str) -> bool {
        match &self.wanted {
            Some(wanted) => short(reference) == &**wanted,
            None => !reference.starts_with("refs/tags/"),
        }
    }
}

/// `main` of `refs/heads/main`; a tag keeps its prefix, so that it is no branch of that name.
fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").unwrap_or(reference)
}

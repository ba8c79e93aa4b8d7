//! Hooks of one config, `default/app`, with secrets in files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::TempDir;

use crate::control::protocol::{Build, Phase};
use crate::controller::{
    BuildConfig, ConfigKey, Git, History, HookKind, OnFirst, OnInterrupt, Policy, Retry, RunPolicy, Source,
    Strategy, StrategyKind, Supersede,
};
use crate::webhook::hooks::{Hooks, Leave};
use crate::webhook::secret::Offered;
use crate::webhook::{AllowEnv, Call, Hook, Made, Settings};

/// Each kind, and the secret of its hook.
pub(super) const HOOKS: [(HookKind, &str); 4] = [
    (HookKind::Generic, "generic-s3cret"),
    (HookKind::GitHub, "github-s3cret"),
    (HookKind::GitLab, "gitlab-s3cret"),
    (HookKind::Bitbucket, "bitbucket-s3cret"),
];

pub(super) fn app() -> ConfigKey {
    ConfigKey::new("default", "app")
}

/// A build of `git`'s branch, where it names a repository at all.
pub(super) fn config(kind: StrategyKind, git: Option<Option<&str>>) -> Arc<BuildConfig> {
    let git = git.map(|reference| Git {
        uri: "https://git.example.com/app.git".into(),
        reference: reference.map(Into::into),
    });
    let strategy = Strategy {
        kind,
        from: None,
        command: Arc::from([]),
        env: Box::default(),
        working_dir: None,
        options: None,
    };
    Arc::new(BuildConfig {
        key: app(),
        strategy,
        triggers: Vec::new(),
        config_change: false,
        paused: false,
        policy: Arc::new(Policy {
            run_policy: RunPolicy::Serial,
            supersede: Supersede::All,
            on_first: OnFirst::Build,
            on_interrupt: OnInterrupt::Retry,
            retry: Retry { attempts: 1, backoff: Duration::ZERO },
            timeout: Duration::from_secs(60),
            history: History { successful: 5, failed: 5 },
            venue: None,
        }),
        source: git.map(|git| Box::new(Source { git: Some(git), ..Source::default() })),
        image_sources: Box::default(),
        output: None,
        last_version: 0,
        labels: Default::default(),
    })
}

/// Writes a secret as an editor would.
pub(super) fn hook(dir: &Path, kind: HookKind, secret: &str, allow_env: AllowEnv) -> Hook {
    let secret_file = dir.join(secret);
    fs::write(&secret_file, format!("{secret}\n")).unwrap();
    Hook { kind, secret_file, allow_env }
}

/// A hook of each kind; the Generic one lets any variable in.
pub(super) fn settings(dir: &TempDir) -> Settings {
    let hook = |(kind, secret)| {
        let allow_env = if kind == HookKind::Generic { AllowEnv::Any } else { AllowEnv::None };
        hook(dir.path(), kind, secret, allow_env)
    };
    Settings { hooks: [(app(), HOOKS.map(hook).to_vec())].into(), ..Settings::default() }
}

/// The hooks of a config that is built from the default branch of a repository.
pub(super) fn hooks(dir: &TempDir) -> Hooks {
    Hooks::read(&settings(dir), &[config(StrategyKind::Docker, Some(None))]).unwrap()
}

/// What a caller of `config` may do who knows the secret.
pub(super) fn leave(kind: HookKind, allow_env: AllowEnv, config: Arc<BuildConfig>) -> Leave {
    let dir = tempfile::tempdir().unwrap();
    let hook = hook(dir.path(), kind, "s3cret", allow_env);
    let settings = Settings { hooks: [(app(), vec![hook])].into(), ..Settings::default() };
    let hooks = Hooks::read(&settings, &[config]).unwrap();
    hooks.ask(&app(), kind, &Offered::secret(b"s3cret")).unwrap()
}

/// The signature of a body.
pub(super) fn sign(secret: &str, body: &[u8]) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    keyed.chain_update(body).finalize().into_bytes().into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the daemon makes of a call.
pub(super) fn made(call: &Call) -> Made {
    let build = Build {
        build: format!("{}-7", call.start.config).parse().unwrap(),
        id: uuid::Uuid::nil(),
        phase: Phase::New,
        reason: None,
        cause: "webhook".to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
        started: None,
        ended: None,
        next_attempt: None,
        attempts: 0,
        cancel_asked: false,
    };
    Made { name: "app-7".to_owned(), build }
}

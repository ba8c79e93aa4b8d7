//! The configuration as typed: which keys there are, and what kind of value each takes.
//!
//! A key that is not read here is unknown. Nothing has a default yet.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::build_config::BuildConfig;
use super::grammar::{
    command, env, labels, name, on_first, on_interrupt, platforms, run_policy, supersede, working_dir,
};
use super::hook::{Hook, Webhook};
use super::image_stream::ImageStream;
use super::problem::{Place, Problems};
use super::section::{At, Section, Typed};
use super::tree::{Node, Table, Value};
use super::value::{choice, count, duration, flag, list, number, path, word};
use super::venue::{Runner, VenueKeys};
use crate::controller::{OnFirst, OnInterrupt, RunPolicy, Supersede};
use crate::daemon::OnLostState;
use crate::image::Platforms;
use crate::logging::{BuildOutput, Format};
use crate::registry::Api;

/// Everything that was written, in all files.
pub(super) struct Document {
    pub(super) watches: Vec<Watch>,
    pub(super) templates: Vec<(String, At<Keys>)>,
    pub(super) defaults: Defaults,
    pub(super) image_streams: Vec<ImageStream>,
    pub(super) build_configs: Vec<BuildConfig>,
    pub(super) runners: Vec<(String, At<Runner>)>,
    pub(super) registries: Vec<Registry>,
    pub(super) daemon: Daemon,
    pub(super) log: Log,
    pub(super) webhook: Webhook,
}

/// One `[[watch]]`.
pub(super) struct Watch {
    pub(super) place: Place,
    pub(super) image: Typed<String>,
    pub(super) images: Typed<Vec<At<String>>>,
    pub(super) name: Typed<String>,
    pub(super) names: Typed<Vec<At<String>>>,
    pub(super) template: Typed<String>,
    pub(super) keys: Keys,
}

/// The keys that a watch shares with templates and defaults, and most of which a build config has too.
pub(super) struct Keys {
    pub(super) run: Typed<Arc<[String]>>,
    pub(super) labels: Typed<Named>,
    pub(super) on_first: Typed<OnFirst>,
    pub(super) paused: Typed<bool>,
    pub(super) run_policy: Typed<RunPolicy>,
    pub(super) supersede: Typed<Supersede>,
    pub(super) timeout: Typed<Duration>,
    pub(super) env: Typed<Named>,
    pub(super) working_dir: Typed<PathBuf>,
    pub(super) retry: Retry,
    pub(super) on_interrupt: Typed<OnInterrupt>,
    pub(super) interval: Typed<Duration>,
    pub(super) platforms: Typed<Platforms>,
    /// Few have one, and thousands of watches are held at once.
    pub(super) webhook: Typed<Box<Hook>>,
    /// Likewise.
    pub(super) venue: Option<Box<VenueKeys>>,
}

/// Names that the user chose, with a text each.
pub(super) type Named = Vec<(String, At<String>)>;

pub(super) struct Retry {
    pub(super) attempts: Typed<u32>,
    pub(super) backoff: Typed<Duration>,
}

pub(super) struct Defaults {
    pub(super) namespace: Typed<String>,
    pub(super) system_registry: Typed<String>,
    pub(super) keys: Keys,
}

/// One `[[registry]]`.
pub(super) struct Registry {
    pub(super) place: Place,
    pub(super) host: Typed<String>,
    pub(super) insecure: Typed<bool>,
    pub(super) ca_file: Typed<PathBuf>,
    pub(super) username: Typed<String>,
    pub(super) password_file: Typed<SecretFile>,
    pub(super) trusted_realms: Typed<Vec<At<String>>>,
    pub(super) interval: Typed<Duration>,
    pub(super) max_connections: Typed<usize>,
    pub(super) requests_per_second: Typed<f64>,
    pub(super) timeout: Typed<Duration>,
    pub(super) api: Typed<Api>,
    pub(super) reference_prefix: Typed<String>,
}

/// Where a secret is.
pub(super) enum SecretFile {
    Path(PathBuf),
    /// `credential:NAME`: where systemd put it.
    Credential(String),
}

pub(super) struct Daemon {
    pub(super) state_dir: Typed<PathBuf>,
    pub(super) socket: Typed<PathBuf>,
    pub(super) max_builds: Typed<usize>,
    pub(super) drain_timeout: Typed<Duration>,
    pub(super) hold_above: Typed<usize>,
    pub(super) on_lost_state: Typed<OnLostState>,
}

pub(super) struct Log {
    pub(super) format: Typed<Format>,
    pub(super) level: Typed<tracing::Level>,
    pub(super) build_output: Typed<BuildOutput>,
}

/// A span of time that something is worth: shorter ones spin, longer ones are slips of the pen.
pub(super) const SOME_TIME: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_hours(30 * 24);
/// A wait that may be left out.
const ANY_WAIT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(24);
/// How long a request may take.
const REQUEST_TIME: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

impl Document {
    /// Reads the merged tree of all files.
    pub(super) fn read(place: Place, tree: Table, problems: &mut Problems) -> Self {
        Section::read(place, tree, problems, |document| Self {
            watches: document.tables("watch", Watch::read),
            templates: document.named_tables("template", Keys::read),
            defaults: document.table("defaults", Defaults::read),
            image_streams: document.tables("image_stream", ImageStream::read),
            build_configs: document.tables("build_config", BuildConfig::read),
            runners: document.named_tables("runner", Runner::read),
            registries: document.tables("registry", Registry::read),
            daemon: document.table("daemon", Daemon::read),
            log: document.table("log", Log::read),
            webhook: document.table("webhook", Webhook::read),
        })
    }
}

impl Watch {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            place: section.place(),
            image: section.key("image", word),
            images: section.key("images", list(word)),
            name: section.key("name", name),
            names: section.key("names", list(name)),
            template: section.key("use", word),
            keys: Keys::read(section),
        }
    }
}

impl Keys {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            run: section.key("run", command),
            labels: section.key("labels", labels),
            on_first: section.key("on_first", on_first),
            paused: section.key("paused", flag),
            run_policy: section.key("run_policy", run_policy),
            supersede: section.key("supersede", supersede),
            timeout: section.key("timeout", duration(SOME_TIME)),
            env: section.key("env", env),
            working_dir: section.key("working_dir", working_dir),
            retry: section.table("retry", Retry::read),
            on_interrupt: section.key("on_interrupt", on_interrupt),
            interval: section.key("interval", duration(SOME_TIME)),
            platforms: section.key("platforms", platforms),
            webhook: section.optional("webhook", |section| Box::new(Hook::read_with_type(section))),
            venue: VenueKeys::read(section),
        }
    }
}

impl Retry {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            attempts: section.key("attempts", count(1..=100)),
            backoff: section.key("backoff", duration(ANY_WAIT)),
        }
    }
}

impl Defaults {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            namespace: section.key("namespace", name),
            system_registry: section.key("system_registry", word),
            keys: Keys::read(section),
        }
    }
}

impl Registry {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            place: section.place(),
            host: section.key("host", word),
            insecure: section.key("insecure", flag),
            ca_file: section.key("ca_file", path),
            username: section.key("username", word),
            password_file: section.key("password_file", secret_file),
            trusted_realms: section.key("trusted_realms", list(word)),
            interval: section.key("interval", duration(SOME_TIME)),
            max_connections: section.key("max_connections", count(1..=1_000)),
            requests_per_second: section.key("requests_per_second", number(0.01..=10_000.0)),
            timeout: section.key("timeout", duration(REQUEST_TIME)),
            api: section.key("api", choice(&[("auto", Api::Auto), ("v2", Api::V2), ("v1", Api::V1)])),
            reference_prefix: section.key("reference_prefix", word),
        }
    }
}

impl Daemon {
    fn read(section: &mut Section<'_>) -> Self {
        let on_lost_state = choice(&[("record", OnLostState::Record), ("build", OnLostState::Build)]);
        Self {
            state_dir: section.key("state_dir", path),
            socket: section.key("socket", path),
            max_builds: section.key("max_builds", count(1..=1_000)),
            drain_timeout: section.key("drain_timeout", duration(ANY_WAIT)),
            hold_above: section.key("hold_above", count(0..=1_000_000)),
            on_lost_state: section.key("on_lost_state", on_lost_state),
        }
    }
}

impl Log {
    fn read(section: &mut Section<'_>) -> Self {
        let format = choice(&[("auto", Format::Auto), ("text", Format::Text), ("json", Format::Json)]);
        let level = choice(&[
            ("error", tracing::Level::ERROR),
            ("warn", tracing::Level::WARN),
            ("info", tracing::Level::INFO),
            ("debug", tracing::Level::DEBUG),
            ("trace", tracing::Level::TRACE),
        ]);
        let build_output = choice(&[("file", BuildOutput::File), ("log", BuildOutput::Log)]);
        Self {
            format: section.key("format", format),
            level: section.key("level", level),
            build_output: section.key("build_output", build_output),
        }
    }
}

pub(super) fn secret_file(node: Node, problems: &mut Problems) -> Option<SecretFile> {
    let place = node.place.clone();
    let text = if let Value::Text(text) = &node.value { text.as_str() } else { "" };
    let credential = text.strip_prefix("credential:").map(str::to_owned);
    match credential {
        None => path(node, problems).map(SecretFile::Path),
        Some(name) if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) => {
            let fix = "write credential:NAME, the name that LoadCredential= gives it";
            problems.wrong(&place, "is not the name of a systemd credential", node.value, fix)
        }
        Some(name) => Some(SecretFile::Credential(name)),
    }
}

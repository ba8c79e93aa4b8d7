//! What a build config's strategy says.

use super::fields::{Fields, quoted};
use super::image_stream::{ObjectRef, build_ref};

/// How something is built.
#[derive(Debug)]
pub(super) struct Strategy {
    pub(super) kind: Kind,
    pub(super) from: Option<ObjectRef>,
    pub(super) env: Vec<(String, String)>,
    pub(super) force_pull: bool,
    /// Source.
    pub(super) incremental: bool,
    /// Docker.
    pub(super) no_cache: bool,
    pub(super) dockerfile_path: Option<String>,
    pub(super) build_args: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Source,
    Docker,
    Custom,
}

/// The variable that a Custom strategy is given its image by; in no other is it the user's.
const BASE_IMAGE: &str = "OPENSHIFT_CUSTOM_BUILD_BASE_IMAGE";

const KINDS: [Kind; 3] = [Kind::Source, Kind::Docker, Kind::Custom];

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Source => "Source",
            Self::Docker => "Docker",
            Self::Custom => "Custom",
        }
    }

    /// The field that holds it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Source => "sourceStrategy",
            Self::Docker => "dockerStrategy",
            Self::Custom => "customStrategy",
        }
    }
}

/// Reads the one strategy; nothing if there is none, or none that can be taken over.
pub(super) fn read(strategy: &mut Fields) -> Option<Strategy> {
    // Which of them is there tells it; a type beside them is from older versions.
    strategy.drop_silently(&["type"]);
    if strategy.take("jenkinsPipelineStrategy").is_some() {
        let text = "is a Jenkins pipeline, which nothing here can run: keep it in Jenkins, or write its steps into a \
                    script and a build config with a `command`";
        strategy.refuse("jenkinsPipelineStrategy", text);
        return None;
    }
    let all: Vec<Strategy> = KINDS
        .into_iter()
        .filter_map(|kind| strategy.object(kind.field(), |fields| one(kind, fields)))
        .collect();
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (Some(one), None) => Some(one),
        (None, _) => {
            strategy.refuse_here("is none of sourceStrategy, dockerStrategy and customStrategy");
            None
        }
        (Some(_), Some(_)) => {
            strategy.refuse_here("is several at once: leave one");
            None
        }
    }
}

fn one(kind: Kind, fields: &mut Fields) -> Strategy {
    let named = fields.has("from");
    let from = build_ref(fields, "from");
    if !named && kind != Kind::Docker {
        fields.tell("from", "is missing: write what it is built from into strategy.from");
    }
    let is_source = kind == Kind::Source;
    let is_docker = kind == Kind::Docker;
    Strategy {
        kind,
        from,
        env: variables(fields, "env", kind),
        force_pull: fields.flag("forcePull").unwrap_or(false),
        incremental: is_source && fields.flag("incremental").unwrap_or(false),
        no_cache: is_docker && fields.flag("noCache").unwrap_or(false),
        dockerfile_path: is_docker.then(|| fields.text("dockerfilePath")).flatten(),
        build_args: if is_docker { variables(fields, "buildArgs", kind) } else { Vec::new() },
    }
}

/// Names and values. One whose value is somewhere in the cluster is left out, and said to be.
fn variables(fields: &mut Fields, key: &str, kind: Kind) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    fields.each(key, |variable| {
        let name = variable.text("name");
        let is_base = name.as_deref() == Some(BASE_IMAGE);
        if is_base && kind == Kind::Custom && variable.has("valueFrom") {
            // Its value is set for each build: only its place is the user's (S23).
            variable.drop_silently(&["valueFrom", "value"]);
            all.push((BASE_IMAGE.to_owned(), String::new()));
            return Some(());
        }
        if let Some(source) = variable.take("valueFrom") {
            let name = name.as_deref().map(quoted).unwrap_or_default();
            let text = format!(
                "not carried over, and the variable {name} with it: its value is {} of the cluster: write the value, \
                 or let `command` read it from a file",
                value_source(&source)
            );
            variable.tell("valueFrom", text);
            variable.drop_silently(&["value"]);
            return None;
        }
        let is_text = variable.is_text("value");
        let value = variable.text("value").unwrap_or_default();
        if name.is_none() {
            variable.refuse("name", "is missing");
        }
        let name = name?;
        if !is_text {
            // It is refused already; without its value it would be another variable.
            return None;
        }
        if !is_variable(&name) {
            let text = "not carried over: a variable is letters, digits and _, with no digit first: rename it";
            variable.tell("name", text);
            return None;
        }
        if name.starts_with("BASEWATCH_") || (is_base && kind != Kind::Custom) {
            variable.tell("name", "not carried over: basewatch sets this variable itself: rename it");
            return None;
        }
        if all.iter().any(|(known, _)| *known == name) {
            variable.tell("name", format!("{} is there before: the last value is taken, as by OpenShift", quoted(&name)));
            all.retain(|(known, _)| *known != name);
        }
        all.push((name, value));
        Some(())
    });
    all
}

/// Whether any shell and any Dockerfile takes this for a variable.
fn is_variable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn value_source(source: &serde_json::Value) -> &'static str {
    let has = |key| source.get(key).is_some();
    match () {
        () if has("secretKeyRef") => "in a secret",
        () if has("configMapKeyRef") => "in a config map",
        () if has("fieldRef") => "a field of a pod",
        () if has("resourceFieldRef") => "a limit of a container",
        () => "somewhere",
    }
}

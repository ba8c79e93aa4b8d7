//! The Generic hook: any caller, with a body that it may leave out (F32).

use axum::http::HeaderMap;
use serde::Deserialize;

use super::revision::{Someone, revision};
use super::{Malformed, Payload, Skipped, Wanted, brief, media_type};
use crate::controller::Revision;
use crate::webhook::hooks::Leave;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    git: Option<Git>,
    env: Option<Vec<Variable>>,
}

/// A commit, or several of them below `refs`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Git {
    refs: Option<Vec<Git>>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    commit: Option<String>,
    message: Option<String>,
    author: Option<Someone>,
    committer: Option<Someone>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Variable {
    name: Option<String>,
    value: Option<String>,
}

/// How the body is written.
enum Form {
    Json,
    Yaml,
}

/// A body that cannot be used is told, and the build is made all the same.
pub(super) fn read(leave: &Leave, headers: &HeaderMap, body: &[u8]) -> Result<Payload, Malformed> {
    let mime = media_type(headers)?;
    let read = match mime.as_ref().and_then(|mime| form(mime.essence_str())) {
        None => Err("the Content-Type is neither JSON nor YAML".to_owned()),
        Some(_) if body.is_empty() => return Ok(Payload::Build(Wanted::default())),
        Some(Form::Json) => serde_json::from_slice(body).map_err(|error| brief(&error.to_string())),
        Some(Form::Yaml) => serde_saphyr::from_slice(body).map_err(|error| brief(&error.to_string())),
    };
    match read {
        Ok(body) => Ok(judge(leave, body)),
        Err(why) => {
            let warning = Some(format!("the payload was ignored, and the build is made without it: {why}"));
            Ok(Payload::Build(Wanted { warning, ..Wanted::default() }))
        }
    }
}

fn form(media_type: &str) -> Option<Form> {
    match media_type {
        "application/json" => Some(Form::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" => Some(Form::Yaml),
        _ => None,
    }
}

fn judge(leave: &Leave, body: Body) -> Payload {
    let sent = body.env.unwrap_or_default().into_iter();
    let sent = sent.map(|variable| (variable.name.unwrap_or_default(), variable.value.unwrap_or_default()));
    let taken = leave.allow_env.take(sent.collect());
    let mut warnings = Vec::new();
    if !taken.refused.is_empty() {
        warnings.push(format!("these variables were left out: {}", named(&taken.refused)));
    }
    let revision = match (leave.branch.has_git, body.git) {
        (false, _) => None,
        (true, None) => {
            warnings.push("the payload has no git information, and the build is made without it".to_owned());
            None
        }
        (true, Some(git)) => match git.told(leave) {
            Ok(revision) => revision,
            Err(skipped) => return Payload::Nothing(skipped),
        },
    };
    let warning = (!warnings.is_empty()).then(|| warnings.join("; "));
    Payload::Build(Wanted { revision, env: taken.env, warning })
}

impl Git {
    /// The revision that concerns the config, if one does.
    fn told(self, leave: &Leave) -> Result<Option<Revision>, Skipped> {
        let wanted = leave.branch.wanted.as_deref().unwrap_or_default();
        let skipped = |what: &str| {
            let warning = format!("no build is made: {what}, and the build config is built from `{wanted}`");
            Skipped { reason: "ref_mismatch", warning: Some(warning) }
        };
        let concerns = |git: &Self| leave.branch.is(git.reference.as_deref().unwrap_or_default());
        match self.refs {
            Some(refs) => {
                let found = refs.into_iter().find(concerns);
                found.map(Self::revision).ok_or_else(|| skipped("none of the refs is its branch"))
            }
            None if concerns(&self) => Ok(self.revision()),
            None => {
                let told = brief(self.reference.as_deref().unwrap_or_default());
                Err(skipped(&format!("the payload is of `{told}`")))
            }
        }
    }

    fn revision(self) -> Option<Revision> {
        let commit = self.commit.unwrap_or_default();
        revision(&commit, self.message.as_deref(), self.author, self.committer)
    }
}

/// A few of the names: a caller may have sent thousands.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| brief(name)).collect();
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

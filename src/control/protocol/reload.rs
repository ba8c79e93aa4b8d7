//! Loading the configuration anew, and looking at tags now.

use serde::{Deserialize, Serialize};

use super::{ConfigKey, TagRef};

/// What came of a reload: the new configuration runs, or the old one runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ReloadAnswer {
    /// The new one runs.
    Reloaded(Box<Reloaded>),
    /// The new one cannot be used.
    Refused(Refused),
}

/// What is different now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Build configs that were not there.
    pub added: Vec<ConfigKey>,
    /// Build configs that are no longer there.
    pub removed: Vec<ConfigKey>,
    /// Build configs that are otherwise.
    pub edited: Vec<Edited>,
    /// Tags that were not watched.
    pub tags_added: Vec<TagRef>,
    /// Tags that are no longer watched.
    pub tags_removed: Vec<TagRef>,
    /// Tags that are watched at another interval.
    pub tags_edited: Vec<TagRef>,
    /// Hosts that no tag was on.
    pub registries_added: Vec<String>,
    /// Hosts that no tag is on any more.
    pub registries_removed: Vec<String>,
    /// Hosts that are asked otherwise.
    pub registries_edited: Vec<Edited>,
    /// Keys of `[daemon]` and `[log]` that say something else.
    pub settings: Vec<String>,
    /// Those of them that take effect at the next start, and no sooner.
    pub later: Vec<String>,
    /// What is probably not meant that way.
    pub warnings: Vec<ConfigProblem>,
}

/// Something that is otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// A build config or a host.
    pub name: String,
    /// The keys that say something else.
    pub keys: Vec<String>,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// How many problems there are, in words.
    pub summary: String,
    /// The problems, warnings included.
    pub problems: Vec<ConfigProblem>,
}

/// One thing to put right, in the words and fields of `basewatch validate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// `error` or `warning`.
    pub severity: String,
    /// The file it is in.
    pub file: String,
    /// The line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The path of the key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What to write instead.
    pub fix: String,
    /// All of it in one line.
    pub text: String,
}

/// Which tags are to be looked at now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollQuery {
    /// Image references; empty for all that are watched.
    pub tags: Vec<String>,
}

/// How many are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Polled {
    /// Each once, as soon as the budgets of their hosts let them.
    pub asked: usize,
}

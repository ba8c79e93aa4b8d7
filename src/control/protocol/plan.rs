//! What would be built now, and what is held.

use serde::{Deserialize, Serialize};

use super::{BuildKey, ConfigKey, ConfigProblem, Digest, Edited, Platform, Refused, Spec, TagRef};

/// What is to be foreseen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanQuery {
    /// The main file of a configuration that is taken for the one that runs: an absolute path, read by the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// `IMAGE@DIGEST`: what tags are taken to point to. No registry is asked then. IMAGE is an image reference, or
    /// `namespace/stream:tag`.
    #[serde(default, rename = "if", skip_serializing_if = "Vec::is_empty")]
    pub assume: Vec<String>,
}

/// What is foreseen; nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum PlanAnswer {
    /// This would happen.
    Planned(Box<Planned>),
    /// The new configuration cannot be used.
    Refused(Refused),
}

/// What would happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// What the tags were taken to point to.
    pub looks: Looks,
    /// What the new configuration says otherwise, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Box<PlannedChanges>>,
    /// The builds that would be made, in that order.
    pub builds: Vec<PlannedBuild>,
    /// The builds that wait now and would not be run.
    pub called_off: Vec<CalledOff>,
    /// What would not start, and why.
    pub held: Vec<PlannedHold>,
}

/// How it is known what tags point to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// So many were looked at for this answer.
    pub looked: usize,
    /// These were looked at in vain.
    pub in_vain: Vec<InVain>,
    /// So many were taken to point to what was asked about.
    pub assumed: usize,
    /// So many are as their last poll found them; those that were looked at in vain are among them.
    pub as_stored: usize,
    /// Nobody knows yet what these point to.
    pub unseen: Vec<TagRef>,
}

/// A tag that was looked at in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InVain {
    /// Which tag.
    pub tag: TagRef,
    /// What came back.
    pub error: String,
}

/// What a new configuration says otherwise than the one that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChanges {
    /// Build configs that are not there now.
    pub added: Vec<ConfigKey>,
    /// Build configs that are no longer there.
    pub removed: Vec<ConfigKey>,
    /// Build configs that are otherwise.
    pub edited: Vec<Edited>,
    /// Build configs that are there under another name: they are new ones, and what the old ones have built says nothing
    /// about them.
    pub renamed: Vec<Renamed>,
    /// Tags that are not watched now.
    pub tags_added: Vec<TagRef>,
    /// Tags that are no longer watched.
    pub tags_removed: Vec<TagRef>,
    /// What is probably not meant that way.
    pub warnings: Vec<ConfigProblem>,
}

/// A build config that is removed, and an added one that is made in the same way from the same tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// The one that is removed.
    pub from: ConfigKey,
    /// The one that is added.
    pub to: ConfigKey,
}

/// A build that would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBuild {
    /// The name that it would get.
    pub build: BuildKey,
    /// What would become of it at first.
    #[serde(flatten)]
    pub outlook: Outlook,
    /// What it would be given.
    pub spec: Spec,
}

/// What would become of a build at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outlook", rename_all = "snake_case")]
pub enum Outlook {
    /// It starts at once.
    Starts,
    /// It waits for its turn.
    Queued {
        /// For the end of this build of its config; none if it is `max_builds` that it waits for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<BuildKey>,
    },
    /// A newer one takes its place before it starts.
    Superseded {
        /// That one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<BuildKey>,
    },
}

/// A build that waits now and would not be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledOff {
    /// Which build.
    pub build: BuildKey,
    /// The newer one that takes its place; none if its build config is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<BuildKey>,
}

/// Something that would not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHold {
    /// What would be built.
    pub build_config: ConfigKey,
    /// Why it is not, in the words of `status`.
    pub reason: String,
    /// The platforms that the image lacks, if that is why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Platform>,
    /// The images that wait.
    pub waits: Vec<Waiting>,
}

/// An image that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The tag it is found under.
    pub tag: TagRef,
    /// Its digest; none on a v1 registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What its trigger has stored; none if it has nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_digest: Option<Digest>,
}

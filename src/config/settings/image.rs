//! The images that are named by their references.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::problem::Problems;
use super::super::section::At;
use super::registry::Configured;
use crate::controller::StreamTag;
use crate::image::{Platforms, ReferenceError, TagRef};

/// Every distinct text that was written for an image, parsed once: many watches name the same few.
pub(super) struct Images<'a> {
    hosts: &'a BTreeMap<String, Configured<'a>>,
    known: HashMap<&'a str, Result<Vec<Arc<StreamTag>>, ReferenceError>>,
}

impl<'a> Images<'a> {
    pub(super) fn new(hosts: &'a BTreeMap<String, Configured<'a>>) -> Self {
        Self { hosts, known: HashMap::new() }
    }

    /// The tag that a watch names, shared with all that name it in the same words.
    pub(super) fn parse(
        &mut self,
        image: &'a At<String>,
        platforms: &Platforms,
        problems: &mut Problems,
    ) -> Option<Arc<StreamTag>> {
        let text = image.value.as_str();
        let hosts = self.hosts;
        let parsed = self.known.entry(text).or_insert_with(|| Ok(vec![Arc::new(watched(text, hosts)?)]));
        let (message, fix) = match parsed {
            Ok(parsed) => {
                if let Some(known) = parsed.iter().find(|known| known.platforms == *platforms) {
                    return Some(Arc::clone(known));
                }
                let other = StreamTag { platforms: platforms.clone(), ..(**parsed.first()?).clone() };
                parsed.push(Arc::new(other));
                return parsed.last().map(Arc::clone);
            }
            Err(ReferenceError::Pinned(_)) => (
                "is pinned to a digest and can never move".to_owned(),
                "name a tag instead: host/repository:tag",
            ),
            Err(error @ ReferenceError::Invalid { .. }) => is_no_reference(error),
        };
        problems.wrong(&image.place, message, format!("\"{text}\""), fix)
    }
}

/// An image that need not be one that can move.
pub(super) fn parse_image(image: &At<String>, problems: &mut Problems) -> Option<TagRef> {
    TagRef::parse_image(&image.value)
        .map_err(|error| {
            let (message, fix) = is_no_reference(&error);
            problems.wrong::<()>(&image.place, message, format!("\"{}\"", image.value), fix)
        })
        .ok()
}

/// The repository that builds are given in place of the tag's own, where its registry has a `reference_prefix`.
pub(super) fn prefixed(tag: &TagRef, hosts: &BTreeMap<String, Configured<'_>>) -> Option<Arc<str>> {
    let prefix = hosts.get(tag.host())?.reference_prefix.as_ref()?;
    Some(format!("{prefix}/{}", tag.repository()).into())
}

fn is_no_reference(error: &ReferenceError) -> (String, &'static str) {
    let reason = match error {
        ReferenceError::Invalid { reason, .. } => reason.clone(),
        ReferenceError::Pinned(_) => "it is pinned to a digest".to_owned(),
    };
    (format!("is not an image reference: {reason}"), "write it as host/repository:tag")
}

fn watched(text: &str, hosts: &BTreeMap<String, Configured<'_>>) -> Result<StreamTag, ReferenceError> {
    let tag: TagRef = text.parse()?;
    let named = tag.named(text);
    let given = prefixed(&tag, hosts);
    Ok(StreamTag { tag, named, given, platforms: Platforms::default(), unasked: false })
}

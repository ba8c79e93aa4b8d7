//! `spec.triggeredBy`: what brought a build about, in OpenShift's words.

use serde::Serialize;

use super::{Reference, RevisionOf};
use crate::control::protocol::{Cause, Image, Revision, Spec};

/// One thing that brought a build about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TriggeredBy<'a> {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_change_build: Option<ImageChange<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "genericWebHook")]
    generic: Option<Hook<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "githubWebHook")]
    github: Option<Hook<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "gitlabWebHook")]
    gitlab: Option<Hook<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "bitbucketWebHook")]
    bitbucket: Option<Hook<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageChange<'a> {
    #[serde(rename = "imageID")]
    image_id: &'a str,
    from_ref: Reference<'a>,
}

#[derive(Debug, Serialize)]
struct Hook<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<RevisionOf<'a>>,
    secret: &'static str,
}

/// The causes of a build. Of one that was made again it is that a person asked: the images are those of the other build,
/// and did not bring this one about.
pub(super) fn of(spec: &Spec) -> Vec<TriggeredBy<'_>> {
    match spec.causes.iter().any(|cause| cause.rebuild_of.is_some()) {
        true => vec![TriggeredBy::plain("Manually triggered")],
        false => spec.causes.iter().map(|cause| TriggeredBy::of(cause, spec.revision.as_ref())).collect(),
    }
}

impl<'a> TriggeredBy<'a> {
    fn of(cause: &'a Cause, revision: Option<&'a Revision>) -> Self {
        if let Some(image) = &cause.image {
            let change = ImageChange { image_id: &image.reference, from_ref: from_ref(image) };
            return Self { image_change_build: Some(change), ..Self::plain("Image change") };
        }
        if let Some(hook) = &cause.hook {
            return Self::hook(hook, Hook { revision: revision.map(RevisionOf::of), secret: "<secret>" });
        }
        // A cause that this version does not know is told by its own word.
        Self::plain(match &*cause.kind {
            "manual" => "Manually triggered",
            "config-change" => "Build configuration change",
            other => other,
        })
    }

    fn hook(service: &str, hook: Hook<'a>) -> Self {
        let plain = Self::plain(&format!("{service} WebHook"));
        match service {
            "GitHub" => Self { github: Some(hook), ..plain },
            "GitLab" => Self { gitlab: Some(hook), ..plain },
            "Bitbucket" => Self { bitbucket: Some(hook), ..plain },
            _ => Self { generic: Some(hook), ..plain },
        }
    }

    fn plain(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            image_change_build: None,
            generic: None,
            github: None,
            gitlab: None,
            bitbucket: None,
        }
    }
}

/// The tag that moved: of an image stream, or the image reference that a `[[watch]]` names.
fn from_ref(image: &Image) -> Reference<'_> {
    match image.stream_tag() {
        Some((namespace, name)) => Reference { kind: "ImageStreamTag", name, namespace: Some(namespace) },
        None if image.named.is_empty() => Reference::image(image.tag.as_str()),
        None => Reference::image(&image.named),
    }
}

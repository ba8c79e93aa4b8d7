//! Which manifest of an image is for one platform.

use crate::image::{Children, Digest, Found, Platform, Polled, TagRef};

/// The manifest for a platform.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// One of those in an index.
    Child {
        /// Its platform, as the index has it.
        platform: Platform,
        /// Its own digest.
        digest: Digest,
        /// That of the index.
        index: Digest,
    },
    /// The tag points to a single manifest, which does not say what it is for.
    Single(Digest),
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("resolve {tag}: {reason}")]
pub(super) struct NoneChosen {
    tag: TagRef,
    reason: String,
}

/// The manifest for `wanted` of what `tag` points to.
pub(super) fn choose(tag: &TagRef, found: &Found, wanted: &Platform) -> Result<Chosen, NoneChosen> {
    let none = |reason: String| Err(NoneChosen { tag: tag.clone(), reason });
    let Polled::Manifest(manifest) = &found.polled else {
        return none("a v1 registry tells nothing of platforms: leave out --platform".to_owned());
    };
    let index = manifest.digest.clone();
    let Some(children) = &found.children else { return Ok(Chosen::Single(index)) };
    let exact = children.get_key_value(wanted).into_iter();
    let meant = children.iter().filter(|(platform, _)| wanted.means(platform));
    // What is written out in full is meant before what it may stand for.
    let meant: Vec<_> = if exact.len() > 0 { exact.collect() } else { meant.collect() };
    match meant[..] {
        [(platform, digest)] => {
            Ok(Chosen::Child { platform: platform.clone(), digest: digest.clone(), index })
        }
        [] => none(format!("there is no {wanted} in the index {index}: {}", there(children))),
        [..] => {
            let names = names(meant.iter().map(|(platform, _)| *platform));
            none(format!("{wanted} is more than one in the index {index}: name one of {names}"))
        }
    }
}

fn there(children: &Children) -> String {
    match names(children.keys().filter(|platform| platform.is_named())) {
        none if none.is_empty() => "it does not tell its platforms apart".to_owned(),
        names => format!("it has {names}"),
    }
}

fn names<'a>(platforms: impl Iterator<Item = &'a Platform>) -> String {
    platforms.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

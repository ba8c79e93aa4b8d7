//! The steps of each strategy by each tool, and the files that they read.

mod containerfile;
mod place;
mod registries;
mod steps;

use crate::controller::{BuildSpec, Git, PinnedImage, Source, StrategyKind, StrategyOptions, Tool};
use crate::image::{Children, Digest, TagRef};

/// Build `default/app-7` of a git repository.
fn spec(strategy: StrategyKind) -> BuildSpec {
    BuildSpec {
        strategy,
        base_image: Some(image("r.test/base:1")),
        source: Some(Box::new(Source {
            git: Some(Git { uri: "https://git.test/app".into(), reference: Some("main".into()) }),
            directory: None,
            context_dir: Some("sub".into()),
        })),
        output: Some("r.test/app:latest".into()),
        labels: [("team".to_owned(), "pay desk".to_owned())].into(),
        ..super::super::tests::spec(&[])
    }
}

fn options(of: &mut BuildSpec) -> &mut StrategyOptions {
    of.options.get_or_insert_default()
}

fn image(tag: &str) -> PinnedImage {
    let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let tag: TagRef = tag.parse().unwrap();
    PinnedImage {
        named: tag.as_str().into(),
        reference: tag.pinned(&digest).into(),
        tag,
        digest: Some(digest),
        image_id: None,
        platforms: Children::new(),
    }
}

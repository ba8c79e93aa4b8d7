//! Files of other images that go into the context (`source.images[].paths`, F29).

use super::container::Container;
use super::step::Step;
use crate::controller::{ImagePath, PinnedSource};

/// An empty directory, to build from.
pub(super) const NOTHING: &str = "work/nothing";

/// Files of one image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extraction<'a> {
    number: usize,
    source: &'a PinnedSource,
}

/// Those of a build that takes any.
pub(super) fn all(sources: &[PinnedSource]) -> Vec<Extraction<'_>> {
    let all = sources.iter().enumerate().filter(|(_, source)| !source.of_use.paths.is_empty());
    all.map(|(number, source)| Extraction { number: number + 1, source }).collect()
}

impl<'a> Extraction<'a> {
    /// Where the Containerfile goes that takes the files out.
    pub(super) fn file(&self) -> String {
        format!("work/image-{}.Containerfile", self.number)
    }

    /// Its text. Each path has a directory of its own, so that one that is a file and one that is a directory come out
    /// by the same words.
    pub(super) fn text(&self) -> String {
        let mut text = "FROM scratch\n".to_owned();
        for (number, path) in self.source.of_use.paths.iter().enumerate() {
            let target = match name(&path.source_path) {
                Some(name) => format!("/{number}/{name}"),
                None => format!("/{number}/"),
            };
            let words = serde_json::Value::from(vec![&*path.source_path, &*target]);
            text.push_str(&format!("COPY --from={} {words}\n", self.source.image.reference));
        }
        text
    }

    pub(super) fn extract(&self, container: &Container<'_>) -> Vec<Step> {
        let own = format!("{}-files-{}", container.own_name(), self.number);
        container.extract(&own, &self.file(), NOTHING, &self.directory())
    }

    /// What was taken out, and the directory of the context that it goes to.
    pub(super) fn copies(&self) -> impl Iterator<Item = (String, &'a ImagePath)> + use<'a> {
        let directory = self.directory();
        let paths = self.source.of_use.paths.iter().enumerate();
        paths.map(move |(number, path)| (format!("{directory}/{number}"), path))
    }

    fn directory(&self) -> String {
        format!("work/image-{}", self.number)
    }
}

/// Copies what is in one directory into another. A link that is there already is replaced, and not followed.
pub(super) fn copy(from: &str, to: &str) -> Step {
    Step::new("cp", ["-a", "--remove-destination", "--"]).arg(format!("{from}/.")).arg(format!("{to}/"))
}

/// What a file or directory is called; none if what is in the directory is meant.
fn name(path: &str) -> Option<&str> {
    if path.ends_with("/.") {
        return None;
    }
    path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty() && *name != "..")
}

//! The images that a build uses besides the one it is made from (F29).

use super::super::super::build_config::{BuildConfig as Typed, ImageSource as TypedSource};
use super::super::super::problem::{Problem, Problems};
use super::super::super::section::At;
use super::super::stream::Followed;
use super::LongForm;
use super::base::Found;
use crate::controller::{ImagePath, ImageSource, ImageUse};

/// The image sources of one build config, each with what became of its `from`.
pub(super) struct Images<'a>(Vec<(Found<'a>, ImageUse)>);

impl<'a> Images<'a> {
    /// The tags of image streams among them.
    pub(super) fn followed(&self) -> impl Iterator<Item = &Followed<'a>> {
        self.0.iter().filter_map(|(found, _)| found.followed())
    }

    /// Those that can be used.
    pub(super) fn into_sources(self) -> Box<[ImageSource]> {
        let source =
            |(found, of_use): (Found<'_>, ImageUse)| Some(ImageSource { from: found.base()?, of_use });
        self.0.into_iter().filter_map(source).collect()
    }
}

impl<'a> LongForm<'a> {
    pub(super) fn images(
        &mut self,
        typed: &'a Typed,
        namespace: &'a str,
        problems: &mut Problems,
    ) -> Images<'a> {
        let typed = typed.source.value().map(|source| source.images.as_slice()).unwrap_or_default();
        check_aliases(typed, problems);
        let image =
            |source: &'a TypedSource| (self.source(source, namespace, problems), of_use(source, problems));
        Images(typed.iter().map(image).collect())
    }

    fn source(&mut self, source: &'a TypedSource, namespace: &'a str, problems: &mut Problems) -> Found<'a> {
        if source.from.is_absent() {
            let fix = "add from = { kind = \"ImageStreamTag\", name = \"STREAM:TAG\" }";
            problems.push(Problem::absence(&source.place, "names no image", fix));
        }
        source.from.value().map_or(Found::Refused, |from| self.image(from, namespace, problems))
    }
}

fn of_use(source: &TypedSource, problems: &mut Problems) -> ImageUse {
    let aliases = source.aliases.value().map(Vec::as_slice).unwrap_or_default();
    if source.aliases.is_absent() && source.paths.is_empty() {
        let fix = "add as = [\"NAME\"], or paths = [{ source_path, destination_dir }]";
        problems.push(Problem::absence(&source.place, "says nothing of what it is for", fix));
    }
    let mut paths = Vec::new();
    for path in &source.paths {
        if path.source_path.is_absent() || path.destination_dir.is_absent() {
            let fix = "write { source_path = \"/in/the/image\", destination_dir = \"in/the/context\" }";
            problems.push(Problem::absence(&path.place, "says not both from where and to where", fix));
        }
        let from = path.source_path.given().filter(|from| !from.value.starts_with('/'));
        if let Some(from) = from {
            let fix = "write the whole path in the image";
            problems
                .push(Problem::error(&from.place, "is not an absolute path", fix).with_value(&from.value));
        }
        let both = path.source_path.value().zip(path.destination_dir.value());
        paths.extend(both.map(|(source_path, destination_dir)| ImagePath {
            source_path: source_path.as_str().into(),
            destination_dir: destination_dir.as_str().into(),
        }));
    }
    ImageUse { aliases: aliases.iter().map(|alias| alias.value.as_str().into()).collect(), paths }
}

/// A name in a Dockerfile can mean one image only.
fn check_aliases(sources: &[TypedSource], problems: &mut Problems) {
    let mut known: Vec<&At<String>> = Vec::new();
    for alias in sources.iter().filter_map(|source| source.aliases.value()).flatten() {
        match known.iter().find(|known| known.value == alias.value) {
            Some(first) => {
                let message = format!("is a second image of one name, the first is at {}", first.place);
                let problem = Problem::error(&alias.place, message, "keep one of the two");
                problems.push(problem.with_value(format!("\"{}\"", alias.value)));
            }
            None => known.push(alias),
        }
    }
}

//! Each watch with the keys it takes from its template and from the defaults, and the build configs it stands for.

use std::collections::{HashMap, HashSet};

use super::file::{Document, Keys, Named, Watch};
use super::problem::{Place, Problem, Problems};
use super::section::{At, Typed};
use super::suggest::nearest;

/// A watch, ready to be checked.
pub(super) struct Expanded<'a> {
    pub(super) place: &'a Place,
    /// What it watches, the strategy's own image first; empty if what was written cannot be used.
    pub(super) images: Vec<&'a At<String>>,
    /// One build config each; `None` stands for the name of the repository.
    pub(super) names: Vec<Option<&'a At<String>>>,
    pub(super) keys: Layers<'a>,
}

/// Where a key is looked for: in the watch, in its template, in the defaults.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a> {
    watch: &'a Keys,
    template: Template<'a>,
    defaults: &'a Keys,
}

#[derive(Clone, Copy)]
enum Template<'a> {
    NotUsed,
    Known(&'a Keys),
    /// Its name is wrong, so nobody knows what it would have said.
    Missing,
}

/// Expands every watch of the document.
pub(super) fn expand<'a>(document: &'a Document, problems: &mut Problems) -> Vec<Expanded<'a>> {
    let templates: HashMap<&str, &Keys> =
        document.templates.iter().map(|(name, keys)| (name.as_str(), &keys.value)).collect();
    let expand = |watch: &'a Watch| Expanded {
        place: &watch.place,
        images: images(watch, problems),
        names: names(watch, problems),
        keys: Layers {
            watch: &watch.keys,
            template: template(watch, &templates, problems),
            defaults: &document.defaults.keys,
        },
    };
    let expanded = document.watches.iter().map(expand).collect();
    warn_of_unused_templates(document, problems);
    expanded
}

impl<'a> Layers<'a> {
    /// A build config of the long form, which has no template.
    pub(super) fn of_build_config(keys: &'a Keys, defaults: &'a Keys) -> Self {
        Self { watch: keys, template: Template::NotUsed, defaults }
    }

    /// What the nearest layer says that says anything.
    pub(super) fn get<T>(&self, key: fn(&Keys) -> &Typed<T>) -> Option<&'a At<T>> {
        self.nearest_first().map(key).find(|typed| !typed.is_absent())?.given()
    }

    /// What the watch or its template says; the defaults are not asked.
    pub(super) fn own<T>(&self, key: fn(&Keys) -> &Typed<T>) -> Option<&'a At<T>> {
        self.own_layers().map(key).find(|typed| !typed.is_absent())?.given()
    }

    /// A copy of the bare value.
    pub(super) fn value<T: Clone>(&self, key: fn(&Keys) -> &Typed<T>) -> Option<T> {
        self.get(key).map(|at| at.value.clone())
    }

    /// Whether no layer says anything, and none that could is missing.
    pub(super) fn is_unsaid<T>(&self, key: fn(&Keys) -> &Typed<T>) -> bool {
        !matches!(self.template, Template::Missing) && self.nearest_first().map(key).all(Typed::is_absent)
    }

    /// Whether neither the watch nor its template says anything, the defaults not asked.
    pub(super) fn is_own_unsaid<T>(&self, key: fn(&Keys) -> &Typed<T>) -> bool {
        !matches!(self.template, Template::Missing) && self.own_layers().map(key).all(Typed::is_absent)
    }

    /// All entries of a table, those of a nearer layer in place of those of a farther one.
    pub(super) fn entries(&self, key: fn(&Keys) -> &Typed<Named>) -> Vec<(String, String)> {
        let mut entries: Vec<(String, String)> = Vec::new();
        for (name, at) in self.farthest_first(key).flatten() {
            match entries.iter_mut().find(|(known, _)| known == name) {
                Some((_, value)) => value.clone_from(&at.value),
                None => entries.push((name.clone(), at.value.clone())),
            }
        }
        entries
    }

    /// What each layer says of a key, the farthest first.
    pub(super) fn farthest_first<T: 'a>(
        &self,
        key: fn(&Keys) -> &Typed<T>,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let mut layers: Vec<&T> = self.nearest_first().filter_map(|keys| key(keys).value()).collect();
        layers.reverse();
        layers.into_iter()
    }

    fn own_layers(&self) -> impl Iterator<Item = &'a Keys> + use<'a> {
        let template = match self.template {
            Template::Known(keys) => Some(keys),
            Template::NotUsed | Template::Missing => None,
        };
        std::iter::once(self.watch).chain(template)
    }

    fn nearest_first(&self) -> impl Iterator<Item = &'a Keys> + use<'a> {
        self.own_layers().chain(std::iter::once(self.defaults))
    }
}

fn images<'a>(watch: &'a Watch, problems: &mut Problems) -> Vec<&'a At<String>> {
    if watch.image.is_absent() && watch.images.is_absent() {
        let fix = "add image = \"host/repository:tag\"";
        problems.push(Problem::absence(&watch.place, "watches no image", fix));
    }
    one_or_many(&watch.image, &watch.images, "image", problems)
}

fn names<'a>(watch: &'a Watch, problems: &mut Problems) -> Vec<Option<&'a At<String>>> {
    if watch.name.is_absent() && watch.names.is_absent() {
        return vec![None];
    }
    one_or_many(&watch.name, &watch.names, "name", problems).into_iter().map(Some).collect()
}

fn one_or_many<'a>(
    one: &'a Typed<String>,
    many: &'a Typed<Vec<At<String>>>,
    key: &str,
    problems: &mut Problems,
) -> Vec<&'a At<String>> {
    if let (Some(_), Some(many)) = (one.given(), many.given()) {
        let message = format!("stands beside `{key}`");
        problems.push(Problem::error(&many.place, message, format!("keep either `{key}` or `{key}s`")));
    }
    one.given().into_iter().chain(many.value().into_iter().flatten()).collect()
}

fn template<'a>(watch: &Watch, known: &HashMap<&str, &'a Keys>, problems: &mut Problems) -> Template<'a> {
    let name = match &watch.template {
        Typed::Absent => return Template::NotUsed,
        Typed::Refused => return Template::Missing,
        Typed::Given(name) => name,
    };
    if let Some(keys) = known.get(name.value.as_str()) {
        return Template::Known(keys);
    }
    let fix = match nearest(&name.value, known.keys().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("add [template.{}], or leave `use` out", name.value),
    };
    let problem = Problem::absence(&name.place, "there is no such template", fix);
    problems.push(problem.with_value(format!("\"{}\"", name.value)));
    Template::Missing
}

/// Where there are errors, the one that uses it may be among what could not be read.
fn warn_of_unused_templates(document: &Document, problems: &mut Problems) {
    if problems.has_errors() {
        return;
    }
    let used: HashSet<&String> = document.watches.iter().filter_map(|watch| watch.template.value()).collect();
    for (name, template) in document.templates.iter().filter(|(name, _)| !used.contains(name)) {
        let fix = format!("write use = \"{name}\" in a watch, or delete it");
        problems.push(Problem::warning(&template.place, "no watch uses this template", fix));
    }
}

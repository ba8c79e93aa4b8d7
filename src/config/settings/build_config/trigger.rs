//! What starts the builds of a build config.

use std::sync::Arc;

use super::super::super::build_config::{BuildConfig as Typed, Trigger as TypedTrigger, TriggerKind};
use super::super::super::object_ref::Kind;
use super::super::super::problem::{Place, Problem, Problems};
use super::super::hook::Hooks;
use super::super::stream::Followed;
use super::LongForm;
use super::base::Found;
use crate::controller::{HookKind, Trigger};
use crate::webhook::Hook;

/// OpenShift's own sentences (F20): who migrates has seen them.
const NO_DEFAULT: &str = "a default ImageChange trigger can only be used when the build strategy includes an \
                          ImageStreamTag reference.";
const DUPLICATE: &str = "multiple ImageChange triggers refer to the same image stream tag";
const WRONG_KIND: &str = "only an ImageStreamTag type of reference is allowed in an ImageChange trigger.";

/// The triggers of a build config, by their types.
#[derive(Default)]
pub(super) struct Triggers<'a> {
    pub(super) triggers: Vec<Trigger>,
    /// What the triggers follow, each as it was named.
    pub(super) followed: Vec<Followed<'a>>,
    pub(super) config_change: bool,
    pub(super) hooks: Vec<Hook>,
}

/// An ImageChange trigger, and what it follows.
struct Seen<'a> {
    followed: Followed<'a>,
    place: &'a Place,
}

impl<'a> LongForm<'a> {
    /// All triggers of a build config; those that cannot be used are told.
    pub(super) fn triggers(
        &mut self,
        typed: &'a Typed,
        namespace: &'a str,
        base: &Found<'a>,
        hooks: &mut Hooks<'a>,
        problems: &mut Problems,
    ) -> Triggers<'a> {
        let mut triggers = Triggers::default();
        let mut seen: Vec<Seen<'a>> = Vec::new();
        for trigger in &typed.triggers {
            let Some(kind) = kind(trigger, problems) else { continue };
            match kind {
                TriggerKind::ConfigChange => triggers.config_change = true,
                TriggerKind::Hook(kind) => triggers.hooks.extend(hook(trigger, kind, hooks, problems)),
                TriggerKind::ImageChange => {
                    let Some(followed) = self.image_change(trigger, namespace, base, problems) else {
                        continue;
                    };
                    triggers.add(followed, trigger, &mut seen, problems);
                }
            }
        }
        triggers.followed = seen.into_iter().map(|seen| seen.followed).collect();
        triggers
    }

    /// What an ImageChange trigger follows: the tag it names, or the strategy's own (S11).
    fn image_change(
        &mut self,
        trigger: &'a TypedTrigger,
        namespace: &'a str,
        base: &Found<'a>,
        problems: &mut Problems,
    ) -> Option<Followed<'a>> {
        let typed = trigger.image_change.value();
        if trigger.image_change.value().is_none() && !trigger.image_change.is_absent() {
            return None;
        }
        let Some(from) = typed.and_then(|typed| typed.from.value()) else {
            let is_default = typed.is_none_or(|typed| typed.from.is_absent());
            return is_default.then(|| default(trigger, base, problems)).flatten();
        };
        if let Some(kind) = from.kind.given().filter(|kind| kind.value != Kind::ImageStreamTag) {
            let fix = "add an [[image_stream]] with a tag that comes from the image, and name that";
            return problems.wrong(&kind.place, WRONG_KIND, format!("\"{}\"", kind.value.as_str()), fix);
        }
        if !from.kind.is_absent() && from.kind.value().is_none() {
            return None;
        }
        self.stream_tag(from, namespace, problems)
    }
}

impl<'a> Triggers<'a> {
    /// Adds a trigger. What is stored belongs to the tag in its registry, so two on one are one (D11).
    fn add(
        &mut self,
        followed: Followed<'a>,
        trigger: &'a TypedTrigger,
        seen: &mut Vec<Seen<'a>>,
        problems: &mut Problems,
    ) {
        let typed = trigger.image_change.value();
        let paused = typed.and_then(|typed| typed.paused.value()).copied().unwrap_or(false);
        let last = typed.and_then(|typed| typed.last.value()).cloned().map(Box::new);
        let place = place_of(trigger);
        let from = Arc::clone(&followed.from);
        if let Some(first) = seen.iter().find(|seen| seen.followed.from.named == from.named) {
            let message = format!("{DUPLICATE}: {}, first at {}", from.named, first.place);
            problems.push(Problem::error(place, message, "delete one of the two"));
            return;
        }
        let same = seen.iter().find(|seen| seen.followed.from.tag == from.tag).map(|seen| seen.place);
        let known = self.triggers.iter_mut().find(|known| known.from.tag == from.tag);
        match (known, same) {
            (Some(known), Some(first)) => {
                let message = format!("is {} again, as at {first}: one trigger watches both", from.tag);
                problems
                    .push(Problem::warning(place, message, "delete one of the two").with_value(&from.named));
                known.paused &= paused;
                known.last = known.last.take().or(last);
            }
            (None, _) | (Some(_), None) => self.triggers.push(Trigger { from, paused, last }),
        }
        seen.push(Seen { followed, place });
    }
}

/// The strategy's own tag. What the strategy names may have been refused, and told.
fn default<'a>(trigger: &TypedTrigger, base: &Found<'a>, problems: &mut Problems) -> Option<Followed<'a>> {
    match base {
        Found::Tag(followed) => return Some(followed.clone()),
        Found::Refused => {}
        Found::Absent | Found::Image { .. } => {
            let fix =
                "let it name a tag of an image stream: image_change = { from = { name = \"STREAM:TAG\" } }";
            problems.push(Problem::error(place_of(trigger), NO_DEFAULT, fix));
        }
    }
    None
}

/// Where a trigger says what it follows.
fn place_of(trigger: &TypedTrigger) -> &Place {
    trigger.image_change.given().map_or(&trigger.place, |at| &at.place)
}

/// The hook of a trigger whose type is one.
fn hook<'a>(
    trigger: &'a TypedTrigger,
    kind: HookKind,
    hooks: &mut Hooks<'a>,
    problems: &mut Problems,
) -> Option<Hook> {
    let (key, _, typed) = trigger.hooks.iter().find(|(_, of, _)| *of == kind)?;
    if typed.is_absent() {
        let fix = format!("add {key} = {{ secret_file = \"/path\" }}");
        problems.push(Problem::absence(&trigger.place, format!("has no `{key}`"), fix));
    }
    hooks.check(kind, typed.value()?, problems)
}

/// The type of a trigger. A key of another type says nothing.
fn kind(trigger: &TypedTrigger, problems: &mut Problems) -> Option<TriggerKind> {
    if trigger.kind.is_absent() {
        let fix = "add type = \"ImageChange\", or what else it is";
        problems.push(Problem::absence(&trigger.place, "has no type", fix));
    }
    let kind = *trigger.kind.value()?;
    let image_change = trigger.image_change.given().map(|at| (&at.place, TriggerKind::ImageChange));
    let hooks = trigger
        .hooks
        .iter()
        .filter_map(|(_, of, typed)| Some((&typed.given()?.place, TriggerKind::Hook(*of))));
    for (place, of) in image_change.into_iter().chain(hooks).filter(|(_, of)| *of != kind) {
        let message = format!("is for {} triggers, and this is of type {}", of.as_str(), kind.as_str());
        problems.push(Problem::error(place, message, "delete it, or correct the type"));
    }
    Some(kind)
}

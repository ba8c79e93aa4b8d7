//! `[build_config.strategy]` as typed.

use super::super::file::{Keys, Named};
use super::super::grammar::{command, custom_variable, in_source, plain_variable, working_dir};
use super::super::object_ref::ObjectRef;
use super::super::problem::{Place, Problem, Problems};
use super::super::section::{At, Section, Typed, as_table};
use super::super::tree::{Node, Value};
use super::super::value::{choice, flag, named, text, word};
use crate::controller::{StrategyKind, Tool};

/// How a build config is built.
pub(in crate::config) struct Strategy {
    pub(in crate::config) place: Place,
    pub(in crate::config) kind: Typed<StrategyKind>,
    pub(in crate::config) from: Typed<ObjectRef>,
    pub(in crate::config) dockerfile_path: Typed<String>,
    pub(in crate::config) build_args: Typed<Named>,
    pub(in crate::config) target: Typed<String>,
    pub(in crate::config) no_cache: Typed<bool>,
    pub(in crate::config) incremental: Typed<bool>,
    pub(in crate::config) force_pull: Typed<bool>,
    pub(in crate::config) tool: Typed<Tool>,
}

impl Strategy {
    /// Its command, variables and directory are what a watch has too: they go into `keys`.
    pub(super) fn read(section: &mut Section<'_>, keys: &mut Keys) -> Self {
        let kind = choice(&[
            ("Source", StrategyKind::Source),
            ("Docker", StrategyKind::Docker),
            ("Custom", StrategyKind::Custom),
            ("Command", StrategyKind::Command),
        ]);
        let tool = choice(&[
            ("buildah", Tool::Buildah),
            ("podman", Tool::Podman),
            ("docker", Tool::Docker),
            ("s2i", Tool::S2i),
        ]);
        let strategy = Self {
            place: section.place(),
            kind: section.key("type", kind),
            from: section.optional("from", ObjectRef::read),
            dockerfile_path: section.key("dockerfile_path", in_source),
            build_args: section.key("build_args", build_args),
            target: section.key("target", word),
            no_cache: section.key("no_cache", flag),
            incremental: section.key("incremental", flag),
            force_pull: section.key("force_pull", flag),
            tool: section.key("tool", tool),
        };
        keys.run = section.key("command", command);
        keys.env = section.key("env", variables(custom_variable));
        keys.working_dir = section.key("working_dir", working_dir);
        strategy
    }
}

fn build_args(node: Node, problems: &mut Problems) -> Option<Named> {
    match node.value {
        Value::Table(_) => named(plain_variable, text)(node, problems),
        Value::List(_)
        | Value::Text(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Flag(_)
        | Value::Date(_) => variables(plain_variable)(node, problems),
    }
}

/// A list of `{ name, value }`, as OpenShift has it; an empty one is none.
fn variables(
    check_name: impl Fn(&str, &Place, &mut Problems) -> Option<()>,
) -> impl Fn(Node, &mut Problems) -> Option<Named> {
    const EXAMPLE: &str = "it like [{ name = \"K\", value = \"v\" }]";
    move |node, problems| {
        let nodes = match node.value.into_list() {
            Ok(nodes) => nodes,
            Err(value) => return problems.refuse(&node.place, &value, "a list of tables", EXAMPLE),
        };
        let all = nodes.len();
        let mut variables = Named::with_capacity(all);
        for node in nodes {
            let Some((name, value)) = variable(node, EXAMPLE, problems) else { continue };
            if check_name(&name, &value.place, problems).is_none() {
                continue;
            }
            match variables.iter().find(|(known, _)| *known == name) {
                Some((_, first)) => {
                    let message = format!("is a second value for one name, the first is at {}", first.place);
                    let problem = Problem::error(&value.place, message, "keep one of the two");
                    problems.push(problem.with_value(name));
                }
                None => variables.push((name, value)),
            }
        }
        (variables.len() == all).then_some(variables)
    }
}

/// One `{ name, value }`. A value that is not there is empty.
fn variable(node: Node, example: &str, problems: &mut Problems) -> Option<(String, At<String>)> {
    let (place, entries) = as_table(node, example, problems)?;
    let (name, value) = Section::read(place.clone(), entries, problems, |section| {
        (section.key("name", word), section.key("value", text))
    });
    if name.is_absent() {
        problems.push(Problem::absence(&place, "names no variable", "add name = \"…\""));
    }
    let value = match value {
        Typed::Absent => String::new(),
        Typed::Refused => return None,
        Typed::Given(at) => at.value,
    };
    Some((name.into_value()?, At { value, place }))
}

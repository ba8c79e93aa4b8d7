//! `spec.strategy`: how a build is made, its image pinned.

use std::path::Path;

use serde::Serialize;

use super::Reference;
use crate::control::protocol::{CUSTOM_BASE_IMAGE, Spec};

/// A strategy, in the field that OpenShift has for its type.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Strategy<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_strategy: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    docker_strategy: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_strategy: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_strategy: Option<Body<'a>>,
}

/// What a strategy says, whichever it is.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Reference<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<Variable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dockerfile_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    build_args: Vec<Variable<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_cache: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incremental: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    force_pull: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    command: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a Path>,
}

/// A variable by its name. Its value is there where it is no secret: the image.
#[derive(Debug, Serialize)]
struct Variable<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

impl<'a> Strategy<'a> {
    pub(super) fn of(spec: &'a Spec) -> Self {
        let none = Self {
            kind: &spec.strategy,
            source_strategy: None,
            docker_strategy: None,
            custom_strategy: None,
            command_strategy: None,
        };
        let body = Body::of(spec);
        match &*spec.strategy {
            "Source" => Self { source_strategy: Some(body), ..none },
            "Docker" => Self { docker_strategy: Some(body), ..none },
            "Custom" => Self { custom_strategy: Some(body.with_image(spec)), ..none },
            _ => {
                let dir = spec.working_dir.as_deref();
                let body = Body { command: &spec.command, working_dir: dir, ..body };
                Self { kind: "Command", command_strategy: Some(body), ..none }
            }
        }
    }
}

impl<'a> Body<'a> {
    fn of(spec: &'a Spec) -> Self {
        let body = Self {
            from: spec.base_image.as_ref().map(|image| Reference::image(&image.reference)),
            env: named(&spec.env),
            ..Self::default()
        };
        let Some(options) = &spec.options else { return body };
        Self {
            dockerfile_path: options.dockerfile_path.as_deref(),
            build_args: named(&options.build_args),
            target: options.target.as_deref(),
            no_cache: options.no_cache,
            incremental: options.incremental,
            force_pull: options.force_pull,
            ..body
        }
    }

    /// A Custom build is told its image in a variable, and what that is is known (S22).
    fn with_image(mut self, spec: &'a Spec) -> Self {
        if let Some(variable) = self.env.iter_mut().find(|variable| variable.name == CUSTOM_BASE_IMAGE) {
            variable.value = spec.base_image.as_ref().map(|image| &*image.reference);
        }
        self
    }
}

fn named(names: &[String]) -> Vec<Variable<'_>> {
    names.iter().map(|name| Variable { name, value: None }).collect()
}

//! An image of the source code, by a Dockerfile or by a builder image.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::builder::Image;
use super::super::container::Container;
use super::super::containerfile::{self, Assembly, CONTAINERFILE, OwnScripts, SCRIPTS};
use super::super::docker::{self, DOCKERFILE};
use super::super::error::StrategyError;
use super::super::images::{self, NOTHING, copy};
use super::super::place::Context;
use super::super::{Need, choices, installed, registries, s2i, tool, variables};
use super::delivery::{delivered, previous};
use super::{Driver, ask, run, say, write};
use crate::controller::{BuiltImage, Tool};
use crate::dockerfile::{self, Changes};
use crate::text::harmless;

/// How a Dockerfile is called where nothing is said.
const NAMES: [&str; 2] = ["Dockerfile", "Containerfile"];
/// Files of the source code that say something of the build.
const DOCKERFILE_PATH: &str = "dockerfile_path";
const OF_S2I: &str = "the file of s2i";

impl Driver {
    /// The Docker strategy.
    pub(super) fn docker(&mut self, context: &Context) -> Result<(), StrategyError> {
        let (secrets, auth) = (dir("BASEWATCH_SECRETS_DIR"), dir("DOCKER_CONFIG"));
        let container = self.container(secrets.as_deref(), auth.as_deref())?;
        let (own, output) = (container.own_name(), container.output()?);
        self.extract(&container, context)?;
        let (name, path) = self.dockerfile(context)?;
        let wrong = |source| StrategyError::Dockerfile { path: name.clone(), source };
        let text = dockerfile::read(&path).map_err(wrong)?;
        let rewritten = docker::rewritten(&self.spec, self.result.commit.as_deref(), &text).map_err(wrong)?;
        for replaced in &rewritten.replaced {
            let (line, old, new) = (replaced.line, harmless(&replaced.old), &replaced.new);
            say(&format!("# {}, line {line}: {old} is {new}", harmless(&name)));
        }
        write(DOCKERFILE, &rewritten.text)?;
        let ignore = ignore_beside(context, &name)?;
        if let Some(ignore) = &ignore {
            write(docker::IGNORE, dockerfile::read(ignore).map_err(wrong)?)?;
        }
        run(&docker::build(&container, &own, ignore.is_some(), &context.path))?;
        let made = delivered(&container, &own, output.as_deref())?;
        self.made(made)
    }

    /// The Source strategy.
    pub(super) fn builder(&mut self, context: &Context) -> Result<(), StrategyError> {
        let (secrets, auth) = (dir("BASEWATCH_SECRETS_DIR"), dir("DOCKER_CONFIG"));
        let container = self.container(secrets.as_deref(), auth.as_deref())?;
        let (own, output) = (container.own_name(), container.output()?);
        let builder = self.spec.base_image.as_ref().ok_or(StrategyError::NoBuilder)?.reference.to_string();
        self.extract(&container, context)?;
        if container.tool == Tool::S2i {
            write(s2i::ENVIRONMENT, s2i::environment_file(&self.environment(&[])?)?)?;
            // S2i looks for it under the name of what it makes.
            if let Some(previous) = previous(&container, output.as_deref())? {
                run(&container.tag(previous, &own))?;
            }
            run(&s2i::by_s2i(&container, &builder, &own, &context.path))?;
        } else {
            self.assemble(&container, &builder, &own, output.as_deref(), context)?;
        }
        let made = delivered(&container, &own, output.as_deref())?;
        self.made(made)
    }

    /// Does what s2i does, by a Containerfile.
    fn assemble(
        &self,
        container: &Container<'_>,
        builder: &str,
        own_name: &str,
        output: Option<&str>,
        context: &Context,
    ) -> Result<(), StrategyError> {
        let own = own_scripts(context)?;
        run(&container.pull(builder))?;
        let inspect = container.inspect(builder);
        let image = Image::parse(&ask(&inspect)?).map_err(|source| StrategyError::Inspect {
            step: inspect.name(),
            image: builder.to_owned(),
            source,
        })?;
        let previous = previous(container, output)?;
        let text = Assembly { builder, image: &image, own, previous }.text()?;
        let of_source = read_optional(context, ".s2i/environment")?.unwrap_or_default();
        let env = self.environment(&s2i::parse_environment(&of_source, ".s2i/environment")?)?;
        let changes = Changes { env: &env, ..Changes::default() };
        let wrong = |source| StrategyError::Dockerfile { path: CONTAINERFILE.to_owned(), source };
        write(CONTAINERFILE, dockerfile::rewrite(text.as_bytes(), &changes).map_err(wrong)?.text)?;
        let ignored = read_optional(context, ".s2iignore")?.unwrap_or_default();
        write(containerfile::IGNORE, containerfile::ignore(&ignored, own))?;
        run(&s2i::by_containerfile(container, own_name, &context.path))
    }

    /// What the image is told, the strategy's own last but for what only the build knows.
    fn environment(&self, of_source: &[(String, String)]) -> Result<Vec<(String, String)>, StrategyError> {
        let of_build = variables::of_build(&self.spec, self.result.commit.as_deref());
        let all = of_source.iter().chain(&self.spec.env).cloned().chain(of_build);
        Ok(s2i::merged(all))
    }

    fn container<'a>(
        &'a self,
        secrets_dir: Option<&'a str>,
        auth_dir: Option<&'a str>,
    ) -> Result<Container<'a>, StrategyError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let first = || installed(self.spec.strategy, &path, Path::new("."));
        let need = || Need::Any(choices(self.spec.strategy)).to_string();
        let tool = tool(&self.spec).or_else(first).ok_or_else(|| StrategyError::NoTool(need()))?;
        let container = Container { spec: &self.spec, tool, secrets_dir, auth_dir };
        if registries::are_needed(&self.spec) {
            write_registries(&container)?;
        }
        Ok(container)
    }

    /// Puts what is wanted of other images into the context.
    fn extract(&self, container: &Container<'_>, context: &Context) -> Result<(), StrategyError> {
        for extraction in images::all(&self.spec.image_sources) {
            fs::create_dir_all(NOTHING).map_err(StrategyError::file("make the directory", NOTHING))?;
            write(&extraction.file(), extraction.text())?;
            for step in extraction.extract(container) {
                run(&step)?;
            }
            for (from, path) in extraction.copies() {
                let to = context.make_dir("destination_dir", &path.destination_dir)?;
                run(&copy(&from, &to.to_string_lossy()))?;
            }
        }
        Ok(())
    }

    fn dockerfile(&self, context: &Context) -> Result<(String, PathBuf), StrategyError> {
        let options = self.spec.options.as_ref();
        if let Some(name) = options.and_then(|options| options.dockerfile_path.as_deref()) {
            return Ok((name.to_owned(), context.find(DOCKERFILE_PATH, name)?));
        }
        for name in NAMES {
            if let Some(path) = context.find_optional("the file", name)? {
                return Ok((name.to_owned(), path));
            }
        }
        Err(StrategyError::NoDockerfile(context.path.clone()))
    }

    fn made(&mut self, image: Option<BuiltImage>) -> Result<(), StrategyError> {
        if let Some(image) = image {
            say(&format!("# {} is {}", image.reference, image.digest));
            self.result.images.push(image);
        }
        self.tell()
    }
}

/// The file beside a Dockerfile that says what is left out; of two it is the one that buildah and podman take.
fn ignore_beside(context: &Context, dockerfile: &str) -> Result<Option<PathBuf>, StrategyError> {
    for kind in ["dockerignore", "containerignore"] {
        let found = context.find_optional("the ignore file", &format!("{dockerfile}.{kind}"))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn write_registries(container: &Container<'_>) -> Result<(), StrategyError> {
    match container.tool {
        Tool::Docker | Tool::S2i => return Ok(()),
        Tool::Buildah | Tool::Podman => {}
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let places = registries::places(variable(registries::VARIABLE), variable("HOME"));
    let found = places.into_iter().find(|path| path.exists());
    let (path, text) = match found {
        Some(path) => {
            let text = fs::read_to_string(&path).map_err(StrategyError::file("read", &path))?;
            (path, text)
        }
        None => Default::default(),
    };
    write(registries::FILE, registries::with_insecure(&text, &path, registries::hosts(container.spec))?)
}

/// Where the runner put secrets or credentials, if there are any.
fn dir(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|dir| !dir.is_empty())
}

fn own_scripts(context: &Context) -> Result<OwnScripts, StrategyError> {
    let has = |name: &str| {
        let found = context.find_optional("the script", &format!("{SCRIPTS}/{name}"))?;
        Ok::<bool, StrategyError>(found.is_some_and(|path| path.is_file()))
    };
    Ok(OwnScripts { assemble: has("assemble")?, run: has("run")?, save_artifacts: has("save-artifacts")? })
}

/// A small text file of the source code, if it is there.
fn read_optional(context: &Context, path: &str) -> Result<Option<String>, StrategyError> {
    let Some(found) = context.find_optional(OF_S2I, path)? else { return Ok(None) };
    let text = dockerfile::read(&found)
        .map_err(|source| StrategyError::Dockerfile { path: path.to_owned(), source })?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

//! What buildah, podman and docker have in common, and what each calls it.

use crate::controller::{BuildSpec, StrategyOptions, Tool};
use crate::image::TagRef;
use crate::runner::environment::labels;

use super::error::StrategyError;
use super::registries;
use super::step::Step;

/// Where the tool writes the digest of what it pushed.
pub(super) const DIGEST: &str = "work/digest";

/// What tells a client of docker to build with BuildKit.
const BUILD_KIT: &str = "DOCKER_BUILDKIT";

/// A build of an image by a tool.
#[derive(Debug, Clone)]
pub(super) struct Container<'a> {
    pub(super) spec: &'a BuildSpec,
    pub(super) tool: Tool,
    /// Where the secrets are, if there are any.
    pub(super) secrets_dir: Option<&'a str>,
    /// Where the credentials are, if the build is given any.
    pub(super) auth_dir: Option<&'a str>,
}

impl<'a> Container<'a> {
    /// What the image is called while it is built: a name that no other build has, so that none pushes another's image.
    pub(super) fn own_name(&self) -> String {
        let config = &self.spec.build.config;
        let number = self.spec.build.number;
        format!("localhost/basewatch/{}/{}:{number}", config.namespace(), config.name())
    }

    /// Where the image goes, or what it is called here if it is not pushed.
    pub(super) fn output(&self) -> Result<Option<String>, StrategyError> {
        let Some(output) = self.spec.output.as_deref() else { return Ok(None) };
        match output.parse::<TagRef>() {
            Ok(tag) if !tag.is_pinned() => Ok(Some(tag.as_str().to_owned())),
            Ok(_) | Err(_) => Err(StrategyError::BadOutput(output.to_owned())),
        }
    }

    pub(super) fn pushes(&self) -> bool {
        self.spec.output.is_some() && !self.options().is_some_and(|options| options.no_push)
    }

    pub(super) fn options(&self) -> Option<&'a StrategyOptions> {
        self.spec.options.as_deref()
    }

    /// A command of the tool. Buildah and podman are told the insecure registries by a file; docker's daemon has its
    /// own settings.
    pub(super) fn step<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Step {
        let step = Step::new(self.tool.as_str(), arguments);
        match self.tool {
            Tool::Buildah | Tool::Podman if registries::are_needed(self.spec) => {
                step.env(registries::VARIABLE, registries::FILE)
            }
            Tool::Buildah | Tool::Podman | Tool::Docker | Tool::S2i => step,
        }
    }

    /// A build of the Containerfile `file`.
    pub(super) fn build(&self, file: &str, ignore: Option<&str>) -> Step {
        let mut step = self.step(["build"]).arg(format!("--file={file}"));
        // Docker finds the file beside the Dockerfile by its name.
        if let Some(ignore) = ignore.filter(|_| self.tool != Tool::Docker) {
            step = step.arg(format!("--ignorefile={ignore}"));
        }
        if self.options().is_some_and(|options| options.force_pull) {
            step = step.arg(if self.tool == Tool::Docker { "--pull" } else { "--pull-always" });
        }
        self.with_secrets(step.args(self.labels()))
    }

    /// What the image is labelled with.
    pub(super) fn labels(&self) -> impl Iterator<Item = String> {
        labels(self.spec).into_iter().map(|(name, value)| format!("--label={name}={value}"))
    }

    /// Takes files of an image out of it, into a directory. Buildah and podman keep an image of them besides: it has the
    /// name `own`, so that it can be removed.
    pub(super) fn extract(&self, own: &str, file: &str, context: &str, to: &str) -> Vec<Step> {
        let step = self.client(["build"]).arg(format!("--file={file}"));
        let step = step.arg(format!("--output=type=local,dest={to}"));
        match self.tool {
            Tool::Buildah | Tool::Podman => {
                vec![step.arg(format!("--tag={own}")).arg(context), self.remove(own)]
            }
            Tool::Docker | Tool::S2i => vec![step.env(BUILD_KIT, "1").arg(context)],
        }
    }

    pub(super) fn pull(&self, image: &str) -> Step {
        let force = self.options().is_some_and(|options| options.force_pull);
        let always = (force && self.tool == Tool::Buildah).then(|| "--policy=always".to_owned());
        self.step(["pull"]).args(always).arg(image)
    }

    /// Gets the image of the build before: from where it was pushed, or as it is here if nothing is.
    pub(super) fn get_previous(&self, output: &str) -> Step {
        if !self.pushes() {
            return self.inspect(output);
        }
        let always = (self.tool == Tool::Buildah).then(|| "--policy=always".to_owned());
        self.client(["pull"]).args(always).arg(output)
    }

    /// Describes an image that is there, as JSON.
    pub(super) fn inspect(&self, image: &str) -> Step {
        match self.tool {
            Tool::Buildah => self.step(["inspect", "--type", "image"]).arg(image),
            Tool::Podman | Tool::Docker | Tool::S2i => self.client(["image", "inspect"]).arg(image),
        }
    }

    /// Gives the image another name.
    pub(super) fn tag(&self, name: &str, other: &str) -> Step {
        self.client(["tag"]).args([name, other].map(str::to_owned))
    }

    /// Takes a name from an image, and removes an image that has no other.
    pub(super) fn remove(&self, name: &str) -> Step {
        self.client(["rmi"]).arg(name)
    }

    /// Pushes the image `own` to `output`; docker pushes what is called so.
    pub(super) fn push(&self, own: &str, output: &str) -> Vec<Step> {
        match self.tool {
            Tool::Buildah | Tool::Podman => {
                let push = self.step(["push", "--digestfile", DIGEST]).arg(own);
                vec![push.arg(format!("docker://{output}"))]
            }
            Tool::Docker | Tool::S2i => vec![self.tag(own, output), self.client(["push"]).arg(output)],
        }
    }

    /// Asks docker for the digest of what it pushed: of the build's own image, whatever is called as the output by now.
    pub(super) fn pushed(&self, own: &str) -> Option<Step> {
        let inspect = ["image", "inspect", "--format", "{{json .RepoDigests}}"];
        match self.tool {
            Tool::Buildah | Tool::Podman => None,
            Tool::Docker | Tool::S2i => Some(self.client(inspect).arg(own)),
        }
    }

    /// A command of whatever keeps the images: s2i's are docker's.
    fn client<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Step {
        match self.tool {
            Tool::Buildah | Tool::Podman | Tool::Docker => self.step(arguments),
            Tool::S2i => Step::new(Tool::Docker.as_str(), arguments),
        }
    }

    /// What is at hand while the image is built, and not in it.
    fn with_secrets(&self, step: Step) -> Step {
        let Some(dir) = self.secrets_dir else { return step };
        let mut secrets = self.spec.venue.iter().flat_map(|venue| &venue.secrets).peekable();
        let step = if secrets.peek().is_some() { self.build_kit(step) } else { step };
        secrets.fold(step, |step, (name, _)| {
            step.arg_below(&format!("--secret=id={name},src="), dir, &format!("/{name}"))
        })
    }

    /// Old clients of docker build without BuildKit unless told, and only that knows secrets and outputs.
    fn build_kit(&self, step: Step) -> Step {
        if self.tool == Tool::Docker { step.env(BUILD_KIT, "1") } else { step }
    }
}

/// The digest of what was pushed to `tag`, from what docker says of it.
pub(super) fn digest_of(tag: &str, repo_digests: &[u8]) -> Option<String> {
    let name = tag.parse::<TagRef>().ok()?;
    let all: Vec<String> = serde_json::from_slice(repo_digests).ok()?;
    let of_repository = |text: &String| {
        let found = TagRef::parse_image(text).ok()?;
        (found.name() == name.name()).then(|| found.pinned_digest())?
    };
    all.iter().find_map(of_repository).map(|digest| digest.to_string())
}

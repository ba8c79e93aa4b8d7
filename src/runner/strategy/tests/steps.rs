use std::path::Path;
use std::process::Stdio;

use super::super::container::digest_of;
use super::super::preview::steps_by;
use super::super::step::Step;
use super::super::{Need, is_driven, needs};
use super::*;
use crate::controller::{ImagePath, ImageUse, PinnedSource, Revision, Venue};

const CHECKOUT: [&str; 5] = [
    "git init --quiet work/source",
    "git -C work/source remote add -- origin https://git.test/app",
    "git -C work/source fetch --no-tags --depth 1 -- origin main",
    "git -C work/source checkout --quiet --detach FETCH_HEAD --",
    "git -C work/source submodule update --init --recursive",
];

/// What the image is called while it is built.
const OWN: &str = "localhost/basewatch/default/app:7";

/// The steps after the checkout, the long digest shortened.
fn after_checkout(spec: &BuildSpec, tool: Tool) -> Vec<String> {
    let mut steps = steps_by(spec, tool);
    let rest = steps.split_off(CHECKOUT.len());
    assert_eq!(steps, CHECKOUT);
    rest.iter().map(|step| step.replace(&"a".repeat(64), "a")).collect()
}

const LABELS: &str = "--label=org.opencontainers.image.base.digest=sha256:a \
                      --label=org.opencontainers.image.base.name=r.test/base:1 '--label=team=pay desk'";

#[test]
fn a_dockerfile_is_built_by_each_tool_in_its_own_words() {
    let mut spec = spec(StrategyKind::Docker);
    *options(&mut spec) = StrategyOptions {
        build_args: vec![("WORD".into(), "it's".into())],
        target: Some("final".into()),
        no_cache: true,
        force_pull: true,
        insecure: vec!["r.test".into()],
        ..StrategyOptions::default()
    };
    spec.venue =
        Some(Box::new(Venue { secrets: vec![("npm".into(), Path::new("/s").into())], ..Venue::default() }));
    let rest = format!(
        "{LABELS} \"--secret=id=npm,src=$BASEWATCH_SECRETS_DIR/npm\" --tag={OWN} --no-cache \
         --target=final --build-arg=WORD=… work/source/sub"
    );
    for tool in [Tool::Buildah, Tool::Podman] {
        let program = format!("CONTAINERS_REGISTRIES_CONF=work/registries.conf {}", tool.as_str());
        assert_eq!(
            after_checkout(&spec, tool),
            [
                format!("{program} build --file=work/Dockerfile --pull-always {rest}"),
                format!("{program} push --digestfile work/digest {OWN} docker://r.test/app:latest"),
                format!("{program} rmi {OWN}"),
            ]
        );
    }
    assert_eq!(
        after_checkout(&spec, Tool::Docker),
        [
            format!("DOCKER_BUILDKIT=1 docker build --file=work/Dockerfile --pull {rest}"),
            format!("docker tag {OWN} r.test/app:latest"),
            "docker push r.test/app:latest".to_owned(),
            format!("docker image inspect --format '{{{{json .RepoDigests}}}}' {OWN}"),
            format!("docker rmi {OWN}"),
        ]
    );
}

#[test]
fn without_an_output_or_a_push_the_image_stays_here() {
    let mut spec = spec(StrategyKind::Docker);
    options(&mut spec).no_push = true;
    let steps = after_checkout(&spec, Tool::Buildah);
    assert_eq!(
        steps,
        [
            format!("buildah build --file=work/Dockerfile {LABELS} --tag={OWN} work/source/sub"),
            format!("buildah tag {OWN} r.test/app:latest"),
            format!("buildah rmi {OWN}"),
        ]
    );
    spec.options = None;
    spec.output = None;
    let steps = after_checkout(&spec, Tool::Buildah);
    assert!(steps.len() == 1 && steps[0].contains(OWN), "{steps:?}");
}

#[test]
fn a_source_build_is_by_s2i_or_by_what_s2i_would_do() {
    let mut spec = spec(StrategyKind::Source);
    options(&mut spec).incremental = true;
    assert_eq!(
        after_checkout(&spec, Tool::S2i),
        [
            "docker pull r.test/app:latest".to_owned(),
            format!("docker tag r.test/app:latest {OWN}"),
            format!(
                "s2i build --copy --environment-file=work/environment --incremental {LABELS} \
                 work/source/sub r.test/base@sha256:a {OWN}"
            ),
            format!("docker tag {OWN} r.test/app:latest"),
            "docker push r.test/app:latest".to_owned(),
            format!("docker image inspect --format '{{{{json .RepoDigests}}}}' {OWN}"),
            format!("docker rmi {OWN}"),
        ]
    );
    assert_eq!(
        after_checkout(&spec, Tool::Podman),
        [
            "podman pull r.test/base@sha256:a".to_owned(),
            "podman image inspect r.test/base@sha256:a".to_owned(),
            "podman pull r.test/app:latest".to_owned(),
            format!(
                "podman build --file=work/Containerfile --ignorefile=work/Containerfile.dockerignore {LABELS} \
                 --tag={OWN} work/source/sub"
            ),
            format!("podman push --digestfile work/digest {OWN} docker://r.test/app:latest"),
            format!("podman rmi {OWN}"),
        ]
    );
}

#[test]
fn the_image_before_is_looked_for_here_if_none_is_pushed() {
    let mut spec = spec(StrategyKind::Source);
    *options(&mut spec) = StrategyOptions { incremental: true, no_push: true, ..StrategyOptions::default() };
    for (tool, inspect, at) in [
        (Tool::Buildah, "buildah inspect --type image r.test/app:latest", 2),
        (Tool::Podman, "podman image inspect r.test/app:latest", 2),
        (Tool::S2i, "docker image inspect r.test/app:latest", 0),
    ] {
        assert_eq!(after_checkout(&spec, tool)[at], inspect);
    }
    spec.output = None;
    let steps = after_checkout(&spec, Tool::Buildah);
    assert!(!steps.iter().any(|step| step.contains("r.test/app")), "{steps:?}");
}

#[test]
fn s2i_is_told_where_the_credentials_are() {
    let mut spec = spec(StrategyKind::Source);
    let auth_file = Some(Path::new("/etc/auth.json").into());
    spec.venue = Some(Box::new(Venue { auth_file, ..Venue::default() }));
    let steps = after_checkout(&spec, Tool::S2i);
    let start = "s2i build --copy --environment-file=work/environment \"--dockercfg-path=$DOCKER_CONFIG/config.json\" ";
    assert!(steps[0].starts_with(start), "{steps:?}");
}

#[test]
fn files_of_other_images_go_into_a_copy_of_a_directory() {
    let mut spec = spec(StrategyKind::Docker);
    let source = spec.source.as_mut().unwrap();
    source.git = None;
    source.directory = Some(Path::new("/srv/app").into());
    let path = ImagePath { source_path: "/opt/x".into(), destination_dir: "in/here".into() };
    let of_use = ImageUse { aliases: Vec::new(), paths: vec![path] };
    spec.image_sources = vec![PinnedSource { image: image("r.test/tools:1"), of_use }];
    options(&mut spec).no_push = true;
    let steps = steps_by(&spec, Tool::Docker);
    assert_eq!(
        &steps[..3],
        [
            "cp -a --remove-destination -- /srv/app/sub/. work/source/",
            "DOCKER_BUILDKIT=1 docker build --file=work/image-1.Containerfile --output=type=local,dest=work/image-1 work/nothing",
            "cp -a --remove-destination -- work/image-1/0/. work/source/in/here/",
        ]
    );
    assert!(steps[3].ends_with(" work/source"), "{steps:?}");
    let files = format!("{OWN}-files-1");
    let steps = steps_by(&spec, Tool::Buildah);
    assert!(steps[1].contains(&format!(" --tag={files} ")), "{steps:?}");
    assert_eq!(steps[2], format!("buildah rmi {files}"));
    let text = super::super::images::all(&spec.image_sources)[0].text();
    let reference = &image("r.test/tools:1").reference;
    assert_eq!(text, format!("FROM scratch\nCOPY --from={reference} [\"/opt/x\",\"/0/x\"]\n"));
}

#[test]
fn a_revision_is_fetched_by_its_commit_and_nothing_said_is_master() {
    let mut spec = spec(StrategyKind::Command);
    spec.command = vec!["make".into(), "a b".into()];
    spec.revision = Some(Box::new(Revision { commit: "c0ffee1".into(), ..Revision::default() }));
    let steps = steps_by(&spec, Tool::Buildah);
    assert_eq!(steps[2], "git -C work/source fetch --no-tags --depth 1 -- origin c0ffee1");
    assert_eq!(steps.last().unwrap(), "make 'a b'");
    spec.revision = None;
    spec.source.as_mut().unwrap().git.as_mut().unwrap().reference = None;
    assert!(steps_by(&spec, Tool::Buildah)[2].ends_with("-- origin master"));
}

#[test]
fn the_driver_makes_what_has_source_code_and_no_say_of_its_own() {
    let one = |program: &str| Need::One(program.to_owned());
    let docker = spec(StrategyKind::Docker);
    assert_eq!(needs(&docker), [one("git"), Need::Any(&[Tool::Buildah, Tool::Podman, Tool::Docker])]);
    let mut source = spec(StrategyKind::Source);
    options(&mut source).tool = Some(Tool::S2i);
    assert_eq!(needs(&source), [one("git"), one("s2i"), one("docker")]);
    let mut command = spec(StrategyKind::Command);
    assert!(!is_driven(&command), "nothing to run");
    command.command = vec!["make".into()];
    assert!(is_driven(&command));
    assert_eq!(needs(&command), [one("git"), one("make")]);
    command.working_dir = Some("/srv".into());
    assert!(!is_driven(&command), "it runs where it says");
    let own = BuildSpec { command: vec!["make".into()], ..docker };
    assert!(!is_driven(&own), "its command builds");
    assert!(!is_driven(&spec(StrategyKind::Custom)), "its builder fetches");
    assert!(steps_by(&own, Tool::Buildah).is_empty());
}

#[test]
fn git_asks_nobody_for_anything() {
    let told = Step::new("git", ["-c", "alias.told=!env", "told"]).output(Stdio::null()).unwrap().unwrap();
    let told = String::from_utf8(told).unwrap();
    for variable in ["GIT_TERMINAL_PROMPT=0", "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS=/bin/false"] {
        assert!(told.lines().any(|line| line == variable), "{variable}");
    }
}

#[test]
fn dockers_digest_is_that_of_the_repository_that_was_pushed_to() {
    let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
    let told = format!(r#"["other.test/app@{}","r.test/app@{}"]"#, digest("b"), digest("c"));
    assert_eq!(digest_of("r.test/app:1", told.as_bytes()), Some(digest("c")));
    let told = format!(r#"["app@{}"]"#, digest("d"));
    assert_eq!(digest_of("docker.io/library/app:1", told.as_bytes()), Some(digest("d")));
    assert_eq!(digest_of("r.test/app:1", b"[]"), None);
    assert_eq!(digest_of("r.test/app:1", b"nonsense"), None);
}

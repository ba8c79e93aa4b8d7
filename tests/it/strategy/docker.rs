//! The Docker strategy.

use std::fs;
use std::path::Path;

use basewatch::image::Digest;

use super::{app, layers};
use crate::support::daemon::Daemon;
use crate::support::workshop::Workshop;

const DOCKERFILE: &str = "# an application\nFROM debian:12\nCOPY message /message\nRUN echo \"$GREETING $(cat /base) $(cat /message)\" > /made\n";

/// Every file below a directory, with what is in it.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => open.push(entry),
                false => found.push((entry.display().to_string(), fs::read(&entry).unwrap())),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_application_is_built_again_on_each_new_base_and_pushed() {
    let workshop = Workshop::new();
    let host = workshop.registry.host().to_owned();
    let first = workshop.make("default/base:1", "RUN echo one > /base\n", &[]);
    let repository = workshop.repository("app");
    let commit = repository.commit(&[("sub/Dockerfile", DOCKERFILE), ("sub/message", "hello")]);
    let rest = format!(
        "source = {{ git = {{ uri = \"{}\", ref = \"main\" }}, context_dir = \"sub\" }}\n\
         output = {{ to = \"HOST/team/app:latest\" }}\nlabels = {{ team = \"pay\" }}",
        repository.uri()
    );
    workshop.configure(&app("Docker", "env = [{ name = \"GREETING\", value = \"it is $X\" }]", &rest));
    let daemon = workshop.start();

    let image = built_on(&workshop, &daemon, 1, &first, &commit);
    assert_eq!(workshop.file(&image, "/made"), "it is $X one hello\n");
    let second = workshop.make("default/base:1", "RUN echo two > /base\n", &[]);
    let image = built_on(&workshop, &daemon, 2, &second, &commit);
    assert_eq!(workshop.file(&image, "/made"), "it is $X two hello\n");

    let log = workshop.log("app-2");
    assert!(log.contains("+ git -C work/source fetch --no-tags --depth 1 -- origin main"), "{log}");
    assert!(
        log.contains(&format!("# Dockerfile, line 2: debian:12 is {host}/default/base@{second}")),
        "{log}"
    );
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    let left = workshop.home.state().join("builds/default/app-2");
    for gone in ["work", "work.json"] {
        assert!(!left.join(gone).exists(), "{gone} is left");
    }
    daemon.stop();
}

/// Waits for a build, which must be on this base and say so; answers with its image.
fn built_on(workshop: &Workshop, daemon: &Daemon, number: u32, base: &Digest, commit: &str) -> String {
    let host = workshop.registry.host();
    let shown = workshop.complete(daemon, &format!("app-{number}"));
    assert_eq!(shown["spec"]["base_image"]["digest"], base.to_string());
    assert_eq!(shown["commit"], *commit);
    assert_eq!(shown["images"][0]["reference"], format!("{host}/team/app:latest"));
    let image = format!("team/app@{}", shown["images"][0]["digest"].as_str().unwrap());
    let config = workshop.config(&image);
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.base.digest"], base.to_string());
    assert_eq!(labels["org.opencontainers.image.base.name"], format!("{host}/default/base:1"));
    assert_eq!(labels["team"], "pay");
    let env = config["config"]["Env"].to_string();
    assert!(env.contains(&format!("\"OPENSHIFT_BUILD_COMMIT={commit}\"")), "{env}");
    assert!(env.contains(&format!("\"OPENSHIFT_BUILD_NAME=app-{number}\"")), "{env}");
    let under = layers(workshop, &format!("default/base@{base}"));
    assert_eq!(layers(workshop, &image)[..under.len()], under);
    image
}

#[test]
fn a_directory_is_built_as_it_is_and_its_ignore_file_holds() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    workshop.make(
        "default/tools:1",
        "RUN mkdir -p /opt/bin && echo t > /opt/bin/tool && echo f > /opt/file\n",
        &[],
    );
    let directory = workshop.directory("site");
    let dockerfile = "FROM base AS lib\nRUN echo lib > /lib.txt\n\
                      FROM lib AS final\nCOPY --from=tools /opt/bin/tool /aliased\nCOPY . /context/\n\
                      ARG WORD\nRUN echo \"$WORD\" > /word\nFROM scratch AS unused\n";
    fs::write(directory.join("Dockerfile.prod"), dockerfile).unwrap();
    fs::write(directory.join("Dockerfile.prod.dockerignore"), "hidden\nDockerfile*\n").unwrap();
    fs::write(directory.join("hidden"), "secret").unwrap();
    fs::write(directory.join("kept"), "kept").unwrap();
    let before = contents(&directory);
    let images = "images = [{ from = { kind = \"DockerImage\", name = \"HOST/default/tools:1\" }, as = [\"tools\"], \
                  paths = [{ source_path = \"/opt/bin\", destination_dir = \"from/tools\" }, \
                  { source_path = \"/opt/bin/.\", destination_dir = \"flat\" }, \
                  { source_path = \"/opt/file\", destination_dir = \".\" }] }]";
    let rest = format!(
        "source = {{ directory = {directory:?}, {images} }}\noutput = {{ to = \"HOST/team/site:1\" }}"
    );
    let strategy =
        "dockerfile_path = \"Dockerfile.prod\"\ntarget = \"final\"\nbuild_args = { WORD = \"said so\" }";
    workshop.configure(&app("Docker", strategy, &rest));
    let daemon = workshop.start();
    let shown = workshop.complete(&daemon, "app-1");
    let pinned = format!("team/site@{}", shown["images"][0]["digest"].as_str().unwrap());
    assert_eq!(workshop.file(&pinned, "/aliased"), "t\n");
    assert_eq!(workshop.file(&pinned, "/word"), "said so\n");
    let steps = workshop.log("app-1").lines().filter(|line| line.starts_with("+ ")).collect::<String>();
    assert!(steps.contains(" --build-arg=WORD=… ") && !steps.contains("said so"), "{steps}");
    assert_eq!(workshop.file(&pinned, "/context/from/tools/bin/tool"), "t\n");
    assert_eq!(workshop.file(&pinned, "/context/flat/tool"), "t\n");
    assert_eq!(workshop.file(&pinned, "/context/file"), "f\n");
    assert_eq!(workshop.file(&pinned, "/context/kept"), "kept");
    assert!(!workshop.has(&pinned, "/context/hidden"));
    assert_eq!(contents(&directory), before);
    let bases = ["base:<none>", "tools:1"].map(|name| format!("{}/default/{name}", workshop.registry.host()));
    let mut left = workshop.images();
    left.sort();
    assert_eq!(left, bases, "what was built is where it was pushed");
    daemon.stop();
}

#[test]
fn a_dockerfile_that_writes_to_its_context_changes_no_directory() {
    let workshop = Workshop::new();
    workshop.make("default/base:1", "", &[]);
    let directory = workshop.directory("site");
    fs::create_dir(directory.join("sub")).unwrap();
    let dockerfile = "FROM base\nCOPY . /context/\nRUN --mount=type=bind,target=/src,rw echo changed > /src/kept && cp /src/kept /made\n";
    fs::write(directory.join("Dockerfile.beside"), dockerfile).unwrap();
    std::os::unix::fs::symlink("../Dockerfile.beside", directory.join("sub/Dockerfile")).unwrap();
    fs::write(directory.join("sub/Dockerfile.containerignore"), "hidden\n").unwrap();
    fs::write(directory.join("sub/kept"), "kept").unwrap();
    fs::write(directory.join("sub/hidden"), "secret").unwrap();
    let before = contents(&directory);
    let rest = format!(
        "source = {{ directory = {directory:?}, context_dir = \"sub\" }}\noutput = {{ to = \"HOST/team/site:1\" }}"
    );
    workshop.configure(&app("Docker", "", &rest));
    let daemon = workshop.start();
    let shown = workshop.complete(&daemon, "app-1");
    let pinned = format!("team/site@{}", shown["images"][0]["digest"].as_str().unwrap());
    assert_eq!(workshop.file(&pinned, "/made"), "changed\n");
    assert_eq!(workshop.file(&pinned, "/context/kept"), "kept");
    assert!(!workshop.has(&pinned, "/context/hidden"));
    assert_eq!(contents(&directory), before);
    daemon.stop();
}

//! What is told of a strategy before it runs, and when it cannot.

use std::fs;

use super::app;
use crate::support::workshop::Workshop;

#[test]
fn a_dry_run_tells_the_steps_and_runs_none() {
    let workshop = Workshop::new();
    let digest = workshop.registry.push("default/base", "1", 1);
    let rest = "source = { git = { uri = \"file:///nowhere/app.git\" }, context_dir = \"sub\" }\n\
                output = { to = \"HOST/team/app:latest\" }";
    workshop.configure(&app("Docker", "tool = \"buildah\"\ntarget = \"final\"", rest));
    let daemon = workshop.start();
    workshop.ended(&daemon, "app-1");
    let answer = workshop.home.ask(&["start", "app", "--dry-run"]);
    let steps: Vec<&str> =
        answer["spec"]["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    let host = workshop.registry.host();
    let own = "localhost/basewatch/default/app:2";
    let conf = "CONTAINERS_REGISTRIES_CONF=work/registries.conf";
    assert_eq!(
        steps,
        [
            "git init --quiet work/source",
            "git -C work/source remote add -- origin file:///nowhere/app.git",
            "git -C work/source fetch --no-tags --depth 1 -- origin master",
            "git -C work/source checkout --quiet --detach FETCH_HEAD --",
            "git -C work/source submodule update --init --recursive",
            &format!(
                "{conf} buildah build --file=work/Dockerfile \
                 --label=org.opencontainers.image.base.digest={digest} \
                 --label=org.opencontainers.image.base.name={host}/default/base:1 \
                 --tag={own} --target=final work/source/sub"
            ),
            &format!("{conf} buildah push --digestfile work/digest {own} docker://{host}/team/app:latest"),
            &format!("{conf} buildah rmi {own}"),
        ]
    );
    assert!(!workshop.home.state().join("builds/default/app-2").exists());
    daemon.stop();
}

#[test]
fn a_program_that_is_not_installed_is_an_error_before_anything_runs() {
    let workshop = Workshop::new();
    workshop.registry.push("default/base", "1", 1);
    let directory = workshop.directory("site");
    fs::write(directory.join("Dockerfile"), "FROM scratch\n").unwrap();
    let rest = format!("source = {{ directory = {directory:?} }}");
    workshop.configure(&app("Docker", "", &rest));
    let path = workshop.directory("empty").display().to_string();
    let daemon = workshop.start_with(&[("PATH", &path)]);
    assert_eq!(workshop.ended(&daemon, "app-1")["phase"], "Error");
    let shown = workshop.home.ask(&["build", "show", "app-1"]).to_string();
    assert!(shown.contains("none of buildah, podman, docker is in PATH="), "{shown}");
    daemon.stop();
}

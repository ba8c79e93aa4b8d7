//! Source code, and commands that run in it.

use super::app;
use crate::support::workshop::Workshop;

fn in_checkout(workshop: &Workshop, uri: &str, more: &str) {
    let rest = format!("source = {{ git = {{ uri = \"{uri}\", ref = \"main\" }}{more} }}");
    let command = "command = [\"/bin/sh\", \"-c\", \"echo it is $(cat message); exit $(cat code)\"]";
    workshop.configure(&app("Command", command, &rest));
}

#[test]
fn a_command_runs_in_its_checkout_and_a_rebuild_in_the_same_commit() {
    let workshop = Workshop::new();
    workshop.registry.push("default/base", "1", 1);
    let repository = workshop.repository("app");
    let first = repository.commit(&[("message", "old"), ("code", "0")]);
    in_checkout(&workshop, &repository.uri(), "");
    let daemon = workshop.start();
    assert_eq!(workshop.complete(&daemon, "app-1")["commit"], *first);
    assert!(workshop.log("app-1").contains("it is old"), "{}", workshop.log("app-1"));

    let second = repository.commit(&[("message", "new"), ("code", "7")]);
    workshop.home.ask(&["start", "app"]);
    let ended = workshop.ended(&daemon, "app-2");
    assert_eq!((&ended["phase"], &ended["exit"]), (&"Failed".into(), &7.into()), "{ended}");
    assert_eq!(workshop.home.ask(&["build", "show", "app-2"])["commit"], *second, "of a failed build too");

    // The branch has moved on; the commit that was built is not its tip any more.
    workshop.home.ask(&["build", "rebuild", "app-1"]);
    assert_eq!(workshop.complete(&daemon, "app-3")["commit"], *first);
    assert!(workshop.log("app-3").contains("it is old"), "{}", workshop.log("app-3"));
    daemon.stop();
}

#[test]
fn a_command_that_tells_what_it_made_need_not_tell_the_commit() {
    let workshop = Workshop::new();
    let base = workshop.registry.push("default/base", "1", 1);
    let repository = workshop.repository("app");
    let commit = repository.commit(&[("message", "hello")]);
    let rest = format!("source = {{ git = {{ uri = \"{}\", ref = \"main\" }} }}", repository.uri());
    for (number, (reference, kept)) in [("host/app:1", 1), ("two words", 0)].into_iter().enumerate() {
        let images =
            serde_json::json!({ "images": [{ "reference": reference, "digest": base.to_string() }] });
        let strategy = format!(
            "command = ['/bin/sh', '-c', 'echo \"$TELL\" > $BASEWATCH_RESULT_FILE']\n\
             env = [{{ name = \"TELL\", value = '{images}' }}]"
        );
        workshop.configure(&app("Command", &strategy, &rest));
        let daemon = workshop.start();
        if number > 0 {
            workshop.home.ask(&["start", "app"]);
        }
        let shown = workshop.complete(&daemon, &format!("app-{}", number + 1));
        assert_eq!(shown["commit"], *commit, "{shown}");
        assert_eq!(shown["images"].as_array().map_or(0, Vec::len), kept, "{shown}");
        daemon.stop();
    }
}

#[test]
fn what_is_not_in_the_repository_fails_with_its_name() {
    let workshop = Workshop::new();
    workshop.registry.push("default/base", "1", 1);
    let repository = workshop.repository("app");
    repository.commit(&[("message", "x"), ("code", "0")]);
    std::os::unix::fs::symlink("/etc", repository.checkout().join("out")).unwrap();
    repository.commit(&[]);
    for (number, (dir, problem)) in [
        ("nowhere", "context_dir work/source/nowhere is not in the source code"),
        ("out", "leads out of the source code"),
    ]
    .into_iter()
    .enumerate()
    {
        in_checkout(&workshop, &repository.uri(), &format!(", context_dir = \"{dir}\""));
        let daemon = workshop.start();
        if number > 0 {
            workshop.home.ask(&["start", "app"]);
        }
        let build = format!("app-{}", number + 1);
        assert_eq!(workshop.ended(&daemon, &build)["phase"], "Failed");
        let log = workshop.log(&build);
        assert!(log.contains(problem), "{log}");
        daemon.stop();
    }
}

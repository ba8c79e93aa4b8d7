//! What `ref` may be: a branch, a tag, or a commit, whatever the server gives by name.

use std::fs;

use super::app;
use crate::support::workshop::{Repository, Workshop};

const ALL: &str = "# no branch or tag is called so: it may be a commit of any of them, and all are fetched";
const BRANCH: &str = "# the server gives no commit by its id: all of the branch or tag is fetched";

/// Three commits, the first of which has a tag, and the second is in another branch alone.
fn history(workshop: &Workshop) -> (Repository, [String; 3]) {
    workshop.registry.push("default/base", "1", 1);
    let repository = workshop.repository("app");
    let first = repository.commit(&[("message", "first")]);
    repository.git(&["tag", "--annotate", "--message=one", "v1"]);
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    fs::write(repository.checkout().join("message"), "second").unwrap();
    repository.git(&["commit", "--quiet", "--all", "--message=change"]);
    let second = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["commit", "--quiet", "--allow-empty", "--message=nothing"]);
    let uri = repository.uri();
    repository.git(&["push", "--quiet", &uri, "side", "v1"]);
    repository.git(&["checkout", "--quiet", "main"]);
    let third = repository.commit(&[("message", "third")]);
    (repository, [first, second, third])
}

fn configure(workshop: &Workshop, repository: &Repository, reference: &str) {
    let rest = format!("source = {{ git = {{ uri = \"{}\", ref = \"{reference}\" }} }}", repository.uri());
    let command = "command = [\"/bin/sh\", \"-c\", \"echo it is $(cat message)\"]";
    workshop.configure(&app("Command", command, &rest));
}

#[test]
fn a_branch_a_tag_and_a_commit_are_found_by_name_or_among_all() {
    let workshop = Workshop::new();
    let (repository, [first, second, third]) = history(&workshop);
    let short = &second[..12];
    let table = [
        ("main", &third, "third", false),
        ("v1", &first, "first", false),
        (&*second, &second, "second", false),
        (short, &second, "second", true),
    ];
    for (number, (reference, commit, message, is_of_all)) in table.into_iter().enumerate() {
        configure(&workshop, &repository, reference);
        let daemon = workshop.start();
        if number > 0 {
            workshop.home.ask(&["start", "app"]);
        }
        let build = format!("app-{}", number + 1);
        assert_eq!(workshop.complete(&daemon, &build)["commit"], **commit, "{reference}");
        let log = workshop.log(&build);
        assert!(log.contains(&format!("it is {message}\n")), "{log}");
        assert_eq!(log.contains(ALL), is_of_all, "{log}");
        daemon.stop();
    }
}

#[test]
fn a_commit_that_the_server_gives_nobody_by_its_id_is_looked_for_in_its_branch() {
    let workshop = Workshop::new();
    let (repository, [first, second, third]) = history(&workshop);
    // As git spoke to its servers until 2018: they then give what has a name, and nothing else.
    fs::write(workshop.directory("home").join(".gitconfig"), "[protocol]\nversion = 0\n").unwrap();
    configure(&workshop, &repository, "main");
    let daemon = workshop.start();
    assert_eq!(workshop.complete(&daemon, "app-1")["commit"], *third);
    repository.commit(&[("message", "fourth")]);
    workshop.home.ask(&["build", "rebuild", "app-1"]);
    assert_eq!(workshop.complete(&daemon, "app-2")["commit"], *third);
    let log = workshop.log("app-2");
    assert!(log.contains(BRANCH) && log.contains("it is third\n"), "{log}");
    daemon.stop();

    // A commit by `ref` is looked for in all branches; one that is in none is told.
    let missing = "0123456789".repeat(4);
    for (build, reference, found) in
        [("app-3", &second, true), ("app-4", &first, true), ("app-5", &missing, false)]
    {
        configure(&workshop, &repository, reference);
        let daemon = workshop.start();
        workshop.home.ask(&["start", "app"]);
        let ended = workshop.ended(&daemon, build);
        let log = workshop.log(build);
        assert_eq!(ended["phase"] == "Complete", found, "{ended}\n{log}");
        assert_eq!(log.contains(&format!("basewatch: commit {reference} is not in")), !found, "{log}");
        daemon.stop();
    }
}

use std::os::unix::fs::PermissionsExt;

use tokio::sync::watch;

use super::*;
use crate::runner::attempt::{Stop, unless_stopped};
use crate::runner::handle::Handle;
use crate::runner::launch::identified;

fn reason(ended: &Ended) -> &str {
    let Outcome::NotStarted(reason) = &ended.outcome else { panic!("{ended:?}, though it cannot start") };
    reason
}

#[tokio::test]
async fn the_handle_names_the_child_which_leads_its_own_process_group() {
    let mut bench = Bench::new();
    bench.start(&spec(&["cat", "/proc/self/stat"]));
    let handle = bench.accepted().await;
    let stat = bench.ended().await.tail.pop().expect("a line");
    let pid = stat.split(' ').next().unwrap().parse().unwrap();
    let stat = Stat::parse(pid, &stat).unwrap();
    assert!(handle.starts_with(&format!("{pid}:{}:{}:", stat.process.started, stat.session)), "{handle}");
    assert_eq!(Handle::parse(&handle).expect("it is of this boot").to_string(), handle);
    assert_eq!(stat.group, pid);
}

#[tokio::test]
async fn arguments_reach_the_program_as_written() {
    let mut bench = Bench::new();
    let ended = bench.run(&spec(&["printf", "%s|", "a b", "$HOME", "*", ""])).await;
    assert_eq!(ended.tail, ["a b|$HOME|*||"]);
}

#[tokio::test]
async fn stdin_is_empty() {
    assert_eq!(Bench::new().run(&spec(&["cat"])).await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn it_runs_in_the_builds_directory_unless_told_otherwise() {
    let mut bench = Bench::new();
    let own = bench.build_dir().canonicalize();
    assert!(own.is_err(), "nothing is there before the first attempt");
    let ended = bench.run(&spec(&["pwd", "-P"])).await;
    assert_eq!(ended.tail, [bench.build_dir().canonicalize().unwrap().to_str().unwrap()]);

    let elsewhere = BuildSpec { working_dir: Some("/".into()), ..spec(&["pwd", "-P"]) };
    assert_eq!(bench.run(&elsewhere).await.tail, ["/"]);
}

#[tokio::test]
async fn a_program_with_a_slash_is_found_from_the_working_directory() {
    let mut bench = Bench::new();
    let dir = TempDir::new().unwrap();
    let program = dir.path().join("build.sh");
    fs::write(&program, "#!/bin/sh\necho \"$0 runs\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let spec = BuildSpec { working_dir: Some(dir.path().into()), ..spec(&["./build.sh"]) };
    assert_eq!(bench.run(&spec).await.tail, ["./build.sh runs"]);
}

#[tokio::test]
async fn a_missing_program_is_named_with_where_it_was_looked_for() {
    let mut bench = Bench::new();
    let ended = bench.run(&spec(&["no-such-program"])).await;
    let dir = bench.build_dir();
    let reason = reason(&ended);
    assert!(reason.contains("`no-such-program`"), "{reason}");
    assert!(reason.contains(dir.to_str().unwrap()), "{reason}");
    assert!(reason.contains("PATH=/usr/bin:/bin"), "{reason}");
    assert!(bench.events.try_recv().is_err(), "one end, and nothing else");
}

#[tokio::test]
async fn the_childs_path_counts_not_the_daemons() {
    let mut bench = Bench::new();
    let dir = TempDir::new().unwrap();
    std::os::unix::fs::symlink("/bin/echo", dir.path().join("only-here")).unwrap();
    let mut spec = spec(&["only-here", "found"]);
    spec.env = vec![("PATH".into(), dir.path().to_str().unwrap().into())];
    assert_eq!(bench.run(&spec).await.tail, ["found"]);
}

#[tokio::test]
async fn a_missing_working_directory_is_named() {
    let spec = BuildSpec { working_dir: Some("/no/such/place".into()), ..spec(&["true"]) };
    let ended = Bench::new().run(&spec).await;
    let reason = reason(&ended);
    assert!(reason.contains("`true`") && reason.contains("/no/such/place"), "{reason}");
    assert!(reason.contains("No such file"), "{reason}");
}

#[tokio::test]
async fn a_file_that_is_no_program_is_refused_with_the_reason() {
    let mut bench = Bench::new();
    let ended = bench.run(&spec(&["/etc/passwd"])).await;
    let reason = reason(&ended);
    assert!(reason.contains("`/etc/passwd`") && reason.contains("denied"), "{reason}");
}

#[tokio::test]
async fn an_empty_command_is_refused() {
    assert!(reason(&Bench::new().run(&spec(&[])).await).contains("empty"));
}

#[tokio::test]
async fn a_long_reason_is_cut_so_that_the_record_stays_small() {
    let long = "x".repeat(5000);
    assert!(reason(&Bench::new().run(&spec(&[&long])).await).len() < 400);
}

#[tokio::test]
async fn a_child_that_cannot_be_found_again_does_not_live_on() {
    let child = tokio::process::Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let pid = child.id().unwrap().try_into().unwrap();
    let found = tokio::task::spawn_blocking(|| identified(child, |_| None)).await.unwrap();
    assert!(found.is_err());
    assert!(!Stat::read(pid).is_some_and(|stat| stat.alive), "{pid} is alive");
}

#[tokio::test]
async fn a_place_that_does_not_answer_holds_up_neither_the_attempt_nor_a_stop() {
    let hangs = std::future::pending::<Result<(), Outcome>>;
    let (stop, asked) = watch::channel(None);
    let Err(Outcome::NotStarted(reason)) = unless_stopped(asked.clone(), SHORT, hangs()).await else {
        panic!("nothing was found")
    };
    assert!(reason.contains("150ms"), "{reason}");
    for (reason, outcome) in [(Stop::Cancel, Outcome::Cancelled), (Stop::CutOff, Outcome::Interrupted)] {
        stop.send_replace(Some(reason));
        let stopped = timeout(DEADLINE / 2, unless_stopped(asked.clone(), DEADLINE, hangs())).await;
        assert_eq!(stopped.expect("at once"), Err(outcome));
    }
}

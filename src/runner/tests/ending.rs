use std::time::Instant;

use super::*;
use crate::controller::Failure;

/// Prints `up`, then lives until something ends it.
/// A shell that waits in the foreground for a child it has just started hears a signal only when that ends.
const WAITS: &str = "echo up; while :; do sleep 1000 & wait $!; done";

#[tokio::test]
async fn exit_codes_and_signals_become_outcomes() {
    let table = [
        ("exit 0", Outcome::Complete),
        ("exit 3", Outcome::Failed(Failure::Exit(3))),
        ("kill -KILL $$", Outcome::Failed(Failure::Signal(9))),
        ("exec >&- 2>&-; exit 4", Outcome::Failed(Failure::Exit(4))),
    ];
    for (text, outcome) in table {
        assert_eq!(Bench::new().run(&script(text)).await.outcome, outcome, "{text}");
    }
}

#[tokio::test]
async fn closing_its_output_does_not_end_a_build() {
    let mut bench = Bench::new();
    let spec = script("exec >&- 2>&-; sleep 0.2; : > $HOME/later; exit 5");
    assert_eq!(bench.run(&spec).await.outcome, Outcome::Failed(Failure::Exit(5)));
    assert!(bench.build_dir().join("later").exists());
}

#[tokio::test]
async fn a_build_that_runs_longer_than_its_timeout_is_ended() {
    let mut bench = Bench::new();
    let spec = BuildSpec { timeout: SHORT, ..script(WAITS) };
    let ended = bench.run(&spec).await;
    assert_eq!(ended.outcome, Outcome::Failed(Failure::DeadlineExceeded));
    assert!(ended.elapsed >= SHORT);
    assert_eq!(alive(spec.id), 0);
    assert!(bench.log().contains("longer than its timeout"));
}

#[tokio::test]
async fn a_command_that_ignores_sigterm_is_killed_after_the_grace() {
    let mut bench = Bench::with(|settings| settings.grace = SHORT);
    let spec = script(&format!("trap '' TERM; {WAITS}"));
    let attempt = bench.start(&spec);
    bench.printed("up").await;
    let asked = Instant::now();
    bench.exec.cancel(&attempt);
    assert_eq!(bench.ended().await.outcome, Outcome::Cancelled);
    assert!(asked.elapsed() >= SHORT, "the grace was its own");
    assert_eq!(alive(spec.id), 0);
}

#[tokio::test]
async fn a_cancelled_build_gets_to_tidy_up() {
    let mut bench = Bench::new();
    let spec = script(&format!("trap 'sleep 0.2 && echo tidied; exit 1' TERM; {WAITS}"));
    let attempt = bench.start(&spec);
    bench.printed("up").await;
    bench.exec.cancel(&attempt);
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.tail.last().unwrap().as_str()), (Outcome::Cancelled, "tidied"));
    assert_eq!(alive(spec.id), 0);
}

#[tokio::test]
async fn a_cancelled_build_that_succeeds_anyway_is_complete() {
    let mut bench = Bench::new();
    let attempt = bench.start(&script(&format!("trap 'exit 0' TERM; {WAITS}")));
    bench.printed("up").await;
    bench.exec.cancel(&attempt);
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn a_cancel_that_comes_before_the_command_prevents_it() {
    let mut bench = Bench::new();
    let spec = script(": > $HOME/ran");
    let attempt = bench.start(&spec);
    bench.exec.cancel(&attempt);
    assert_eq!(bench.ended().await.outcome, Outcome::Cancelled);
    assert!(!bench.build_dir().join("ran").exists());
}

#[tokio::test]
async fn a_cancel_of_another_attempt_changes_nothing() {
    let mut bench = Bench::new();
    let spec = script("until [ -e $HOME/go ]; do sleep 0.01; done; exit 6");
    let first = bench.start(&spec);
    bench.accepted().await;
    bench.exec.cancel(&AttemptRef { attempt: 2, ..first });
    fs::write(bench.build_dir().join("go"), "").unwrap();
    assert_eq!(bench.ended().await.outcome, Outcome::Failed(Failure::Exit(6)));
}

#[tokio::test]
async fn a_drain_waits_for_a_build_that_ends_in_time() {
    let mut bench = Bench::new();
    bench.start(&script("sleep 0.2"));
    bench.accepted().await;
    timeout(DEADLINE, bench.exec.drain(DEADLINE * 2)).await.expect("it ends with the build");
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn a_drain_cuts_off_what_does_not_end_and_lets_nothing_new_begin() {
    let mut bench = Bench::new();
    let stubborn = script(&format!("trap 'exit 0' TERM; {WAITS}"));
    bench.start(&stubborn);
    bench.printed("up").await;
    bench.exec.drain(SHORT).await;
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted, "its exit code proves nothing");
    assert_eq!(alive(stubborn.id), 0);

    bench.start(&script(": > $HOME/ran"));
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted);
    assert!(!bench.build_dir().join("ran").exists());
}

#[tokio::test]
async fn what_outlives_the_command_is_ended_before_the_end_is_told() {
    let mut bench = Bench::new();
    let spec = script("sleep 1000 & setsid sleep 1000 & exit 0");
    assert_eq!(bench.run(&spec).await.outcome, Outcome::Complete);
    assert_eq!(alive(spec.id), 0);
    assert!(bench.log().contains("outlived the command were ended: 2"));
}

/// The grandchild leaves the group and clears its environment, so that it cannot be found; it holds the pipe.
#[tokio::test]
async fn a_pipe_held_open_by_a_stray_process_does_not_hold_up_the_end() {
    let mut bench = Bench::new();
    let gone = "[ \"$(cut -d' ' -f6 /proc/$!/stat)\" = $! ]";
    let spec = script(&format!("env -i setsid sleep 1000 & until {gone}; do :; done; echo $!"));
    let ended = bench.run(&spec).await;
    let stray = nix::unistd::Pid::from_raw(ended.tail.last().unwrap().parse().unwrap());
    assert_eq!(ended.outcome, Outcome::Complete);
    nix::sys::signal::kill(stray, nix::sys::signal::Signal::SIGKILL).expect("it was alive all the time");
}

#[tokio::test]
async fn a_bug_in_an_attempt_ends_it_as_interrupted_with_nothing_left_alive() {
    let mut bench = Bench::new();
    let spec = script(WAITS);
    let attempt = bench.start(&spec);
    bench.printed("up").await;
    tokio::spawn(bench.exec.clone().see_through(attempt, async { panic!("on purpose") }));
    let Event::Accepted { .. } = bench.next().await else { panic!("it was accepted") };
    let ends = [bench.ended().await.outcome, bench.ended().await.outcome];
    assert!(ends.contains(&Outcome::Interrupted), "{ends:?}");
    assert_eq!(alive(spec.id), 0);
}

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::runner::attempt::Over;
use crate::runner::handle::Handle;
use crate::runner::process::Process;

/// A process that an earlier daemon left behind; it prints `up` once it is what it shall be.
struct Stray(Child);

impl Stray {
    fn new(text: &str, name: &str, value: &str) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", text])
            .env(name, value)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
        Self(child)
    }

    fn of(id: Uuid) -> Self {
        Self::new("echo up; exec sleep 1000", "BASEWATCH_BUILD_ID", &id.to_string())
    }

    fn signal(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().and_then(|status| status.signal())
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_survivor_is_gone_before_the_next_attempt_starts() {
    let mut bench = Bench::new();
    let mut spec = script("");
    let mut survivor = Stray::of(spec.id);
    // It is a zombie then, since this test has not reaped it.
    spec.command[2] = format!("grep State: /proc/{}/status", survivor.0.id());
    let ended = bench.run(&spec).await;
    assert!(ended.tail[0].contains("zombie"), "{:?}", ended.tail);
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn a_survivor_that_ignores_sigterm_is_killed_after_the_grace() {
    let mut bench = Bench::with(|settings| settings.grace = SHORT);
    let spec = script("exit 0");
    let text = "trap '' TERM; echo up; exec sleep 1000";
    let mut survivor = Stray::new(text, "BASEWATCH_BUILD_ID", &spec.id.to_string());
    assert_eq!(bench.run(&spec).await.outcome, Outcome::Complete);
    assert_eq!(survivor.signal(), Some(9));
}

#[tokio::test]
async fn adopting_ends_what_is_alive_and_reports_an_interruption() {
    let mut bench = Bench::new();
    let spec = script("");
    let mut survivor = Stray::of(spec.id);
    bench.exec.adopt(attempt(&spec, 1));
    let Event::Ended(ended) = bench.next().await else { panic!("nothing was started") };
    assert_eq!((ended.attempt, ended.outcome), (1, Outcome::Interrupted));
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn adopting_what_is_gone_reports_an_interruption_too() {
    let mut bench = Bench::new();
    bench.exec.adopt(attempt(&script(""), 4));
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted);
}

/// A leader without any environment, and the handle that the earlier daemon stored.
fn nameless(text: &str) -> (Stray, String) {
    let stray = Stray::new(&format!("exec env -i sh -c '{text}'"), "BASEWATCH_BUILD_ID", "none");
    let handle = Handle::find(stray.0.id().try_into().unwrap()).unwrap();
    (stray, handle.to_string())
}

#[tokio::test]
async fn a_survivor_that_cleared_its_environment_is_found_by_its_handle() {
    let mut bench = Bench::new();
    let (mut survivor, handle) = nameless("echo up; exec sleep 1000");
    bench.exec.adopt(AttemptRef { handle: Some(handle.into()), ..attempt(&script(""), 1) });
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted);
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn a_handle_that_was_never_accepted_is_found_in_the_builds_directory() {
    let mut bench = Bench::new();
    let (mut survivor, handle) = nameless("echo up; exec sleep 1000");
    fs::create_dir_all(bench.build_dir()).unwrap();
    fs::write(bench.build_dir().join("handle"), handle).unwrap();
    bench.exec.adopt(attempt(&script(""), 1));
    bench.ended().await;
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn what_could_not_be_ended_is_ended_before_the_next_attempt() {
    let mut bench = Bench::new();
    let spec = script("exit 0");
    let (mut survivor, handle) = nameless("echo up; exec sleep 1000");
    let ended = Ended {
        build: spec.build.clone(),
        attempt: 1,
        outcome: Outcome::Interrupted,
        images: Vec::new(),
        commit: None,
        tail: Vec::new(),
        elapsed: Duration::ZERO,
    };
    let over = Over { ended, left: Handle::parse(&handle) };
    bench.exec.clone().see_through(attempt(&spec, 1), async { over }).await;
    assert_eq!((bench.ended().await.attempt, survivor.signal()), (1, None));
    bench.start_attempt(&spec, 2);
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn the_handle_is_in_the_builds_directory_while_the_build_runs() {
    let mut bench = Bench::new();
    let build = bench.start(&script("echo up; exec sleep 1000"));
    let handle = bench.accepted().await;
    assert_eq!(fs::read_to_string(bench.build_dir().join("handle")).unwrap(), handle);
    bench.exec.cancel(&build);
    bench.ended().await;
}

#[tokio::test]
async fn a_group_that_outlived_its_leader_is_ended() {
    let mut bench = Bench::new();
    let (mut leader, handle) = nameless("sleep 1000 & echo up; read wait");
    let group = i32::try_from(leader.0.id()).unwrap();
    let members =
        || all().unwrap().into_iter().filter_map(Stat::read).filter(move |stat| stat.group == group);
    leader.0.kill().unwrap();
    leader.0.wait().unwrap();
    assert_eq!(members().count(), 1, "the sleep is alive");
    bench.exec.adopt(AttemptRef { handle: Some(handle.into()), ..attempt(&script(""), 1) });
    bench.ended().await;
    assert_eq!(members().filter(|stat| stat.alive).count(), 0);
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_handle_is_left_alone() {
    let mut bench = Bench::new();
    let (mut stranger, handle) = nameless("echo up; exec sleep 1000");
    let parts: Vec<&str> = handle.split(':').collect();
    let [pid, started, session, boot] = parts[..] else { panic!("{handle}") };
    let earlier = started.parse::<u64>().unwrap() - 1;
    let table = [
        format!("{pid}:{earlier}:{session}:{boot}"),
        format!("{pid}:{started}:{session}:{}", Uuid::new_v4()),
        format!("{pid}:{started}"),
        "4711".to_owned(),
    ];
    for handle in table {
        bench.exec.adopt(AttemptRef { handle: Some(handle.into()), ..attempt(&script(""), 1) });
        bench.ended().await;
        assert_eq!(stranger.signal(), None);
    }
}

#[test]
fn a_group_without_a_leader_counts_only_in_the_leaders_session() {
    let (mut leader, handle) = nameless("echo up; exec sleep 1000");
    let pid = i32::try_from(leader.0.id()).unwrap();
    let stat = Stat::read(pid).unwrap();
    let handle = Handle::parse(&handle).unwrap();
    leader.0.kill().unwrap();
    let member = Stat { process: Process { pid: pid + 1, ..stat.process }, ..stat };
    assert!(handle.has_member(&member));
    assert!(!handle.has_member(&Stat { session: stat.session + 1, ..member }));
    assert!(!handle.has_member(&Stat { group: pid + 1, ..member }));
    let older = Process { pid: pid + 1, started: stat.process.started - 1 };
    assert!(!handle.has_member(&Stat { process: older, ..member }));
}

/// Root may give a build to another user: the daemon must find it all the same.
#[tokio::test]
async fn a_survivor_of_another_user_is_ended_by_root() {
    if !geteuid().is_root() {
        return;
    }
    let mut bench = Bench::new();
    let spec = script("");
    let text = "exec setpriv --reuid=65534 --clear-groups sh -c 'echo up; exec sleep 1000'";
    let mut survivor = Stray::new(text, "BASEWATCH_BUILD_ID", &spec.id.to_string());
    bench.exec.adopt(attempt(&spec, 1));
    bench.ended().await;
    assert_eq!(survivor.signal(), Some(15));
}

#[tokio::test]
async fn processes_of_other_builds_are_left_alone() {
    let mut bench = Bench::new();
    let spec = script("exit 0");
    let id = spec.id.to_string();
    let mut others = [
        Stray::of(Uuid::new_v4()),
        Stray::new("echo up; exec sleep 1000", "BASEWATCH_BUILD_ID", &format!("{id}0")),
        Stray::new("echo up; exec sleep 1000", "MY_BASEWATCH_BUILD_ID", &id),
    ];
    bench.run(&spec).await;
    assert!(others.iter_mut().all(|other| other.signal().is_none()));
}

#[test]
fn a_process_cannot_hide_behind_its_name() {
    let fields = "S 1 42 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 8192 1";
    for name in ["sh", "a b", ") Z 1 1 (", ")"] {
        let stat = Stat::parse(43, &format!("43 ({name}) {fields}")).unwrap();
        assert_eq!(
            stat,
            Stat { process: Process { pid: 43, started: 98765 }, group: 42, session: 7, alive: true }
        );
    }
    let zombie = Stat::parse(43, &format!("43 (sh) {}", fields.replace('S', "Z"))).unwrap();
    assert!(!zombie.alive);
    let threads = fields.replace(" 20 0 1 0 ", " 20 0 3 0 ").replace('S', "Z");
    let stat = Stat::parse(43, &format!("43 (java) {threads}")).unwrap();
    assert!(stat.alive, "only the main thread of it has ended");
    assert_eq!(Stat::parse(43, "43 (sh) S 1"), None);
}

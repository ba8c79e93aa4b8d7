use std::fs;

use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::super::tests::{attempt, script};
use super::super::wire::{Attach, Incoming, Outgoing, Reply, Report, Request};
use super::*;
use crate::controller::{BuiltImage, Ended, Outcome};
use crate::image::Digest;

const DEADLINE: Duration = Duration::from_secs(60);

/// The daemon's side of socket runners, and a runner whose every word the test says.
struct Bench {
    dir: TempDir,
    sockets: Sockets,
    events: mpsc::Receiver<Event>,
    listener: UnixListener,
}

/// What a scripted instance hears and says.
struct Said {
    incoming: Incoming<OwnedReadHalf>,
    outgoing: Outgoing<OwnedWriteHalf>,
}

impl Bench {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let socket = dir.path().join("sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let settings = Settings {
            builds_dir: dir.path().join("builds"),
            output: BuildOutput::File,
            log_limit: 1000,
            grace: Settings::GRACE,
            own_cgroup: false,
            runtime_dir: None,
            inherited: Vec::new(),
        };
        let (sender, events) = mpsc::channel(16);
        let sockets = Sockets::new(settings, BTreeMap::from([("box".into(), socket)]), sender);
        Self { dir, sockets, events, listener }
    }

    fn start(&self) -> AttemptRef {
        let spec = script("exit 0");
        let this = AttemptRef { runner: Some("box".into()), ..attempt(&spec, 1) };
        self.sockets.start(this.clone(), spec);
        this
    }

    async fn connection(&self) -> Said {
        let (stream, _) = timeout(DEADLINE, self.listener.accept()).await.expect("a connection").unwrap();
        let (read, write) = stream.into_split();
        let mut said = Said { incoming: Incoming::new(read), outgoing: Outgoing::new(write) };
        said.outgoing.hello().await.unwrap();
        said.incoming.hello().await.unwrap();
        said
    }

    async fn event(&mut self) -> Event {
        timeout(DEADLINE, self.events.recv()).await.expect("an event in time").unwrap()
    }

    async fn ended(&mut self) -> Ended {
        loop {
            if let Event::Ended(ended) = self.event().await {
                return ended;
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("builds/default/app-7/log")).unwrap()
    }
}

impl Said {
    async fn started(mut self) -> Self {
        let request = self.incoming.request().await.unwrap();
        assert!(matches!(request, Request::Start(_)), "{request:?}");
        self.outgoing.reply(&Reply::Accepted).await.unwrap();
        self
    }

    /// Says that it completed, as an instance does at its end.
    async fn completes(&mut self) {
        let report = report(Outcome::Complete);
        self.outgoing.reply(&Reply::Ended(Box::new(report))).await.unwrap();
    }

    async fn attached(&mut self) -> Attach {
        match self.incoming.request().await.unwrap() {
            Request::Attach(attach) => attach,
            other @ (Request::Start(_) | Request::Cancel | Request::Acknowledge) => panic!("{other:?}"),
        }
    }
}

fn report(outcome: Outcome) -> Report {
    Report { outcome, images: Vec::new(), commit: None, tail: Vec::new(), elapsed: Duration::from_secs(3) }
}

fn reason(ended: &Ended) -> &str {
    let Outcome::NotStarted(reason) = &ended.outcome else { panic!("{ended:?}") };
    reason
}

#[tokio::test]
async fn an_attempt_is_accepted_followed_ended_and_acknowledged() {
    let mut bench = Bench::new();
    let this = bench.start();
    let mut instance = bench.connection().await.started().await;
    let Event::Accepted { handle, .. } = bench.event().await else { panic!("not accepted") };
    assert!(handle.ends_with("/sock"), "{handle}");
    instance.outgoing.output(0, b"some\n").await.unwrap();
    instance.completes().await;
    let ended = bench.ended().await;
    assert_eq!((ended.outcome, ended.elapsed), (Outcome::Complete, Duration::from_secs(3)));
    assert!(bench.log().ends_with("---\nsome\n"), "{}", bench.log());
    bench.sockets.acknowledge(&this);
    let request = timeout(DEADLINE, instance.incoming.request()).await.unwrap().unwrap();
    assert!(matches!(request, Request::Acknowledge));
    drop(instance);
    bench.sockets.settle(DEADLINE).await;
    assert!(bench.sockets.shared.live.borrow().attempts.is_empty());
}

#[tokio::test]
async fn a_runner_of_another_version_is_tried_again_as_one_of_the_two_is_about_to_be_updated() {
    let mut bench = Bench::new();
    bench.start();
    let (stream, _) = bench.listener.accept().await.unwrap();
    stream.writable().await.unwrap();
    stream.try_write(b"{\"version\":2}\n").unwrap();
    let mut instance = bench.connection().await.started().await;
    instance.completes().await;
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn an_attempt_is_looked_for_where_it_was_asked_for_whatever_is_configured_since() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await;
    instance.incoming.request().await.unwrap();
    // Nobody there knows of it, and would say that it is gone.
    bench.sockets.set_paths(BTreeMap::from([("box".into(), bench.dir.path().join("elsewhere"))]));
    drop(instance);
    let mut again = bench.connection().await;
    assert_eq!(again.attached().await.attempt, 1);
    again.outgoing.reply(&Reply::Accepted).await.unwrap();
    again.completes().await;
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_no_control_characters() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await;
    instance.incoming.request().await.unwrap();
    instance.outgoing.reply(&Reply::Refused { reason: "no \u{1b}[2J room".into() }).await.unwrap();
    let ended = bench.ended().await;
    let reason = reason(&ended);
    assert!(reason.contains("in runner box: no ") && !reason.contains('\u{1b}'), "{reason}");
}

#[tokio::test]
async fn what_cannot_be_believed_ends_the_connection_and_not_the_attempt() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await.started().await;
    instance.outgoing.output(0, b"12345").await.unwrap();
    // A gap, garbage, and a word out of place.
    instance.outgoing.output(99, b"late").await.unwrap();
    let mut again = bench.connection().await;
    assert_eq!(again.attached().await.offset, 5);
    again.outgoing.reply(&Reply::Accepted).await.unwrap();
    again.outgoing.reply(&Reply::Accepted).await.unwrap();
    let mut again = bench.connection().await;
    assert_eq!(again.attached().await.offset, 5);
    again.outgoing.reply(&Reply::Accepted).await.unwrap();
    // What is known already is not taken twice.
    again.outgoing.output(3, b"4567").await.unwrap();
    again.completes().await;
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
    assert!(bench.log().ends_with("---\n1234567"), "{}", bench.log());
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_asked_about_and_not_said_again() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await;
    instance.incoming.request().await.unwrap();
    drop(instance);
    let mut again = bench.connection().await;
    assert_eq!(again.attached().await.attempt, 1);
    again.outgoing.reply(&Reply::Unknown).await.unwrap();
    assert_eq!(bench.ended().await.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn a_start_that_nobody_can_have_heard_is_said_again() {
    let mut bench = Bench::new();
    bench.start();
    // As a socket unit does at its MaxConnections=.
    drop(bench.listener.accept().await.unwrap());
    let mut instance = bench.connection().await.started().await;
    instance.completes().await;
    assert_eq!(bench.ended().await.outcome, Outcome::Complete);
}

#[tokio::test]
async fn what_a_runner_says_of_images_and_last_lines_is_bounded() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await.started().await;
    let image = |reference: &str| BuiltImage { reference: reference.into(), digest: Digest::sha256_of(b"x") };
    let mut report = report(Outcome::NotStarted("x".repeat(5000).into()));
    report.images = (0..20).map(|number| image(&format!("host/app:{number}"))).collect();
    report.tail = (0..50).map(|number| format!("{number} \u{202e}{}", "y".repeat(2000))).collect();
    instance.outgoing.reply(&Reply::Ended(Box::new(report))).await.unwrap();
    let ended = bench.ended().await;
    assert_eq!((ended.images.len(), ended.tail.len()), (8, 20));
    assert!(
        ended.tail[0].starts_with("30 ") && ended.tail[0].len() < 1000 && !ended.tail[0].contains('\u{202e}')
    );
    assert!(reason(&ended).len() < 400);
}

#[tokio::test]
async fn output_beyond_the_limit_is_read_and_not_kept() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await.started().await;
    for piece in 0..4_u64 {
        instance.outgoing.output(piece * 60_000, &[b'z'; 60_000]).await.unwrap();
    }
    instance.completes().await;
    bench.ended().await;
    assert!(bench.log().len() < 80_000 && bench.log().contains("dropped"), "{}", bench.log().len());
}

#[tokio::test]
async fn an_attempt_that_is_let_go_is_told_nothing_of() {
    let mut bench = Bench::new();
    bench.start();
    let mut instance = bench.connection().await.started().await;
    assert!(matches!(bench.event().await, Event::Accepted { .. }));
    bench.sockets.let_go();
    assert!(timeout(DEADLINE, instance.incoming.request()).await.unwrap().is_err(), "it hung up");
    bench.sockets.settle(DEADLINE).await;
    assert!(bench.events.try_recv().is_err());
}

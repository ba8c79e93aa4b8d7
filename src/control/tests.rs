use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::client::{Client, Error};
use super::listener::ClosedDoor;
use super::protocol::*;
use super::*;

/// A server over a socket of its own, and somebody who answers.
struct Served {
    dir: TempDir,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Served {
    async fn new(answer: impl Fn(Request) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&socket_in(&dir)).await.unwrap();
        let (requests, mut asked) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Some(request) = asked.recv().await {
                answer(request);
            }
        });
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        Self { server: tokio::spawn(serve(listener, requests, stopped)), dir, stop }
    }

    fn socket(&self) -> PathBuf {
        socket_in(&self.dir)
    }

    async fn client(&self) -> Client {
        Client::connect(&[self.socket()]).await.unwrap()
    }
}

fn socket_in(dir: &TempDir) -> PathBuf {
    dir.path().join("control.sock")
}

fn name(build: &str) -> BuildName {
    BuildName { build: build.to_owned() }
}

fn build(name: &str) -> Build {
    Build {
        build: name.parse().unwrap(),
        id: Uuid::nil(),
        phase: Phase::Running,
        reason: None,
        cause: "image-change".to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
        started: None,
        ended: None,
        next_attempt: None,
        attempts: 1,
        cancel_asked: false,
    }
}

fn detail(log: &Path) -> BuildDetail {
    BuildDetail {
        build: build("default/app-7"),
        run_policy: "Serial".to_owned(),
        interruptions: 0,
        history: Vec::new(),
        images: Vec::new(),
        commit: None,
        spec: None,
        log: log.to_owned(),
    }
}

fn status() -> Status {
    Status {
        version: "1".to_owned(),
        started: jiff::Timestamp::UNIX_EPOCH,
        draining: false,
        state_dir: "/s".into(),
        store_trouble: None,
        totals: Totals::default(),
        tags: Vec::new(),
        registries: Vec::new(),
        held: Vec::new(),
        paused: Vec::new(),
        builds: vec![build("default/app-7")],
    }
}

fn pause_query() -> PauseQuery {
    let what = Selection {
        labels: "team=pay\nenv=ü".to_owned(),
        trigger: Some("debian:12".to_owned()),
        ..Selection::default()
    };
    PauseQuery {
        what,
        reason: Some("a \"freeze\"".to_owned()),
        until: Some("2999-01-01T00:00:00Z".parse().unwrap()),
    }
}

fn paused() -> Paused {
    let pause = Pause {
        since: jiff::Timestamp::UNIX_EPOCH,
        by: "config".to_owned(),
        reason: None,
        until: Some(jiff::Timestamp::UNIX_EPOCH),
    };
    Paused { build_config: ConfigKey::new("default", "app"), tag: None, pause }
}

fn start_query() -> StartQuery {
    StartQuery {
        build_config: "app".to_owned(),
        env: vec![("GREETING".to_owned(), "a=b \"c\"".to_owned())],
        key: Some("nightly-1".to_owned()),
        refresh: true,
        dry_run: true,
    }
}

fn rebuild_query() -> RebuildQuery {
    RebuildQuery { build: "app-3".to_owned(), env: start_query().env, key: None }
}

fn started() -> Started {
    let warnings = vec!["another effect".to_owned()];
    Started { build: build("default/app-7"), existed: true, dry_run: false, spec: None, warnings }
}

fn refused() -> ReloadAnswer {
    ReloadAnswer::Refused(refusal())
}

fn refusal() -> Refused {
    Refused { summary: "1 error".to_owned(), problems: Vec::new() }
}

fn plan_query() -> PlanQuery {
    PlanQuery { new: Some("/etc/new ü.toml".to_owned()), assume: vec!["debian:12@sha256:0".to_owned()] }
}

/// Answers every question about a build with one that has this log.
async fn serving_log(log: PathBuf) -> Served {
    Served::new(move |request| {
        let Request::Build(_, reply) = request else { panic!("not asked for: {request:?}") };
        reply.send(Ok(detail(&log))).unwrap();
    })
    .await
}

#[tokio::test]
async fn every_call_arrives_as_it_was_meant_and_brings_its_answer() {
    let served = Served::new(|request| match request {
        Request::Status(query, reply) => {
            assert_eq!(query.tags, "debian:12\nhost:5000/a b&c=ü:1");
            reply.send(Ok(status())).unwrap();
        }
        Request::Configs(query, reply) => {
            let labels = "team=pay\nenv=a&b".to_owned();
            assert_eq!(query, ConfigsQuery { filter: Some(ConfigFilter::Stale), labels });
            reply.send(Ok(Vec::new())).unwrap();
        }
        Request::Builds(query, reply) => {
            assert_eq!(query.build_config.as_deref(), Some("app"));
            let builds = Builds { builds: vec![build("default/app-7")], left_out: 3 };
            reply.send(Ok(builds)).unwrap();
        }
        Request::Build(query, reply) => {
            assert_eq!(query, name("default/app-7"));
            reply.send(Ok(detail(Path::new("/log")))).unwrap();
        }
        Request::Cancel(query, reply) => {
            assert_eq!(query, name("app-7"));
            reply.send(Ok(build("default/app-7"))).unwrap();
        }
        Request::Start(query, reply) => {
            assert_eq!(query, start_query());
            reply.send(Ok(started())).unwrap();
        }
        Request::Rebuild(query, reply) => {
            assert_eq!(query, rebuild_query());
            reply.send(Ok(started())).unwrap();
        }
        Request::Release(query, reply) => {
            assert_eq!(query, ReleaseQuery::BuildConfigs(vec!["app".to_owned()]));
            reply.send(Ok(Released { released: vec![ConfigKey::new("default", "app")] })).unwrap();
        }
        Request::Pause(query, reply) => {
            assert_eq!(query, pause_query());
            reply.send(Ok(Pauses { paused: vec![paused()] })).unwrap();
        }
        Request::Resume(query, reply) => {
            assert_eq!(query, ResumeQuery { what: pause_query().what });
            reply.send(Ok(Resumed { resumed: vec![paused()] })).unwrap();
        }
        Request::Reload(reply) => reply.send(Ok(refused())).unwrap(),
        Request::Poll(query, reply) => {
            assert_eq!(query.tags, ["debian:12", "host/x:1"]);
            reply.send(Ok(Polled { asked: 2 })).unwrap();
        }
        Request::Plan(query, reply) => {
            assert_eq!(query, plan_query());
            reply.send(Ok(PlanAnswer::Refused(refusal()))).unwrap();
        }
    })
    .await;
    let client = served.client().await;
    let query = StatusQuery { tags: "debian:12\nhost:5000/a b&c=ü:1".to_owned() };
    assert_eq!(client.status(&query).await.unwrap(), status());
    let query = ConfigsQuery { filter: Some(ConfigFilter::Stale), labels: "team=pay\nenv=a&b".to_owned() };
    assert_eq!(client.configs(&query).await.unwrap(), Vec::new());
    let builds = client.builds(&BuildsQuery { build_config: Some("app".to_owned()) }).await.unwrap();
    assert_eq!((builds.builds, builds.left_out), (vec![build("default/app-7")], 3));
    assert_eq!(client.build(&name("default/app-7")).await.unwrap(), detail(Path::new("/log")));
    assert_eq!(client.cancel(&name("app-7")).await.unwrap(), build("default/app-7"));
    assert_eq!(client.start(&start_query()).await.unwrap(), started());
    assert_eq!(client.rebuild(&rebuild_query()).await.unwrap(), started());
    let query = ReleaseQuery::BuildConfigs(vec!["app".to_owned()]);
    assert_eq!(client.release(&query).await.unwrap().released.len(), 1);
    assert_eq!(client.pause(&pause_query()).await.unwrap().paused, [paused()]);
    let query = ResumeQuery { what: pause_query().what };
    assert_eq!(client.resume(&query).await.unwrap().resumed, [paused()]);
    assert_eq!(client.reload().await.unwrap(), refused());
    let query = PollQuery { tags: vec!["debian:12".to_owned(), "host/x:1".to_owned()] };
    assert_eq!(client.poll(&query).await.unwrap().asked, 2);
    assert_eq!(client.plan(&plan_query()).await.unwrap(), PlanAnswer::Refused(refusal()));
}

#[tokio::test]
async fn a_refusal_reaches_the_person_with_its_hint() {
    let served = Served::new(|request| {
        let Request::Cancel(_, reply) = request else { panic!("not asked for: {request:?}") };
        let problem = Problem::new("build default/app-7 has ended already").hint("look at it");
        reply.send(Err(Refusal::Conflict(problem))).unwrap();
    })
    .await;
    let error = served.client().await.cancel(&name("app-7")).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(_)));
    assert_eq!(error.to_string(), "build default/app-7 has ended already: look at it");
}

#[tokio::test]
async fn a_daemon_that_drops_a_call_is_told_to_be_stopping() {
    let served = Served::new(drop).await;
    let error = served.client().await.status(&StatusQuery::default()).await.unwrap_err();
    assert!(matches!(&error, Error::NotNow(_)));
    assert_eq!(error.to_string(), "the daemon is stopping");
}

#[tokio::test]
async fn a_long_log_arrives_whole_and_in_pieces() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let written: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&log, &written).unwrap();
    let served = serving_log(log).await;
    let mut read = Vec::new();
    let mut longest = 0;
    let write = |piece: &[u8]| {
        longest = longest.max(piece.len());
        read.extend_from_slice(piece);
        Ok(())
    };
    served.client().await.log(&name("app-7"), write).await.unwrap();
    assert!(read == written, "{} bytes of {}", read.len(), written.len());
    assert!(longest < written.len() / 4, "a piece has {longest} bytes");
}

#[tokio::test]
async fn what_a_build_put_in_place_of_its_log_is_not_read() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    std::fs::write(logs.path().join("secret"), "hush").unwrap();
    std::os::unix::fs::symlink(logs.path().join("secret"), &log).unwrap();
    let served = serving_log(log).await;
    let error = served.client().await.log(&name("app-7"), |_| Ok(())).await.unwrap_err();
    assert!(error.to_string().starts_with("read the log of default/app-7: "), "{error}");
}

#[tokio::test]
async fn a_reader_that_goes_away_is_an_error_of_its_own() {
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    std::fs::write(&log, "text").unwrap();
    let served = serving_log(log).await;
    let write = |_: &[u8]| Err(io::ErrorKind::BrokenPipe.into());
    let error = served.client().await.log(&name("app-7"), write).await.unwrap_err();
    assert!(matches!(error, Error::Write(error) if error.kind() == io::ErrorKind::BrokenPipe));
}

#[tokio::test]
async fn without_a_daemon_every_socket_that_was_tried_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let sockets = [dir.path().join("one.sock"), dir.path().join("two.sock")];
    let error = Client::connect(&sockets).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable(tried) if tried.len() == 2));
    let text = error.to_string();
    assert!(sockets.iter().all(|socket| text.contains(socket.to_str().unwrap())), "{text}");
    assert!(text.contains("--socket"), "{text}");
}

#[tokio::test]
async fn the_first_socket_that_answers_is_asked() {
    let served = Served::new(|request| {
        let Request::Status(_, reply) = request else { panic!("not asked for: {request:?}") };
        reply.send(Ok(status())).unwrap();
    })
    .await;
    let nothing = served.dir.path().join("nothing.sock");
    let client = Client::connect(&[nothing, served.socket()]).await.unwrap();
    assert!(client.status(&StatusQuery::default()).await.is_ok());
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_gone_after_a_stop() {
    let served = Served::new(drop).await;
    let socket = served.socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let files = std::fs::read_dir(served.dir.path()).unwrap().count();
    assert_eq!(files, 1, "nothing is left beside it");
    served.stop.send(()).unwrap();
    served.server.await.unwrap();
    assert!(!socket.exists());
}

#[test]
fn a_socket_is_made_behind_a_closed_door_that_goes_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket_in(&dir);
    let door = ClosedDoor::beside(&path).unwrap();
    let hidden = door.socket();
    let mode = std::fs::metadata(hidden.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(hidden.as_os_str().len() <= path.as_os_str().len(), "{}", hidden.display());

    std::fs::write(&hidden, "").unwrap();
    std::mem::forget(door);
    let anew = ClosedDoor::beside(&path).unwrap();
    assert!(!anew.socket().exists(), "what a daemon that died has left is not used");
    drop(anew);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn connections_that_say_nothing_or_never_end_their_call_keep_nobody_out() {
    let served = Served::new(|request| {
        let Request::Status(_, reply) = request else { panic!("not asked for: {request:?}") };
        reply.send(Ok(status())).unwrap();
    })
    .await;
    let mut idle = Vec::new();
    for number in 0..200 {
        let mut stream = UnixStream::connect(served.socket()).await.unwrap();
        let words: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /v1/sta",
            // One that has its answer and stays.
            _ => b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
        };
        stream.write_all(words).await.unwrap();
        idle.push(stream);
    }
    // From here on time only passes while everybody waits.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let mut late = UnixStream::connect(served.socket()).await.unwrap();
    late.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(600), late.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(begun.elapsed() > Duration::from_secs(5), "there was nothing to wait for");
    drop(idle);
}

#[tokio::test]
async fn an_open_call_does_not_keep_a_stop_waiting() {
    let (hold, mut held) = mpsc::channel(1);
    let served = Served::new(move |request| hold.try_send(request).unwrap()).await;
    let client = served.client().await;
    let call = tokio::spawn(async move { client.status(&StatusQuery::default()).await.map(drop) });
    let never_answered = held.recv().await.unwrap();
    // From here on time only passes while everybody waits.
    tokio::time::pause();
    served.stop.send(()).unwrap();
    served.server.await.unwrap();
    drop(never_answered);
    call.abort();
}

#[tokio::test]
async fn a_leftover_socket_is_replaced_and_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket_in(&dir);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a daemon that dies leaves its socket");

    let first = Listener::bind(&path).await.unwrap();
    assert!(matches!(Listener::bind(&path).await, Err(BindError::InUse(at)) if at == path));
    drop(first);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket_in(&dir);
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(Listener::bind(&path).await, Err(BindError::NotASocket(at)) if at == path));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_successors_socket_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = socket_in(&dir);
    let first = Listener::bind(&path).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = Listener::bind(&path).await.unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn what_is_said_is_read_back_the_same() {
    let text = serde_json::to_string(&status()).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status());
    let text = serde_json::to_string(&detail(Path::new("/log"))).unwrap();
    assert_eq!(serde_json::from_str::<BuildDetail>(&text).unwrap(), detail(Path::new("/log")));
    let all = serde_json::to_string(&ReleaseQuery::All).unwrap();
    assert_eq!(all, r#""all""#);
    let some = serde_json::to_string(&ReleaseQuery::BuildConfigs(vec!["app".into()])).unwrap();
    assert_eq!(some, r#"{"build_configs":["app"]}"#);
}

#[test]
fn a_newer_daemons_fields_are_skipped() {
    let text = r#"{"error":"no","hint":"yes","colour":"red"}"#;
    assert_eq!(serde_json::from_str::<Problem>(text).unwrap(), Problem::new("no").hint("yes"));
}

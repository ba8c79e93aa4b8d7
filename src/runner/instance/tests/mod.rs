use std::fs;
use std::path::Path;
use std::time::SystemTime;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::super::private::Private;
use super::super::tests::{eventually, script};
use super::*;
use crate::controller::{BuildSpec, Outcome};

/// A runner, without what starts its instances.
struct Place {
    dir: TempDir,
    stop: watch::Sender<bool>,
}

/// A daemon's side of a connection, and the instance at its other end.
struct Talk {
    line: Line,
    instance: JoinHandle<Result<(), InstanceError>>,
}

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), stop: watch::Sender::new(false) }
    }

    fn options(&self) -> Options {
        Options {
            state_dir: self.dir.path().to_owned(),
            runtime_dir: None,
            own_cgroup: false,
            inherited: vec![("PATH".into(), "/usr/bin:/bin".into())],
        }
    }

    fn instance(&self, connection: StdStream) -> JoinHandle<Result<(), InstanceError>> {
        tokio::spawn(run(connection, self.options(), self.stop.subscribe()))
    }

    async fn ask(&self, request: Request) -> Talk {
        let (ours, theirs) = StdStream::pair().unwrap();
        let mut line = Line::new(ours).unwrap();
        line.outgoing.hello().await.unwrap();
        let instance = self.instance(theirs);
        line.incoming.hello().await.unwrap();
        line.outgoing.request(&request).await.unwrap();
        Talk { line, instance }
    }

    async fn start(&self, spec: &BuildSpec, attempt: u32) -> Talk {
        self.ask(start(spec, attempt)).await
    }

    async fn attach(&self, spec: &BuildSpec, attempt: u32, offset: u64) -> Talk {
        let attach = Attach { id: spec.id, build: spec.build.clone(), attempt, offset };
        self.ask(Request::Attach(attach)).await
    }

    fn directory(&self, id: Uuid) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    fn spool(&self, id: Uuid) -> PathBuf {
        spool::dir(self.dir.path(), id)
    }
}

impl Talk {
    async fn next(&mut self) -> (Reply, Vec<u8>) {
        timeout(Duration::from_secs(60), self.line.incoming.reply())
            .await
            .expect("an answer in time")
            .unwrap()
    }

    async fn answer(&mut self) -> Reply {
        self.next().await.0
    }

    async fn refusal(&mut self) -> String {
        let Reply::Refused { reason } = self.answer().await else { panic!("it was not refused") };
        reason.into()
    }

    /// Everything until the end, and how that was.
    async fn end(&mut self) -> (String, Outcome) {
        let mut output = Vec::new();
        loop {
            match self.next().await {
                (Reply::Accepted, _) => {}
                (Reply::Output { .. }, bytes) => output.extend(bytes),
                (Reply::Ended(report), _) => return (String::from_utf8(output).unwrap(), report.outcome),
                (other @ (Reply::Unknown | Reply::Refused { .. }), _) => panic!("{other:?}"),
            }
        }
    }

    async fn acknowledge(mut self) {
        self.line.outgoing.request(&Request::Acknowledge).await.unwrap();
        self.line.incoming.end().await;
        self.instance.await.unwrap().unwrap();
    }
}

fn start(spec: &BuildSpec, attempt: u32) -> Request {
    let private = Private::default();
    Request::Start(Box::new(Start { spec: spec.clone(), attempt, log_limit: 1 << 30, private }))
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[tokio::test]
async fn a_start_that_comes_behind_its_own_attach_is_refused() {
    let (place, spec) = (Place::new(), script("echo run"));
    assert_eq!(place.attach(&spec, 2, 0).await.answer().await, Reply::Unknown);
    for late in [1, 2] {
        let reason = place.start(&spec, late).await.refusal().await;
        assert!(reason.contains("told to be gone"), "{reason}");
    }
    assert_eq!(place.attach(&spec, 2, 0).await.answer().await, Reply::Unknown, "and so it stays");
    let mut next = place.start(&spec, 3).await;
    assert_eq!(next.end().await, ("run\n".to_owned(), Outcome::Complete));
    next.acknowledge().await;
    assert!(!place.directory(spec.id).exists() && is_empty(&place.dir.path().join("spool")));
}

#[tokio::test]
async fn a_start_whose_daemon_has_hung_up_is_not_made() {
    let (place, spec) = (Place::new(), script("echo run"));
    let busy = Spool::hold(place.dir.path(), spec.id).unwrap();
    let late = place.start(&spec, 1).await;
    drop(late.line);
    drop(busy);
    late.instance.await.unwrap().unwrap();
    assert!(!place.directory(spec.id).exists());
    assert_eq!(place.attach(&spec, 1, 0).await.answer().await, Reply::Unknown);
}

#[tokio::test]
async fn an_end_that_nobody_acknowledged_is_told_again_from_any_offset() {
    let (place, spec) = (Place::new(), script("echo one two; exit 3"));
    let mut first = place.start(&spec, 1).await;
    let end = first.end().await;
    assert_eq!(end.0, "one two\n");
    drop(first.line);
    first.instance.await.unwrap().unwrap();
    for (offset, rest) in [(0, "one two\n"), (4, "two\n"), (8, ""), (99, "")] {
        let mut again = place.attach(&spec, 1, offset).await;
        assert_eq!(again.end().await, (rest.to_owned(), end.1.clone()));
        drop(again.line);
        again.instance.await.unwrap().unwrap();
    }
    let mut last = place.attach(&spec, 1, 8).await;
    last.end().await;
    last.acknowledge().await;
    assert!(!place.directory(spec.id).exists() && !place.spool(spec.id).exists());
}

#[tokio::test]
async fn another_connection_follows_and_ends_the_same_attempt() {
    let (place, spec) = (Place::new(), script("echo up; exec sleep 1000"));
    let mut first = place.start(&spec, 1).await;
    assert_eq!(first.answer().await, Reply::Accepted);
    assert_eq!(first.next().await.1, b"up\n");
    let mut second = place.attach(&spec, 1, 1).await;
    assert_eq!(second.answer().await, Reply::Accepted);
    assert_eq!(second.next().await.1, b"p\n");
    drop(first.line);
    second.line.outgoing.request(&Request::Cancel).await.unwrap();
    assert_eq!(second.end().await.1, Outcome::Cancelled);
    second.acknowledge().await;
    first.instance.await.unwrap().unwrap();
    assert!(is_empty(&place.dir.path().join("spool")));
}

#[tokio::test]
async fn a_daemon_that_does_not_read_holds_no_build_up() {
    let (place, spec) = (Place::new(), script("head -c 20000000 /dev/zero"));
    let silent = place.start(&spec, 1).await;
    let outcome = place.spool(spec.id).join("outcome.json");
    eventually("the build to end", || outcome.exists()).await;
    // One that is about to end answers nobody: whoever is not answered asks again.
    let Talk { line, instance } = silent;
    drop(line);
    instance.await.unwrap().unwrap();
    let mut second = place.attach(&spec, 1, 19_999_990).await;
    assert_eq!(second.end().await, ("\0".repeat(10), Outcome::Complete));
}

#[tokio::test]
async fn a_build_may_empty_its_directory_and_is_found_all_the_same() {
    let place = Place::new();
    let gone = place.dir.path().join("gone");
    let text = format!(
        "cd ${{BASEWATCH_BUILD_FILE%/*}}; rm -rf build.json handle; > {}; exec sleep 1000",
        gone.display()
    );
    let spec = script(&text);
    let mut first = place.start(&spec, 1).await;
    assert_eq!(first.answer().await, Reply::Accepted);
    eventually("the files to go", || gone.exists()).await;
    let mut second = place.attach(&spec, 1, 0).await;
    assert_eq!(second.answer().await, Reply::Accepted);
    second.line.outgoing.request(&Request::Cancel).await.unwrap();
    assert_eq!(second.end().await.1, Outcome::Cancelled);
}

#[tokio::test]
async fn a_log_of_the_builds_own_is_none_of_its_output() {
    let place = Place::new();
    let spec = script("echo one; echo secret > log; truncate -s 1G log; echo two");
    let mut talk = place.start(&spec, 1).await;
    assert_eq!(talk.end().await, ("one\ntwo\n".to_owned(), Outcome::Complete));
}

#[tokio::test]
async fn no_more_is_told_than_was_kept_whatever_the_log_has() {
    let place = Place::new();
    let text = format!("echo one; truncate -s 1G {}/spool/*/log; echo two", place.dir.path().display());
    let spec = script(&text);
    let Request::Start(start) = start(&spec, 1) else { panic!("it is no start") };
    let start = Start { log_limit: 1000, ..*start };
    let mut talk = place.ask(Request::Start(Box::new(start))).await;
    assert_eq!(talk.end().await.0.len(), "one\ntwo\n".len());
    drop(talk.line);
    talk.instance.await.unwrap().unwrap();
    let told = place.attach(&spec, 1, 0).await.end().await.0.len();
    assert!(told < 100_000, "{told} bytes");
}

#[tokio::test]
async fn an_instance_that_is_to_end_stores_that_it_cut_its_build_off() {
    let (place, spec) = (Place::new(), script("echo up; exec sleep 1000"));
    let mut first = place.start(&spec, 1).await;
    assert_eq!(first.answer().await, Reply::Accepted);
    place.stop.send_replace(true);
    assert_eq!(first.end().await.1, Outcome::Interrupted);
    drop(first.line);
    first.instance.await.unwrap().unwrap();
    place.stop.send_replace(false);
    assert_eq!(place.attach(&spec, 1, 0).await.end().await.1, Outcome::Interrupted);
}

#[tokio::test]
async fn a_first_word_that_makes_no_sense_is_refused() {
    let place = Place::new();
    let table = [
        ("{\"version\":1}\nnonsense\n", "not understood"),
        ("{\"version\":1}\n\"cancel\"\n", "`cancel`"),
        ("{\"version\":9}\n{\"whatever\":1}\n", "version 9"),
        ("nonsense\n", "not understood"),
    ];
    for (said, told) in table {
        let (ours, theirs) = StdStream::pair().unwrap();
        let mut line = Line::new(ours).unwrap();
        let instance = place.instance(theirs);
        line.incoming.hello().await.unwrap();
        let mut write = line.outgoing.into_inner();
        write.write_all(said.as_bytes()).await.unwrap();
        let line = Line { incoming: line.incoming, outgoing: Outgoing::new(write) };
        let mut talk = Talk { line, instance };
        let reason = talk.refusal().await;
        assert!(reason.contains(told), "{said}: {reason}");
        assert!(talk.instance.await.unwrap().is_err(), "{said}");
    }
    assert!(is_empty(place.dir.path()));
}

#[tokio::test]
async fn what_nobody_asked_for_in_a_long_time_is_swept_and_the_rest_is_not() {
    let (place, old, young) = (Place::new(), script("echo old"), script("echo young"));
    for spec in [&old, &young] {
        let mut talk = place.start(spec, 1).await;
        talk.end().await;
        drop(talk.line);
        talk.instance.await.unwrap().unwrap();
    }
    let age = |days: u64| {
        let asked = SystemTime::now() - Duration::from_hours(days * 24);
        let file = fs::File::options().write(true).open(place.spool(old.id).join("attempt")).unwrap();
        file.set_modified(asked).unwrap();
    };
    age(29);
    sweep::sweep(place.dir.path(), young.id);
    assert!(place.directory(old.id).exists());
    age(31);
    sweep::sweep(place.dir.path(), old.id);
    assert!(place.directory(old.id).exists(), "somebody asks for it");
    sweep::sweep(place.dir.path(), young.id);
    assert!(!place.directory(old.id).exists() && !place.spool(old.id).exists());
    assert!(place.directory(young.id).exists() && place.spool(young.id).exists());
}

#[tokio::test]
async fn an_end_that_looks_old_is_told_to_who_asks_for_it() {
    let (place, spec) = (Place::new(), script("echo run"));
    let mut talk = place.start(&spec, 1).await;
    talk.end().await;
    drop(talk.line);
    talk.instance.await.unwrap().unwrap();
    let (ours, theirs) = StdStream::pair().unwrap();
    let mut line = Line::new(ours).unwrap();
    let file = fs::File::options().write(true).open(place.spool(spec.id).join("attempt")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let instance = place.instance(theirs);
    // It listens, and so would have begun to sweep.
    line.incoming.hello().await.unwrap();
    line.outgoing.hello().await.unwrap();
    spawn_blocking(|| {}).await.unwrap();
    let attach = Attach { id: spec.id, build: spec.build.clone(), attempt: 1, offset: 0 };
    line.outgoing.request(&Request::Attach(attach)).await.unwrap();
    assert_eq!(Talk { line, instance }.end().await, ("run\n".to_owned(), Outcome::Complete));
}

#[test]
fn a_lock_that_was_deleted_meanwhile_keeps_nobody_out_and_is_not_believed() {
    let (dir, id) = (TempDir::new().unwrap(), Uuid::new_v4());
    let first = Spool::hold(dir.path(), id).unwrap();
    assert!(Spool::try_hold(dir.path(), id).unwrap().is_none());
    let (path, waits) = (dir.path().to_owned(), std::sync::mpsc::channel());
    let second = std::thread::spawn(move || {
        waits.0.send(()).unwrap();
        Spool::hold(&path, id).unwrap()
    });
    waits.1.recv().unwrap();
    first.forget(false).unwrap();
    let second = second.join().unwrap();
    assert!(Spool::try_hold(dir.path(), id).unwrap().is_none(), "the second one has it, by whichever file");
    drop(second);
}

#[tokio::test]
async fn a_pipe_in_place_of_the_lock_holds_nobody_up() {
    let (place, spec) = (Place::new(), script("echo run"));
    for attempt in [1, 2] {
        fs::create_dir_all(place.spool(spec.id)).unwrap();
        nix::unistd::mkfifo(&place.spool(spec.id).join("lock"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        if attempt == 1 {
            assert_eq!(place.attach(&spec, attempt, 0).await.answer().await, Reply::Unknown);
            fs::remove_file(place.spool(spec.id).join("lock")).unwrap();
        } else {
            let mut talk = place.start(&spec, attempt).await;
            assert_eq!(talk.end().await, ("run\n".to_owned(), Outcome::Complete));
        }
    }
}

/// An instance that has the build and does not answer, and how many may wait for it.
fn mute(place: &Place, id: Uuid, backlog: u32) -> (Spool, tokio::net::UnixListener) {
    let held = Spool::hold(place.dir.path(), id).unwrap();
    let socket = tokio::net::UnixSocket::new_stream().unwrap();
    socket.bind(place.spool(id).join("sock")).unwrap();
    (held, socket.listen(backlog).unwrap())
}

/// Connections to it, until no more can wait.
async fn crowd(place: &Place, id: Uuid) -> Vec<UnixStream> {
    let mut crowd = Vec::new();
    while let Ok(one) = spool::connect(place.dir.path(), id).await {
        crowd.push(one);
    }
    crowd
}

#[tokio::test]
async fn an_instance_that_waits_for_a_mute_one_goes_with_its_daemon_or_when_it_is_told_to() {
    for (is_crowded, is_told) in [(false, false), (true, false), (false, true), (true, true)] {
        let (place, spec) = (Place::new(), script("echo run"));
        let _mute = mute(&place, spec.id, 1);
        let _crowd = if is_crowded { crowd(&place, spec.id).await } else { Vec::new() };
        let Talk { line, instance } = place.attach(&spec, 1, 0).await;
        let line = if is_told {
            place.stop.send_replace(true);
            Some(line)
        } else {
            drop(line);
            None
        };
        timeout(Duration::from_secs(60), instance).await.expect("an end in time").unwrap().unwrap();
        drop(line);
    }
}

#[tokio::test]
async fn a_daemon_that_hangs_up_without_a_word_is_no_error() {
    let place = Place::new();
    for is_heard in [false, true] {
        let (ours, theirs) = StdStream::pair().unwrap();
        let mut line = Line::new(ours).unwrap();
        let instance = place.instance(theirs);
        if is_heard {
            line.incoming.hello().await.unwrap();
        }
        drop(line);
        instance.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_makes_no_sense_in_the_spool_leaves_no_build_without_an_end() {
    let (place, spec) = (Place::new(), script("echo run"));
    let (nothing, cut_off) = (Reply::Unknown, Outcome::Interrupted);
    for (name, what) in
        [("attempt", "text"), ("attempt", "dir"), ("outcome.json", "text"), ("outcome.json", "dir")]
    {
        let mut talk = place.start(&spec, 1).await;
        talk.end().await;
        drop(talk.line);
        talk.instance.await.unwrap().unwrap();
        let path = place.spool(spec.id).join(name);
        fs::remove_file(&path).unwrap();
        match what {
            "text" => fs::write(&path, "nonsense").unwrap(),
            _ => fs::create_dir_all(path.join("full")).unwrap(),
        }
        if name == "attempt" {
            for _ in [1, 2] {
                assert_eq!(place.attach(&spec, 1, 0).await.answer().await, nothing, "{name} {what}");
            }
        } else {
            assert_eq!(place.attach(&spec, 1, 0).await.end().await.1, cut_off, "{name} {what}");
        }
        fs::remove_dir_all(place.spool(spec.id)).unwrap();
    }
}

#[tokio::test]
async fn behind_a_note_that_makes_no_sense_only_a_later_attempt_is_started() {
    let (place, spec) = (Place::new(), script("echo run"));
    fs::create_dir_all(place.spool(spec.id)).unwrap();
    fs::write(place.spool(spec.id).join("attempt"), "nonsense").unwrap();
    place.start(&spec, 2).await.refusal().await;
    assert_eq!(place.start(&spec, 3).await.end().await.1, Outcome::Complete);
}

#[tokio::test]
async fn what_is_in_the_way_of_the_spool_is_moved_aside() {
    let (place, spec) = (Place::new(), script("echo run"));
    fs::write(place.dir.path().join("spool"), "").unwrap();
    assert_eq!(place.attach(&spec, 1, 0).await.answer().await, Reply::Unknown);
    fs::remove_dir_all(place.spool(spec.id)).unwrap();
    fs::write(place.spool(spec.id), "").unwrap();
    assert_eq!(place.start(&spec, 2).await.end().await.1, Outcome::Complete);
}

#[test]
fn a_build_that_is_forgotten_is_free_before_its_files_are_deleted() {
    let (dir, id) = (TempDir::new().unwrap(), Uuid::new_v4());
    let first = Spool::hold(dir.path(), id).unwrap();
    fs::create_dir_all(first.directory().path().join("much")).unwrap();
    assert!(first.take(1, 100).unwrap());
    let gone = first.forget(false).unwrap();
    let second = Spool::try_hold(dir.path(), id).unwrap().expect("it is free");
    assert!(second.take(1, 100).unwrap(), "and nothing is known of it");
    assert!(gone.iter().all(|path| path.exists()), "{gone:?}");
    // As after an instance that was ended right then.
    sweep::sweep(dir.path(), id);
    assert!(gone.len() == 2 && !gone.iter().any(|path| path.exists()), "{gone:?}");
    assert!(Spool::try_hold(dir.path(), id).unwrap().is_none(), "the second has it still");
    assert!(!second.take(1, 100).unwrap(), "and knows what it did");
}

#[test]
fn the_home_of_builds_is_not_where_the_spool_is() {
    let (place, elsewhere) = (Place::new(), TempDir::new().unwrap());
    let state_dir = place.dir.path().to_str().unwrap();
    let own = format!("{state_dir}/home");
    let other = elsewhere.path().to_str().unwrap();
    let table = [
        (None, &*own),
        (Some(state_dir), &own),
        (Some(&format!("{state_dir}/.")), &own),
        (Some("/proc/none"), &own),
        (Some(other), other),
    ];
    for (given, expected) in table {
        let mut options = place.options();
        options.inherited.extend(given.map(|home| ("HOME".to_owned(), home.to_owned())));
        let inherited = home::inherited(&options);
        let homes: Vec<&str> =
            inherited.iter().filter(|(name, _)| name == "HOME").map(|(_, home)| &**home).collect();
        assert_eq!(homes, [expected], "{given:?}");
        assert!(inherited.iter().any(|(name, _)| name == "PATH"));
    }
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(own).unwrap());
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_build_that_empties_its_home_is_found_all_the_same() {
    let (place, spec) = (Place::new(), script("rm -rf ~/*; echo up; exec sleep 1000"));
    let mut first = place.start(&spec, 1).await;
    assert_eq!(first.answer().await, Reply::Accepted);
    assert_eq!(first.next().await.1, b"up\n");
    let mut second = place.attach(&spec, 1, 0).await;
    assert_eq!(second.answer().await, Reply::Accepted);
    second.line.outgoing.request(&Request::Cancel).await.unwrap();
    assert_eq!(second.end().await.1, Outcome::Cancelled);
}

//! What is said between a daemon and its instances.

use tokio::net::UnixStream;

use super::*;

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

//! What is known on disk, whatever was done to it.

use super::*;

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

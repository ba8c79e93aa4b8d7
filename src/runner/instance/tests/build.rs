//! What a build does to its own files, and what that does not do to it.

use super::*;

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

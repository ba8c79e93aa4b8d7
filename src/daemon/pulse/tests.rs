use super::*;

const IDLE: Work<'static> = Work { running: 0, waiting: 0, draining: false, store_trouble: None };

fn tag(text: &str) -> TagRef {
    text.parse().unwrap()
}

/// Three tags of two registries; the last one was never seen.
fn looks() -> (Looks, [TagRef; 3]) {
    let tags = [tag("one.example/app:1"), tag("one.example/app:2"), tag("two.example/app:1")];
    let mut looks = Looks::default();
    looks.watch(tags.iter(), |tag| tag.host() == "one.example");
    (looks, tags)
}

fn at(looks: &mut Looks, time: &str) {
    looks.last_success = Some(time.parse().unwrap());
}

#[test]
fn the_status_tells_what_is_done_and_when_it_last_succeeded() {
    let (mut looks, tags) = looks();
    assert_eq!(status(&looks, IDLE), "2 of 3 tags ok, 0 builds running, no poll has succeeded yet");
    looks.found(&tags[2]);
    at(&mut looks, "2026-11-02T10:15:04.9Z");
    let busy = Work { running: 1, waiting: 4, ..IDLE };
    let text = "3 of 3 tags ok, 1 build running, 4 waiting, last poll 2026-11-02 10:15:04 UTC";
    assert_eq!(status(&looks, busy), text);
    assert!(status(&looks, Work { draining: true, ..busy }).starts_with("stopping: 3 of 3 tags ok"));
    let full = Work { store_trouble: Some("no space left"), ..IDLE };
    assert!(
        status(&looks, full).ends_with("; the state cannot be stored, so nothing is decided: no space left")
    );
}

#[test]
fn trouble_is_counted_by_tag_and_registry_until_it_is_over() {
    let (mut looks, tags) = looks();
    tags.iter().for_each(|tag| looks.found(tag));
    at(&mut looks, "2026-11-02T10:15:04Z");
    let told = |looks: &Looks| status(looks, IDLE).split_once("; ").map(|(_, trouble)| trouble.to_owned());
    assert_eq!(told(&looks), None);
    looks.failed(&tags[0]);
    looks.failed(&tags[0]);
    assert_eq!(told(&looks).unwrap(), "trouble with 1 tag of 1 registry");
    looks.failed(&tags[1]);
    looks.failed(&tags[2]);
    assert_eq!(told(&looks).unwrap(), "trouble with 3 tags of 2 registries");
    assert!(status(&looks, IDLE).starts_with("0 of 3 tags ok"));
    tags.iter().for_each(|tag| looks.found(tag));
    assert_eq!(told(&looks), None);
}

#[test]
fn a_tag_that_is_no_longer_watched_is_no_trouble_and_one_that_still_is_stays_one() {
    let (mut looks, tags) = looks();
    tags.iter().for_each(|tag| looks.failed(tag));
    looks.watch(tags.iter().skip(1), |_| true);
    assert_eq!((looks.watched, looks.not_ok.len()), (2, 2));
    looks.watch(tags.iter().take(1), |_| true);
    assert_eq!((looks.watched, looks.not_ok.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_status_is_told_at_once_and_then_at_most_once_in_a_while() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let mut pulse = Pulse::new(Manager::at(Some(path.as_os_str())).unwrap());
    assert_eq!(pulse.due(), None, "nothing has happened");
    pulse.stir();
    assert!(pulse.is_due());
    pulse.tell(IDLE).await;
    assert_eq!(pulse.due(), None);
    pulse.stir();
    let due = pulse.due().unwrap();
    assert_eq!(due - Instant::now(), PAUSE);
    assert!(!pulse.is_due());
    tokio::time::advance(PAUSE).await;
    assert!(pulse.is_due());
    pulse.tell(IDLE).await;

    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    assert!(socket.recv(&mut buffer).is_ok());
    assert!(socket.recv(&mut buffer).is_err(), "what was told already is not told again");
}

#[tokio::test]
async fn without_a_service_manager_nothing_is_kept_and_nothing_is_due() {
    let mut pulse = Pulse::new(Manager::default());
    let tag = tag("one.example/app:1");
    pulse.watch([&tag].into_iter(), |_| false);
    pulse.failed(&tag);
    pulse.stir();
    assert_eq!(pulse.due(), None);
    assert!(pulse.looks.not_ok.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_busy_manager_must_know_is_told_until_it_has_taken_it() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let mut pulse = Pulse::new(Manager::at(Some(path.as_os_str())).unwrap());
    pulse.ready(IDLE).await;
    let due = pulse.due().expect("nobody listened: it is tried again");
    assert!(due > Instant::now(), "and not without a pause");

    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    tokio::time::advance(PAUSE).await;
    assert!(pulse.is_due());
    pulse.tell(IDLE).await;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    let message = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(message.starts_with("READY=1\nSTATUS="), "{message}");
    pulse.tell(IDLE).await;
    assert!(socket.recv(&mut buffer).is_err() && pulse.due().is_none(), "it is told once");
}

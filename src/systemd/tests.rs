use std::os::unix::net::UnixDatagram;

use tempfile::TempDir;

use super::*;

#[test]
fn each_state_is_a_line_of_one_message() {
    let states = [State::Ready, State::Status("3 of 3 tags ok"), State::Stopping];
    assert_eq!(message(&states), "READY=1\nSTATUS=3 of 3 tags ok\nSTOPPING=1\n");
}

#[test]
fn a_status_cannot_smuggle_in_another_state_nor_be_too_long() {
    let status = format!("disk full\nMAINPID=1{}", "x".repeat(9000));
    let message = message(&[State::Status(&status)]);
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with("STATUS=disk full\\nMAINPID=1"), "{message}");
    assert!(message.len() < 4096, "{}", message.len());
}

#[test]
fn without_a_name_there_is_no_manager_and_a_strange_one_is_refused() {
    for name in [None, Some("")] {
        assert!(!Manager::at(name.map(OsStr::new)).unwrap().is_there());
    }
    for name in ["/run/systemd/notify", "@/org/freedesktop/systemd1/notify"] {
        assert!(Manager::at(Some(OsStr::new(name))).unwrap().is_there(), "{name}");
    }
    for name in ["vsock:2:1234", "notify"] {
        assert!(Manager::at(Some(OsStr::new(name))).is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_manager_that_takes_nothing_is_given_up() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let manager = Manager::at(Some(path.as_os_str())).unwrap();
    assert!(manager.tell(&[State::Ready], Duration::ZERO).await.is_err(), "nobody listens yet");

    let listens_but_does_not_read = UnixDatagram::bind(&path).unwrap();
    let mut failed = None;
    for _ in 0..100_000 {
        failed = manager.tell(&[State::Status("busy")], Duration::ZERO).await.err();
        if failed.is_some() {
            break;
        }
    }
    assert_eq!(failed.expect("its queue is full at last").kind(), io::ErrorKind::TimedOut);

    // What it must know waits until there is room.
    let states = [State::Ready];
    let told = manager.tell(&states, Duration::from_secs(60));
    let read = tokio::task::spawn_blocking(move || {
        listens_but_does_not_read.recv(&mut [0; 64]).unwrap();
        listens_but_does_not_read
    });
    let (told, read) = tokio::join!(told, read);
    assert!(told.is_ok(), "{told:?}");
    drop(read);
}

use std::time::Duration;

use super::support::{FOR_EVER, MINUTE, NO_RATE, Script, base, host, known, pass, resolved, start, trouble};
use crate::poll::{HostStatus, Mode};

const SLOWLY: Duration = Duration::from_millis(300);

#[tokio::test(start_paused = true)]
async fn status_tells_when_each_tag_is_polled_next() {
    let running = start(
        Mode::Continuous,
        vec![known(host("registry.example.com", 60, NO_RATE))],
        Script::steady(SLOWLY),
    );
    let status = running.status().await;
    assert_eq!(status.tags.len(), 60);
    assert!(running.script.asked().is_empty(), "nothing is due yet");
    pass(2 * MINUTE).await;
    for tag in status.tags {
        let due = tag.next_poll.unwrap();
        let asked = running.script.asked_of(&tag.tag)[0];
        let place_in_cohort = 20 * SLOWLY;
        assert!((due..=due + 3 * place_in_cohort).contains(&asked), "{} at {asked:?}, not {due:?}", tag.tag);
    }
}

#[tokio::test(start_paused = true)]
async fn status_tells_what_is_wrong_since_when_and_how_often() {
    let script = Script::new(|tag, _| match tag.repository() {
        "app-2" => (SLOWLY, trouble("denied")),
        _ => (SLOWLY, resolved()),
    });
    let running = start(Mode::Continuous, vec![host("registry.example.com", 10, NO_RATE)], script);
    pass(5 * MINUTE).await;
    let status = running.status().await;
    let (failing, well): (Vec<_>, Vec<_>) =
        status.tags.into_iter().partition(|tag| tag.tag.repository() == "app-2");
    let condition = failing[0].condition.clone().unwrap();
    assert_eq!(condition.trouble, trouble("denied").unwrap_err());
    assert_eq!(condition.count as usize, running.script.asked_of(&failing[0].tag).len());
    assert_eq!((condition.since, failing[0].last_success), (base(), None));
    assert!(well.iter().all(|tag| tag.condition.is_none() && tag.last_success == Some(base())));
    let expected = HostStatus {
        host: "registry.example.com".to_owned(),
        limits: NO_RATE,
        in_flight: 0,
        tags: 10,
        failing: 1,
        stretched: None,
        trouble: None,
    };
    assert_eq!(status.hosts, [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_waits_for_its_host_is_due_now_and_one_that_was_polled_is_not() {
    let script = Script::new(|_, _| (SLOWLY, resolved()));
    let running = start(Mode::Continuous, vec![host("registry.example.com", 20, NO_RATE)], script);
    pass(SLOWLY * 5 + SLOWLY / 2).await;
    let status = running.status().await;
    let waiting = status.tags.iter().filter(|tag| tag.next_poll == Some(Duration::ZERO)).count();
    assert_eq!((waiting, status.hosts[0].in_flight), (14, 1), "five are done and one is in flight");
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_after_the_only_poll() {
    let running = start(
        Mode::Once,
        vec![host("hanging.example.com", 2, NO_RATE)],
        Script::new(|_, _| (FOR_EVER, resolved())),
    );
    pass(MINUTE).await;
    let due: Vec<_> = running.status().await.tags.into_iter().map(|tag| tag.next_poll).collect();
    assert_eq!(due, [None, Some(Duration::ZERO)]);
}

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::super::super::error::Advice;
use super::super::token::Purpose;
use super::*;

fn token(repositories: &[&str], asked: Instant) -> Arc<Token> {
    let repositories = repositories.iter().map(|name| (*name).into()).collect();
    let purpose = Purpose { repositories, besides: vec!["more".into()], strikes: 0 };
    let body = br#"{"token":"t","expires_in":300}"#;
    Arc::new(Token::read(body, purpose, asked, Timestamp::UNIX_EPOCH).unwrap())
}

#[test]
fn a_token_is_found_for_each_of_its_repositories_until_it_is_old_or_refused_there() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    let shared = token(&["a", "b"], now);
    cache.enter(&shared, now);
    assert!(cache.usable("a", now).is_some() && cache.usable("b", now).is_some());
    assert!(cache.usable("c", now).is_none());
    let later = now + Duration::from_secs(300);
    assert!(cache.usable("a", later).is_none());
    assert_eq!(cache.besides("a"), ["more".into()]);

    cache.evict("a", &shared);
    assert!(cache.usable("a", now).is_none() && cache.usable("b", now).is_some());
    let newer = token(&["b"], now);
    cache.enter(&newer, now);
    cache.evict("b", &shared);
    assert!(cache.usable("b", now).is_some(), "what was refused is not what is there now");
}

#[test]
fn the_dead_go_when_there_are_many_and_there_are_never_more_than_so_many() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    for number in 0..2 * FEW {
        let now = start + Duration::from_secs(300 * number as u64);
        cache.enter(&token(&[&number.to_string()], now), now);
        assert!(cache.tokens.len() <= FEW + 1);
    }
    for number in 0..MOST + 10 {
        cache.enter(&token(&[&format!("x{number}")], start), start);
    }
    assert_eq!(cache.tokens.len(), MOST);
}

#[test]
fn what_a_registry_wants_besides_outlives_the_token_and_is_bounded() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.enter(&token(&["a"], start), start);
    let later = start + Duration::from_secs(300);
    for number in 0..2 * FEW {
        cache.enter(&token(&[&format!("x{number}")], later), later);
    }
    assert!(!cache.tokens.contains_key("a"), "it was tidied");
    assert_eq!(cache.besides("a"), ["more".into()]);
    for number in 0..2 * MOST_BESIDES {
        cache.enter(&token(&[&format!("y{number}")], later), later);
    }
    assert_eq!(cache.besides.len(), MOST_BESIDES);
}

#[tokio::test]
async fn one_of_many_fetches_and_all_have_what_it_brings_failure_too() {
    let (flights, fetches) = (Flights::default(), AtomicUsize::new(0));
    let fetch = |outcome: Outcome| async {
        fetches.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        outcome
    };
    let good = token(&["a"], Instant::now());
    let all = join_all((0..32).map(|_| flights.join("key", fetch(Ok(Arc::clone(&good)))))).await;
    assert!(all.into_iter().all(|outcome| Arc::ptr_eq(&outcome.unwrap(), &good)));
    assert_eq!(fetches.load(Ordering::Relaxed), 1);

    let answer = super::super::super::Answer {
        status: reqwest::StatusCode::UNAUTHORIZED,
        elsewhere: None,
        remark: None,
        retry_after: None,
    };
    let trouble = Trouble::Denied { answer, advice: Advice::None };
    let all = join_all((0..32).map(|_| flights.join("key", fetch(Err(trouble.clone()))))).await;
    assert!(all.into_iter().all(|outcome| outcome.is_err()));
    assert_eq!(
        fetches.load(Ordering::Relaxed),
        2,
        "a failure is for those who waited, and for nobody after them"
    );
    assert!(flights.lock().is_empty());
}

#[tokio::test]
async fn if_the_one_that_fetches_goes_away_the_next_does_it() {
    let flights = Flights::default();
    let good = token(&["a"], Instant::now());
    let mut leader = Box::pin(flights.join("key", std::future::pending()));
    let mut follower = Box::pin(flights.join("key", async { Ok(Arc::clone(&good)) }));
    assert!(futures_util::poll!(leader.as_mut()).is_pending());
    assert!(futures_util::poll!(follower.as_mut()).is_pending());
    drop(leader);
    assert!(follower.await.is_ok());
    let mut last = Box::pin(flights.join("key", std::future::pending()));
    assert!(futures_util::poll!(last.as_mut()).is_pending());
    drop(last);
    assert!(flights.lock().is_empty(), "who gives up leaves nothing behind");
}

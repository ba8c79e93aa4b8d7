//! How many tokens a round costs.

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};

use super::*;

const REPOSITORIES: usize = 1_000;
/// As many tags as share a token, by the poller's choice.
const GROUP: usize = 25;
/// As many looks at once as a public registry gets.
const AT_ONCE: usize = 2;

/// A registry with many repositories of one tag each.
struct Fleet {
    registry: FakeRegistry,
    asker: Asker,
    tags: Vec<TagRef>,
}

impl Fleet {
    fn new(tokens: &Tokens, repositories: usize) -> Self {
        let registry = FakeRegistry::start();
        registry.want_tokens(tokens);
        let name = |number: usize| format!("team/base-{number}");
        let tags = (0..repositories).map(|number| {
            registry.push(&name(number), "1", number as u64);
            registry.tag(&name(number), "1")
        });
        let tags = tags.collect();
        Self { asker: Asker::new(&registry), registry, tags }
    }

    /// Looks at every tag, and tells the cost: HEADs and requests for tokens. Each look must succeed.
    async fn round(&self) -> (usize, usize) {
        self.registry.reset_counts();
        let groups = self.tags.chunks(GROUP);
        let looks = groups.flat_map(|group| group.iter().map(move |tag| self.asker.ask_in(tag, group)));
        let results: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        let failures: Vec<String> =
            results.into_iter().filter_map(|result| Some(result.err()?.to_string())).collect();
        assert!(failures.is_empty(), "{} of {}: {}", failures.len(), self.tags.len(), failures[0]);
        heads_and_tokens(&self.registry)
    }
}

/// Fails unless each repository had one HEAD, but for the first looks, which go out before the registry has said that it
/// wants a token.
fn check_first_round(heads: usize) {
    assert!((REPOSITORIES + 1..=REPOSITORIES + AT_ONCE).contains(&heads), "{heads} HEADs");
}

#[tokio::test]
async fn a_thousand_repositories_cost_sixty_tokens_at_most_and_none_while_those_live() {
    for tokens in [Tokens::new(), Tokens::new().readable()] {
        let fleet = Fleet::new(&tokens, REPOSITORIES);
        let (heads, tokens) = fleet.round().await;
        check_first_round(heads);
        assert!((40..=60).contains(&tokens), "{tokens} requests for tokens");
        assert_eq!(fleet.round().await, (REPOSITORIES, 0));

        an_hour_later().await;
        assert_eq!(fleet.round().await, (REPOSITORIES, 40), "one for each group, and no HEAD is refused");
    }
}

#[tokio::test]
async fn a_server_that_grants_the_first_scope_only_costs_one_token_each_and_one_refusal_in_all() {
    for (tokens, refusals) in
        [(Tokens::granting(Grants::AtMost(1)), 1), (Tokens::granting(Grants::AtMost(1)).readable(), 0)]
    {
        let fleet = Fleet::new(&tokens, REPOSITORIES);
        let (heads, tokens) = fleet.round().await;
        check_first_round(heads - refusals);
        assert_eq!(tokens, REPOSITORIES);
        assert_eq!(fleet.round().await, (REPOSITORIES, 0));
        an_hour_later().await;
        assert_eq!(fleet.round().await, (REPOSITORIES, REPOSITORIES), "it is not tried again");
    }
}

#[tokio::test]
async fn a_404_to_a_shared_token_proves_no_sharing_and_hides_no_tag() {
    let fleet = Fleet::new(&Tokens::granting(Grants::AtMost(1)).hiding(), GROUP);
    for tag in &fleet.tags {
        fleet.asker.ask_in(tag, &fleet.tags).await.unwrap();
    }
    // The first look is challenged, the second refused, and all are alone from there on.
    assert_eq!(heads_and_tokens(&fleet.registry), (GROUP + 2, GROUP));

    // A tag that is not there for its own token either tells nothing, and the next one proves it.
    let fleet = Fleet::new(&Tokens::new(), 3);
    fleet.registry.remove("team/base-1", "1");
    let mut kinds = Vec::new();
    for tag in &fleet.tags {
        kinds.push(fleet.asker.ask_in(tag, &fleet.tags).await.err().map(|error| error.kind()));
    }
    assert_eq!(kinds, [None, Some("missing"), None]);
    let asked: Vec<usize> = scopes(&fleet.registry).iter().map(Vec::len).collect();
    assert_eq!(asked, [3, 1]);
}

#[tokio::test]
async fn a_server_that_grants_a_few_scopes_refuses_twice_and_then_never() {
    let fleet = Fleet::new(&Tokens::granting(Grants::AtMost(10)), GROUP);
    for tag in &fleet.tags {
        fleet.asker.ask_in(tag, &fleet.tags).await.unwrap();
    }
    // The first look is challenged, the 11th and 12th are refused, and the others are alone from there on.
    assert_eq!(heads_and_tokens(&fleet.registry), (GROUP + 3, 1 + 2 + 13));
    an_hour_later().await;
    assert_eq!(fleet.round().await, (GROUP, GROUP));
}

#[tokio::test]
async fn thirty_two_looks_at_once_in_one_group_are_one_request_for_a_token() {
    let fleet = Fleet::new(&Tokens::new(), GROUP);
    let looks = (0..32).map(|number| fleet.asker.ask_in(&fleet.tags[number % GROUP], &fleet.tags));
    assert!(join_all(looks).await.iter().all(Result::is_ok));
    assert_eq!(heads_and_tokens(&fleet.registry), (64, 1));
    assert_eq!(scopes(&fleet.registry).remove(0).len(), GROUP);
}

#[tokio::test]
async fn the_repository_that_is_asked_for_is_the_first_scope() {
    let fleet = Fleet::new(&Tokens::new(), GROUP);
    fleet.asker.ask_in(&fleet.tags[7], &fleet.tags).await.unwrap();
    let scopes = scopes(&fleet.registry).remove(0);
    assert_eq!((scopes.len(), scopes[0].as_str()), (GROUP, "repository:team/base-7:pull"));
}

#[tokio::test]
async fn thirty_two_looks_at_once_that_a_token_server_fails_are_one_request_too() {
    let fleet = Fleet::new(&Tokens::new(), GROUP);
    fleet.registry.fault("/token", Fault::status(503));
    let looks = (0..32).map(|number| fleet.asker.ask_in(&fleet.tags[number % GROUP], &fleet.tags));
    assert!(join_all(looks).await.iter().all(Result::is_err));
    assert_eq!(heads_and_tokens(&fleet.registry), (32, 1));
}

#[tokio::test]
async fn tokens_that_grow_with_their_scopes_are_asked_for_fewer_until_they_fit() {
    // 25 scopes make more than seven kilobytes, 12 more than four.
    let fleet = Fleet::new(&Tokens::new().padded(400), 200);
    fleet.round().await;
    an_hour_later().await;
    fleet.round().await;
    let scopes: Vec<usize> = scopes(&fleet.registry).iter().map(Vec::len).collect();
    assert!(scopes.iter().all(|scopes| *scopes <= 6), "{scopes:?}");
    assert_eq!(scopes.len(), 8 * 5, "25 are four times 6, and 1");
    let longest = |request: &Recorded| request.headers.get("authorization").map_or(0, |sent| sent.len());
    let longest = fleet.registry.requests().iter().map(longest).max();
    assert!(longest.is_some_and(|longest| longest <= 4 * 1024), "{longest:?}");
}

#[tokio::test]
async fn a_token_that_is_too_long_to_be_sent_is_not_sent() {
    let fleet = Fleet::new(&Tokens::new().padded(400), GROUP);
    fleet.round().await;
    let sent = fleet.registry.requests();
    let sent = sent.iter().filter_map(|request| request.headers.get("authorization"));
    assert!(sent.clone().count() > 0 && sent.clone().all(|sent| sent.len() <= 7 * 1024));
}

#[tokio::test]
async fn one_private_repository_in_a_group_costs_the_others_nothing() {
    const PUBLIC: &[&str] = &["team/base-0", "team/base-2", "team/base-3"];
    let fleet = Fleet::new(&Tokens::granting(Grants::Only(PUBLIC)), 4);
    let all = async || {
        fleet.registry.reset_counts();
        for (number, tag) in fleet.tags.iter().enumerate() {
            let result = fleet.asker.ask_in(tag, &fleet.tags).await;
            assert_eq!(result.err().map(|error| error.kind()), (number == 1).then_some("denied"));
        }
        heads_and_tokens(&fleet.registry)
    };
    all().await;
    let (heads, tokens) = all().await;
    assert!(heads <= 5 && tokens <= 1, "{heads} HEADs, {tokens} tokens");
}

#[tokio::test]
async fn a_readable_token_that_leaves_out_what_may_not_be_seen_does_not_end_sharing() {
    const PUBLIC: &[&str] = &["team/base-0", "team/base-2", "team/base-3"];
    let fleet = Fleet::new(&Tokens::granting(Grants::Only(PUBLIC)).readable(), 4);
    for (number, tag) in fleet.tags.iter().enumerate() {
        let group = if number < 2 { &fleet.tags[..2] } else { &fleet.tags[2..] };
        let result = fleet.asker.ask_in(tag, group).await;
        assert_eq!(result.err().map(|error| error.kind()), (number == 1).then_some("denied"));
    }
    let asked: Vec<usize> = scopes(&fleet.registry).iter().map(Vec::len).collect();
    assert_eq!(asked, [2, 1, 2], "the second group shares");
}

#[tokio::test]
async fn a_server_that_refuses_all_for_one_is_asked_for_one_at_a_time() {
    const PUBLIC: &[&str] = &["team/base-0", "team/base-2", "team/base-3"];
    let fleet = Fleet::new(&Tokens::granting(Grants::AllOrNothing(PUBLIC)), 4);
    for (number, tag) in fleet.tags.iter().enumerate() {
        let result = fleet.asker.ask_in(tag, &fleet.tags).await;
        assert_eq!(result.err().map(|error| error.kind()), (number == 1).then_some("denied"));
    }
    let asked: Vec<usize> = scopes(&fleet.registry).iter().map(Vec::len).collect();
    assert_eq!(asked, [4, 1, 1, 1, 1]);
}

#[tokio::test]
async fn when_all_tokens_end_at_once_sharing_goes_on() {
    let tokens = Tokens::new();
    let fleet = Fleet::new(&tokens, 4 * GROUP);
    fleet.round().await;
    tokens.revoke();
    let (heads, asked) = fleet.round().await;
    assert!(heads <= 4 * GROUP + 4 * AT_ONCE && asked <= 4 + AT_ONCE, "{heads} HEADs, {asked} tokens");
    an_hour_later().await;
    assert_eq!(fleet.round().await, (4 * GROUP, 4));
}

#[tokio::test]
async fn several_tags_of_a_repository_are_one_scope() {
    let registry = open_to(&Tokens::new());
    registry.push("team/app", "2", 2);
    let group = [registry.tag("team/app", "1"), registry.tag("team/app", "2")];
    let asker = Asker::new(&registry);
    for tag in &group {
        asker.ask_in(tag, &group).await.unwrap();
    }
    assert_eq!(scopes(&registry), [["repository:team/app:pull"]]);
}

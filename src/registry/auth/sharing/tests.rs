use super::*;

fn now() -> Instant {
    Instant::now()
}

#[test]
fn one_group_tries_while_nobody_knows_and_the_others_wait_for_what_becomes_of_it() {
    let (mut sharing, now) = (Sharing::default(), now());
    assert_eq!(sharing.most("a", now), usize::MAX);
    assert_eq!(sharing.most("b", now), 1);
    assert_eq!(sharing.most("a", now), usize::MAX);
    assert!(sharing.is_untried());

    sharing.proved();
    assert_eq!((sharing.most("a", now), sharing.most("b", now)), (usize::MAX, usize::MAX));
    assert!(!sharing.is_untried());
}

#[test]
fn a_pioneer_without_news_gives_way() {
    let (mut sharing, start) = (Sharing::default(), now());
    sharing.most("a", start);
    assert_eq!(sharing.most("b", start + PATIENCE), usize::MAX);
    assert_eq!(sharing.most("a", start + PATIENCE), 1);
    sharing.told_nothing();
    assert_eq!(sharing.most("c", start + PATIENCE), usize::MAX);
}

#[test]
fn a_server_that_does_not_share_is_never_asked_to_again() {
    let mut sharing = Sharing::default();
    sharing.refuted();
    sharing.proved();
    sharing.told_nothing();
    assert_eq!(sharing.most("a", now()), 1);
}

#[test]
fn what_a_readable_token_leaves_out_is_remembered_until_sharing_is_known() {
    let mut sharing = Sharing::default();
    sharing.most("a", now());
    sharing.left_out(vec!["b".into()]);
    assert!(sharing.is_untried() && sharing.is_left_out("b") && !sharing.is_left_out("a"));
    sharing.proved();
    assert!(!sharing.is_left_out("b"));
    sharing.left_out(vec!["b".into()]);
    assert!(!sharing.is_left_out("b"));
}

#[test]
fn a_long_token_halves_what_the_next_ones_are_asked_for_down_to_one() {
    let mut sharing = Sharing::default();
    sharing.proved();
    sharing.measured(25, LONG_TOKEN);
    assert_eq!(sharing.most("a", now()), usize::MAX);
    for (repositories, most) in [(25, 12), (12, 6), (25, 6), (6, 3), (3, 1), (1, 1)] {
        sharing.measured(repositories, LONG_TOKEN + 1);
        assert_eq!(sharing.most("a", now()), most);
    }
}

#[test]
fn one_shared_token_that_is_refused_is_an_accident_and_two_in_a_row_are_none() {
    let mut sharing = Sharing::default();
    sharing.proved();
    sharing.struck(0);
    sharing.struck(1);
    assert_eq!(sharing.most("a", now()), usize::MAX);
    sharing.struck(2);
    assert_eq!(sharing.most("a", now()), 1);
}

use super::*;

const SYMPTOMS: [Symptom; 4] =
    [Symptom::NotFound, Symptom::NotAllowed, Symptom::ServerError, Symptom::Silent];

#[test]
fn an_unknown_host_is_asked_by_head_and_then_by_get_whatever_was_wrong() {
    let mut verdict = Verdict::default();
    assert_eq!(verdict.first(Instant::now()), First::Head);
    for symptom in SYMPTOMS {
        assert!(verdict.wants_get(symptom), "{symptom:?}");
    }
}

#[test]
fn a_host_that_answers_head_is_believed_when_it_says_404_and_only_then() {
    let mut verdict = Verdict::default();
    verdict.head_answered();
    for symptom in SYMPTOMS {
        assert_eq!(verdict.wants_get(symptom), symptom != Symptom::NotFound, "{symptom:?}");
    }
}

#[test]
fn a_host_whose_get_answers_in_place_of_head_is_asked_by_get() {
    for symptom in SYMPTOMS {
        let now = Instant::now();
        let mut verdict = Verdict::default();
        verdict.get_answered(symptom, now);
        assert_eq!(verdict.first(now), First::Get, "{symptom:?}");
    }
}

#[test]
fn one_5xx_does_not_turn_a_host_that_answers_head_into_one_that_is_asked_by_get() {
    let now = Instant::now();
    let mut verdict = Verdict::Heads;
    verdict.get_answered(Symptom::ServerError, now);
    assert_eq!(verdict, Verdict::Heads);
    verdict.get_answered(Symptom::Silent, now);
    assert_eq!(verdict, Verdict::GetsOnly { since: now });
}

#[test]
fn head_gets_one_more_chance_each_hour() {
    let start = Instant::now();
    let mut verdict = Verdict::default();
    verdict.get_answered(Symptom::NotFound, start);

    assert_eq!(verdict.first(start + HEAD_AGAIN - Duration::from_secs(1)), First::Get);
    assert_eq!(verdict.first(start + HEAD_AGAIN), First::Head);
    assert_eq!(verdict.first(start + HEAD_AGAIN), First::Get, "the second asker at that moment");
    assert_eq!(verdict.first(start + HEAD_AGAIN * 2), First::Head);

    verdict.head_answered();
    assert_eq!(verdict.first(start + HEAD_AGAIN * 2), First::Head);
}

#[test]
fn a_404_is_not_believed_from_a_host_that_is_asked_by_get() {
    assert!(Verdict::GetsOnly { since: Instant::now() }.wants_get(Symptom::NotFound));
}

use super::*;

const SYMPTOMS: [Symptom; 4] =
    [Symptom::NotFound, Symptom::NotAllowed, Symptom::ServerError, Symptom::Silent];

fn answers_head() -> Verdict {
    let mut verdict = Verdict::default();
    verdict.head_answered();
    verdict
}

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
    let verdict = answers_head();
    for symptom in SYMPTOMS {
        assert_eq!(verdict.wants_get(symptom), symptom != Symptom::NotFound, "{symptom:?}");
    }
}

#[test]
fn a_host_whose_get_answers_in_place_of_head_is_asked_by_get() {
    for symptom in SYMPTOMS.into_iter().filter(|symptom| *symptom != Symptom::ServerError) {
        let now = Instant::now();
        for mut verdict in [Verdict::default(), answers_head()] {
            verdict.get_answered(symptom, now);
            assert_eq!(verdict.first(now), First::Get, "{symptom:?}");
        }
    }
}

#[test]
fn a_host_is_asked_by_get_after_three_5xx_to_head_in_a_row_and_not_before() {
    let now = Instant::now();
    for mut verdict in [Verdict::default(), answers_head()] {
        for _ in 0..2 {
            verdict.get_answered(Symptom::ServerError, now);
            assert_eq!(verdict.first(now), First::Head);
        }
        verdict.get_answered(Symptom::ServerError, now);
        assert_eq!(verdict.first(now), First::Get);
    }
}

#[test]
fn a_head_that_is_answered_between_two_5xx_makes_them_bad_luck() {
    let now = Instant::now();
    let mut verdict = Verdict::default();
    for _ in 0..5 {
        verdict.get_answered(Symptom::ServerError, now);
        verdict.get_answered(Symptom::ServerError, now);
        verdict.head_answered();
    }
    assert_eq!(verdict.first(now), First::Head);
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
    let mut verdict = answers_head();
    verdict.get_answered(Symptom::Silent, Instant::now());
    assert!(verdict.wants_get(Symptom::NotFound));
}

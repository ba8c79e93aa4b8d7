//! All builds of a config paused, by `build_config.paused` or by command (D20, F22).

use crate::controller::tests::support::*;
use crate::controller::*;

/// What is said of all builds of `app`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Load(bool),
    Pause,
    Resume,
    Restart,
}

fn config(is_paused: bool) -> BuildConfig {
    let config = watch("app", &["ruby"]);
    if is_paused { all_paused(config) } else { config }
}

/// Whether all builds are paused after these words, which follow a load that says nothing.
fn after(words: &[Word]) -> Option<PausedBy> {
    let mut mind = Mind::start([config(false)]);
    for word in words {
        match word {
            Word::Load(is_paused) => drop(mind.load([config(*is_paused)])),
            Word::Pause => {
                drop(mind.tell(&Event::Pause { what: all_builds("app"), reason: None, until: None }));
            }
            Word::Resume => drop(mind.tell(&Event::Resume(all_builds("app")))),
            Word::Restart => drop(mind.restart()),
        }
    }
    mind.controller.pause_of(&app("app")).map(|pause| pause.by)
}

#[test]
fn d20_the_last_word_about_all_builds_counts_and_a_load_that_says_the_same_says_nothing() {
    use PausedBy::{Command, Config};
    use Word::{Load, Pause, Restart, Resume};
    let cases: [(&[Word], Option<PausedBy>); 12] = [
        (&[], None),
        (&[Load(true)], Some(Config)),
        (&[Load(true), Restart], Some(Config)),
        (&[Load(true), Resume], None),
        (&[Load(true), Resume, Load(true)], None),
        (&[Load(true), Resume, Restart], None),
        (&[Load(true), Resume, Load(false), Load(true)], Some(Config)),
        (&[Load(true), Load(false)], None),
        (&[Pause], Some(Command)),
        (&[Pause, Load(false), Restart], Some(Command)),
        (&[Load(true), Pause, Load(false)], None),
        (&[Load(true), Resume, Pause, Load(true)], Some(Command)),
    ];
    for (words, expected) in cases {
        assert_eq!(after(words), expected, "{words:?}");
    }
}

#[test]
fn d20_the_configurations_word_about_all_builds_is_told_once() {
    let mut mind = Mind::start([config(false)]);
    let told = |notes: &[Note]| -> Vec<String> {
        let line = |note: &Note| {
            if let Note::TriggerPaused { tag: None, by, .. } = note {
                Some(format!("paused by {}", by.as_str()))
            } else if let Note::TriggerResumed { tag: None, by, .. } = note {
                Some(format!("resumed by {}", by.as_str()))
            } else {
                None
            }
        };
        notes.iter().filter_map(line).collect()
    };
    assert_eq!(told(&mind.load([config(true)])), ["paused by config"]);
    assert!(told(&mind.load([config(true)])).is_empty() && told(&mind.restart()).is_empty());
    assert_eq!(told(&mind.load([config(false)])), ["resumed by config"]);
}

#[test]
fn d20_a_config_that_is_added_again_is_paused_as_it_says_then() {
    let mut mind = Mind::start([config(true)]);
    mind.tell(&Event::Resume(all_builds("app")));
    mind.load([]);
    mind.load([config(true)]);
    assert!(mind.controller.pause_of(&app("app")).is_some(), "a new word, be it the same");
    mind.load([]);
    mind.load([config(false)]);
    assert!(mind.controller.pause_of(&app("app")).is_none());
    mind.tell(&Event::Pause { what: all_builds("app"), reason: None, until: None });
    mind.load([]);
    mind.load([config(false)]);
    assert!(mind.controller.pause_of(&app("app")).is_some(), "a person's word holds on");
}

#[test]
fn f22_nothing_at_all_is_made_and_the_newest_once_after_it() {
    let mut mind = Mind::start([config(false)]);
    mind.see("ruby", "A");
    mind.complete("app-1");
    mind.load([config(true)]);
    mind.see("ruby", "B");
    mind.see("ruby", "C");
    assert_eq!(mind.ask(manual("app")).unwrap_err().to_string(), "all builds of default/app are paused");
    assert_eq!(mind.builds(), ["app-1 Complete"]);
    mind.load([config(false)]);
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
    assert_eq!(mind.causes("app-2"), [("ruby", digest("C"))]);
}

#[test]
fn f22_what_was_made_before_runs_all_the_same() {
    let mut mind = Mind::start([serial(config(false))]);
    mind.see("ruby", "A");
    mind.see("ruby", "B");
    mind.load([serial(config(true))]);
    mind.complete("app-1");
    assert_eq!(mind.builds(), ["app-1 Complete", "app-2 Running"]);
}

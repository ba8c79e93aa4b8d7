use jiff::Timestamp;

use super::*;
use crate::control::protocol::{CalledOff, ConfigKey, Digest, Image, InVain, Renamed, Spec};

const STYLE: Style = Style { colour: false, now: Timestamp::constant(1_800_000_000, 0) };

fn cause(old: Option<&[u8]>, new: &[u8]) -> Cause {
    let digest = Digest::sha256_of(new);
    let image = Image {
        tag: "docker.io/library/debian:bookworm-slim".parse().unwrap(),
        named: "debian:bookworm-slim".to_owned(),
        reference: format!("docker.io/library/debian@{digest}"),
        digest: Some(digest),
        image_id: None,
        mutable: false,
    };
    Cause {
        kind: "image-change".to_owned(),
        image: Some(image),
        old_digest: old.map(Digest::sha256_of),
        hook: None,
        rebuild_of: None,
    }
}

fn build(name: &str, outlook: Outlook, causes: Vec<Cause>) -> PlannedBuild {
    let command = ["make", "-C", "/srv/a place", "image"].map(str::to_owned).to_vec();
    let long = (0..12).map(|number| format!("VARIABLE_{number}=value"));
    let spec = Spec {
        causes,
        strategy: "Command".to_owned(),
        options: None,
        base_image: None,
        source: None,
        revision: None,
        output: None,
        command: command.into_iter().chain(long).collect(),
        steps: Vec::new(),
        image_sources: Vec::new(),
        runner: None,
        secrets: Vec::new(),
        working_dir: None,
        env: Vec::new(),
        labels: Default::default(),
        timeout_ms: 1,
    };
    PlannedBuild { build: name.parse().unwrap(), outlook, spec }
}

fn planned() -> Planned {
    let manual =
        Cause { kind: "config-change".to_owned(), image: None, old_digest: None, ..cause(None, b"") };
    let by = Some("default/app-9".parse().unwrap());
    Planned {
        looks: Looks {
            looked: 3,
            in_vain: vec![InVain {
                tag: "debian:12".parse().unwrap(),
                error: "answered\u{1b}403".to_owned(),
            }],
            assumed: 0,
            as_stored: 1,
            unseen: vec!["debian:13".parse().unwrap()],
        },
        changes: None,
        builds: vec![
            build("default/app-8", Outlook::Superseded { by: by.clone() }, vec![cause(Some(b"1"), b"2")]),
            build("default/app-9", Outlook::Starts, vec![cause(Some(b"1"), b"2"), cause(None, b"3")]),
            build("default/lib-1", Outlook::Queued { behind: None }, vec![manual]),
        ],
        called_off: vec![CalledOff { build: "default/app-7".parse().unwrap(), by }],
        held: vec![PlannedHold {
            build_config: ConfigKey::new("default", "web"),
            reason: "platform_missing".to_owned(),
            missing: vec!["linux/arm64".parse().unwrap()],
            waits: vec![Waiting { tag: "debian:12".parse().unwrap(), digest: None, old_digest: None }],
        }],
    }
}

#[test]
fn a_plan_is_told_within_100_columns_with_commands_that_can_be_tried() {
    let text = show_planned(&planned(), STYLE);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.starts_with("3 builds would be made; 1 thing is held\n"), "{text}");
    for part in [
        "superseded by #9",
        "starts now",
        "when there is room",
        "config-change",
        "  make -C '/srv/a place' image",
        " \\\n    VARIABLE_",
        "default/app-7 would be superseded by default/app-9\n",
        "default/web waits for linux/arm64\n",
        "3 tags were looked at just now\n",
        "1 tag was not looked at: as of their last poll\n",
        "not looked at yet: docker.io/library/debian:13\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'));
    let words: String = text.split("default/app-9 would run\n").nth(1).unwrap().to_owned();
    let command = words.split("\n\n").next().unwrap().replace("\\\n", "");
    assert_eq!(command.split_whitespace().count(), 5 + 12, "{command}");
}

#[test]
fn nothing_ahead_is_said_in_two_lines() {
    let planned = Planned { looks: Looks { assumed: 1, ..Looks::default() }, ..Planned::default() };
    let expected = "nothing would be built\n\nno registry was asked: 1 tag was taken as you say\n";
    assert_eq!(show_planned(&planned, STYLE), expected);
}

#[test]
fn a_new_file_is_told_first_and_a_new_name_is_no_old_config() {
    let key = |name| ConfigKey::new("default", name);
    let changes = PlannedChanges {
        added: vec![key("new")],
        renamed: vec![Renamed { from: key("app"), to: key("web") }],
        ..PlannedChanges::default()
    };
    let text = show_planned(&Planned { changes: Some(Box::new(changes)), ..Planned::default() }, STYLE);
    let expected = "added default/new\n\
        renamed default/app to default/web: a new build config, which builds the first images it sees\n\n";
    assert!(text.starts_with(expected), "{text}");
    let same = Planned { changes: Some(Box::default()), ..Planned::default() };
    assert!(show_planned(&same, STYLE).starts_with("no build config and no tag is otherwise\n"));
}

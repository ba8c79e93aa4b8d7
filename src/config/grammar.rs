//! What names, commands, variables and labels must look like.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::problem::{Place, Problem, Problems};
use super::section::At;
use super::suggest::nearest;
use super::tree::{Node, Value};
use super::value::{choice, list, named, path, text, word};
use crate::controller::{CUSTOM_BASE_IMAGE, OnFirst, OnInterrupt, PLACEHOLDERS, RunPolicy, Supersede};
use crate::image::{Platform, Platforms};

/// What images are made for. Another word is probably a slip of the pen, and if it is none it is right all the same.
const SYSTEMS: [&str; 5] = ["linux", "windows", "darwin", "freebsd", "wasip1"];
const ARCHITECTURES: [&str; 12] = [
    "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le", "mips64", "mips",
    "wasm",
];

/// Whether this is a DNS-1123 label, as Kubernetes wants the names of its objects.
pub(super) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The name of a build config or a namespace.
pub(super) fn name(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    if is_label(&text) {
        return Some(text);
    }
    let fix = "write 1 to 63 of a-z, 0-9 and -, with no - at either end";
    problems.wrong(&place, "is not a name", Value::Text(text), fix)
}

/// The name of an image stream. As a part of its repository it may have dots and underscores, as in OpenShift.
pub(super) fn stream_name(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    if is_stream_name(&text) {
        return Some(text);
    }
    let fix = "write 1 to 63 of a-z, 0-9 and - . _, with a letter or digit at both ends";
    problems.wrong(&place, "is not the name of an image stream", Value::Text(text), fix)
}

/// Whether an image stream may be called so: a part of its repository is, too.
pub(super) fn is_stream_name(text: &str) -> bool {
    text.len() <= 63 && text.split(['.', '_']).all(is_label)
}

/// The name of a tag.
pub(super) fn tag_name(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    if is_tag_name(&text) {
        return Some(text);
    }
    let fix = "write up to 128 letters, digits and - . _, with no - or . first";
    problems.wrong(&place, "is not the name of a tag", Value::Text(text), fix)
}

/// Whether a registry takes this for a tag.
pub(super) fn is_tag_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(['.', '-'])
}

/// A program and its arguments. No shell sees them.
pub(super) fn command(node: Node, problems: &mut Problems) -> Option<Arc<[String]>> {
    let place = node.place.clone();
    if let Value::Text(line) = &node.value {
        let fix = format!("write {}", as_command(line));
        return problems.wrong(&place, "should be a list: the program, then its arguments", &node.value, fix);
    }
    let words = list(text)(node, problems)?;
    if words.first().is_some_and(|program| program.value.is_empty()) {
        return problems.wrong(&place, "names no program", "\"\"", "write the program as the first element");
    }
    for word in &words {
        warn_of_near_placeholders(&word.value, &word.place, problems);
    }
    Some(words.into_iter().map(|word| word.value).collect())
}

/// Where a command runs.
pub(super) fn working_dir(node: Node, problems: &mut Problems) -> Option<PathBuf> {
    let place = node.place.clone();
    let dir = path(node, problems)?;
    warn_of_near_placeholders(&dir.to_string_lossy(), &place, problems);
    Some(dir)
}

/// A path within another directory, which it does not leave.
pub(super) fn relative(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    match Path::new(&text).components().all(inside) {
        true => Some(text),
        false => {
            let fix = "write a path below it, without .. and without a / in front";
            problems.wrong(&place, "leads out of the source code", Value::Text(text), fix)
        }
    }
}

/// A path from a directory of the source code to another place in it: whether it stays in it, the checkout tells.
pub(super) fn in_source(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    match text.starts_with('/') {
        true => {
            let fix = "write it as seen from the context directory";
            problems.wrong(&place, "is not in the source code", Value::Text(text), fix)
        }
        false => Some(text),
    }
}

/// The environment of a build, besides what every build is given.
pub(super) fn env(node: Node, problems: &mut Problems) -> Option<Vec<(String, At<String>)>> {
    named(variable, text)(node, problems)
}

/// Labels, which also become `k=v` lines in a variable.
pub(super) fn labels(node: Node, problems: &mut Problems) -> Option<Vec<(String, At<String>)>> {
    named(label_name, label_value)(node, problems)
}

/// How the builds of one config follow one another.
pub(super) fn run_policy(node: Node, problems: &mut Problems) -> Option<RunPolicy> {
    let choices = &[
        ("Serial", RunPolicy::Serial),
        ("SerialLatestOnly", RunPolicy::SerialLatestOnly),
        ("Parallel", RunPolicy::Parallel),
    ];
    choice(choices)(node, problems)
}

/// What a newer build pushes out of the queue.
pub(super) fn supersede(node: Node, problems: &mut Problems) -> Option<Supersede> {
    choice(&[("images", Supersede::Images), ("all", Supersede::All)])(node, problems)
}

/// What the first look of a trigger does.
pub(super) fn on_first(node: Node, problems: &mut Problems) -> Option<OnFirst> {
    choice(&[("build", OnFirst::Build), ("record", OnFirst::Record)])(node, problems)
}

/// What becomes of a build that was cut off.
pub(super) fn on_interrupt(node: Node, problems: &mut Problems) -> Option<OnInterrupt> {
    choice(&[("retry", OnInterrupt::Retry), ("fail", OnInterrupt::Fail)])(node, problems)
}

/// Which change of a multi-platform image counts.
pub(super) fn platforms(node: Node, problems: &mut Problems) -> Option<Platforms> {
    if let Value::Text(text) = &node.value {
        // One platform that is not in a list is meant as a list of one.
        if let Ok(platform) = text.parse::<Platform>() {
            let fix = format!("write [\"{platform}\"]");
            return problems.wrong(&node.place, "should be a list of platforms", &node.value, fix);
        }
        return choice(&[("all", Every::Platform), ("index", Every::Move)])(node, problems).map(|every| {
            match every {
                Every::Platform => Platforms::All,
                Every::Move => Platforms::Index,
            }
        });
    }
    let Value::List(_) = &node.value else {
        let example = "\"all\", \"index\" or a list such as [\"linux/amd64\"]";
        return problems.refuse(&node.place, &node.value, "\"all\", \"index\" or a list", example);
    };
    let listed = list(platform)(node, problems)?;
    let mut platforms: Vec<Platform> = Vec::with_capacity(listed.len());
    let all = listed.len();
    for At { value: platform, place } in listed {
        match platforms.iter().find(|known| known.means(&platform) || platform.means(known)) {
            Some(known) => {
                let problem = Problem::error(&place, format!("is {known} again"), "delete it");
                problems.push(problem.with_value(format!("\"{platform}\"")));
            }
            None => platforms.push(platform),
        }
    }
    (platforms.len() == all).then_some(Platforms::These(platforms))
}

#[derive(Clone, Copy)]
enum Every {
    Platform,
    Move,
}

fn platform(node: Node, problems: &mut Problems) -> Option<Platform> {
    let place = node.place.clone();
    let text = word(node, problems)?;
    let Ok(platform) = text.parse::<Platform>() else {
        let fix = "write OS/ARCH or OS/ARCH/VARIANT, such as \"linux/amd64\"";
        return problems.wrong(&place, "is not a platform", Value::Text(text), fix);
    };
    let Platform { os, architecture, .. } = &platform;
    if SYSTEMS.contains(&&**architecture) && ARCHITECTURES.contains(&&**os) {
        let fix = format!("write \"{architecture}/{os}\"");
        return problems.wrong(&place, "has its architecture before its system", Value::Text(text), fix);
    }
    warn_of_slip(os, &SYSTEMS, &text, &place, problems);
    warn_of_slip(architecture, &ARCHITECTURES, &text, &place, problems);
    Some(platform)
}

/// A platform that no image has would hold every build.
fn warn_of_slip(word: &str, known: &[&str], text: &str, place: &Place, problems: &mut Problems) {
    if known.contains(&word) {
        return;
    }
    let fix = match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "nothing is built until an image has it".to_owned(),
    };
    let problem =
        Problem::warning(place, format!("`{word}` is nothing that images are usually made for"), fix);
    problems.push(problem.with_value(format!("\"{text}\"")));
}

/// The name of a variable that a build may be given.
pub(super) fn variable(name: &str, place: &Place, problems: &mut Problems) -> Option<()> {
    custom_variable(name, place, problems)?;
    match name {
        CUSTOM_BASE_IMAGE => own_variable(name, place, problems),
        _ => Some(()),
    }
}

/// The same in a Custom strategy, which may say where in the order its own image stands (S23).
pub(super) fn custom_variable(name: &str, place: &Place, problems: &mut Problems) -> Option<()> {
    plain_variable(name, place, problems)?;
    match name.starts_with("BASEWATCH_") {
        true => own_variable(name, place, problems),
        false => Some(()),
    }
}

/// Tells that a variable is not the user's to set.
pub(super) fn own_variable<T>(name: &str, place: &Place, problems: &mut Problems) -> Option<T> {
    problems.wrong(place, "is a variable that basewatch sets itself", name, "choose another name")
}

/// What any shell and any Dockerfile takes for a variable.
pub(super) fn plain_variable(name: &str, place: &Place, problems: &mut Problems) -> Option<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if !starts_well || !name.bytes().all(plain) {
        let fix = "write letters, digits and _, with no digit first";
        return problems.wrong(place, "is not the name of a variable", name, fix);
    }
    Some(())
}

fn label_name(name: &str, place: &Place, problems: &mut Problems) -> Option<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    if !name.is_empty() && name.bytes().all(plain) {
        return Some(());
    }
    problems.wrong(place, "is not the name of a label", name, "write letters, digits and - _ . /")
}

fn label_value(node: Node, problems: &mut Problems) -> Option<String> {
    let place = node.place.clone();
    let text = text(node, problems)?;
    if !text.contains(char::is_control) {
        return Some(text);
    }
    problems.wrong(
        &place,
        "holds a line break or another control character",
        Value::Text(text),
        "write one line",
    )
}

/// A line of a shell as the list it should have been.
fn as_command(line: &str) -> String {
    let quoted = |word: &str| format!("{word:?}");
    if line.contains(['|', '&', ';', '<', '>', '$', '*', '`', '"', '\'']) {
        return format!("[\"sh\", \"-c\", {}]", quoted(line));
    }
    let words: Vec<String> = line.split_whitespace().map(quoted).collect();
    format!("[{}]", words.join(", "))
}

/// Any brace that is no placeholder stays as it is, so that a script may have its own; a misspelt one would too.
fn warn_of_near_placeholders(text: &str, place: &Place, problems: &mut Problems) {
    for candidate in text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)) {
        if PLACEHOLDERS.contains(&candidate) {
            continue;
        }
        if let Some(meant) = nearest(candidate, PLACEHOLDERS) {
            let message = "is not a placeholder and stays as it is";
            let fix = format!("did you mean {{{meant}}}?");
            problems.push(Problem::warning(place, message, fix).with_value(format!("{{{candidate}}}")));
        }
    }
}

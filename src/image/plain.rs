//! The references that nearly everybody writes, read without the grammar of all references.
//!
//! That grammar is one large regular expression: compiled it takes 7 MB, which a program that watches ten thousand plain
//! tags need not have. Whatever is not as plain as this, and whatever is wrong, is the grammar's to judge.

const DOCKER_HUB: &str = "docker.io";
/// What Docker Hub was called once.
const DOCKER_HUB_LEGACY: &str = "index.docker.io";

/// DNS names are no longer.
const LONGEST_HOST: usize = 253;
/// The grammar's own limits, of which `library/` takes its part.
const LONGEST_REPOSITORY: usize = 255 - "library/".len();
const LONGEST_TAG: usize = 128;

/// `host/repository:tag` in its one normal spelling; `None` if `text` is not plain.
pub(super) fn normal(text: &str) -> Option<String> {
    let (host, rest) = match text.split_once('/') {
        // As distribution/reference has it (normalize.go): other words belong to the repository.
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), rest),
        Some(_) | None => (None, text),
    };
    let (repository, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
    if !host.is_none_or(is_host) || !is_repository(repository) || !is_tag(tag) {
        return None;
    }
    let host = host.filter(|host| *host != DOCKER_HUB_LEGACY).unwrap_or(DOCKER_HUB);
    let library = if host == DOCKER_HUB && !repository.contains('/') { "library/" } else { "" };
    Some([host, "/", library, repository, ":", tag].concat())
}

/// A name of lower-case labels, perhaps with a port.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_label = |label: &str| {
        let inner = |byte: u8| is_word(byte) || byte == b'-';
        label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-') && !label.is_empty()
    };
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= LONGEST_HOST && is_port && name.split('.').all(is_label)
}

/// Lower-case words with single separators between them.
fn is_repository(text: &str) -> bool {
    let is_part =
        |part: &str| part.split(['.', '_', '-']).all(|word| !word.is_empty() && word.bytes().all(is_word));
    text.len() <= LONGEST_REPOSITORY && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=LONGEST_TAG).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with(['.', '-'])
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

//! What a token is asked for. Pure.

use super::super::Target;

/// The longest list of scopes in one request: what servers take as an address ends at 8 KiB, and each `/` and `:` in a
/// scope becomes three bytes there.
const LONGEST: usize = 4 * 1024;
/// However large a group is.
const MOST_REPOSITORIES: usize = 32;

/// The repositories of the target's group, each once, in the group's order. The target's own is always among them.
pub(super) fn repositories<'a>(target: &Target<'a>) -> Vec<&'a str> {
    let mut repositories = Vec::new();
    for tag in target.group {
        let repository = tag.repository();
        if repositories.len() < MOST_REPOSITORIES && !repositories.contains(&repository) {
            repositories.push(repository);
        }
    }
    match repositories.contains(&target.tag.repository()) {
        true => repositories,
        false => vec![target.tag.repository()],
    }
}

/// The part of `repositories` that shares one token with `asked`: at most `most` of them, and the same for each of them.
pub(super) fn chunk<'a, 'r>(repositories: &'r [&'a str], asked: &str, most: usize) -> &'r [&'a str] {
    let position = repositories.iter().position(|repository| *repository == asked).unwrap_or_default();
    let mut size = most.clamp(1, repositories.len().max(1));
    loop {
        let first = position - position % size;
        let part = repositories.get(first..(first + size).min(repositories.len())).unwrap_or_default();
        if size == 1 || part.iter().map(|repository| scope(repository).len()).sum::<usize>() <= LONGEST {
            return part;
        }
        size /= 2;
    }
}

/// The right to pull from a repository, as token servers spell it.
pub(super) fn scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

#[cfg(test)]
mod tests;

//! What a misspelt word was probably meant to be.

/// The one of `known` that `word` is closest to, if it is close.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Nothing known is nearly as long, and the comparison takes the product of the lengths.
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let word = fold(word);
    let distance = |known: &str| {
        let known = fold(known);
        match is_stem(&word, &known) || is_stem(&known, &word) {
            true => 1,
            false => strsim::damerau_levenshtein(&word, &known),
        }
    };
    let limit = (word.len() / 4).clamp(1, 3);
    let near =
        known.into_iter().map(|known| (distance(known), known)).filter(|(distance, _)| *distance <= limit);
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Case and the kind of dash are no difference.
fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// `password` is the stem of `password_file`.
fn is_stem(short: &str, long: &str) -> bool {
    long.strip_prefix(short).is_some_and(|rest| rest.starts_with('_'))
}

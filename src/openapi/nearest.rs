//! What was probably meant by a name that does not exist.

/// How alike a misspelt name and the right one are at least, from 0 to 1.
const NEAR: f64 = 0.75;

/// The most similar candidate, however little it resembles the word.
pub(crate) fn nearest<S: AsRef<str>>(
    word: &str,
    candidates: impl IntoIterator<Item = S>,
) -> Option<S> {
    let similarity = |candidate: &S| similarity(word, candidate.as_ref());
    candidates.into_iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)))
}

/// A question, to be appended to an error, if a candidate resembles the word; nothing otherwise.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> String {
    let near = nearest(word, candidates).filter(|candidate| similarity(word, candidate) >= NEAR);
    near.map(|candidate| format!("; did you mean {candidate:?}?")).unwrap_or_default()
}

fn similarity(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, nearest};

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        for (word, meant) in [
            ("post:read", "; did you mean \"posts:read\"?"),
            ("posts:raed", "; did you mean \"posts:read\"?"),
            ("Posts:Read", "; did you mean \"posts:read\"?"),
            ("posts:purge", ""),
            ("users:read", ""),
        ] {
            assert_eq!(did_you_mean(word, ["posts:write", "posts:read"]), meant, "{word}");
        }
        assert_eq!(did_you_mean("any", []), "");
        assert_eq!(nearest("GET /helth", ["POST /posts", "GET /health"]), Some("GET /health"));
    }
}

//! What a text brings along when it is copied from a manual, a shell or a file.

use thiserror::Error;

/// In pairs or not, no name, URL or path begins or ends with one of these.
const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];

/// Why a text cannot be an audience, and what to write instead.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum AudienceError {
    #[error("is a placeholder; write this API's own audience, as the MonoCloud dashboard shows it")]
    Placeholder,
    #[error("has a quote at an end; write it without")]
    Quote,
    #[error("has white space or a control character at an end; write it without")]
    WhiteSpace,
}

/// Reads an audience: any text that can have been meant as one.
pub(super) fn audience(text: &str) -> Result<String, AudienceError> {
    if is_placeholder(text) {
        return Err(AudienceError::Placeholder);
    }
    if text.starts_with(is_invisible) || text.ends_with(is_invisible) {
        return Err(AudienceError::WhiteSpace);
    }
    if text.starts_with(is_quote) || text.ends_with(is_quote) {
        return Err(AudienceError::Quote);
    }
    Ok(text.to_owned())
}

/// Whether a text has quotes around it.
pub(super) fn is_quoted(text: &str) -> bool {
    let mut characters = text.trim_matches(is_invisible).chars();
    matches!((characters.next(), characters.next_back()), (Some(first), Some(last))
        if is_quote(first) && is_quote(last))
}

pub(super) fn is_quote(character: char) -> bool {
    QUOTES.contains(&character)
}

/// Whether a text is to be filled in: `https://<your-api-audience>`, `${AUDIENCE}`.
fn is_placeholder(text: &str) -> bool {
    let has_pair = |open: &str, close: char| {
        text.split_once(open).is_some_and(|(_, rest)| rest.contains(close))
    };
    has_pair("<", '>') || has_pair("${", '}') || has_pair("{{", '}')
}

/// White space, control characters, and two that take up no space: a byte order mark and a
/// zero-width space.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(character, '\u{feff}' | '\u{200b}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_any_text_but_what_was_copied_with_more_than_itself() {
        for text in ["https://api.example.com", "api", "urn:My Api", "a<b", "a>b<", "{a}", "it's"] {
            assert_eq!(audience(text).as_deref(), Ok(text));
        }
        use AudienceError::{Placeholder, Quote, WhiteSpace};
        for (text, error) in [
            ("https://<your-api-audience>", Placeholder),
            ("<audience>", Placeholder),
            (" <audience>\n", Placeholder),
            ("${AUDIENCE}", Placeholder),
            ("{{ audience }}", Placeholder),
            ("https://api.example.com\n", WhiteSpace),
            ("https://api.example.com\r\n", WhiteSpace),
            (" https://api.example.com", WhiteSpace),
            ("\thttps://api.example.com", WhiteSpace),
            ("api\u{a0}", WhiteSpace),
            ("\u{feff}api", WhiteSpace),
            ("api\0", WhiteSpace),
            ("\"api\" ", WhiteSpace),
            ("\"https://api.example.com\"", Quote),
            ("'api'", Quote),
            ("`api`", Quote),
            ("“api”", Quote),
            ("\"api", Quote),
            ("api'", Quote),
            ("\"", Quote),
        ] {
            assert_eq!(audience(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_text_is_quoted_at_both_of_its_ends() {
        for text in ["\"a\"", "'a'", "“a”", " \"a\"\n", "\"\"", "'a\""] {
            assert!(is_quoted(text), "{text}");
        }
        for text in ["", "\"", "a", "\"a", "a\"", "a\"b\"c"] {
            assert!(!is_quoted(text), "{text}");
        }
    }
}

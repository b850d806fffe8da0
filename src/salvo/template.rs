//! The paths that salvo and a document write: `/posts/{id:num}` and `/posts/{id}` are the same.

/// Whether two templates have their parameters at the same places. A slash at the end means
/// nothing to salvo.
pub(super) fn are_equal(one: &str, other: &str) -> bool {
    let pieces = |template| Pieces(str::trim_end_matches(template, '/'));
    pieces(one).eq(pieces(other))
}

/// What a template is made of, from its beginning to its end.
struct Pieces<'t>(&'t str);

#[derive(Debug, Eq, PartialEq)]
enum Piece<'t> {
    Parameter,
    Text(&'t str),
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let text = |length| {
            let (text, rest) = self.0.split_at(length);
            (Piece::Text(text), rest)
        };
        let (piece, rest) = match self.0.strip_prefix('{') {
            None if self.0.is_empty() => return None,
            None => text(self.0.find('{').unwrap_or(self.0.len())),
            // A brace that is text is written twice.
            Some(inner) if inner.starts_with('{') => text(2),
            Some(inner) => match after_parameter(inner) {
                Some(rest) => (Piece::Parameter, rest),
                None => text(self.0.len()),
            },
        };
        self.0 = rest;
        Some(piece)
    }
}

/// What follows the brace that closes a parameter. A regular expression has braces of its own.
fn after_parameter(inner: &str) -> Option<&str> {
    let mut depth = 0;
    let mut is_escaped = false;
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '{' => depth += 1,
            '}' if depth == 0 => return Some(chars.as_str()),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::are_equal;

    #[test]
    fn a_parameter_is_a_parameter_however_it_is_narrowed() {
        for routed in [
            "/posts/{id}/tags",
            "/posts/{id:num}/tags/",
            "/posts/{id:num(3..=10)}/tags",
            r"/posts/{id|\d+}/tags",
            r"/posts/{id|[a-z]{2}\}}/tags",
            "/posts/{other}/tags",
        ] {
            assert!(are_equal("/posts/{id}/tags", routed), "{routed}");
        }
        assert!(are_equal("/files/{rest}", "/files/{**rest}"));
        assert!(are_equal("/posts/article_{id}", "/posts/article_{id:num}"));
        assert!(are_equal("/", ""));
    }

    #[test]
    fn text_is_text() {
        for (documented, routed) in [
            ("/posts/{id}", "/posts/id"),
            ("/posts/{id}", "/posts"),
            ("/posts/{id}", "/posts/{id}/tags"),
            ("/posts/{id}", "/posts/x{id}"),
            ("/posts/{id}", "/posts/{{id}}"),
            ("/posts/{id}", "/Posts/{id}"),
            ("/posts/{id}", "/posts/{id"),
        ] {
            assert!(!are_equal(documented, routed), "{documented} {routed}");
        }
        assert!(are_equal("/a{{b}}/{c}", "/a{{b}}/{c:num}"));
    }
}

//! Reading `WWW-Authenticate` strictly (RFC 9110 §11.6.1, RFC 6750 §3).

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// A challenge: a scheme in lower case, and its parameters with names in lower case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl Challenge {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A name that occurs twice.
    pub(super) fn repeated(&self) -> Option<&str> {
        let names: Vec<_> = self.parameters.iter().map(|(name, _)| name.as_str()).collect();
        let is_again =
            |(place, name): &(usize, &&str)| names.iter().take(*place).any(|it| it == *name);
        names.iter().enumerate().find(is_again).map(|(_, name)| *name)
    }
}

/// The challenges of a response. The error says what cannot be parsed.
pub(super) fn challenges(headers: &HeaderMap) -> Result<Vec<Challenge>, String> {
    let mut challenges = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let text = value.to_str().map_err(|_| "it is not ASCII".to_owned())?;
        Reader { rest: text }.list(&mut challenges)?;
    }
    Ok(challenges)
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn list(mut self, challenges: &mut Vec<Challenge>) -> Result<(), String> {
        loop {
            self.skip(|letter| matches!(letter, ' ' | '\t' | ','));
            if self.rest.is_empty() {
                return Ok(());
            }
            let name = self.token()?;
            let spaces = self.skip(|letter| matches!(letter, ' ' | '\t'));
            if self.rest.starts_with('=') && !self.is_token68() {
                let value = self.value()?;
                let last = challenges.last_mut().ok_or("it has no scheme")?;
                last.parameters.push((name.to_ascii_lowercase(), value));
            } else {
                let scheme = name.to_ascii_lowercase();
                challenges.push(Challenge { scheme, parameters: Vec::new() });
                let is_end = self.rest.is_empty() || self.rest.starts_with(',');
                if !is_end && spaces == 0 {
                    return Err(format!("{:?} follows {name:?}", self.rest));
                }
                // The one credential of `Negotiate` and others.
                let end = self.rest.find([',', ' ']).unwrap_or(self.rest.len());
                let next = self.rest.get(..end).unwrap_or_default();
                let after = self.rest.get(end..).unwrap_or_default();
                let follows = after.trim_start();
                let is_credential = match next.contains('=') {
                    true => next.ends_with('=') && (follows.is_empty() || follows.starts_with(',')),
                    false => !follows.starts_with('='),
                };
                if is_credential {
                    self.rest = after;
                }
                continue;
            }
            self.skip(|letter| matches!(letter, ' ' | '\t'));
            if !self.rest.is_empty() && !self.rest.starts_with(',') {
                return Err(format!("{:?} follows a parameter without a comma", self.rest));
            }
        }
    }

    fn is_token68(&self) -> bool {
        self.rest.trim_start_matches('=').trim_start().is_empty()
    }

    fn skip(&mut self, which: fn(char) -> bool) -> usize {
        let trimmed = self.rest.trim_start_matches(which);
        let skipped = self.rest.len() - trimmed.len();
        self.rest = trimmed;
        skipped
    }

    fn token(&mut self) -> Result<&'t str, String> {
        let end = self.rest.find(|letter| !is_token(letter)).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(format!("{:?} is not a name", self.rest));
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(token)
    }

    fn value(&mut self) -> Result<String, String> {
        self.rest = self.rest.get(1..).unwrap_or_default().trim_start();
        let Some(inner) = self.rest.strip_prefix('"') else {
            return self.token().map(str::to_owned);
        };
        let mut text = String::new();
        let mut letters = inner.char_indices();
        while let Some((place, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = inner.get(place + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => text.extend(letters.next().map(|(_, letter)| letter)),
                letter => text.push(letter),
            }
        }
        Err("a quotation does not end".to_owned())
    }
}

/// RFC 9110 §5.6.2.
fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Result<Vec<Challenge>, String> {
        let values = values.iter().map(|value| (WWW_AUTHENTICATE, HeaderValue::from_static(value)));
        challenges(&values.collect())
    }

    #[test]
    fn challenges_share_a_value_or_have_their_own() {
        let all =
            read(&[r#"Bearer realm="a, b", error=invalid_token, DPoP algs="ES256""#, "Basic"]);
        let all = all.unwrap();
        let schemes: Vec<_> = all.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(schemes, ["bearer", "dpop", "basic"]);
        assert_eq!(all[0].parameter("realm"), Some("a, b"));
        assert_eq!(all[0].parameter("error"), Some("invalid_token"));
        assert_eq!(read(&["Negotiate YWJj==, Bearer"]).unwrap().len(), 2);
    }

    #[test]
    fn what_the_grammar_does_not_have_is_an_error() {
        for value in [
            r#"Bearer realm="a"#,
            r#"realm="a""#,
            r#"Bearer realm="a" error="b""#,
            r#"Bearer error=invalid token, "x""#,
            "Bearer realm=\u{7f}",
        ] {
            let value = HeaderValue::from_bytes(value.as_bytes());
            let Ok(value) = value else { continue };
            let headers = [(WWW_AUTHENTICATE, value.clone())].into_iter().collect();
            assert!(challenges(&headers).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_repeated_attribute_is_found_in_any_case() {
        let all = read(&[r#"Bearer error="a", Error="b""#]).unwrap();
        assert_eq!(all[0].repeated(), Some("error"));
        assert_eq!(read(&[r#"Bearer error="a", DPoP error="b""#]).unwrap()[0].repeated(), None);
    }
}

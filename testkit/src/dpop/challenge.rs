//! Reading `WWW-Authenticate` (RFC 9110 §11.6.1).

/// A challenge: a scheme, in lower case, and its parameters.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Challenge {
    pub(crate) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter, whose name is written in lower case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let parameter = self.parameters.iter().find(|(present, _)| present == name);
        parameter.map(|(_, value)| value.as_str())
    }
}

/// The challenges in the values of the header, of which each may have several. What is neither a
/// scheme nor a parameter is skipped.
pub(crate) fn challenges(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for value in values {
        let value = String::from_utf8_lossy(value.as_ref()).into_owned();
        for item in items(&value) {
            let parameter = match item.split_once(' ') {
                // A blank before the equals sign belongs to a parameter.
                Some((scheme, rest)) if !scheme.contains('=') && !rest.trim().starts_with('=') => {
                    challenges.push(challenge(scheme));
                    rest
                }
                None if !item.contains('=') => {
                    challenges.push(challenge(item));
                    continue;
                }
                _ => item,
            };
            if let (Some(challenge), Some((name, value))) =
                (challenges.last_mut(), parameter.split_once('='))
            {
                let name = name.trim().to_ascii_lowercase();
                challenge.parameters.push((name, unquoted(value.trim())));
            }
        }
    }
    challenges
}

fn challenge(scheme: &str) -> Challenge {
    Challenge { scheme: scheme.to_ascii_lowercase(), parameters: Vec::new() }
}

/// The parts between commas that are not inside quotes, without empty ones.
fn items(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = value.split(move |letter| {
        let is_escape = quoted && !escaped && letter == '\\';
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = is_escape;
        letter == ',' && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// RFC 9110 §5.6.4.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut letters = inner.chars();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next()),
            letter => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Vec<(String, Vec<(String, String)>)> {
        let challenges = challenges(values).into_iter();
        challenges.map(|challenge| (challenge.scheme, challenge.parameters)).collect()
    }

    fn is(scheme: &str, parameters: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        (scheme.to_owned(), parameters.iter().map(owned).collect())
    }

    #[test]
    fn several_challenges_in_one_value_and_in_several_values() {
        let bearer = is("bearer", &[("realm", "a, b"), ("error", "invalid_token")]);
        let dpop = is("dpop", &[("algs", "ES256 PS256")]);
        let one = [r#"Bearer realm="a, b", error=invalid_token, DPoP algs="ES256 PS256""#];
        assert_eq!(read(&one), [bearer.clone(), dpop.clone()]);
        let two =
            [r#"Bearer Realm = "a, b" ,error="invalid_token","#, r#"DPOP algs="ES256 PS256""#];
        assert_eq!(read(&two), [bearer, dpop]);
    }

    #[test]
    fn a_quoted_error_of_another_scheme_is_not_a_parameter() {
        let nested = r#"Bearer realm="x\", DPoP error=\"use_dpop_nonce""#;
        let realm = r#"x", DPoP error="use_dpop_nonce"#;
        assert_eq!(read(&[nested]), [is("bearer", &[("realm", realm)])]);
    }

    #[test]
    fn schemes_without_parameters() {
        assert_eq!(read(&["Negotiate, DPoP"]), [is("negotiate", &[]), is("dpop", &[])]);
        assert_eq!(read(&["", ","]), []);
    }
}

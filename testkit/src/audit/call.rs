//! A request, and how to repeat it by hand.

use http::Method;

use crate::audit::base::Base;

/// A request to the API.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path as it is sent, and the query.
    pub(super) target: String,
    pub(super) headers: Vec<(String, Shown)>,
    pub(super) body: Option<Vec<u8>>,
}

/// A text, and how it is written for readers: a token is shortened, or minted again by a command.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) sent: String,
    /// A double-quoted word of a shell, without its quotes; `None` if it is the text itself.
    shown: Option<String>,
}

impl Shown {
    pub(super) fn plain(sent: impl Into<String>) -> Self {
        Self { sent: sent.into(), shown: None }
    }

    /// `$(command)` in place of the token.
    pub(super) fn minted(scheme: &str, token: &str, command: &str) -> Self {
        Self { sent: format!("{scheme} {token}"), shown: Some(format!("{scheme} $({command})")) }
    }

    /// The first letters in place of the token.
    pub(super) fn shortened(sent: String) -> Self {
        let shown = (sent.chars().count() > 60).then(|| {
            let start: String = sent.chars().take(40).collect();
            let is_plain = |letter: &char| !matches!(letter, '"' | '$' | '`' | '\\');
            start.chars().filter(is_plain).collect::<String>() + "…"
        });
        Self { sent, shown }
    }
}

impl Call {
    pub(super) fn new(method: Method, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: None }
    }

    #[must_use]
    pub(super) fn header(mut self, name: &str, value: Shown) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    #[must_use]
    pub(super) fn plain_header(self, name: &str, value: &str) -> Self {
        self.header(name, Shown::plain(value))
    }

    #[must_use]
    pub(super) fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self.body = Some(body.into());
        self.plain_header("Content-Type", media_type)
    }

    /// With another signature in each token.
    pub(super) fn with_damaged_signature(&self) -> Self {
        let mut call = self.clone();
        for (name, value) in &mut call.headers {
            if name == "Authorization" {
                let (start, signature) = value.sent.rsplit_once('.').unwrap_or((&value.sent, ""));
                let reversed: String = signature.chars().rev().collect();
                *value = Shown::shortened(format!("{start}.{reversed}"));
            }
        }
        call
    }

    /// A command line of `curl`.
    pub(super) fn curl(&self, base: &Base) -> String {
        let mut words = vec!["curl -i --path-as-is".to_owned()];
        match self.method.as_str() {
            "GET" => {}
            "HEAD" => words.push("-I".to_owned()),
            method => words.push(format!("-X {}", quoted(method))),
        }
        for (name, value) in &self.headers {
            words.push(match &value.shown {
                Some(shown) => format!("-H \"{name}: {shown}\""),
                None => format!("-H {}", quoted(&format!("{name}: {}", value.sent))),
            });
        }
        if let Some(body) = &self.body {
            words.push(format!("--data-binary {}", quoted(&String::from_utf8_lossy(body))));
        }
        words.push(quoted(&format!("{}{}", base.origin(), self.target)));
        words.join(" ")
    }
}

/// A word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~:/@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curl_repeats_a_request_and_mints_its_token() {
        let base = Base::parse("http://127.0.0.1:3000/v1").unwrap();
        let call = Call::new(Method::POST, "/v1/posts?q=a'b")
            .header("Authorization", Shown::minted("Bearer", "ey", "mock-tenant token"))
            .body("application/json", "{}");
        assert_eq!(
            call.curl(&base),
            "curl -i --path-as-is -X POST -H \"Authorization: Bearer $(mock-tenant token)\" \
             -H 'Content-Type: application/json' --data-binary '{}' \
             'http://127.0.0.1:3000/v1/posts?q=a'\\''b'"
        );
    }

    #[test]
    fn a_long_credential_is_shortened() {
        let shown = Shown::shortened(format!("Bearer {}", "x".repeat(100)));
        let curl = Call::new(Method::HEAD, "/").header("Authorization", shown);
        let curl = curl.curl(&Base::parse("http://a").unwrap());
        assert!(curl.len() < 120 && curl.contains("x…\"") && curl.contains(" -I "), "{curl}");
    }
}

//! Scopes (RFC 6749 §3.3).

/// Scopes of the tenant itself (OpenID Connect Core §5.4 and §11), which any client may request.
pub(crate) const OWN: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Whether it is one scope.
pub(crate) fn is_scope(text: &str) -> bool {
    let is_allowed = |letter: u8| letter.is_ascii_graphic() && letter != b'"' && letter != b'\\';
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// The scopes in a parameter, each once, in their order. Returns `None` if it is malformed.
pub(crate) fn scopes(text: &str) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        if !is_scope(scope) {
            return None;
        }
        if !scopes.iter().any(|other| other == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Some(scopes)
}

/// Whether these scopes have this one.
pub(crate) fn has(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|other| other == scope)
}

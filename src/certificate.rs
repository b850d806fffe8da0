//! Certificate-bound tokens (RFC 8705 §3): a token that names a certificate is worth nothing
//! without it.

use serde_json::Value;

use crate::{claims::Claims, error::InvalidToken};

/// Which tokens must prove possession of a client certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum CertificateBinding {
    /// `cnf` is not looked at: a stolen bound token is as good as any other.
    DangerouslyIgnore,
    /// Every token must be bound.
    Required,
    /// A token that is bound must be presented with its certificate.
    #[default]
    WhenPresent,
}

impl CertificateBinding {
    /// The word for it in the configuration and in documents.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::DangerouslyIgnore => "dangerously_ignore",
            Self::Required => "required",
            Self::WhenPresent => "when_present",
        }
    }

    /// Judges the `cnf` claim (RFC 7800 §3.1) of a token that came without a certificate.
    ///
    /// A token bound to a DPoP key (`jkt`, RFC 9449 §6.1) is never a bearer token, in any mode.
    pub(crate) fn judge(self, claims: &Claims) -> Result<(), InvalidToken> {
        let confirmation = claims.get("cnf").filter(|value| !value.is_null());
        let is_dpop_bound =
            confirmation.and_then(Value::as_object).is_some_and(|cnf| cnf.contains_key("jkt"));
        let is_acceptable = match self {
            Self::DangerouslyIgnore => true,
            Self::Required => false,
            Self::WhenPresent => confirmation.is_none(),
        };
        if is_dpop_bound || !is_acceptable {
            tracing::debug!(cnf = ?confirmation, "the certificate a token is bound to was not presented");
            return Err(InvalidToken::Binding);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(mode: CertificateBinding, cnf: &Value) -> bool {
        let members = json!({"cnf": cnf}).as_object().unwrap().clone();
        mode.judge(&Claims::new(members)).is_ok()
    }

    #[test]
    fn a_bound_token_without_its_certificate_is_refused() {
        for cnf in [
            json!({"x5t#S256": "abc"}),
            json!({}),
            json!({"jwk": {}}),
            json!("{}"),
            json!([]),
            json!(false),
        ] {
            assert!(!judged(CertificateBinding::WhenPresent, &cnf), "{cnf}");
            assert!(!judged(CertificateBinding::Required, &cnf), "{cnf}");
            assert!(judged(CertificateBinding::DangerouslyIgnore, &cnf), "{cnf}");
        }
    }

    #[test]
    fn a_null_confirmation_binds_to_nothing() {
        assert!(judged(CertificateBinding::WhenPresent, &Value::Null));
        assert!(!judged(CertificateBinding::Required, &Value::Null));
    }

    #[test]
    fn a_dpop_bound_token_is_never_a_bearer_token() {
        for mode in [
            CertificateBinding::WhenPresent,
            CertificateBinding::Required,
            CertificateBinding::DangerouslyIgnore,
        ] {
            assert!(!judged(mode, &json!({"jkt": "abc"})), "{mode:?}");
        }
    }
}

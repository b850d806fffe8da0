//! Certificate-bound tokens (RFC 8705 §3): a token that names a certificate is worth nothing
//! without it.

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use x509_cert::der::Decode as _;

use crate::{error::InvalidToken, token::confirmation::Confirmation};

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

    /// Validates what a token is bound to against the certificate presented with it, which is not
    /// looked at unless the token is bound to one.
    ///
    /// Whether the token was bound, and its certificate presented.
    pub(crate) fn validate(
        self,
        confirmation: &Confirmation<'_>,
        presented: impl FnOnce() -> Result<Option<PeerCertificate>, InvalidToken>,
    ) -> Result<bool, InvalidToken> {
        if self == Self::DangerouslyIgnore {
            return Ok(false);
        }
        let is_understood = confirmation.certificate.is_some() || confirmation.key.is_some();
        if confirmation.is_present && !is_understood {
            return Err(InvalidToken::Binding);
        }
        let Some(expected) = confirmation.certificate else {
            return match self {
                Self::Required => Err(InvalidToken::Unbound),
                _ => Ok(false),
            };
        };
        let expected = expected.as_str().ok_or(InvalidToken::Binding)?;
        let found = presented()?.ok_or(InvalidToken::Binding)?.thumbprint();
        if verify_slices_are_equal(expected.as_bytes(), found.as_bytes()).is_ok() {
            return Ok(true);
        }
        tracing::debug!(
            name: "token.binding",
            expected,
            found,
            "the token is bound to another certificate"
        );
        Err(InvalidToken::Binding)
    }
}

/// The certificate of a caller who has proved, in the TLS handshake, to have its key.
///
/// A host puts it into the extensions of the request; a middleware of the application's may do the
/// same where TLS ends somewhere this library knows nothing of. Whether it was proved is for the
/// one who makes it to know: one made from anything that the caller merely says makes every bound
/// token worthless.
#[derive(Clone, Eq, PartialEq)]
pub struct PeerCertificate(Bytes);

/// The bytes are not one X.509 certificate in DER.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not an X.509 certificate in DER")]
#[non_exhaustive]
pub struct NotACertificate;

impl PeerCertificate {
    /// A certificate in DER (RFC 5280 §4.1).
    ///
    /// # Errors
    ///
    /// [`NotACertificate`], whatever is wrong with it.
    pub fn from_der(der: impl Into<Bytes>) -> Result<Self, NotACertificate> {
        let der = der.into();
        match x509_cert::Certificate::from_der(&der) {
            Ok(_) => Ok(Self(der)),
            Err(_) => Err(NotACertificate),
        }
    }

    /// The certificate of a TLS connection. rustls has parsed it to verify the handshake, so each
    /// request need not.
    #[cfg(any(all(feature = "poem", feature = "tls"), feature = "salvo"))]
    pub(crate) fn of_connection(der: impl Into<Bytes>) -> Self {
        Self(der.into())
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// What a token that is bound to it holds as `x5t#S256` (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &self.0))
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PeerCertificate").field(&self.thumbprint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use serde_json::{Value, json};

    use super::*;
    use crate::token::claims::Claims;

    const MODES: [CertificateBinding; 3] = [
        CertificateBinding::WhenPresent,
        CertificateBinding::Required,
        CertificateBinding::DangerouslyIgnore,
    ];

    fn certificate() -> PeerCertificate {
        let params = CertificateParams::new(["client".to_owned()]).unwrap();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        PeerCertificate::from_der(certificate.der().to_vec()).unwrap()
    }

    fn validated(
        mode: CertificateBinding,
        cnf: &Value,
        presented: Option<&PeerCertificate>,
    ) -> Result<bool, InvalidToken> {
        let claims = Claims::for_tests(json!({"cnf": cnf}));
        mode.validate(&Confirmation::of(&claims), || Ok(presented.cloned()))
    }

    #[test]
    fn a_bound_token_is_good_with_its_certificate_and_no_other() {
        let (own, other) = (certificate(), certificate());
        let cnf = json!({"x5t#S256": own.thumbprint(), "kid": "not understood"});
        for mode in [CertificateBinding::WhenPresent, CertificateBinding::Required] {
            assert_eq!(validated(mode, &cnf, Some(&own)), Ok(true));
            assert_eq!(validated(mode, &cnf, Some(&other)), Err(InvalidToken::Binding));
            assert_eq!(validated(mode, &cnf, None), Err(InvalidToken::Binding));
        }
    }

    #[test]
    fn any_other_confirmation_is_refused_whatever_is_presented() {
        let own = certificate();
        for cnf in [
            json!({"x5t#S256": ""}),
            json!({"x5t#S256": format!("{}=", own.thumbprint())}),
            json!({"x5t#S256": own.thumbprint().to_lowercase()}),
            json!({"x5t#S256": [own.thumbprint()]}),
            json!({"x5t#s256": own.thumbprint()}),
            json!({"x5t": own.thumbprint()}),
            json!({}),
            json!({"jwk": {}}),
            json!(format!(r#"{{"x5t#S256":"{}"}}"#, own.thumbprint())),
            json!([]),
            json!(false),
        ] {
            for mode in [CertificateBinding::WhenPresent, CertificateBinding::Required] {
                assert_eq!(validated(mode, &cnf, Some(&own)), Err(InvalidToken::Binding), "{cnf}");
            }
            assert_eq!(
                validated(CertificateBinding::DangerouslyIgnore, &cnf, None),
                Ok(false),
                "{cnf}"
            );
        }
    }

    #[test]
    fn a_null_confirmation_binds_to_nothing() {
        let own = certificate();
        for presented in [None, Some(&own)] {
            let validated = |mode| validated(mode, &Value::Null, presented);
            assert_eq!(validated(CertificateBinding::WhenPresent), Ok(false));
            assert_eq!(validated(CertificateBinding::Required), Err(InvalidToken::Unbound));
        }
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_alone_is_not_bound_to_a_certificate() {
        let (own, other) = (certificate(), certificate());
        for jkt in [json!("abc"), json!(null), json!(7)] {
            let cnf = json!({"jkt": jkt});
            assert_eq!(validated(CertificateBinding::WhenPresent, &cnf, None), Ok(false));
            let required = validated(CertificateBinding::Required, &cnf, Some(&own));
            assert_eq!(required, Err(InvalidToken::Unbound));
            let both = json!({"jkt": jkt, "x5t#S256": own.thumbprint()});
            for mode in [CertificateBinding::WhenPresent, CertificateBinding::Required] {
                assert_eq!(validated(mode, &both, Some(&own)), Ok(true));
                assert_eq!(validated(mode, &both, Some(&other)), Err(InvalidToken::Binding));
            }
        }
    }

    #[test]
    fn what_is_presented_is_looked_at_for_bound_tokens_alone() {
        for mode in MODES {
            let validated = mode.validate(&Confirmation::default(), || panic!("{mode:?} looked"));
            assert_eq!(validated.is_ok(), mode != CertificateBinding::Required);
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_told_from_one_that_is_missing() {
        let claims = Claims::for_tests(json!({"cnf": {"x5t#S256": certificate().thumbprint()}}));
        let validated = CertificateBinding::WhenPresent
            .validate(&Confirmation::of(&claims), || Err(InvalidToken::Certificate));
        assert_eq!(validated, Err(InvalidToken::Certificate));
    }

    #[test]
    fn debug_shows_the_thumbprint_alone() {
        let own = certificate();
        assert_eq!(format!("{own:?}"), format!("PeerCertificate({:?})", own.thumbprint()));
    }

    #[test]
    fn each_mode_has_a_word_of_its_own() {
        let words = MODES.map(CertificateBinding::word);
        assert_eq!(words, ["when_present", "required", "dangerously_ignore"]);
    }

    #[test]
    fn bytes_that_are_not_one_certificate_are_none() {
        let der = certificate().der().to_vec();
        let truncated = der[..der.len() - 1].to_vec();
        let trailing = [der.as_slice(), &[0]].concat();
        let key = KeyPair::generate().unwrap().serialize_der();
        for bytes in [Vec::new(), vec![0x30, 0], truncated, trailing, key] {
            assert!(PeerCertificate::from_der(bytes).is_err());
        }
    }
}

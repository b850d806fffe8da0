//! How much of the catalogue an operation is sent.

/// How many tokens, or proofs, of a class.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Extent {
    /// One for each mistake that servers make, as the operation may be guarded in a way of its own,
    /// and some others that differ from operation to operation.
    Sample(usize),
    All,
}

/// One in so many tokens of a class is sent beside those that stand for the others.
const STEP: usize = 61;

impl Extent {
    /// Whether this token, at this place in the catalogue of its class, is sent.
    pub(super) fn has(self, name: &str, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::Sample(place) => REPRESENTATIVES.contains(&name) || at % STEP == place % STEP,
        }
    }
}

/// By class, in the order of the catalogue.
const REPRESENTATIVES: &[&str] = &[
    "none-unsigned",
    "hs256-keyed-by-rsa-spki-pem",
    "rs256-says-es256",
    "hs256-with-empty-secret",
    "signature-empty",
    "claim-added-after-signing",
    "es256-r-and-s-zero",
    "jwk-under-known-kid",
    "jwk-under-its-own-kid",
    "jku-under-its-own-kid",
    "x5u-under-its-own-kid",
    "x5c-under-its-own-kid",
    "kid-path-upwards",
    "kid-sql",
    "kid-header-lines",
    "retired-key-rs256",
    "iss-missing",
    "iss-other-tenant",
    "iss-as-prefix-of-a-host",
    "aud-missing",
    "aud-other-api",
    "aud-longer",
    "aud-client",
    "exp-missing",
    "exp-an-hour-ago",
    "nbf-in-an-hour",
    "sub-number",
    "typ-logout-token",
    "crit-unknown",
    "b64-false-in-crit",
    "two-segments",
    "jwe-around-a-plain-jwt",
    "payload-text",
    "size-24-kib",
    "cnf-certificate",
    "cnf-dpop-key",
    // Proofs of possession.
    "proof-missing",
    "two-proofs",
    "two-schemes-dpop-first",
    "proof-by-another-key",
    "token-unbound",
    "bound-token-as-bearer",
    "proof-typ-jwt",
    "proof-alg-none-unsigned",
    "proof-hs256-with-its-own-key",
    "proof-jwk-private-ec",
    "proof-signature-empty",
    "proof-signature-first-bit-flipped",
    "proof-crit-unknown",
    "proof-two-segments",
    "proof-htm-other",
    "proof-htu-other-host",
    "proof-htu-other-path",
    "proof-ath-missing",
    "proof-ath-of-another-token",
    "proof-iat-an-hour-past",
    "proof-iat-an-hour-ahead",
    "proof-jti-missing",
    "proof-replayed",
    "proof-payload-null",
    "proof-just-over-8-kib",
    "proof-nonce-missing",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, DpopRequest, Hostile, HostileProof, MockTenant, ProofClass};

    #[tokio::test]
    async fn each_class_is_represented_and_each_representative_is_in_the_catalogue() {
        let tenant = MockTenant::start().await;
        let request = DpopRequest::new(tenant.token(), "GET", "https://api.example.com/posts");
        let request = request.nonce("nonce");
        let tokens = Class::ALL.map(|class| {
            Hostile::of(&tenant, class).into_iter().map(|it| it.name).collect::<Vec<_>>()
        });
        let proofs = ProofClass::ALL.map(|class| {
            HostileProof::of(&request, class).into_iter().map(|it| it.name).collect::<Vec<_>>()
        });
        let classes: Vec<_> = tokens.into_iter().chain(proofs).collect();
        for names in &classes {
            assert!(names.iter().any(|name| REPRESENTATIVES.contains(name)), "{names:?}");
        }
        for name in REPRESENTATIVES {
            assert!(classes.iter().flatten().any(|other| other == name), "{name}");
        }
    }

    #[test]
    fn what_represents_no_mistake_is_sent_to_some_operation() {
        let sent = (0..STEP).filter(|place| Extent::Sample(*place).has("alg-true", 13)).count();
        assert_eq!(sent, 1);
        assert!(Extent::All.has("alg-true", 13));
    }
}

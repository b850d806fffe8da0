//! Which rule a hostile token belongs to, and how grave it is if an API accepts it.

use crate::{
    Class, Hostile, HostileProof, ProofClass,
    audit::rule::Grade,
    document::{Document, SchemeKind},
};

/// What the document says about tokens that are bound to their client. An API without a use for `cnf`
/// may ignore it (RFC 9449 §7.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bindings {
    certificate: bool,
    key: bool,
}

impl Bindings {
    pub(super) fn of(document: &Document) -> Self {
        let requirements = document.operations.iter().flat_map(|it| it.security.alternatives());
        let is_constrained = requirements.into_iter().any(|it| it.sender_constrained);
        let has = |kind: &SchemeKind, member: &str| {
            document.schemes.values().any(|scheme| {
                let word = scheme.members.get(member);
                scheme.kind == *kind || word.is_some_and(|it| it != "dangerously_ignore")
            })
        };
        Self {
            certificate: is_constrained
                || has(&SchemeKind::MutualTls, "x-monocloud-certificate-binding"),
            key: is_constrained || has(&SchemeKind::Http("dpop".to_owned()), "x-monocloud-dpop"),
        }
    }

    /// Whether a bound token, by its name in the catalogue, must be refused without a proof.
    pub(super) fn are_broken_by(self, name: &str) -> bool {
        match name {
            "cnf-certificate" => self.certificate,
            "cnf-dpop-key" => self.key,
            _ => false,
        }
    }
}

/// The rule, and the grade.
///
/// A token whose signature, issuer, audience and times are right is dangerous only to an API that
/// reads it in a way of its own. Parsers of other languages may accept it, so that it is advice:
/// a `kid` that is ignored because every key is tried, base64url with loose bits, JSON with a member
/// twice (RFC 7519 §4 allows the last one), a tolerance of more than a minute.
pub(super) fn rule_of(hostile: &Hostile, bindings: Bindings) -> (&'static str, Grade) {
    let name = hostile.name;
    let only = |is_grave| if is_grave { Grade::Finding } else { Grade::Advice };
    let is_signature_right = |it: &str| it.contains("-key-signs-");
    match hostile.class {
        Class::AlgNone => ("alg-none", only(!name.ends_with("-signed") && !is_misspelt_alg(name))),
        Class::KeyConfusion => ("key-confusion", Grade::Finding),
        Class::AlgSwap => ("alg-swap", only(!is_signature_right(name))),
        // The same number, for a library that does not count its octets.
        Class::BadSignature => ("bad-signature", only(name != "signature-zero-before")),
        Class::EcdsaEdge => ("ecdsa-edge", Grade::Finding),
        Class::EmbeddedKey => ("embedded-key", Grade::Finding),
        Class::KidInjection => ("kid-injection", Grade::Advice),
        Class::RetiredKey => ("retired-key", only(!name.starts_with("active-key-"))),
        Class::Issuer => ("issuer", Grade::Finding),
        Class::Audience => ("audience", only(name != "aud-array-with-a-number")),
        Class::Time if name.starts_with("nbf") => ("not-before", only(name == "nbf-in-an-hour")),
        Class::Time => ("expired", only(IS_EXPIRED.contains(&name))),
        Class::Subject => ("subject", Grade::Advice),
        Class::TokenType => ("token-type", only(hostile.reference == "RFC 8725 §3.11")),
        Class::Crit => {
            ("crit", only(name.starts_with("crit-unknown") || name == "b64-false-in-crit"))
        }
        Class::Structure => ("structure", only(IS_NO_JWT.contains(&name))),
        Class::Json => ("json", Grade::Advice),
        Class::Size => ("size", Grade::Advice),
        Class::Binding => ("binding", only(bindings.are_broken_by(name))),
    }
}

/// The rule, and the grade.
///
/// As above, what is dangerous only to an API that reads a proof in a way of its own is advice: other
/// spellings of the method or the URL, JSON with a member twice, an unusual `iat`, and a window that is
/// longer than a minute.
pub(super) fn proof_rule_of(hostile: &HostileProof) -> (&'static str, Grade) {
    let name = hostile.name;
    let only = |is_grave| if is_grave { Grade::Finding } else { Grade::Advice };
    match hostile.class {
        ProofClass::Missing => ("dpop-missing", Grade::Finding),
        ProofClass::Repeated => ("dpop-repeated", only(IS_REPEATED.contains(&name))),
        ProofClass::Binding if name.starts_with("bound-token-as-bearer") => {
            ("dpop-downgrade", Grade::Finding)
        }
        ProofClass::Binding => ("dpop-binding", Grade::Finding),
        ProofClass::Type => ("dpop-type", only(hostile.reference != "RFC 7515 §4.1.9")),
        ProofClass::Alg => ("dpop-alg", only(!is_misspelt_proof_alg(name))),
        ProofClass::Jwk => ("dpop-key", only(!hostile.reference.starts_with("RFC 7515 §2"))),
        ProofClass::Signature => ("dpop-signature", Grade::Finding),
        ProofClass::Crit => ("dpop-proof", only(name == "proof-crit-unknown")),
        ProofClass::Structure | ProofClass::Json | ProofClass::Size | ProofClass::Id => {
            ("dpop-proof", Grade::Advice)
        }
        ProofClass::Method => ("dpop-method", only(IS_OTHER_METHOD.contains(&name))),
        ProofClass::Url => ("dpop-url", only(IS_OTHER_URL.contains(&name))),
        ProofClass::TokenHash => ("dpop-token-hash", only(IS_OTHER_TOKEN.contains(&name))),
        ProofClass::Time => ("dpop-time", only(IS_OTHER_TIME.contains(&name))),
        ProofClass::Replay => ("dpop-replay", Grade::Finding),
        ProofClass::Nonce => ("dpop-nonce", Grade::Finding),
    }
}

/// Signed by the right key with its own algorithm, while the header misnames it.
fn is_misspelt_proof_alg(name: &str) -> bool {
    let is_bare = name.ends_with("-unsigned") || name.ends_with("-undotted");
    (name.starts_with("proof-alg-") && !is_bare)
        || (name.contains("-says-") && !name.contains("-hs"))
}

/// Signed by the tenant's key, while the header misnames the algorithm.
fn is_misspelt_alg(name: &str) -> bool {
    name.starts_with("alg-") && name != "alg-empty-unsigned"
}

const IS_EXPIRED: [&str; 8] = [
    "exp-missing",
    "exp-an-hour-ago",
    "exp-a-year-ago",
    "exp-zero",
    "exp-negative",
    "exp-null",
    "exp-in-another-claim",
    "exp-not-a-number",
];

const IS_NO_JWT: [&str; 10] = [
    "one-segment",
    "two-segments",
    "header-empty",
    "payload-empty",
    "payload-detached",
    "header-and-payload-swapped",
    "jwe-around-a-plain-jwt",
    "jwe-compact",
    "jwe-direct",
    "jwe-empty",
];

const IS_REPEATED: [&str; 4] = [
    "two-proofs",
    "two-proofs-that-are-the-same",
    "two-schemes-dpop-first",
    "two-schemes-bearer-first",
];

const IS_OTHER_METHOD: [&str; 5] = [
    "proof-htm-other",
    "proof-htm-head-for-get",
    "proof-htm-empty",
    "proof-htm-wildcard",
    "proof-htm-missing",
];

const IS_OTHER_URL: [&str; 14] = [
    "proof-htu-missing",
    "proof-htu-in-another-claim",
    "proof-htu-other-host",
    "proof-htu-other-port",
    "proof-htu-other-scheme",
    "proof-htu-empty",
    "proof-htu-origin-only",
    "proof-htu-wildcard",
    "proof-htu-host-longer",
    "proof-htu-host-as-user",
    "proof-htu-other-path",
    "proof-htu-path-longer",
    "proof-htu-path-shorter",
    "proof-htu-path-with-a-segment-more",
];

const IS_OTHER_TOKEN: [&str; 5] = [
    "proof-ath-missing",
    "proof-ath-of-another-token",
    "proof-ath-of-nothing",
    "proof-ath-empty",
    "proof-ath-null",
];

const IS_OTHER_TIME: [&str; 5] = [
    "proof-iat-an-hour-past",
    "proof-iat-a-year-past",
    "proof-iat-zero",
    "proof-iat-an-hour-ahead",
    "proof-iat-missing",
];

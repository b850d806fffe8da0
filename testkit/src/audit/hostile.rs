//! Which rule a hostile token belongs to, and how grave it is if an API accepts it.

use crate::{Class, Hostile, HostileProof, ProofClass, audit::rule::Grade};

/// The rule, and the grade.
///
/// A token whose signature, issuer, audience and times are right is dangerous only to an API that
/// reads it in a way of its own. Parsers of other languages may accept it, so that it is advice:
/// a `kid` that is ignored because every key is tried, base64url with loose bits, JSON with a member
/// twice (RFC 7519 §4 allows the last one), a tolerance of more than a minute.
pub(super) fn rule_of(hostile: &Hostile) -> (&'static str, Grade) {
    let name = hostile.name;
    let only = |is_grave| if is_grave { Grade::Finding } else { Grade::Advice };
    let is_signature_right = |it: &str| it.contains("-key-signs-");
    match hostile.class {
        Class::AlgNone => ("alg-none", only(!name.ends_with("-signed") && !is_misspelt_alg(name))),
        Class::KeyConfusion => ("key-confusion", Grade::Finding),
        Class::AlgSwap => ("alg-swap", only(!is_signature_right(name))),
        Class::BadSignature => ("bad-signature", Grade::Finding),
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
        // An API without a use for `cnf` may ignore it (RFC 9449 §7.2).
        Class::Binding => ("binding", Grade::Advice),
    }
}

/// The rule, and the grade. What only resembles an attack is advice.
pub(super) fn proof_rule_of(hostile: &HostileProof) -> (&'static str, Grade) {
    match hostile.class {
        // The same host, if it is an address.
        ProofClass::Url if hostile.name == "proof-htu-dot-after-host" => {
            ("dpop-proof", Grade::Advice)
        }
        ProofClass::Binding => ("dpop-binding", Grade::Finding),
        ProofClass::Replay => ("dpop-replay", Grade::Finding),
        ProofClass::Structure | ProofClass::Json | ProofClass::Size | ProofClass::Id => {
            ("dpop-proof", Grade::Advice)
        }
        _ => ("dpop-proof", Grade::Finding),
    }
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

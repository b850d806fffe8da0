//! The rules: what the audit can find, under ids that do not change.

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Grade {
    /// A rule is broken: the audit fails.
    Finding,
    /// What a standard recommends, or what is safe only under assumptions: the audit passes.
    Advice,
}

/// What the audit checks, as one kind of finding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// A stable id in kebab-case.
    pub id: &'static str,
    /// The grade of most of its findings; that of a lesser one is [`Grade::Advice`].
    pub grade: Grade,
    /// What a finding says, in a sentence without its full stop.
    pub title: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
}

impl Rule {
    /// All rules.
    pub const ALL: &[Self] = RULES;

    /// The rule with this id.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|rule| rule.id == id)
    }

    /// Its page: what it is, why it matters, how to fix it.
    #[must_use]
    pub fn page(&self) -> &'static str {
        let start = format!("\n## {}\n", self.id);
        let page = PAGES.split_once(&start).map(|(_, rest)| rest).unwrap_or_default();
        page.split_once("\n## ").map_or(page, |(page, _)| page).trim()
    }
}

impl Grade {
    /// `finding` or `advice`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Advice => "advice",
        }
    }
}

/// A page per rule.
const PAGES: &str = include_str!("findings.md");

/// `grade { "id": "title", "source"; … } …` as rules.
macro_rules! rules {
    ($($grade:ident { $($id:literal: $title:literal, $source:literal;)+ })+) => {
        &[$($(Rule { id: $id, grade: Grade::$grade, title: $title, source: $source },)+)+]
    };
}

const RULES: &[Rule] = rules! {
    Finding {
        "no-token": "a request without a token is accepted", "RFC 6750 §3.1";
        "token-not-validated": "any text is accepted as a token", "RFC 6750 §5.2";
        "signature-not-verified": "a token signed with an attacker's key is accepted", "RFC 7515 §5.2";
        "alg-none": "an unsigned token is accepted", "RFC 8725 §3.2";
        "key-confusion": "an HMAC keyed by the public key is accepted", "RFC 8725 §2.1";
        "alg-swap": "the header's algorithm differs from the key's, and the token is accepted", "RFC 8725 §3.1";
        "bad-signature": "a signature that is not the token's is accepted", "RFC 7515 §5.2";
        "ecdsa-edge": "a forged elliptic-curve signature is accepted", "RFC 8725 §3.4";
        "embedded-key": "a token is verified with the key that it brings along", "RFC 8725 §3.10";
        "key-url-fetched": "a URL in a token is fetched", "RFC 8725 §3.10";
        "kid-injection": "a token is accepted whose kid names no key", "RFC 7515 §4.1.4";
        "retired-key": "a token by a key that the tenant does not publish is accepted", "RFC 7517 §5";
        "issuer": "a token of another issuer is accepted", "RFC 9068 §4";
        "audience": "a token for another audience is accepted", "RFC 9068 §4";
        "expired": "a token that has expired, or never expires, is accepted", "RFC 9068 §4";
        "not-before": "a token is accepted before its time", "RFC 7519 §4.1.5";
        "subject": "a token is accepted whose sub is not a text", "RFC 7519 §4.1.2";
        "token-type": "a JWT that is not an access token is accepted", "RFC 9068 §4";
        "crit": "a token with a critical extension is accepted", "RFC 7515 §4.1.11";
        "structure": "what is not a signed JWT in three segments is accepted", "RFC 7515 §7.1";
        "json": "a token is accepted whose JSON parsers read differently", "RFC 7519 §4";
        "size": "a token of more than 16 KiB is accepted", "RFC 8725 §3.11";
        "binding": "a token that is bound to a client's key is accepted without proof of the key", "RFC 7800 §3.1";
        "scope-not-enforced": "a token without a documented scope is accepted", "RFC 6750 §3.1";
        "group-not-enforced": "a token without the documented group is accepted", "OpenAPI: x-monocloud-groups";
        "claim-not-enforced": "a token without the documented value of a claim is accepted", "OpenAPI: x-monocloud-claims";
        "acr-not-enforced": "a token with another acr than the documented ones is accepted", "RFC 9470 §3";
        "max-age-not-enforced": "a token is accepted after the documented maximum age", "RFC 9470 §3";
        "over-strict": "a token with exactly what is documented is refused, and one with more is accepted", "OpenAPI 3.1 §4.8.30";
        "public-refused": "an operation without documented security refuses a request without a token", "OpenAPI 3.1 §4.8.10";
        "undocumented-method": "a method that the document does not have is open on a secured path", "OWASP API9:2023";
        "path-spelling": "another spelling of a secured path is open", "RFC 3986 §6.2.2";
        "head-unprotected": "HEAD is open where GET is secured", "RFC 9110 §9.3.2";
        "method-override": "a header that overrides the method opens a secured operation", "OWASP API5:2023";
        "url-override": "a header that overrides the URL opens a secured operation", "OWASP API5:2023";
        "token-in-query": "a token in the query is accepted", "RFC 9700 §4.3.2";
        "token-in-cookie": "a token in a cookie is accepted", "RFC 6750 §2";
        "token-in-body": "a token in the body is accepted", "RFC 6750 §2.2";
        "challenge-missing": "a refusal has no challenge", "RFC 6750 §3";
        "challenge-malformed": "a challenge cannot be parsed", "RFC 9110 §11.6.1";
        "challenge-repeated-attribute": "a challenge has an attribute twice", "RFC 6750 §3";
        "challenge-scope": "the challenge names other scopes than the document", "RFC 6750 §3";
        "challenge-wrong-error": "a challenge names the wrong error", "RFC 6750 §3.1";
        "status-without-token": "a request without a token is refused with another status than 401", "RFC 6750 §3.1";
        "status-invalid-token": "an invalid token is refused with another status than 401", "RFC 6750 §3.1";
        "step-up-challenge": "a token that is too weak or too old is refused without insufficient_user_authentication", "RFC 9470 §3";
        "step-up-parameters": "a challenge asks for another authentication than the document", "RFC 9470 §3";
        "resource-metadata": "the metadata that a challenge names are wrong", "RFC 9728 §3.3 and §5.1";
        "order-body": "the body is read before the token", "RFC 9110 §15.5.2";
        "order-parameter": "a parameter is read before the token", "RFC 9110 §15.5.2";
        "order-media-type": "the media type is checked before the token", "RFC 9110 §15.5.2";
        "crash": "a request crashes the API", "RFC 9110 §15.6.1";
        "stack-trace": "a response shows a stack trace", "CWE-209";
        "error-details": "a response shows an internal error", "CWE-209";
        "header-injection": "a token writes headers of the response", "CWE-113";
        "key-rotation": "a token by the tenant's new key is refused", "OpenID Connect Core §10.1.1";
        "key-withdrawal": "a token by a withdrawn key is accepted", "OpenID Connect Core §10.1.1";
        "key-outage": "good tokens are refused while the tenant's keys cannot be fetched", "RFC 7517 §5";
        "key-outage-open": "a forged token is accepted while the tenant's keys cannot be fetched", "RFC 8725 §3.3";
        "key-flood": "each invented kid costs a request to the tenant", "RFC 8725 §3.10";
        "key-flood-lockout": "good tokens are refused after invented kids", "RFC 8725 §3.10";
        "opaque-inactive": "an inactive opaque token is accepted", "RFC 7662 §2.2";
        "opaque-audience": "an opaque token for another audience is accepted", "RFC 7662 §4";
        "opaque-expired": "an opaque token is accepted after its expiry", "RFC 7662 §4";
        "opaque-fail-open": "an opaque token is accepted while introspection fails", "RFC 7662 §2.3";
        "dpop-missing": "a DPoP request without a proof is accepted", "RFC 9449 §4.3 rule 1";
        "dpop-repeated": "a DPoP request with two proofs or two schemes is accepted", "RFC 9449 §4.3 rule 1 and §7.2";
        "dpop-type": "a DPoP proof is accepted that is another kind of JWT", "RFC 9449 §4.3 rule 4";
        "dpop-alg": "a DPoP proof is accepted that is not signed, or by a shared secret", "RFC 9449 §4.3 rule 5";
        "dpop-key": "a DPoP proof is accepted whose key is not a strong public one", "RFC 9449 §4.3 rules 6 and 7";
        "dpop-signature": "a DPoP proof is accepted with a signature that is not its own", "RFC 9449 §4.3 rule 6";
        "dpop-method": "a DPoP proof for another method is accepted", "RFC 9449 §4.3 rule 8";
        "dpop-url": "a DPoP proof for another URL is accepted", "RFC 9449 §4.3 rule 9";
        "dpop-nonce": "a DPoP proof without a nonce of the API is accepted", "RFC 9449 §4.3 rule 10 and §11.3";
        "dpop-time": "an old DPoP proof, or one from the future, is accepted", "RFC 9449 §4.3 rule 11";
        "dpop-token-hash": "a DPoP proof for another token is accepted", "RFC 9449 §4.3 rule 12";
        "dpop-proof": "a DPoP proof is accepted that is not a JWT as RFC 9449 has it", "RFC 9449 §4.2";
        "dpop-binding": "a token is accepted that is not bound to the key of the proof", "RFC 9449 §7.1";
        "dpop-downgrade": "a token that is bound to a key is accepted as a bearer token", "RFC 9449 §7.2";
        "dpop-replay": "a DPoP proof is accepted twice", "RFC 9449 §11.1";
        "dpop-challenge": "a DPoP request is refused without the right challenge", "RFC 9449 §7.1";
        "mcp-metadata": "an MCP server has no metadata, or wrong ones", "MCP 2026-07-28, RFC 9728 §3";
        "mcp-origin": "an MCP server accepts a foreign Origin", "MCP 2026-07-28, Streamable HTTP";
        "mcp-session": "an MCP server accepts the id of a session in place of a token", "MCP 2026-07-28, Security";
        "mcp-tool-scope": "a tool can be called without its scope", "MCP 2026-07-28, Authorization";
        "mcp-header": "a call is accepted whose headers name another than its body", "MCP 2026-07-28, Streamable HTTP";
        "mcp-batch": "a tool can be called in a batch without its scope", "MCP 2025-03-26, JSON-RPC 2.0 §6";
    }
    Advice {
        "mcp-challenge": "a challenge of an MCP server lacks what its clients need", "MCP 2026-07-28, Authorization";
        "challenge-error": "the challenge for an invalid token has no error", "RFC 6750 §3.1";
        "challenge-error-without-token": "the challenge for a request without a token has an error", "RFC 6750 §3.1";
        "status-scope": "a token without a scope is refused with another status than 403", "RFC 6750 §3.1";
        "scheme-case": "the scheme Bearer is compared with case", "RFC 9110 §11.1";
    }
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_one_page_and_every_page_its_rule() {
        let headings = PAGES.lines().filter_map(|line| line.strip_prefix("## "));
        let pages: Vec<_> = headings.collect();
        let rules: Vec<_> = Rule::ALL.iter().map(|rule| rule.id).collect();
        assert_eq!(pages, rules);
        assert_eq!(rules.iter().collect::<BTreeSet<_>>().len(), rules.len());
        for rule in Rule::ALL {
            let page = rule.page();
            for part in ["**Why it matters.** ", "**How to fix it.** "] {
                assert_eq!(page.matches(part).count(), 1, "{}: {page}", rule.id);
            }
        }
    }
}

//! Why a request, a token or a proof is rejected: one row each.

use std::sync::Arc;

use super::cause::Cause;

reasons! {
    /// Why a request is malformed.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum InvalidRequest {
        /// What follows the scheme is not one `b64token` (RFC 6750 §2.1).
        #[error("the credentials are not one access token")]
        MalformedToken => "malformed_token",
        /// There are several `Authorization` headers.
        #[error("the authorization header is repeated")]
        RepeatedHeader => "repeated_header",
        /// There are several `DPoP` headers (RFC 9449 §4.3).
        #[error("the DPoP header is repeated")]
        RepeatedProof => "repeated_proof",
    }
}

reasons! {
    /// Why a DPoP proof is not accepted (RFC 9449 §4.3), one reason for each rule. Each text is fit to
    /// be an `error_description`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum InvalidProof {
        /// `alg` is not an algorithm of this library: RS, PS and ES 256 to 512, EdDSA.
        #[error("the algorithm of the proof is not accepted")]
        Algorithm => "proof_algorithm",
        /// A claim is missing, or has a type or a range it must not have.
        #[error("a claim of the proof is missing or malformed")]
        Claim(&'static str) => "proof_claim",
        /// The header asks for an extension (`crit`, RFC 7515 §4.1.11, or `b64`, RFC 7797).
        #[error("the proof requires an extension that is not supported")]
        Critical => "proof_critical",
        /// `jwk` is not a public key that fits the algorithm.
        #[error("the jwk of the proof is not a usable public key for its algorithm")]
        Key => "proof_key",
        /// The header does not hold one JWS in compact serialisation with JSON in it.
        #[error("the DPoP header is not one JWT")]
        Malformed => "proof_malformed",
        /// `htm` is not the method of the request.
        #[error("the proof is for another method")]
        Method => "proof_method",
        /// The request has no `DPoP` header.
        #[error("the request carries no proof")]
        Missing => "proof_missing",
        /// The proof is longer than 8 KiB.
        #[error("the proof is too long")]
        Oversized => "proof_oversized",
        /// A proof with this `jti` by the same key was accepted before.
        #[error("the proof was used before")]
        Replayed => "proof_replayed",
        /// The signature does not verify with the `jwk`.
        #[error("the signature of the proof does not verify")]
        Signature => "proof_signature",
        /// `htu` is not the URI of the request.
        #[error("the proof is for another URI")]
        Target => "proof_target",
        /// `iat` is too long ago, or in the future.
        #[error("the proof was not made just now")]
        Time => "proof_time",
        /// `ath` is not the hash of the access token.
        #[error("the proof is for another access token")]
        TokenHash => "proof_token_hash",
        /// `typ` is not `dpop+jwt`.
        #[error("the typ of the proof is not dpop+jwt")]
        Type => "proof_type",
    }
}

reasons! {
    /// What is wrong with the nonce of a DPoP proof (RFC 9449 §9). Each text is fit to be an
    /// `error_description`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum NonceProblem {
        /// The proof has none.
        #[error("the proof must contain the nonce of this response")]
        Missing => "nonce_missing",
        /// This API did not issue it, or too long ago.
        #[error("the nonce of the proof has expired or was not issued here")]
        Unusable => "nonce_unusable",
    }
}

reasons! {
    /// Why a DPoP proof could not be recorded as used.
    #[derive(Clone, Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum ReplayStoreError {
        /// The store failed, or did not answer in time.
        #[error("the replay store failed")]
        Failed(#[source] Cause) => "replay_store_failed",
        /// The memory for proofs that are still valid is used up.
        #[error("the replay store is full")]
        Full => "replay_store_full",
    }
}

reasons! {
    /// Why a token is not accepted. Each text is fit to be an `error_description` (RFC 6750 §3).
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum InvalidToken {
        /// `alg` is not an algorithm of this library: RS, PS and ES 256 to 512, EdDSA.
        #[error("the token's algorithm is not accepted")]
        Algorithm => "algorithm",
        /// Several of the tenant's keys fit the token.
        #[error("several of the tenant's keys fit the token")]
        AmbiguousKey => "ambiguous_key",
        /// `aud` does not hold this API's audience.
        #[error("the token is meant for another audience")]
        Audience => "audience",
        /// This API accepts tokens with the DPoP scheme only (RFC 9449 §7.1).
        #[error("the token must be presented with the DPoP scheme")]
        BearerScheme => "bearer_scheme",
        /// The token is bound to a certificate that was not presented (RFC 8705 §3).
        #[error("the token is bound to a certificate that was not presented")]
        Binding => "binding",
        /// The certificate that was presented with a bound token cannot be read, or there are several.
        #[error("the client certificate that was presented is unusable")]
        Certificate => "certificate",
        /// A claim is missing, or has a type or a range it must not have.
        #[error("a claim of the token is missing or malformed")]
        Claim(&'static str) => "claim",
        /// The header asks for an extension (`crit`, RFC 7515 §4.1.11, or `b64`, RFC 7797).
        #[error("the token requires an extension that is not supported")]
        Critical => "critical",
        /// The token is encrypted (RFC 7516).
        #[error("encrypted tokens are not supported")]
        Encrypted => "encrypted",
        /// `exp` has passed.
        #[error("the token has expired")]
        Expired => "expired",
        /// The tenant says that the token is not active (RFC 7662 §2.2).
        #[error("the token is not active")]
        Inactive => "inactive",
        /// `iss` is not the tenant, or none of several; or the request names none of them as the issuer
        /// of its opaque token.
        #[error("the token was issued by another issuer")]
        Issuer => "issuer",
        /// The token is bound to a key: it needs the DPoP scheme, and a proof by that key (RFC 9449 §7).
        #[error("the token is bound to a key that the request does not prove")]
        KeyBinding => "key_binding",
        /// The token is not bound to a key, and was presented with the DPoP scheme (RFC 9449 §7.1).
        #[error("the token is not bound to a key")]
        KeyUnbound => "key_unbound",
        /// The token is not a JWS in compact serialisation with JSON in it.
        #[error("the token is malformed")]
        Malformed => "malformed",
        /// The token is bound neither to a certificate nor to a key, and the operation needs that
        /// (RFC 8705 §3, RFC 9449 §7).
        #[error("the token is not bound to its sender")]
        NotSenderConstrained => "not_sender_constrained",
        /// `nbf` has not come.
        #[error("the token is not valid yet")]
        NotYetValid => "not_yet_valid",
        /// The token is longer than this API reads.
        #[error("the token is too long")]
        Oversized => "oversized",
        /// The signature does not verify.
        #[error("the signature of the token does not verify")]
        Signature => "signature",
        /// `typ` says that this is not an access token.
        #[error("the token is not an access token")]
        Type => "type",
        /// The claims do not fit the type that the handler reads them into.
        #[error("a claim of the token is missing or malformed")]
        TypedClaims => "typed_claims",
        /// The token is not bound to a certificate where every token must be (RFC 8705 §3).
        #[error("the token is not bound to a certificate")]
        Unbound => "unbound",
        /// None of the tenant's keys fits the token.
        #[error("the key that signed the token is unknown")]
        UnknownKey => "unknown_key",
        /// The token is opaque and this API does not introspect, or cannot tell where.
        #[error("opaque tokens are not accepted here")]
        Unsupported => "unsupported",
    }
}

reasons! {
    /// What a valid token lacks.
    #[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum Denial {
        /// The application's own [decision](crate::ProtectApiBuilder::decide).
        #[error("the application denies the operation")]
        Application => "application",
        /// A claim of the token is not, and does not contain, the value that the operation needs.
        #[error("a required claim is missing")]
        Claims => "claims",
        /// The token's groups are not those the operation needs.
        #[error("a required group is missing")]
        Groups => "groups",
        /// The token's scopes are not all of those the operation needs.
        #[error("a required scope is missing")]
        #[non_exhaustive]
        Scopes {
            /// Every scope the operation needs, blank-separated.
            required: Arc<str>,
        } => "scopes",
        /// A tool, a resource or a prompt that no policy lists, at an MCP server without a default.
        #[error("what the request names is not listed")]
        Unlisted => "unlisted",
    }
}

reasons! {
    /// What the user's authentication lacks. Each text is fit to be an `error_description`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum StepUpReason {
        /// `acr` is none of those that the operation accepts, or absent.
        #[error("the operation needs another kind of authentication")]
        Acr => "acr",
        /// `auth_time` is too long ago, absent, or in the future.
        #[error("the operation needs a more recent authentication")]
        MaxAge => "max_age",
    }
}

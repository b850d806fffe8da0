//! Validates the tokens of one tenant: JWTs by the tenant's keys, opaque tokens by introspection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    certificate::CertificateBinding,
    clock::Clock,
    error::{Error, InvalidToken},
    introspection::Introspector,
    meter::{Cache, Meter},
    policy::AuthorizationRules,
    tenant::Tenant,
    token::{
        AccessToken, TokenKind,
        claims::Claims,
        jwt::DecodedJwt,
        rules::Expectations,
        verified::{VerifiedJwt, VerifiedJwts},
    },
};

/// Minimum interval between warnings about opaque tokens that cannot be introspected.
const OPAQUE_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Validates the tokens of one tenant, by what is configured for it.
pub(crate) struct TokenValidator {
    pub(crate) tenant: Tenant,
    pub(crate) introspector: Option<Introspector>,
    pub(crate) introspect_jwt_tokens: bool,
    /// How often a token that does not say when it expires is introspected while a response lasts.
    pub(crate) introspection_interval: Duration,
    /// JWTs whose signature need not be verified again; nothing where none are kept.
    pub(crate) verified: Option<VerifiedJwts>,
    pub(crate) expectations: Expectations,
    pub(crate) binding: CertificateBinding,
    pub(crate) authorization_rules: Arc<AuthorizationRules>,
    pub(crate) last_opaque_warning: Mutex<Option<Instant>>,
}

impl TokenValidator {
    /// The tenant's issuer, as `iss` must name it.
    pub(crate) fn issuer(&self) -> &str {
        &self.expectations.issuer
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.tenant.clock()
    }

    pub(crate) fn meter(&self) -> &Meter {
        self.tenant.meter()
    }

    /// Validates a JWT: its header, its signature, its claims. It may have been decoded already.
    pub(crate) async fn validate(
        &self,
        token: &AccessToken,
        decoded: Option<DecodedJwt<'_>>,
    ) -> Result<Claims, Error> {
        let text = token.expose();
        let entry = self.verified.as_ref().and_then(|verified| verified.entry(text));
        if let Some(entry) = &entry {
            match entry.get() {
                Some(VerifiedJwt { claims, key }) if self.tenant.still_selects(&key).await? => {
                    self.meter().looked_up_jwt(Cache::Hit);
                    self.validate_claims(&claims)?;
                    return Ok(claims);
                }
                _ => self.meter().looked_up_jwt(Cache::Miss),
            }
        }
        let jwt = match decoded {
            Some(jwt) => jwt,
            None => DecodedJwt::decode(text).map_err(Error::InvalidToken)?,
        };
        let verified = self.tenant.verify(jwt, self.expectations.rfc9068).await?;
        self.validate_claims(&verified.claims)?;
        let claims = verified.claims.clone();
        if let Some(entry) = entry {
            entry.set(verified);
        }
        Ok(claims)
    }

    fn validate_claims(&self, claims: &Claims) -> Result<(), Error> {
        let now = self.clock().wall();
        self.expectations.validate(claims, TokenKind::Jwt, now).map_err(Error::InvalidToken)
    }

    /// Introspects a token, and validates the claims of the response.
    pub(crate) async fn introspect(&self, token: &AccessToken) -> Result<Arc<Claims>, Error> {
        let Some(introspector) = &self.introspector else {
            self.warn_of_opaque_token("introspection is not configured");
            return Err(Error::InvalidToken(InvalidToken::Unsupported));
        };
        introspector.introspect(token).await
    }

    /// Logs why an opaque token was rejected, once a minute at most.
    pub(crate) fn warn_of_opaque_token(&self, why: &str) {
        let now = self.clock().monotonic();
        let mut last = self.last_opaque_warning.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            last.is_none_or(|last| now.saturating_duration_since(last) >= OPAQUE_WARNING_INTERVAL);
        if is_due {
            *last = Some(now);
            tracing::warn!(
                name: "token.opaque_refused",
                "an opaque access token was rejected: {why}"
            );
        }
    }
}

//! Authenticates a request: finds its token, validates it, and verifies what it is bound to.

use std::sync::Arc;

use http::HeaderMap;

use super::{
    api::ProtectApi,
    caller::{Authenticated, Introspection},
    presentation::Presentation,
    request::RequestHead,
    tenants::Presented,
};
use crate::{
    config::DpopMode,
    dpop::{Dpop, PresentedProof, is_proof_repeated},
    error::{Cause, Error, Internal, InvalidRequest, InvalidToken},
    token::{
        AccessToken, TokenKind,
        claims::Claims,
        confirmation::Confirmation,
        credentials::{Scheme, find as find_credentials, only_scheme},
    },
    validator::TokenValidator,
};

impl ProtectApi {
    /// Finds and validates the token of a request, and verifies that the caller possesses the
    /// certificate and the key that the token is bound to.
    pub(super) async fn authenticate(
        &self,
        head: RequestHead<'_>,
    ) -> Result<Authenticated, Unauthenticated> {
        let credentials = self.credentials(head.headers)?;
        let Some(Credentials { scheme, token }) = credentials else {
            let presentation = Presentation::default();
            return Err(Unauthenticated { error: Error::MissingToken, presentation });
        };
        let mut presentation = Presentation::by(scheme);
        let proof = match &self.settings().dpop {
            Some(dpop) if scheme == Scheme::Dpop => {
                let proof = dpop.read(head.headers);
                presentation.next_nonce.clone_from(&proof.next_nonce);
                Some((dpop, proof))
            }
            _ => None,
        };
        match self.validate(head, &token, proof).await {
            Ok(Validated { claims, kind, is_sender_constrained, validator }) => {
                let says_when = kind == TokenKind::Jwt || claims.item("exp").is_some();
                let validator = Arc::clone(validator);
                let rules = Arc::clone(&validator.authorization_rules);
                let introspection = (!says_when).then_some(Introspection { token, validator });
                let caller =
                    Authenticated::new(claims, kind, is_sender_constrained, presentation, rules);
                Ok(caller.with_introspection(introspection))
            }
            Err(error) => Err(Unauthenticated { error, presentation }),
        }
    }

    /// Validates a token and what it is bound to. A proof is recorded last, so that one that is
    /// rejected for another reason is not used up.
    async fn validate(
        &self,
        head: RequestHead<'_>,
        token: &AccessToken,
        proof: Option<(&Dpop, PresentedProof<'_>)>,
    ) -> Result<Validated<'_>, Error> {
        if proof.is_none() && self.dpop_mode() == DpopMode::Required {
            return Err(Error::InvalidToken(InvalidToken::BearerScheme));
        }
        let RequestHead { method, uri, headers, peer } = head;
        let (validator, presented) =
            self.tenants().validator_of(token, headers).map_err(Error::InvalidToken)?;
        let (claims, kind) = match presented {
            Presented::Jwt(jwt) => {
                (Arc::new(validator.validate(token, jwt).await?), TokenKind::Jwt)
            }
            Presented::Opaque => (validator.introspect(token).await?, TokenKind::Opaque),
        };
        let confirmation = Confirmation::of(&claims);
        let binding = match (&proof, &confirmation.key) {
            (None, Some(_)) => return Err(Error::InvalidToken(InvalidToken::KeyBinding)),
            (Some(_), None) => return Err(Error::InvalidToken(InvalidToken::KeyUnbound)),
            (None, None) => None,
            (Some(proof), Some(key)) => Some((proof, key)),
        };
        // Where a proxy is configured, the peer is the proxy.
        let presented = || match &self.settings().certificate_header {
            Some(header) => header.certificate_in(headers),
            None => Ok(peer.cloned()),
        };
        let has_certificate =
            validator.binding.validate(&confirmation, presented).map_err(Error::InvalidToken)?;
        if let Some(((dpop, proof), key)) = binding {
            dpop.verify(proof, method, uri.path(), token, key).await?;
        }
        let is_sender_constrained = has_certificate || binding.is_some();
        Ok(Validated { claims, kind, is_sender_constrained, validator })
    }

    fn credentials(&self, headers: &HeaderMap) -> Result<Option<Credentials>, Unreadable> {
        let max_length = self.settings().max_token_length;
        let resolved = match &self.settings().token_resolver {
            None => None,
            Some(resolve) => resolve(headers).map_err(|error| {
                tracing::error!(name: "token_resolver.failed", %error, "the token resolver failed");
                let error = Error::Internal(Internal::TokenResolver(Cause::new(error)));
                Unreadable { error, scheme: None }
            })?,
        };
        let schemes = self.known_schemes();
        let unreadable = |error| Unreadable { error, scheme: only_scheme(headers, schemes) };
        let credentials = match resolved {
            // An empty cookie holds no token.
            Some(token) if token.trim().is_empty() => None,
            Some(token) => {
                let scheme = Scheme::Bearer;
                let token = AccessToken::from_bytes(token.as_bytes(), max_length)
                    .map_err(|error| Unreadable { error, scheme: Some(scheme) })?;
                Some(Credentials { scheme, token })
            }
            None => match find_credentials(headers, schemes) {
                Err(reason) => return Err(unreadable(Error::InvalidRequest(reason))),
                Ok(None) => None,
                Ok(Some((scheme, token))) => {
                    let token = AccessToken::from_bytes(token, max_length).map_err(unreadable)?;
                    Some(Credentials { scheme, token })
                }
            },
        };
        match &credentials {
            Some(Credentials { scheme, .. })
                if self.settings().dpop.is_some() && is_proof_repeated(headers) =>
            {
                let error = Error::InvalidRequest(InvalidRequest::RepeatedProof);
                Err(Unreadable { error, scheme: Some(*scheme) })
            }
            _ => Ok(credentials),
        }
    }

    /// The schemes that are not another authentication's. Where DPoP is required, a bearer token is
    /// told from no token.
    fn known_schemes(&self) -> &'static [Scheme] {
        match &self.settings().dpop {
            None => &[Scheme::Bearer],
            Some(_) => &[Scheme::Bearer, Scheme::Dpop],
        }
    }
}

/// A token as a request presents it.
struct Credentials {
    scheme: Scheme,
    token: AccessToken,
}

/// Credentials that cannot be read.
struct Unreadable {
    error: Error,
    /// Nothing where several may be meant.
    scheme: Option<Scheme>,
}

/// A request that was not authenticated.
pub(super) struct Unauthenticated {
    pub(super) error: Error,
    pub(super) presentation: Presentation,
}

impl From<Unreadable> for Unauthenticated {
    fn from(Unreadable { error, scheme }: Unreadable) -> Self {
        Self { error, presentation: Presentation { scheme, next_nonce: None } }
    }
}

/// What is known of a request whose token is valid and was issued to its sender.
struct Validated<'a> {
    claims: Arc<Claims>,
    kind: TokenKind,
    is_sender_constrained: bool,
    validator: &'a Arc<TokenValidator>,
}

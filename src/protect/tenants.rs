//! The tenants whose tokens an API accepts, and which of them validates a token.
//!
//! A JWT names its issuer in `iss`. That only chooses the tenant whose keys must then verify its
//! signature. An opaque token names nothing, so the request has to. A token is never tried with one
//! tenant after the other: that would show it to tenants that did not issue it.

use std::{collections::BTreeMap, iter, sync::Arc, time::Duration};

use http::HeaderMap;

use crate::{
    error::{Error, InvalidToken, TenantError},
    token::{AccessToken, TokenKind, jwt::DecodedJwt},
    validator::TokenValidator,
};

/// The API's own tenant, and further ones by their issuers.
#[derive(Clone)]
pub(crate) struct Tenants {
    own: Arc<TokenValidator>,
    further: Arc<BTreeMap<String, Arc<TokenValidator>>>,
    resolver: Option<Arc<IssuerResolver>>,
}

/// Names the issuer of the opaque token in a request.
type IssuerResolver = dyn Fn(&HeaderMap) -> Option<String> + Send + Sync;

/// How a token is validated.
pub(crate) enum Presented<'t> {
    /// A JWT, by its signature and its claims. It is decoded already where its issuer had to be read.
    Jwt(Option<DecodedJwt<'t>>),
    /// Any token, by introspection.
    Opaque,
}

impl Tenants {
    pub(crate) fn new(own: TokenValidator) -> Self {
        Self { own: Arc::new(own), further: Arc::default(), resolver: None }
    }

    /// The API's own tenant.
    pub(crate) fn own(&self) -> &Arc<TokenValidator> {
        &self.own
    }

    /// Every tenant, the API's own first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<TokenValidator>> {
        iter::once(&self.own).chain(self.further.values())
    }

    /// Adds those of another API; fails with the name of an issuer that is there already.
    pub(crate) fn add(&mut self, others: &Self) -> Result<(), String> {
        let further = Arc::make_mut(&mut self.further);
        for validator in others.all() {
            let name = validator.issuer();
            let is_own = name == self.own.issuer();
            if is_own || further.insert(name.to_owned(), Arc::clone(validator)).is_some() {
                return Err(name.to_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn set_resolver<F>(&mut self, resolver: F)
    where
        F: Fn(&HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        self.resolver = Some(Arc::new(resolver));
    }

    /// The tenant that a token claims to come from, for a diagnosis; the API's own if it names none
    /// of them.
    pub(crate) fn claimed_by(&self, token: &str) -> &Arc<TokenValidator> {
        let jwt = DecodedJwt::decode(token).ok();
        let claimed = jwt.as_ref().and_then(|jwt| jwt.claimed_issuer().ok());
        self.all().find(|validator| Some(validator.issuer()) == claimed).unwrap_or(&self.own)
    }

    /// Which tenant validates a token, and how.
    pub(crate) fn validator_of<'t>(
        &self,
        token: &'t AccessToken,
        headers: &HeaderMap,
    ) -> Result<(&Arc<TokenValidator>, Presented<'t>), InvalidToken> {
        let is_alone = self.further.is_empty();
        match token.kind()? {
            // There is nothing to choose, so the tenant is asked whatever the token may be.
            TokenKind::Jwt if is_alone && self.own.introspect_jwt_tokens => {
                Ok((&self.own, Presented::Opaque))
            }
            // Its `iss` is validated once the signature is verified.
            TokenKind::Jwt if is_alone => Ok((&self.own, Presented::Jwt(None))),
            TokenKind::Jwt => {
                let jwt = DecodedJwt::decode(token.expose())?;
                match jwt.claimed_issuer().and_then(|issuer| self.named(issuer)) {
                    Ok(validator) if !validator.introspect_jwt_tokens => {
                        Ok((validator, Presented::Jwt(Some(jwt))))
                    }
                    // A token with another header is not a JWT, and rejected as that first.
                    other => {
                        jwt.check_header()?;
                        Ok((other?, Presented::Opaque))
                    }
                }
            }
            TokenKind::Opaque => Ok((self.issuer_of_opaque(headers)?, Presented::Opaque)),
        }
    }

    /// Fetches the documents of all of them at once; fails with the first failure, after all were
    /// tried.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        let further: Vec<_> = self
            .further
            .values()
            .map(|validator| {
                let validator = Arc::clone(validator);
                tokio::spawn(async move { validator.tenant.warm_up().await })
            })
            .collect();
        let mut outcome = self.own.tenant.warm_up().await;
        for fetch in further {
            outcome = outcome.and(fetch.await.unwrap_or_else(|_| Err(interrupted())));
        }
        outcome
    }

    fn issuer_of_opaque(&self, headers: &HeaderMap) -> Result<&Arc<TokenValidator>, InvalidToken> {
        match &self.resolver {
            Some(resolve) => self.named(&resolve(headers).ok_or(InvalidToken::Issuer)?),
            None if self.further.is_empty() => Ok(&self.own),
            None => {
                self.own.warn_of_opaque_token("no issuer_resolver says who issued it");
                Err(InvalidToken::Unsupported)
            }
        }
    }

    fn named(&self, issuer: &str) -> Result<&Arc<TokenValidator>, InvalidToken> {
        if issuer == self.own.issuer() {
            return Ok(&self.own);
        }
        self.further.get(issuer).ok_or_else(|| {
            tracing::debug!(
                name: "token.issuer_not_accepted",
                found = issuer,
                "token of an issuer that is not accepted"
            );
            InvalidToken::Issuer
        })
    }
}

fn interrupted() -> Error {
    Error::Unavailable { retry_after: Duration::from_secs(1), source: TenantError::Interrupted }
}

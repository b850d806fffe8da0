//! Several tenants behind one API: which of them judges a token.
//!
//! A JWT says by its `iss` who has issued it; that is believed as far as to choose the tenant whose
//! keys must then verify it. An opaque token says nothing, so the request has to. No token is tried
//! with one tenant after the other: it would be shown to tenants that never issued it.

use std::{collections::BTreeMap, future::Future, iter, sync::Arc, time::Duration};

use http::HeaderMap;

use crate::{
    config::ConfigError,
    error::{Error, InvalidToken, TenantError},
    protect::{Inner, ProtectApi},
    token::{AccessToken, TokenKind, jwt::DecodedJwt},
};

impl ProtectApi {
    /// Also accepts the tokens that `other` accepts, each judged by what is configured there for
    /// its tenant: audience, times, keys, introspection, certificate binding, groups.
    ///
    /// What belongs to the API rather than to a tenant stays this one's: where a token and a
    /// certificate are found, the longest token, realm, documents and scopes.
    ///
    /// ```no_run
    /// # use monocloud_backend::{ConfigError, ProtectApi};
    /// # fn main() -> Result<(), ConfigError> {
    /// let partner = ProtectApi::builder().file("partner.toml").build()?;
    /// let protect = ProtectApi::from_env()?.also_accept(partner)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an issuer is accepted already, were it for another audience: a token could
    /// not tell which of the two configurations judges it.
    pub fn also_accept(mut self, other: Self) -> Result<Self, ConfigError> {
        let further = Arc::make_mut(&mut self.further);
        for issuer in other.issuers() {
            let name = &issuer.expectations.issuer;
            let is_own = *name == self.inner.expectations.issuer;
            if is_own || further.tenants.insert(name.clone(), Arc::clone(issuer)).is_some() {
                let problem = format!("the issuer {name} is accepted already");
                return Err(ConfigError::of("also_accept", problem));
            }
        }
        Ok(self)
    }

    /// Tells from a request's headers who has issued the opaque token in it, by the issuer's
    /// [name](Self::issuer), byte for byte. Without a name, and with that of nobody whose tokens are
    /// accepted, the token is refused and no tenant is asked.
    ///
    /// Needed for opaque tokens of several tenants; a JWT says it itself.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// # fn named(protect: ProtectApi) -> ProtectApi {
    /// protect.issuer_resolver(|headers| match headers.get("x-partner")?.to_str().ok()? {
    ///     "acme" => Some("https://acme.us.monocloud.com".to_owned()),
    ///     "partner" => Some("https://partner.eu.monocloud.com".to_owned()),
    ///     _ => None,
    /// })
    /// # }
    /// # let _ = named;
    /// ```
    #[must_use]
    pub fn issuer_resolver<F>(mut self, resolver: F) -> Self
    where
        F: Fn(&HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.further).resolver = Some(Arc::new(resolver));
        self
    }

    /// Everybody whose tokens are accepted, the API's own tenant first.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = &Arc<Inner>> {
        iter::once(&self.inner).chain(self.further.tenants.values())
    }

    /// Who is said to have issued a token, for a diagnosis; the API's own tenant if nobody is.
    pub(crate) fn issuer_claimed_by(&self, token: &str) -> &Arc<Inner> {
        let jwt = DecodedJwt::decode(token).ok();
        let claimed = jwt.as_ref().and_then(|jwt| jwt.claimed_issuer().ok());
        let issuer = self.issuers().find(|it| Some(it.expectations.issuer.as_str()) == claimed);
        issuer.unwrap_or(&self.inner)
    }

    /// Settles who judges a token, and how.
    pub(crate) fn issuer_of<'t>(
        &self,
        token: &'t AccessToken,
        headers: &HeaderMap,
    ) -> Result<(&Inner, Presented<'t>), InvalidToken> {
        let is_alone = self.further.tenants.is_empty();
        match token.kind()? {
            // There is nothing to choose, so the tenant is asked whatever the token may be.
            TokenKind::Jwt if is_alone && self.inner.introspect_jwt_tokens => {
                Ok((&self.inner, Presented::Opaque))
            }
            TokenKind::Jwt => {
                let jwt = DecodedJwt::decode(token.expose())?;
                let issuer = match is_alone {
                    // Its `iss` is judged when the signature is verified.
                    true => &self.inner,
                    false => self.issuer_named(jwt.claimed_issuer()?)?,
                };
                match issuer.introspect_jwt_tokens {
                    true => Ok((issuer, Presented::Opaque)),
                    false => Ok((issuer, Presented::Jwt(jwt))),
                }
            }
            TokenKind::Opaque => Ok((self.issuer_of_opaque(headers)?, Presented::Opaque)),
        }
    }

    fn issuer_of_opaque(&self, headers: &HeaderMap) -> Result<&Inner, InvalidToken> {
        match &self.further.resolver {
            Some(resolve) => self.issuer_named(&resolve(headers).ok_or(InvalidToken::Issuer)?),
            None if self.further.tenants.is_empty() => Ok(&self.inner),
            None => {
                self.inner.warn_of_opaque_token("no issuer_resolver says who issued it");
                Err(InvalidToken::Unsupported)
            }
        }
    }

    fn issuer_named(&self, name: &str) -> Result<&Inner, InvalidToken> {
        if name == self.inner.expectations.issuer {
            return Ok(&self.inner);
        }
        let issuer = self.further.tenants.get(name).map(Arc::as_ref);
        issuer.ok_or_else(|| {
            tracing::debug!(
                name: "token.issuer_not_accepted",
                found = name,
                "token of an issuer that is not accepted"
            );
            InvalidToken::Issuer
        })
    }
}

/// What is to be judged about a token.
pub(crate) enum Presented<'t> {
    /// A JWT, by its signature and its claims.
    Jwt(DecodedJwt<'t>),
    /// The token as it is, by the tenant.
    Opaque,
}

/// The tenants of an API beside its own.
#[derive(Clone, Default)]
pub(crate) struct FurtherTenants {
    /// By their issuers.
    tenants: BTreeMap<String, Arc<Inner>>,
    resolver: Option<Arc<IssuerResolver>>,
}

/// Names the issuer of the opaque token in a request.
type IssuerResolver = dyn Fn(&HeaderMap) -> Option<String> + Send + Sync;

impl FurtherTenants {
    /// Starts to fetch the documents of all of them; what comes back waits, and tells the first
    /// failure.
    pub(crate) fn start_warming_up(&self) -> impl Future<Output = Result<(), Error>> + use<> {
        let fetches: Vec<_> = self
            .tenants
            .values()
            .map(|issuer| {
                let issuer = Arc::clone(issuer);
                tokio::spawn(async move { issuer.tenant.warm_up().await })
            })
            .collect();
        async move {
            let mut outcome = Ok(());
            for fetch in fetches {
                outcome = outcome.and(fetch.await.unwrap_or_else(|_| Err(interrupted())));
            }
            outcome
        }
    }
}

fn interrupted() -> Error {
    Error::Unavailable { retry_after: Duration::from_secs(1), source: TenantError::Interrupted }
}

//! The examination of a deployment: what [`Diagnosis`] puts into words.
//!
//! Each endpoint is asked once, through the doors that requests go through and past every cache.
//! Tokens are validated by the code that authenticates requests; only the wording is made here.
//!
//! - `documents`: the tenant's metadata, its endpoints, its keys
//! - `clock`: this machine's time
//! - `dpop`: tokens that are bound to a key
//! - `introspection`: whether the tenant talks to this API's client
//! - `token`: whether a token would be accepted
//! - `reasons`: why one would not
//! - `failures`: why an exchange with the tenant brought nothing

mod clock;
pub(crate) mod diagnosis;
mod documents;
mod dpop;
pub(crate) mod examination;
mod failures;
mod introspection;
mod reasons;
mod token;

use std::sync::Arc;

use self::{
    diagnosis::Diagnosis,
    examination::{DemandedAcr, Doctor, ReadClaims},
    token::Presented,
};
use crate::{protect::ProtectApi, token::typed::FromClaims};

impl ProtectApi {
    /// Examines this deployment: the tenant, this API's client there, the clock, and a token, if one
    /// is given: whether it would be accepted, and if not, why.
    ///
    /// Each of the tenant's documents is fetched and one token introspected, past every cache and each
    /// within the response time-out; nothing is kept. A shared record of DPoP proofs is tried with an
    /// entry that expires within a second. The text may contain claims of the token, so it
    /// is for the token's owner, and never the response to a request.
    ///
    /// Of several tenants each is examined, and a JWT is validated for the tenant that it names.
    pub async fn diagnose(&self, token: Option<&str>) -> Diagnosis {
        self.examine(token, None, &DemandedAcr::new()).await
    }

    /// As [`diagnose`](Self::diagnose), for a handler that takes the claims in a type of its own:
    /// also says whether those of the token fit `C`, and if not, which path fails.
    ///
    /// ```no_run
    /// # use monocloud_backend::ProtectApi;
    /// #[derive(serde::Deserialize)]
    /// struct Profile {
    ///     email: String,
    /// }
    ///
    /// # async fn diagnose(protect: ProtectApi, token: &str) {
    /// eprintln!("{}", protect.diagnose_as::<Profile>(token).await);
    /// # }
    /// ```
    pub async fn diagnose_as<C: FromClaims>(&self, token: &str) -> Diagnosis {
        let read: ReadClaims = |claims| C::read(&Arc::new(claims.clone())).map(|_| ());
        self.examine(Some(token), Some(read), &DemandedAcr::new()).await
    }

    /// As [`diagnose`](Self::diagnose), for an API whose operations demand these `acr` values.
    pub(crate) async fn diagnose_with(
        &self,
        token: Option<&str>,
        demanded: &DemandedAcr,
    ) -> Diagnosis {
        self.examine(token, None, demanded).await
    }

    async fn examine(
        &self,
        token: Option<&str>,
        typed: Option<ReadClaims>,
        demanded: &DemandedAcr,
    ) -> Diagnosis {
        let (tenants, settings) = (self.tenants(), self.settings());
        let of_api = dpop::of_api(settings).await;
        if tenants.all().nth(1).is_none() {
            let doctor = Doctor::of(tenants.own(), settings, typed);
            return doctor.examine(token, demanded).await.with(of_api);
        }
        let claimed = token.map(|token| tenants.claimed_by(token));
        let mut diagnoses = Vec::new();
        for validator in tenants.all() {
            let is_claimed = claimed.is_some_and(|claimed| Arc::ptr_eq(claimed, validator));
            let token = token.filter(|_| is_claimed);
            let diagnosis = Doctor::of(validator, settings, typed).examine(token, demanded).await;
            diagnoses.push((validator.issuer().to_owned(), diagnosis));
        }
        Diagnosis::of_several(diagnoses).with(of_api)
    }
}

impl Doctor<'_> {
    async fn examine(mut self, token: Option<&str>, demanded: &DemandedAcr) -> Diagnosis {
        let presented = token.map(|token| self.read(token));
        let published = self.metadata().await;
        let keys = match &published {
            Some(published) => {
                self.acr_values(&published.metadata, demanded);
                self.dpop(&published.metadata);
                self.keys(&published.metadata.jwks_uri).await
            }
            None => None,
        };
        let readable = presented.as_ref().and_then(|presented| presented.as_ref().ok());
        let asked_about = readable.and_then(Presented::asked_about);
        let answer = self.introspection(published.as_ref(), asked_about).await;
        match presented {
            None => {}
            Some(Err(finding)) => self.find(finding),
            Some(Ok(presented)) => self.token(&presented, keys.as_ref(), answer.as_ref()),
        }
        Diagnosis::new(self.findings)
    }
}

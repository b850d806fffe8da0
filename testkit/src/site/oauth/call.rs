//! A request to the authorization server.

use http::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper::body::Bytes;

use crate::{
    Endpoint, Entrance,
    clock::unix_seconds,
    site::{
        Site,
        entrance::Arrival,
        oauth::{error::OAuthError, params::Params},
    },
    tls::thumbprint,
};

/// A request, and where and when it arrived.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) site: &'a Site,
    pub(crate) endpoint: Endpoint,
    pub(crate) request: &'a Request<Bytes>,
    pub(crate) arrival: &'a Arrival,
    /// Seconds since the epoch.
    pub(crate) now: i64,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        site: &'a Site,
        endpoint: Endpoint,
        request: &'a Request<Bytes>,
        arrival: &'a Arrival,
    ) -> Self {
        Self { site, endpoint, request, arrival, now: unix_seconds(site.clock.now()) }
    }

    pub(crate) fn is_post(&self) -> bool {
        self.request.method() == Method::POST
    }

    /// The parameters of a POST request, which must be a form without repetitions.
    pub(crate) fn form(&self) -> Result<Params, OAuthError> {
        if !self.is_post() {
            return Err(OAuthError::request("the method is not POST"));
        }
        if !self.has_media_type("application/x-www-form-urlencoded") {
            return Err(OAuthError::request("the content type is not that of a form"));
        }
        let params = Params::parse(self.request.body());
        params.check().map_err(OAuthError::request)?;
        Ok(params)
    }

    pub(crate) fn query(&self) -> Params {
        Params::parse(self.request.uri().query().unwrap_or_default().as_bytes())
    }

    pub(crate) fn has_media_type(&self, expected: &str) -> bool {
        let content_type = self.request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case(expected)
    }

    /// The values of the `Authorization` header; one that is not text is empty.
    pub(crate) fn authorization(&self) -> Vec<&'a str> {
        let values = self.request.headers().get_all(AUTHORIZATION).iter();
        values.map(|value| value.to_str().unwrap_or_default()).collect()
    }

    /// The thumbprint of the client's certificate at a port for clients with certificates.
    pub(crate) fn certificate(&self) -> Option<String> {
        let is_for_clients = self.arrival.entrance != Entrance::Issuer;
        let certificate = self.arrival.certificates.first().filter(|_| is_for_clients);
        certificate.map(|certificate| thumbprint(certificate))
    }

    /// The URL of the endpoint, as the client knows it.
    pub(crate) fn url(&self) -> String {
        let base = self.site.base(&self.arrival.entrance).unwrap_or(&self.site.issuer);
        format!("{base}{}", self.endpoint.path())
    }
}

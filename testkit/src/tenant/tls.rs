//! TLS, mutual TLS and certificates of a tenant.

use crate::{Authority, Certificate, Endpoint, Entrance, MockTenant, ServerCertificate, tls::Tls};

/// TLS, mutual TLS and certificates.
impl MockTenant {
    /// The authority of the tenant's server certificates. The [`vars`](Self::vars) of a tenant with
    /// [TLS](crate::MockTenantBuilder::tls) name its certificate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The authority of the tenant's client certificates.
    #[must_use]
    pub fn client_authority(&self) -> &Authority {
        &self.client_authority
    }

    /// A certificate by the tenant's [client authority](Self::client_authority), for a caller whose
    /// tokens are [bound](crate::TokenBuilder::bound_to) to it. The tenant has no client of this
    /// name, so the certificate cannot be used to introspect.
    #[must_use]
    pub fn client_certificate(&self, name: &str) -> Certificate {
        self.client_authority.client(name)
    }

    /// Replaces the client's certificates and keys, including the files that
    /// [`vars_for`](Self::vars_for) names, the certificate before the key. The old ones are
    /// rejected from now on.
    ///
    /// # Panics
    ///
    /// If the tenant has no mutual TLS, or the temporary directory cannot be written to.
    #[track_caller]
    pub fn renew_client_certificate(&self) {
        self.client().renew_certificates();
    }

    /// Presents this certificate on connections from now on.
    ///
    /// # Panics
    ///
    /// If the tenant has no TLS.
    #[track_caller]
    pub fn serve_certificate(&self, certificate: ServerCertificate) {
        self.tls().serve_certificate(certificate, &self.authority);
    }

    /// Makes the TLS handshake at the mutual-TLS endpoints fail for clients without a certificate
    /// by the [client authority](Self::client_authority), including those with a self-signed one.
    /// By default the handshake succeeds and introspection rejects the request; servers differ in
    /// this. Open connections stay open.
    ///
    /// # Panics
    ///
    /// If the tenant has no mutual TLS.
    #[track_caller]
    pub fn refuse_in_handshake(&self, refuse: bool) {
        self.tls().set_strict(refuse);
    }

    /// The URL of an endpoint at this entrance.
    ///
    /// # Panics
    ///
    /// If the tenant was built without that entrance.
    #[must_use]
    #[track_caller]
    pub fn url_at(&self, entrance: &Entrance, endpoint: Endpoint) -> String {
        let base = self.site.base(entrance);
        let base = base.unwrap_or_else(|| panic!("the tenant was built without {entrance:?}"));
        format!("{base}{}", endpoint.path())
    }

    /// The number of requests to an endpoint over connections with a client certificate. A tenant
    /// with mutual TLS asks for one at every entrance, in order to count them.
    #[must_use]
    pub fn requests_with_certificate(&self, endpoint: Endpoint) -> usize {
        self.site.endpoint(endpoint).requests_with_certificate()
    }

    #[track_caller]
    fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("the tenant was built without TLS")
    }
}

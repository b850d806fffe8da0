//! TLS, mutual TLS and certificates of a tenant.

use crate::{Authority, Certificate, Endpoint, Entrance, MockTenant, ServerCertificate, tls::Tls};

/// TLS, mutual TLS and certificates.
impl MockTenant {
    /// Who vouches for the tenant's servers; [`vars`](Self::vars) of a tenant with
    /// [TLS](crate::MockTenantBuilder::tls) name its certificate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Who vouches for the tenant's clients.
    #[must_use]
    pub fn client_authority(&self) -> &Authority {
        &self.client_authority
    }

    /// A certificate by the tenant's [client authority](Self::client_authority), for
    /// a caller whose tokens are [bound](crate::TokenBuilder::bound_to) to it. The
    /// tenant has no client of this name, so it introspects nothing.
    #[must_use]
    pub fn client_certificate(&self, name: &str) -> Certificate {
        self.client_authority.client(name)
    }

    /// Gives the client new certificates and keys in place of the old ones, in the
    /// files too that [`vars_for`](Self::vars_for) names: first the one, then the
    /// other. The old ones are refused from now on.
    ///
    /// # Panics
    ///
    /// If the tenant has no mutual TLS, or the temporary directory cannot be written to.
    #[track_caller]
    pub fn renew_client_certificate(&self) {
        self.client().renew_certificates();
    }

    /// Shows this certificate to whoever connects from now on.
    ///
    /// # Panics
    ///
    /// If the tenant has no TLS.
    #[track_caller]
    pub fn serve_certificate(&self, certificate: ServerCertificate) {
        self.tls().serve_certificate(certificate, &self.authority);
    }

    /// Lets the TLS handshake at the mutual-TLS endpoints fail for whoever shows no
    /// certificate by the [client authority](Self::client_authority): none at all, or
    /// a self-signed one. By default all of them get in, for introspection to refuse;
    /// servers differ in this. Connections that are there already stay.
    ///
    /// # Panics
    ///
    /// If the tenant has no mutual TLS.
    #[track_caller]
    pub fn refuse_in_handshake(&self, refuse: bool) {
        self.tls().set_strict(refuse);
    }

    /// Where an endpoint is behind this entrance.
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

    /// How many of the requests to an endpoint came over a connection with a client
    /// certificate. A tenant with mutual TLS asks for one at every entrance, so that
    /// it can tell.
    #[must_use]
    pub fn requests_with_certificate(&self, endpoint: Endpoint) -> usize {
        self.site.endpoint(endpoint).requests_with_certificate()
    }

    #[track_caller]
    fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("the tenant was built with TLS")
    }
}

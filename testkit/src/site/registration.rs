//! The certificates that are registered for the client.

use std::{collections::HashSet, mem, slice, sync::Mutex, time::Duration};

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, TrustAnchor, UnixTime},
};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use crate::{
    Authority, Certificate, ClientAuth,
    lock::locked,
    site::refusal::{Refusal, ensure},
    tls::thumbprint,
};

const COMMON_NAME: &str = "the API";
const SPIFFE_ID: &str = "spiffe://example.org/api";

/// The trusted root, and the certificates and keys of the client.
#[derive(Debug)]
pub(crate) struct Registration {
    /// The root of the certificates that the tenant accepts.
    root: TrustAnchor<'static>,
    /// The intermediate authority that issues them: clients must send the whole chain.
    authority: Authority,
    pairs: Mutex<Pairs>,
}

/// The client's certificate for each method.
#[derive(Debug)]
struct Pairs {
    tls: Certificate,
    self_signed: Certificate,
    spiffe: Certificate,
    /// The thumbprints of those that were replaced.
    replaced: HashSet<String>,
}

impl Registration {
    pub(crate) fn new(root: &Authority) -> Self {
        let anchor = anchor_from_trusted_cert(root.der()).expect("an authority's certificate");
        let authority = root.intermediate();
        Self { root: anchor.to_owned(), pairs: Mutex::new(Pairs::issued_by(&authority)), authority }
    }

    /// The client's certificate for this method, which must be one with certificates.
    pub(crate) fn certificate(&self, method: ClientAuth) -> Certificate {
        let pairs = locked(&self.pairs);
        let certificate = match method {
            ClientAuth::SelfSignedTls => &pairs.self_signed,
            ClientAuth::SpiffeX509 => &pairs.spiffe,
            _ => &pairs.tls,
        };
        certificate.clone()
    }

    /// Replaces all certificates. The old ones are rejected from now on.
    pub(crate) fn renew(&self) {
        let mut pairs = locked(&self.pairs);
        let old = [&pairs.tls, &pairs.self_signed, &pairs.spiffe].map(Certificate::thumbprint);
        let mut replaced = mem::take(&mut pairs.replaced);
        replaced.extend(old);
        *pairs = Pairs { replaced, ..Pairs::issued_by(&self.authority) };
    }

    /// Returns the method by which this certificate chain, the leaf first, authenticates the client
    /// at this second since the epoch (RFC 8705 §2.1 and §2.2).
    pub(crate) fn recognize(
        &self,
        chain: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<ClientAuth, Refusal> {
        let (der, intermediates) = chain.split_first().ok_or("there is no certificate")?;
        let pairs = locked(&self.pairs);
        let is_replaced = pairs.replaced.contains(&thumbprint(der));
        ensure(!is_replaced, "the certificate was replaced by a newer one")?;
        if der.as_ref() == pairs.self_signed.der() {
            return Ok(ClientAuth::SelfSignedTls);
        }

        let certificate = parsed(der)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.unsigned_abs()));
        certificate
            .verify_for_usage(
                aws_lc_rs::default_provider().signature_verification_algorithms.all,
                slice::from_ref(&self.root),
                intermediates,
                now,
                KeyUsage::client_auth(),
                None,
                None,
            )
            .map_err(|error| match error {
                Error::CertExpired { .. } => "the certificate has expired",
                _ => "the certificate is neither by the client authority nor registered",
            })?;
        match certificate.valid_uri_names().collect::<Vec<_>>()[..] {
            [] => {
                let is_ours = certificate.subject() == parsed(&pairs.tls.der().into())?.subject();
                ensure(is_ours, "the certificate's subject is not the client's")?;
                Ok(ClientAuth::Tls)
            }
            [SPIFFE_ID] => Ok(ClientAuth::SpiffeX509),
            _ => Err("the certificate's SPIFFE ID is not the client's"),
        }
    }
}

impl Pairs {
    fn issued_by(authority: &Authority) -> Self {
        Self {
            tls: authority.client(COMMON_NAME),
            self_signed: Certificate::self_signed(COMMON_NAME),
            spiffe: authority.spiffe(SPIFFE_ID),
            replaced: HashSet::new(),
        }
    }
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<EndEntityCert<'a>, Refusal> {
    EndEntityCert::try_from(der).map_err(|_| "the certificate is not X.509")
}

//! Why an exchange with the tenant brought nothing, and what to do about it.

use std::{error::Error as StdError, io};

use rustls::{CertificateError, Error as TlsError};

use super::{
    documents::ASK_THE_TENANT,
    examination::{Doctor, advice_on_issuer},
};
use crate::{
    config::Key,
    doctor::diagnosis::{Finding, FindingKind, quoted},
    error::{Chain, TenantError},
    tenant::http::causes,
};

impl Doctor<'_> {
    /// Puts a failure into words; `what` was to be had.
    pub(super) fn failure(&self, what: &str, error: &TenantError) -> Finding {
        match error {
            TenantError::Unreachable { url, source } => unreachable(what, url, source.get()),
            TenantError::Timeout { url } => {
                let message = format!("the {what} did not come in time from {url}");
                Finding::error(FindingKind::TenantTimeout, message).advise(format!(
                    "check whether a firewall drops the connection, or HTTPS_PROXY and NO_PROXY name \
                     the wrong way; a slow tenant needs a greater {}, in milliseconds",
                    Key::ResponseTimeout.variable()
                ))
            }
            TenantError::Status { url, status, code, .. } => {
                let answer = answered(*status, code.as_deref());
                let message = format!("{url} answered with {answer}: there is no {what}");
                Finding::error(FindingKind::TenantStatus, message)
                    .advise(self.advice_on_status(*status))
            }
            TenantError::Issuer { expected, found } => {
                let message = match found.is_empty() {
                    true => format!("the metadata names no issuer; {expected} is configured"),
                    false => format!(
                        "the metadata names the issuer {}; {} is configured, compared byte for byte",
                        quoted(found),
                        quoted(expected)
                    ),
                };
                Finding::error(FindingKind::Issuer, message)
                    .advise(advice_on_issuer(expected, found))
            }
            TenantError::Endpoint { .. } => {
                let message = Chain(error).to_string();
                Finding::error(FindingKind::EndpointUnusable, message).advise(ASK_THE_TENANT)
            }
            TenantError::Document { .. } => {
                let message = Chain(error).to_string();
                let kind = match what {
                    "metadata" => FindingKind::Metadata,
                    _ => FindingKind::Introspection,
                };
                Finding::error(kind, message).advise(format!(
                    "check that {} is a tenant, and whether a proxy answers instead",
                    Key::TenantDomain.variable()
                ))
            }
            TenantError::Certificate { url, .. } => {
                let message =
                    format!("the tenant ended the handshake at {url} over this API's certificate");
                Finding::error(FindingKind::ClientCertificate, message).advise(format!(
                    "check that the certificate in {} is valid and registered for the client, \
                     chain included",
                    Key::ClientCertificateFile.variable()
                ))
            }
            TenantError::Credentials { source } => {
                let message = format!("client credentials are unavailable: {source}");
                Finding::error(FindingKind::ClientCredentials, message).advise(format!(
                    "check {}, or `svid_provider`",
                    Key::ClientAssertionFile.variable()
                ))
            }
            TenantError::Interrupted | TenantError::Overloaded => {
                Finding::error(FindingKind::TenantUnreachable, Chain(error).to_string())
            }
        }
    }

    fn advice_on_status(&self, status: u16) -> String {
        let domain = Key::TenantDomain.variable();
        match status {
            404 => {
                let path = self.validator.tenant.discovery_url().path();
                match path.strip_suffix("/.well-known/openid-configuration") {
                    Some(path) if !path.is_empty() => {
                        format!("check that {domain} is correct and includes the path {path}")
                    }
                    _ => format!("check that {domain} is correct and includes any path"),
                }
            }
            300..400 => format!("redirects are not followed: set {domain} to where it leads"),
            407 => "check HTTPS_PROXY: the proxy requires authentication".to_owned(),
            429 => {
                "the tenant asks for a pause; wait, and see who else asks it so often".to_owned()
            }
            408 | 500.. => {
                "the tenant, or a proxy before it, is in trouble: wait, and ask again".to_owned()
            }
            _ => format!("check that {domain} is correct, and whether a firewall answers instead"),
        }
    }
}

/// A status and the OAuth error code beside it (RFC 6749 §5.2).
pub(super) fn answered(status: u16, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("status {status} ({code})"),
        None => format!("status {status}"),
    }
}

fn unreachable(what: &str, url: &str, error: &(dyn StdError + 'static)) -> Finding {
    let root = causes(error).last().map(ToString::to_string).unwrap_or_default();
    let message = format!("could not fetch the {what} from {url}: {root}");
    let tls = causes(error).find_map(|cause| cause.downcast_ref::<TlsError>());
    if let Some(tls) = tls {
        return Finding::error(FindingKind::TenantUntrusted, message).advise(advice_on_tls(tls));
    }
    let finding = Finding::error(FindingKind::TenantUnreachable, message);
    let is_refused = causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused);
    // The connector's own words: it has no type for them.
    let says = |word| causes(error).any(|cause| cause.to_string().contains(word));
    let domain = Key::TenantDomain.variable();
    finding.advise(match () {
        () if is_refused => {
            format!("nothing listens there: check host and port in {domain}")
        }
        () if says("dns error") => format!(
            "no such host: check that {domain} is correct, and whether this machine resolves names"
        ),
        () if says("tunnel") => "the proxy rejects this: check HTTPS_PROXY and NO_PROXY".to_owned(),
        () => format!(
            "check that {domain} is correct, and check HTTPS_PROXY, NO_PROXY and the firewall"
        ),
    })
}

fn advice_on_tls(error: &TlsError) -> String {
    let domain = Key::TenantDomain.variable();
    match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => format!(
            "if a proxy or a private authority vouches for it, set {} to a PEM file with that \
             authority",
            Key::CaCertificateFile.variable()
        ),
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the certificate is for another host: check that {domain} is correct"),
        TlsError::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "check this machine's clock; if that is correct, the tenant's certificate is out \
              of date"
            .to_owned(),
        // rustls has no variant for it.
        TlsError::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            format!(
                "the tenant presents the certificate of an authority (CA:TRUE, the default of \
                 `openssl req -x509`), which no server may use: create it with `-addext \
                 basicConstraints=critical,CA:FALSE`, or let that authority issue one for the \
                 tenant and keep the authority's in {}",
                Key::CaCertificateFile.variable()
            )
        }
        TlsError::InvalidMessage(_) => {
            format!("the server there does not use TLS: check that the port in {domain} is correct")
        }
        _ => format!(
            "check the tenant's TLS, and {} if your own authority issued the certificate",
            Key::CaCertificateFile.variable()
        ),
    }
}

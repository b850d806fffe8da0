//! PEM files: certificates to trust, and the client's own with its key.

use std::path::PathBuf;

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use super::{Key, settings::Settings};

/// Where the client's certificate chain and key are; they are read again when they change.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

/// The certificates of `CA_CERTIFICATE_FILE`, each fit to be a trust anchor.
pub(super) fn ca_certificates(settings: &mut Settings) -> Vec<CertificateDer<'static>> {
    let is_anchor = |certificate: &CertificateDer<'static>| {
        let added = RootCertStore::empty().add(certificate.clone());
        added.is_ok()
    };
    match certificates(settings, Key::CaCertificateFile, is_anchor) {
        Some((_, certificates)) => certificates,
        None => Vec::new(),
    }
}

/// The client's certificate and key, once both are known to be good and to belong together.
pub(super) fn client_certificate(settings: &mut Settings) -> Option<ClientCertificate> {
    let parses = |certificate: &CertificateDer<'static>| {
        let parsed = ParsedCertificate::try_from(certificate);
        parsed.is_ok()
    };
    let chain = certificates(settings, Key::ClientCertificateFile, parses);
    let key = private_key(settings);
    let ((certificate_file, chain), (key_file, key)) = chain.zip(key)?;
    if CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).is_err() {
        let path = settings.shown(&key_file.display().to_string());
        let certificate = Key::ClientCertificateFile.variable();
        settings.refuse(
            Key::ClientKeyFile,
            format!("{path} holds a key that cannot be used, or not with {certificate}"),
        );
        return None;
    }
    Some(ClientCertificate { certificate_file, key_file })
}

fn certificates(
    settings: &mut Settings,
    key: Key,
    is_good: impl Fn(&CertificateDer<'static>) -> bool,
) -> Option<(PathBuf, Vec<CertificateDer<'static>>)> {
    let (path, pem) = settings.file(key)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let mistake = match certificates {
        Ok(certificates) if certificates.is_empty() => "holds no certificate in PEM",
        Ok(certificates) if certificates.iter().all(is_good) => return Some((path, certificates)),
        Ok(_) => "holds a certificate that is not valid X.509",
        Err(_) => "is broken PEM",
    };
    let shown = settings.shown(&path.display().to_string());
    settings.refuse(key, format!("{shown} {mistake}"));
    None
}

fn private_key(settings: &mut Settings) -> Option<(PathBuf, PrivateKeyDer<'static>)> {
    let (path, pem) = settings.file(Key::ClientKeyFile)?;
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Some((path, key)),
        Err(_) => {
            let shown = settings.shown(&path.display().to_string());
            let message = format!("{shown} holds no unencrypted private key in PEM");
            settings.refuse(Key::ClientKeyFile, message);
            None
        }
    }
}

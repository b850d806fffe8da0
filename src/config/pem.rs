//! PEM files: certificates to trust, and the client's own with its key.

use std::path::PathBuf;

use rustls::{RootCertStore, pki_types::CertificateDer};

use super::{Key, settings::Settings};
use crate::certificate::key_pair::{self, KeyPairFiles, Mistake};

/// The certificates of `CA_CERTIFICATE_FILE`, each fit to be a trust anchor.
pub(super) fn ca_certificates(settings: &mut Settings) -> Vec<CertificateDer<'static>> {
    let Some((path, pem)) = settings.file(Key::CaCertificateFile) else { return Vec::new() };
    let mistake = match key_pair::certificates(&pem) {
        Ok(certificates) if certificates.iter().all(is_anchor) => return certificates,
        Ok(_) => Mistake::NotX509,
        Err(mistake) => mistake,
    };
    let shown = settings.shown(&path.display().to_string());
    settings.refuse(Key::CaCertificateFile, format!("{shown} {mistake}"));
    Vec::new()
}

/// The files of the client's certificate and key, once both are known to be good and to belong
/// together.
pub(super) fn client_certificate(settings: &mut Settings) -> Option<KeyPairFiles> {
    let mut path = |key| settings.text(key).map(PathBuf::from).unwrap_or_default();
    let certificate_file = path(Key::ClientCertificateFile);
    let files = KeyPairFiles { certificate_file, key_file: path(Key::ClientKeyFile) };
    let Err(error) = files.load() else { return Some(files) };
    for (key, path, mistake) in [
        (Key::ClientCertificateFile, &files.certificate_file, error.certificate),
        (Key::ClientKeyFile, &files.key_file, error.key),
    ] {
        // One that was not given has been missed already.
        let Some(mistake) = mistake.filter(|_| !path.as_os_str().is_empty()) else { continue };
        let shown = settings.shown(&path.display().to_string());
        let certificate = match mistake {
            Mistake::OtherKey => format!(" of {}", Key::ClientCertificateFile.variable()),
            _ => String::new(),
        };
        settings.refuse(key, format!("{shown} {mistake}{certificate}"));
    }
    None
}

fn is_anchor(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

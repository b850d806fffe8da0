//! A certificate and its key in two PEM files that may change while the process runs.
//!
//! Short-lived certificates are renewed in place; a SPIFFE SVID lives for minutes. The files are
//! read again once their metadata differ, and while they are of no use the last good pair serves.

use std::{
    error::Error as StdError,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use rustls::{
    Error as TlsError,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

/// A longer file is not read, in bytes: no TLS handshake carries a longer chain.
const MAX_FILE: u64 = 128 * 1024;

/// Where a certificate chain and its key are; one file may hold both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyPairFiles {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

impl KeyPairFiles {
    /// Reads a chain, the end-entity certificate first, and the key that belongs to it.
    pub(crate) fn load(&self) -> Result<Arc<CertifiedKey>, KeyPairError> {
        let chain = read(&self.certificate_file).and_then(|pem| certificates(&pem));
        let key = read(&self.key_file)
            .and_then(|pem| PrivateKeyDer::from_pem_slice(&pem).map_err(|_| Mistake::NoKey));
        let failed = |certificate, key| KeyPairError { files: self.clone(), certificate, key };
        let (chain, key) = match (chain, key) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(failed(chain.err(), key.err())),
        };
        let pair = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        pair.map(Arc::new).map_err(|error| {
            let mistake = match error {
                TlsError::InconsistentKeys(_) => Mistake::OtherKey,
                _ => Mistake::UnusableKey,
            };
            failed(None, Some(mistake))
        })
    }

    /// Nothing if the file is missing.
    fn stamps(&self) -> Option<[Stamp; 2]> {
        Some([Stamp::of(&self.certificate_file)?, Stamp::of(&self.key_file)?])
    }
}

/// The certificates in a PEM file, at least one, each valid X.509.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Mistake::BrokenPem)?;
    let is_x509 = |certificate| ParsedCertificate::try_from(certificate).is_ok();
    match certificates.iter().all(is_x509) {
        _ if certificates.is_empty() => Err(Mistake::NoCertificate),
        false => Err(Mistake::NotX509),
        true => Ok(certificates),
    }
}

/// A pair that follows its files.
pub(crate) struct ReloadingKeyPair {
    files: KeyPairFiles,
    state: Mutex<State>,
}

struct State {
    pair: Arc<CertifiedKey>,
    /// Of the files that `pair` is from. While the files have others they are tried each time, so
    /// what could not be used once is used as soon as it can be.
    stamps: Option<[Stamp; 2]>,
    /// What was wrong last time, which has been told.
    failure: Option<KeyPairError>,
}

impl ReloadingKeyPair {
    /// Starts with a good pair, or not at all.
    pub(crate) fn open(files: KeyPairFiles) -> Result<Self, KeyPairError> {
        // Before the files are read: what is written meanwhile is seen the next time.
        let stamps = files.stamps();
        let state = State { pair: files.load()?, stamps, failure: None };
        Ok(Self { files, state: Mutex::new(state) })
    }

    /// The last good pair; the same `Arc` until there is another.
    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        let mut state = self.state();
        let stamps = self.files.stamps();
        if stamps.is_none() || stamps != state.stamps {
            match self.files.load() {
                Ok(pair) => state.succeed(pair, stamps),
                Err(error) => state.fail(error),
            }
        }
        Arc::clone(&state.pair)
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn succeed(&mut self, pair: Arc<CertifiedKey>, stamps: Option<[Stamp; 2]>) {
        // Files that were touched, or away for a moment, make no new identity.
        if pair.cert != self.pair.cert {
            self.pair = pair;
        }
        self.stamps = stamps;
        self.failure = None;
    }

    /// Tells each failure once, however often the files are tried.
    fn fail(&mut self, error: KeyPairError) {
        if self.failure.as_ref() != Some(&error) {
            tracing::warn!(
                name: "key_pair.unusable",
                %error,
                "a renewed key pair is of no use; the last good one serves"
            );
        }
        self.failure = Some(error);
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Eq, PartialEq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    /// A copy may keep the time of its original, but not these.
    #[cfg(unix)]
    identity: [i64; 4],
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            identity: {
                use std::os::unix::fs::MetadataExt as _;
                let number = u64::cast_signed;
                let (device, inode) = (number(metadata.dev()), number(metadata.ino()));
                [device, inode, metadata.ctime(), metadata.ctime_nsec()]
            },
        })
    }
}

/// What is wrong with one file, or with both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyPairError {
    files: KeyPairFiles,
    pub(crate) certificate: Option<Mistake>,
    pub(crate) key: Option<Mistake>,
}

impl fmt::Display for KeyPairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyPairFiles { certificate_file, key_file } = &self.files;
        let mistakes = [(certificate_file, self.certificate), (key_file, self.key)];
        let mistakes = mistakes.into_iter().filter_map(|(file, mistake)| Some((file, mistake?)));
        for (count, (file, mistake)) in mistakes.enumerate() {
            let separator = if count > 0 { "; " } else { "" };
            write!(f, "{separator}{} {mistake}", file.display())?;
        }
        Ok(())
    }
}

impl StdError for KeyPairError {}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("is broken PEM")]
    BrokenPem,
    #[error("holds no certificate in PEM")]
    NoCertificate,
    #[error("holds no unencrypted private key in PEM")]
    NoKey,
    #[error("is not a file")]
    NotAFile,
    #[error("holds a certificate that is not valid X.509")]
    NotX509,
    #[error("holds a key that does not belong to the certificate")]
    OtherKey,
    #[error("is longer than {MAX_FILE} bytes")]
    TooLong,
    #[error("cannot be read: {}", why_unreadable(*.0))]
    Unreadable(io::ErrorKind),
    #[error("holds a key that cannot be used")]
    UnusableKey,
}

/// Why a file cannot be read, as a terminal says it.
pub(crate) fn why_unreadable(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        kind => kind.to_string(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Mistake> {
    let unreadable = |error: io::Error| Mistake::Unreadable(error.kind());
    // Another thing, a pipe say, could keep us waiting.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Mistake::NotAFile);
    }
    let mut content = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let length = file.take(MAX_FILE + 1).read_to_end(&mut content).map_err(unreadable)?;
    match length as u64 > MAX_FILE {
        true => Err(Mistake::TooLong),
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;
    use tempfile::TempDir;

    use super::*;

    /// Files in a folder of their own, and what was last written to them.
    struct Pair {
        folder: TempDir,
        files: KeyPairFiles,
    }

    impl Pair {
        fn new() -> Self {
            let folder = TempDir::new().unwrap();
            let files = KeyPairFiles {
                certificate_file: folder.path().join("certificate.pem"),
                key_file: folder.path().join("key.pem"),
            };
            let pair = Self { folder, files };
            pair.renew();
            pair
        }

        /// Puts a new pair in the place of the old one.
        fn renew(&self) {
            let (certificate, key) = generate();
            self.put(&self.files.certificate_file, &certificate);
            self.put(&self.files.key_file, &key);
        }

        /// Atomically, as an issuer writes it.
        fn put(&self, path: &Path, content: &str) {
            let new = self.folder.path().join("new");
            fs::write(&new, content).unwrap();
            fs::rename(new, path).unwrap();
        }

        fn mistakes(&self) -> [Option<Mistake>; 2] {
            let error = self.files.load().unwrap_err();
            [error.certificate, error.key]
        }
    }

    fn generate() -> (String, String) {
        let pair = generate_simple_self_signed(["api.example.com".to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    }

    #[test]
    fn the_pair_stays_the_same_until_its_files_change() {
        let pair = Pair::new();
        let reloading = ReloadingKeyPair::open(pair.files.clone()).unwrap();
        let first = reloading.current();
        assert!(Arc::ptr_eq(&first, &reloading.current()));
        let content = fs::read_to_string(&pair.files.key_file).unwrap();
        pair.put(&pair.files.key_file, &content);
        assert!(Arc::ptr_eq(&first, &reloading.current()));
        pair.renew();
        let second = reloading.current();
        assert_ne!(first.cert, second.cert);
        assert!(second.keys_match().is_ok());
        assert!(Arc::ptr_eq(&second, &reloading.current()));
    }

    #[test]
    fn the_last_good_pair_serves_while_the_files_are_of_no_use() {
        let pair = Pair::new();
        let reloading = ReloadingKeyPair::open(pair.files.clone()).unwrap();
        let good = reloading.current();
        let (certificate, key) = generate();
        let serves = |case: &str| assert!(Arc::ptr_eq(&good, &reloading.current()), "{case}");

        pair.put(&pair.files.certificate_file, &certificate);
        serves("the key is still that of the old certificate");
        pair.put(&pair.files.key_file, &key[..key.len() / 2]);
        serves("half a key");
        fs::remove_file(&pair.files.key_file).unwrap();
        serves("no key");
        fs::remove_file(&pair.files.certificate_file).unwrap();
        serves("nothing");

        pair.put(&pair.files.certificate_file, &certificate);
        pair.put(&pair.files.key_file, &key);
        assert_ne!(reloading.current().cert, good.cert);
    }

    #[test]
    fn a_whole_chain_is_read_and_one_file_may_hold_everything() {
        let pair = Pair::new();
        let (certificate, key) = generate();
        let (issuer, _) = generate();
        let file = &pair.files.certificate_file;
        pair.put(file, &format!("{certificate}{issuer}{key}"));
        let files = KeyPairFiles { certificate_file: file.clone(), key_file: file.clone() };
        assert_eq!(files.load().unwrap().cert.len(), 2);
    }

    #[test]
    fn an_error_names_each_file_and_what_is_wrong_with_it() {
        let pair = Pair::new();
        let KeyPairFiles { certificate_file, key_file } = &pair.files;
        let (_, other_key) = generate();
        pair.put(key_file, &other_key);
        assert_eq!(pair.mistakes(), [None, Some(Mistake::OtherKey)]);
        let long = "#".repeat(MAX_FILE as usize + 1);
        pair.put(key_file, &long);
        assert_eq!(pair.mistakes(), [None, Some(Mistake::TooLong)]);
        pair.put(certificate_file, &other_key);
        fs::remove_file(key_file).unwrap();
        fs::create_dir(key_file).unwrap();
        assert_eq!(pair.mistakes(), [Some(Mistake::NoCertificate), Some(Mistake::NotAFile)]);
        fs::remove_file(certificate_file).unwrap();
        assert_eq!(
            pair.files.load().unwrap_err().to_string(),
            format!(
                "{} cannot be read: no such file; {} is not a file",
                certificate_file.display(),
                key_file.display()
            )
        );
    }
}

//! The client of a tenant: the API under test.

use std::sync::Mutex;

use serde_json::json;

use crate::{
    Algorithm, Authority, ClientAuth, Signer,
    lock::locked,
    site::{recent::Recent, registration::Registration},
    tls::Folder,
    token::{KeyRing, SigningKey, Unsigned, random_id},
};

/// The number of assertions that cannot be used again. No test uses as many in the minute that one
/// is valid.
const ASSERTIONS: usize = 100_000;

/// The client that may introspect tokens: the API under test.
///
/// Its id and secret contain characters that break if an encoding is missing: a colon, a percent
/// sign, a plus sign, a space and a non-ASCII letter.
#[derive(Debug)]
pub struct Client {
    id: String,
    secret: String,
    /// A key is registered when the settings first need it.
    keys: Mutex<KeyRing>,
    svid: Mutex<Option<String>>,
    /// `None` without mutual TLS.
    pub(crate) registration: Option<Registration>,
    /// The files of the client.
    folder: Mutex<Option<Folder>>,
    /// The `jti` of each assertion that was accepted.
    pub(crate) used_assertions: Mutex<Recent<()>>,
}

impl Client {
    /// The client of a tenant; with mutual TLS, this authority is the root for its certificates.
    pub(crate) fn new(authority: Option<&Authority>) -> Self {
        Self {
            id: "the API: 50%25+é".to_owned(),
            secret: format!("let us in: 50%25+é {}", random_id()),
            keys: Mutex::default(),
            svid: Mutex::default(),
            registration: authority.map(Registration::new),
            folder: Mutex::default(),
            used_assertions: Mutex::new(Recent::new(ASSERTIONS)),
        }
    }

    /// The client identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client secret, which differs between tenants.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The settings for authenticating by `method`, as names without their prefix, and values.
    #[track_caller]
    pub(crate) fn settings(&self, method: ClientAuth, issuer: &str) -> Vec<(&str, String)> {
        let mut settings = vec![("CLIENT_ID", self.id.clone())];
        match method {
            ClientAuth::PrivateKeyJwt(algorithm) => {
                let key = locked(&self.keys).key(Signer::Active, algorithm);
                settings.push(("CLIENT_SECRET", key.private_jwk().to_string()));
            }
            ClientAuth::SpiffeJwt => {
                let svid = self.svid(issuer);
                settings.push(("CLIENT_ASSERTION_FILE", self.file("svid.jwt", &svid)));
            }
            ClientAuth::Tls | ClientAuth::SelfSignedTls | ClientAuth::SpiffeX509 => {
                let [certificate, key] = self.certificate_files(method);
                settings.push(("CLIENT_CERTIFICATE_FILE", certificate));
                settings.push(("CLIENT_KEY_FILE", key));
            }
            _ => settings.push(("CLIENT_SECRET", self.secret.clone())),
        }
        settings.push(("CLIENT_AUTH_METHOD", method.as_str().to_owned()));
        settings
    }

    /// The registered key with this `kid`.
    pub(crate) fn key(&self, kid: &str) -> Option<SigningKey> {
        locked(&self.keys).active().find(|key| key.kid == kid).cloned()
    }

    /// Whether this is the current SVID.
    pub(crate) fn has_svid(&self, text: &str) -> bool {
        locked(&self.svid).as_ref().is_some_and(|svid| svid == text)
    }

    /// Replaces the SVID, and its file.
    pub(crate) fn renew_svid(&self, issuer: &str) {
        let svid = Self::new_svid(issuer);
        self.file("svid.jwt", &svid);
        *locked(&self.svid) = Some(svid);
    }

    /// Replaces the certificates and keys, and their files.
    #[track_caller]
    pub(crate) fn renew_certificates(&self) {
        self.registration().renew();
        for method in [ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509] {
            self.certificate_files(method);
        }
    }

    /// Removes all files.
    pub(crate) fn withdraw_files(&self) {
        locked(&self.folder).take();
    }

    fn svid(&self, issuer: &str) -> String {
        locked(&self.svid).get_or_insert_with(|| Self::new_svid(issuer)).clone()
    }

    #[track_caller]
    fn registration(&self) -> &Registration {
        self.registration.as_ref().expect("the tenant was built without mutual TLS")
    }

    /// Writes the client's certificate for this method, and its key, and returns the paths.
    #[track_caller]
    fn certificate_files(&self, method: ClientAuth) -> [String; 2] {
        let certificate = self.registration().certificate(method);
        let file =
            |what, text: String| self.file(&format!("{}.{what}.pem", method.as_str()), &text);
        [file("certificate", certificate.chain_pem()), file("key", certificate.key_pem())]
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = locked(&self.folder).get_or_insert_with(Folder::new).put(name, text);
        path.into_os_string().into_string().expect("the path is UTF-8")
    }

    /// It has the form of a JWT (JWT-SVID §2 and §3), but the tenant only compares it.
    fn new_svid(issuer: &str) -> String {
        let key = SigningKey::fresh(Algorithm::Es256, &[]);
        let header = json!({ "alg": "ES256", "kid": key.kid, "typ": "JWT" });
        let payload = json!({
            "sub": "spiffe://example.org/api",
            "aud": [issuer],
            "exp": 4_102_444_800_u32,
            "jti": random_id(),
        });
        let [header, payload] = [header, payload].map(|part| part.to_string().into_bytes());
        Unsigned { header, payload, key }.sign()
    }
}

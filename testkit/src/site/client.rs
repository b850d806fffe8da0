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

/// The number of assertions that cannot be used again. No test uses as many in the minute that
/// one is valid.
const ASSERTIONS: usize = 100_000;

/// The client that may ask the tenant about tokens: the API under test.
///
/// Its id and secret hold characters that come out wrong wherever an encoding is
/// missing: a colon, a percent sign, a plus, a blank and a letter beyond ASCII.
#[derive(Debug)]
pub struct Client {
    id: String,
    secret: String,
    /// A key is registered when it is first asked for.
    keys: Mutex<KeyRing>,
    svid: Mutex<Option<String>>,
    /// Nothing without mutual TLS.
    pub(crate) registration: Option<Registration>,
    /// What the client reads from files.
    folder: Mutex<Option<Folder>>,
    /// The `jti` of each assertion that was accepted.
    pub(crate) used_assertions: Mutex<Recent<()>>,
}

impl Client {
    /// The client of a tenant; with mutual TLS, this authority is the root for its
    /// certificates.
    pub(crate) fn new(authority: Option<&Authority>) -> Self {
        Self {
            id: "the API: 50%25+é".into(),
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

    /// The client secret, another one for each tenant.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What the API needs to know to authenticate by `method`, as names without
    /// their prefix, and values.
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
        settings.push(("CLIENT_AUTH_METHOD", method.as_str().into()));
        settings
    }

    /// The registered key of this name.
    pub(crate) fn key(&self, kid: &str) -> Option<SigningKey> {
        locked(&self.keys).active().find(|key| key.kid == kid).cloned()
    }

    /// Whether this is the SVID of the moment.
    pub(crate) fn has_svid(&self, text: &str) -> bool {
        locked(&self.svid).as_ref().is_some_and(|svid| svid == text)
    }

    /// Puts a new SVID in the place of the old one, in the file too.
    pub(crate) fn renew_svid(&self, issuer: &str) {
        let svid = Self::new_svid(issuer);
        self.file("svid.jwt", &svid);
        *locked(&self.svid) = Some(svid);
    }

    /// Puts new certificates and keys in the place of the old ones, in the files too.
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
        self.registration.as_ref().expect("the tenant was built with mutual TLS")
    }

    /// Files with the client's certificate for this method and with its key.
    #[track_caller]
    fn certificate_files(&self, method: ClientAuth) -> [String; 2] {
        let certificate = self.registration().certificate(method);
        let file =
            |what, text: String| self.file(&format!("{}.{what}.pem", method.as_str()), &text);
        [file("certificate", certificate.chain_pem()), file("key", certificate.key_pem())]
    }

    /// The path of a file with this text.
    fn file(&self, name: &str, text: &str) -> String {
        let path = locked(&self.folder).get_or_insert_with(Folder::new).put(name, text);
        path.into_os_string().into_string().expect("a path of UTF-8")
    }

    /// A JWT by its form (JWT-SVID §2 and §3); nobody here reads it.
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

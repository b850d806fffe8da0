use crate::key_ring::KeyRing;
use crate::signing_key::{SigningKey, random_id};
use crate::site::locked;
use crate::token::Unsigned;
use crate::{Algorithm, Signer};
use serde_json::json;
use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use tempfile::TempDir;

/// How a client proves who it is (RFC 7591 §2, OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `client_secret_basic`: id and secret, form-encoded, in the `Authorization`
    /// header (RFC 6749 §2.3.1).
    SecretBasic,
    /// `client_secret_post`: id and secret in the body (RFC 6749 §2.3.1).
    SecretPost,
    /// `client_secret_jwt`: an assertion, authenticated by HMAC SHA-256 with the
    /// secret (RFC 7523 §2.2).
    SecretJwt,
    /// `private_key_jwt`: an assertion, signed with a key of the client's
    /// (RFC 7523 §2.2).
    PrivateKeyJwt(Algorithm),
    /// `spiffe_jwt`: the client's SPIFFE JWT-SVID.
    SpiffeJwt,
}

impl ClientAuth {
    /// The method's name in client metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt(_) => "private_key_jwt",
            Self::SpiffeJwt => "spiffe_jwt",
        }
    }
}

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
    svid: Mutex<Option<Svid>>,
    /// The `jti` of every assertion that was accepted.
    pub(crate) used_assertions: Mutex<HashSet<String>>,
}

/// A SPIFFE JWT-SVID, and the directory whose file holds it.
#[derive(Debug)]
struct Svid {
    text: String,
    directory: TempDir,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            id: "the API: 50%25+é".into(),
            secret: format!("let us in: 50%25+é {}", random_id()),
            keys: Mutex::default(),
            svid: Mutex::default(),
            used_assertions: Mutex::default(),
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
    pub(crate) fn settings(&self, method: ClientAuth, issuer: &str) -> Vec<(&str, String)> {
        let secret = match method {
            ClientAuth::PrivateKeyJwt(algorithm) => {
                let key = locked(&self.keys).key(Signer::Active, algorithm);
                ("CLIENT_SECRET", key.private_jwk().to_string())
            }
            ClientAuth::SpiffeJwt => {
                let file = self.svid_file(issuer).into_os_string();
                ("CLIENT_ASSERTION_FILE", file.into_string().expect("a path of UTF-8"))
            }
            _ => ("CLIENT_SECRET", self.secret.clone()),
        };
        vec![("CLIENT_ID", self.id.clone()), secret, ("CLIENT_AUTH_METHOD", method.as_str().into())]
    }

    /// The registered key of this name.
    pub(crate) fn key(&self, kid: &str) -> Option<SigningKey> {
        locked(&self.keys).active().find(|key| key.kid == kid).cloned()
    }

    /// Whether this is the SVID of the moment.
    pub(crate) fn has_svid(&self, text: &str) -> bool {
        locked(&self.svid).as_ref().is_some_and(|svid| svid.text == text)
    }

    /// Puts a new SVID in the place of the old one, in the file too.
    pub(crate) fn renew_svid(&self, issuer: &str) {
        let mut svid = locked(&self.svid);
        let directory = match svid.take() {
            Some(svid) => svid.directory,
            None => TempDir::new().expect("a temporary directory can be made"),
        };
        let new = Svid { text: Self::new_svid(issuer), directory };
        // Renamed over the old one, as a SPIFFE agent's helper does, so that no
        // reader sees half of it.
        let draft = new.directory.path().join("svid.new");
        fs::write(&draft, &new.text)
            .and_then(|()| fs::rename(draft, new.file()))
            .expect("a file can be written to a temporary directory");
        *svid = Some(new);
    }

    /// Removes the file with the SVID.
    pub(crate) fn withdraw_svid(&self) {
        locked(&self.svid).take();
    }

    fn svid_file(&self, issuer: &str) -> PathBuf {
        if locked(&self.svid).is_none() {
            self.renew_svid(issuer);
        }
        locked(&self.svid).as_ref().expect("it was just made").file()
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

impl Svid {
    fn file(&self) -> PathBuf {
        self.directory.path().join("svid.jwt")
    }
}

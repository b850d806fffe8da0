//! An API that introspects tokens with reqwest and signs with aws-lc, only from its settings.

use std::{collections::HashMap, fs, time::UNIX_EPOCH};

use aws_lc_rs::{
    hmac,
    rand::{self, SystemRandom},
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use monocloud_testkit::{ClientAuth, ClientCertificate, Clock, Endpoint, Entrance, MockTenant};
use reqwest::{Client, ClientBuilder, Identity, Method};
use serde_json::{Value, json};

use crate::reader::client_trusting;

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
pub(crate) const JWT_SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// An API with the settings that the tenant gave it.
pub(crate) struct Asker<'a> {
    tenant: &'a MockTenant,
    settings: HashMap<String, String>,
}

/// A request for introspection, valid until it is changed.
pub(crate) struct Ask {
    pub(crate) url: String,
    /// PEM of a certificate chain and its key.
    pub(crate) identity: Option<String>,
    /// PEM of the trusted authority; empty without TLS.
    trusted: String,
    /// The client that sends it, if not a new one.
    sender: Option<Client>,
    pub(crate) method: Method,
    pub(crate) authorization: Vec<String>,
    pub(crate) content_type: &'static str,
    pub(crate) form: Vec<(String, String)>,
}

/// A client assertion before it is signed.
pub(crate) struct Assertion {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) key: Value,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(tenant: &'a MockTenant, method: ClientAuth) -> Self {
        let settings = tenant.vars_for(method).into_iter().map(|(name, value)| {
            let name = name.strip_prefix("MONOCLOUD_BACKEND_").expect("a prefix");
            (name.to_owned(), value)
        });
        let asker = Self { tenant, settings: settings.collect() };
        assert_eq!(asker.setting("CLIENT_AUTH_METHOD"), method.as_str());
        asker
    }

    pub(crate) fn setting(&self, name: &str) -> &str {
        &self.settings[name]
    }

    /// A valid request.
    pub(crate) fn ask(&self, token: &str) -> Ask {
        let (id, secret) = (self.setting("CLIENT_ID"), self.settings.get("CLIENT_SECRET"));
        let file = |name| fs::read_to_string(self.setting(name)).unwrap();
        let has_tls = self.settings.contains_key("CA_CERTIFICATE_FILE");
        let has_certificate = self.settings.contains_key("CLIENT_CERTIFICATE_FILE");
        let identity = || file("CLIENT_CERTIFICATE_FILE") + &file("CLIENT_KEY_FILE");
        let entrance = if has_certificate { Entrance::MutualTls } else { Entrance::Issuer };
        let ask = Ask {
            url: self.tenant.url_at(&entrance, Endpoint::Introspection),
            identity: has_certificate.then(identity),
            trusted: if has_tls { file("CA_CERTIFICATE_FILE") } else { String::new() },
            sender: None,
            method: Method::POST,
            authorization: Vec::new(),
            content_type: "application/x-www-form-urlencoded",
            form: Vec::new(),
        };
        let ask = ask.with("token", token).with("token_type_hint", "access_token");
        match self.setting("CLIENT_AUTH_METHOD") {
            "client_secret_basic" => ask.basic(&encoded(id), &encoded(secret.unwrap())),
            "client_secret_post" => {
                ask.with("client_id", id).with("client_secret", secret.unwrap())
            }
            "spiffe_jwt" => {
                ask.with("client_id", id).assertion(JWT_SPIFFE, &file("CLIENT_ASSERTION_FILE"))
            }
            _ if has_certificate => ask.with("client_id", id),
            _ => {
                let assertion = self.assertion().sign();
                ask.with("client_id", id).assertion(JWT_BEARER, &assertion)
            }
        }
    }

    /// A valid assertion.
    pub(crate) fn assertion(&self) -> Assertion {
        let now = self.tenant.clock().now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut jti = [0; 16];
        rand::fill(&mut jti).unwrap();
        let secret = self.setting("CLIENT_SECRET");
        let key = match self.setting("CLIENT_AUTH_METHOD") {
            "client_secret_jwt" => {
                json!({ "kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret) })
            }
            _ => serde_json::from_str(secret).unwrap(),
        };
        Assertion {
            header: json!({ "alg": key["alg"], "kid": key["kid"] }),
            claims: json!({
                "iss": self.setting("CLIENT_ID"),
                "sub": self.setting("CLIENT_ID"),
                "aud": self.setting("TENANT_DOMAIN"),
                "iat": now,
                "nbf": now,
                "exp": now + 60,
                "jti": URL_SAFE_NO_PAD.encode(jti),
            }),
            key,
        }
    }
}

impl Ask {
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let mut ask = self.without(name);
        ask.form.push((name.into(), value.into()));
        ask
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.form.retain(|(present, _)| present != name);
        self
    }

    pub(crate) fn assertion(self, kind: &str, assertion: &str) -> Self {
        self.with("client_assertion_type", kind).with("client_assertion", assertion)
    }

    /// Presents this certificate.
    pub(crate) fn by(mut self, certificate: &ClientCertificate) -> Self {
        self.identity = Some(certificate.chain_pem() + &certificate.key_pem());
        self
    }

    /// Sends the request there.
    pub(crate) fn at(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// Sends the request with this client.
    pub(crate) fn over(mut self, client: &Client) -> Self {
        self.sender = Some(client.clone());
        self
    }

    pub(crate) fn client(&self) -> Client {
        let own = || self.client_builder().build().unwrap();
        self.sender.clone().unwrap_or_else(own)
    }

    pub(crate) fn client_builder(&self) -> ClientBuilder {
        let client = client_trusting(&self.trusted);
        match &self.identity {
            Some(pem) => client.identity(Identity::from_pem(pem.as_bytes()).unwrap()),
            None => client,
        }
    }

    /// Replaces the `Authorization`, if any.
    pub(crate) fn basic(mut self, id: &str, secret: &str) -> Self {
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        self.authorization = vec![format!("Basic {credentials}")];
        self
    }

    /// The status and the body.
    pub(crate) async fn send(self) -> (u16, Value) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.form);
        let form = form.finish();
        self.send_body(form).await
    }

    pub(crate) async fn send_body(self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let mut request = self
            .client()
            .request(self.method, &self.url)
            .header("Accept", "application/json")
            .header("Content-Type", self.content_type)
            .body(body);
        for value in self.authorization {
            request = request.header("Authorization", value);
        }
        let response = request.send().await.expect("the tenant answers");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.status() == 401, response.headers().contains_key("www-authenticate"));
        let status = response.status().as_u16();
        let body = response.text().await.expect("the body arrives");
        (status, serde_json::from_str(&body).expect("the body is JSON"))
    }
}

impl Assertion {
    pub(crate) fn sign(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = sign(&self.key, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(crate) async fn frozen_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).path("acme").start().await
}

/// Checks that the tenant rejects the client for this reason.
#[track_caller]
pub(crate) fn assert_rejected((status, answer): (u16, Value), reason: &str) {
    assert_eq!((status, &answer["error"]), (401, &json!("invalid_client")), "{reason}");
    let description = answer["error_description"].as_str().unwrap();
    assert!(description.contains(reason), "{description:?} does not say {reason:?}");
}

/// The signature by a private JWK, with every member it must have.
fn sign(key: &Value, input: &[u8]) -> Vec<u8> {
    let member = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect(name)).unwrap();
    let point = || [vec![4], member("x"), member("y")].concat();
    let rsa = |encoding: &'static dyn RsaEncoding| {
        let pair = RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents { n: member("n"), e: member("e") },
            d: member("d"),
            p: member("p"),
            q: member("q"),
            dP: member("dp"),
            dQ: member("dq"),
            qInv: member("qi"),
        })
        .expect("an RSA key whose members fit");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), input, &mut signature).unwrap();
        signature
    };
    let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm, length| {
        assert_eq!(member("d").len(), length, "RFC 7518 §6.2.2.1");
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &member("d"), &point())
            .expect("an EC key whose members fit");
        pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec()
    };
    match key["alg"].as_str().expect("an alg") {
        "HS256" => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &member("k"));
            hmac::sign(&key, input).as_ref().to_vec()
        }
        "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
        "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
        "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
        "PS256" => rsa(&signature::RSA_PSS_SHA256),
        "PS384" => rsa(&signature::RSA_PSS_SHA384),
        "PS512" => rsa(&signature::RSA_PSS_SHA512),
        "ES256" => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, 32),
        "ES384" => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, 48),
        "ES512" => ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, 66),
        "EdDSA" => Ed25519KeyPair::from_seed_and_public_key(&member("d"), &member("x"))
            .expect("an Ed25519 key whose members fit")
            .sign(input)
            .as_ref()
            .to_vec(),
        alg => unreachable!("{alg}"),
    }
}

//! poem with the signature check alone, which no library can do without. It protects nothing.

use std::{error::Error, net::TcpListener, sync::Arc};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use poem::{EndpointExt as _, Request, http::StatusCode, listener::TcpAcceptor, web::Data};
use serde_json::Value;

use crate::{Done, unprotected::ANSWER};

struct Keys {
    rs256: ParsedPublicKey,
    es256: ParsedPublicKey,
}

impl Keys {
    fn new(jwks: &Value) -> Result<Self, Box<dyn Error>> {
        let keys = jwks["keys"].as_array().ok_or("the key set has no keys")?;
        let key = |alg: &str| keys.iter().find(|key| key["alg"] == alg).ok_or("a key is missing");
        let (rsa, ec) = (key("RS256")?, key("ES256")?);
        let member = |key: &Value, name: &str| {
            BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default())
        };
        let components = RsaPublicKeyComponents { n: member(rsa, "n")?, e: member(rsa, "e")? };
        let point = [vec![4], member(ec, "x")?, member(ec, "y")?].concat();
        Ok(Self {
            rs256: components
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .map_err(|_| "the RSA key is unusable")?,
            es256: ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .map_err(|_| "the EC key is unusable")?,
        })
    }

    fn verify(&self, request: &Request) -> Option<()> {
        let token = request.header("Authorization")?.strip_prefix("Bearer ")?;
        let (text, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = if signature.len() == 64 { &self.es256 } else { &self.rs256 };
        key.verify_sig(text.as_bytes(), &signature).ok()
    }
}

pub(crate) async fn poem(listener: TcpListener) -> Done {
    #[poem::handler]
    fn posts(request: &Request, keys: Data<&Arc<Keys>>) -> poem::Result<&'static str> {
        let verified = keys.verify(request);
        verified.map(|()| ANSWER).ok_or_else(|| poem::Error::from_status(StatusCode::UNAUTHORIZED))
    }

    let jwks = reqwest::get(std::env::var("JWKS_URI")?).await?.bytes().await?;
    let keys = Keys::new(&serde_json::from_slice(&jwks)?)?;
    let app = poem::Route::new().at("/posts", poem::get(posts).data(Arc::new(keys)));
    Ok(poem::Server::new_with_acceptor(TcpAcceptor::from_std(listener)?).run(app).await?)
}

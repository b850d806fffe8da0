//! Tokens that are bound to a key of the client (RFC 9449).

mod binding;
mod config;
mod hostile;
mod nonce;
mod replay;
mod schemes;
mod target;

use harness::support::{Answer, Api, Call, call, frozen_tenant, introspecting, serve};
use monocloud_backend::{ProtectApiBuilder, dpop::DpopMode};
use monocloud_testkit::{DpopKey, MockTenant, ProofBuilder, TokenBuilder};
use reqwest::header::WWW_AUTHENTICATE;

/// The audience of the mock tenant, which is the API's URL too.
const URL: &str = "https://api.example.com";

const ALGORITHMS: &str = "ES256 ES384 ES512 EdDSA PS256 PS384 PS512 RS256 RS384 RS512";

/// An API that accepts DPoP, and a client with a key.
struct World {
    tenant: MockTenant,
    api: Api,
    key: DpopKey,
}

impl World {
    async fn new(mode: DpopMode) -> Self {
        Self::with(|builder| builder.dpop(mode)).await
    }

    /// It introspects opaque tokens, and has a fleet key.
    async fn with(configure: impl FnOnce(ProtectApiBuilder) -> ProtectApiBuilder) -> Self {
        let tenant = frozen_tenant().await;
        let api = serve(&configure(introspecting(&tenant)).build().unwrap());
        Self { tenant, api, key: DpopKey::generate() }
    }

    /// A JWT and an opaque token, which are to be treated alike.
    fn both_kinds(&self) -> [TokenBuilder<'_>; 2] {
        [self.tenant.token(), self.tenant.opaque_token()]
    }

    /// A JWT that is bound to the client's key.
    fn bound(&self) -> String {
        self.tenant.token().bound_to_key(&self.key).mint()
    }

    /// A proof for a GET of this path.
    fn proof(&self, path: &str, token: &str) -> ProofBuilder {
        self.tenant.proof(&self.key, "GET", format!("{URL}{path}")).for_token(token)
    }

    /// Sends a GET with a good proof that this changes.
    async fn get(
        &self,
        path: &str,
        token: &str,
        change: impl FnOnce(ProofBuilder) -> ProofBuilder,
    ) -> Answer {
        let proof = change(self.proof(path, token)).mint();
        self.api.send(proven("GET", path, token, &proof)).await
    }
}

/// A request with a token and its proof.
fn proven(method: &str, path: &str, token: &str, proof: &str) -> Call {
    call(method, path).authorization(format!("DPoP {token}")).header("dpop", proof)
}

/// The status and every challenge.
fn seen(answer: &Answer) -> (u16, Vec<&str>) {
    let challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter();
    (answer.status, challenges.map(|challenge| challenge.to_str().unwrap()).collect())
}

/// The value of an error of the DPoP challenge.
fn dpop_error(answer: &Answer) -> Option<&str> {
    let (_, challenges) = seen(answer);
    let dpop = challenges.into_iter().find(|challenge| challenge.starts_with("DPoP "))?;
    dpop.split_once(r#"error=""#)?.1.split('"').next()
}

/// The reason in the DPoP challenge.
fn reason(answer: &Answer) -> &str {
    let (_, challenges) = seen(answer);
    let dpop = challenges.into_iter().find(|challenge| challenge.starts_with("DPoP "));
    let description = dpop.and_then(|dpop| dpop.split_once(r#"error_description=""#));
    description.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default()
}

fn bearer(parameters: &str) -> String {
    format!(r#"Bearer realm="{URL}"{parameters}"#)
}

fn dpop(parameters: &str) -> String {
    format!(r#"DPoP realm="{URL}", algs="{ALGORITHMS}"{parameters}"#)
}

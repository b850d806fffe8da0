//! The tenant: its keys, and the tokens that requests carry.

use std::{fs, path::Path};

use monocloud_testkit::{Algorithm, Endpoint, MockTenant};
use tokio::io::{AsyncReadExt as _, stdin};

use crate::Done;

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

/// So many that no processor keeps what it knows of one token until that comes again.
const TOKENS: usize = 1000;

pub(crate) async fn serve(folder: &str) -> Done {
    let tenant = MockTenant::start().await;
    publish_two_keys(&tenant);
    for algorithm in ALGORITHMS {
        let tokens: Vec<_> = (0..TOKENS).map(|number| mint(&tenant, algorithm, number)).collect();
        fs::write(Path::new(folder).join(algorithm.as_str()), tokens.join("\n") + "\n")?;
    }
    for (name, value) in tenant.vars() {
        println!("{name}={value}");
    }
    println!("JWKS_URI={}", tenant.url(Endpoint::Jwks));
    println!();
    stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Some of the libraries read no key of a set that has one for an algorithm they do not know.
fn publish_two_keys(tenant: &MockTenant) {
    let mut jwks = tenant.jwks();
    if let Some(keys) = jwks["keys"].as_array_mut() {
        keys.retain(|key| ALGORITHMS.iter().any(|algorithm| key["alg"] == algorithm.as_str()));
    }
    tenant.publish(jwks);
}

fn mint(tenant: &MockTenant, algorithm: Algorithm, number: usize) -> String {
    tenant
        .token()
        .algorithm(algorithm)
        .subject(&format!("usr_5kNvXbmzXHpvSyTVgQ{number:04}"))
        .claim("client_id", "7d3f0b8a-4c25-4d0e-9a5b-1f6c2e8d9b70")
        .scope("posts:read posts:write profile")
        .groups(["admin", "editors"])
        .mint()
}

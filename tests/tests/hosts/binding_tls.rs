//! Tokens bound to the client certificate of their TLS connection.

use std::{fs, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::{
    hosts::Host,
    support::{frozen_tenant, get, introspecting, invalid_token, ok, protect},
};
use monocloud_backend::{certificate::ServerTls, error::InvalidToken};
use monocloud_testkit::{Authority, Certificate};
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::net::TcpStream;

on_every_host! {
    a_bound_token_is_rejected_on_another_connection,
    a_client_without_the_certificates_key_fails_the_handshake,
    a_certificate_header_does_not_replace_the_certificate_of_the_connection,
    client_certificates_can_be_limited_to_one_authority,
    a_client_that_stalls_in_the_handshake_does_not_block_others,
    a_renewed_server_certificate_is_loaded_and_an_unusable_one_is_not,
}

fn server_tls(server: &Certificate) -> ServerTls {
    ServerTls::new(server.certificate_file(), server.key_file())
}

async fn a_bound_token_is_rejected_on_another_connection(host: Host) {
    let authority = Authority::new();
    let server = authority.server("localhost");
    let self_signed = Certificate::self_signed("self-signed");
    let tenant = frozen_tenant().await;
    let secure = host.serve_tls(&introspecting(&tenant).build().unwrap(), server_tls(&server));
    for own in [&authority.client("own"), &self_signed] {
        let thief = authority.client("own");
        for token in [tenant.token(), tenant.opaque_token()] {
            let call = get("/any").bearer(&token.bound_to(own).mint());
            let rejected = invalid_token(InvalidToken::Binding);
            let owner = secure.to(&authority, Some(own));
            owner.check("the owner", call.clone(), &ok()).await;
            let thief = secure.to(&authority, Some(&thief));
            thief.check("another certificate", call.clone(), &rejected).await;
            secure.to(&authority, None).check("none", call.clone(), &rejected).await;
            owner.check("the owner again", call, &ok()).await;
        }
    }
    let unbound = get("/any").bearer(&tenant.token().mint());
    secure.to(&authority, None).check("not bound", unbound, &ok()).await;
}

async fn a_client_without_the_certificates_key_fails_the_handshake(host: Host) {
    let authority = Authority::new();
    let (server, own, thief) =
        (authority.server("localhost"), authority.client("own"), authority.client("thief"));
    let tenant = frozen_tenant().await;
    let secure = host.serve_tls(&protect(&tenant).build().unwrap(), server_tls(&server));
    for version in [&TLS12, &TLS13] {
        let impostor = secure.to_impostor(&authority, version, &own, &thief);
        let token = tenant.token().bound_to(&own).mint();
        assert!(impostor.try_send(get("/any").bearer(&token)).await.is_err(), "{version:?}");
        let owner = secure.to_impostor(&authority, version, &own, &own);
        owner.check("the owner", get("/any").bearer(&token), &ok()).await;
    }
}

async fn a_certificate_header_does_not_replace_the_certificate_of_the_connection(host: Host) {
    let authority = Authority::new();
    let (server, own) = (authority.server("localhost"), authority.client("own"));
    let tenant = frozen_tenant().await;
    let call = get("/any").bearer(&tenant.token().bound_to(&own).mint());
    let rejected = invalid_token(InvalidToken::Binding);

    let secure = host.serve_tls(&protect(&tenant).build().unwrap(), server_tls(&server));
    let claimed = BASE64_STANDARD.encode(own.der());
    for name in ["client-cert", "x-forwarded-client-cert", "x-client-cert"] {
        let call = call.clone().header(name, &claimed);
        secure.to(&authority, None).check(name, call, &rejected).await;
    }

    // Nor does a proxy's certificate stand for that of the proxy's client.
    let behind_proxy = protect(&tenant).client_certificate_header("client-cert");
    let secure = host.serve_tls(&behind_proxy.build().unwrap(), server_tls(&server));
    let proxy = secure.to(&authority, Some(&own));
    proxy.check("the proxy's own", call.clone(), &rejected).await;
    proxy.check("its client's", call.header("client-cert", &claimed), &ok()).await;
}

async fn client_certificates_can_be_limited_to_one_authority(host: Host) {
    let (authority, callers) = (Authority::new(), Authority::new());
    let server = authority.server("localhost");
    let (own, foreign) = (callers.client("own"), authority.client("own"));
    let tenant = frozen_tenant().await;
    let tls = server_tls(&server).client_authorities(callers.certificate_file());
    let secure = host.serve_tls(&protect(&tenant).build().unwrap(), tls);
    let call = |own| get("/any").bearer(&tenant.token().bound_to(own).mint());
    secure.to(&authority, Some(&own)).check("its own", call(&own), &ok()).await;
    for unknown in [&foreign, &callers.expired_client("own"), &Certificate::self_signed("own")] {
        let answer = secure.to(&authority, Some(unknown)).try_send(call(unknown)).await;
        assert!(answer.is_err(), "{} on {}", unknown.thumbprint(), host.name);
    }
    secure.to(&authority, None).check("none", get("/health"), &ok()).await;
}

async fn a_client_that_stalls_in_the_handshake_does_not_block_others(host: Host) {
    let authority = Authority::new();
    let (server, own) = (authority.server("localhost"), authority.client("own"));
    let tenant = frozen_tenant().await;
    let secure = host.serve_tls(&protect(&tenant).build().unwrap(), server_tls(&server));
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(TcpStream::connect(secure.address).await.unwrap());
    }
    let call = get("/any").bearer(&tenant.token().bound_to(&own).mint());
    secure.to(&authority, Some(&own)).check("beside them", call, &ok()).await;
}

/// Files that are replaced while the server runs.
struct Files(TempDir);

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path("new"), content).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }
}

async fn a_renewed_server_certificate_is_loaded_and_an_unusable_one_is_not(host: Host) {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files(TempDir::new().unwrap());
    let (first, second) = (old.server("localhost"), new.server("localhost"));
    files.put("api.pem", &first.chain_pem());
    files.put("key.pem", &first.key_pem());
    let tenant = frozen_tenant().await;
    let tls = ServerTls::new(files.path("api.pem"), files.path("key.pem"));
    let secure = host.serve_tls(&protect(&tenant).build().unwrap(), tls);
    let health = || get("/health");
    secure.to(&old, None).check("at first", health(), &ok()).await;
    assert!(secure.to(&new, None).try_send(health()).await.is_err(), "not yet renewed");

    files.put("api.pem", &second.chain_pem());
    secure.to(&old, None).check("half renewed", health(), &ok()).await;
    files.put("key.pem", &second.key_pem()[..80]);
    secure.to(&old, None).check("half a key", health(), &ok()).await;
    fs::remove_file(files.path("key.pem")).unwrap();
    secure.to(&old, None).check("no key", health(), &ok()).await;

    files.put("key.pem", &second.key_pem());
    secure.to(&new, None).check("renewed", health(), &ok()).await;
    assert!(secure.to(&old, None).try_send(health()).await.is_err());
}

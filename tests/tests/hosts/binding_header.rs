//! A certificate that a proxy passes in a header.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::{
    hosts::Host,
    support::{frozen_tenant, get, invalid_token, ok, protect},
};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::Certificate;

on_every_host! {
    a_certificate_header_configured_by_variables_is_read,
}

async fn a_certificate_header_configured_by_variables_is_read(host: Host) {
    let own = Certificate::self_signed("own");
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).vars([
        ("MONOCLOUD_BACKEND_CLIENT_CERTIFICATE_HEADER", "X-SSL-Cert"),
        ("MONOCLOUD_BACKEND_VALIDATE_CERTIFICATE_BINDING", "required"),
    ]);
    let api = host.serve(&protect.build().unwrap());
    let bound = get("/any").bearer(&tenant.token().bound_to(&own).mint());
    api.check(
        "bound",
        bound.clone().header("x-ssl-cert", BASE64_STANDARD.encode(own.der())),
        &ok(),
    )
    .await;
    api.check("no header", bound, &invalid_token(InvalidToken::Binding)).await;
    let unbound = get("/any").bearer(&tenant.token().mint());
    api.check("unbound", unbound, &invalid_token(InvalidToken::Unbound)).await;
}

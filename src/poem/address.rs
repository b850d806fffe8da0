//! How the certificate of a connection reaches its requests.
//!
//! Of what an acceptor knows, poem hands three things to every request: two addresses and a scheme.
//! So the certificate rides in the local address, which only an acceptor can set, and which a
//! request keeps even when its connection is gone. The remote address stays what it is.

use std::fmt::Display;

use ::poem::{Addr, Request, web::LocalAddr};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::certificate::PeerCertificate;

/// The scheme of a local address with a certificate in it.
const SCHEME: &str = "monocloud-tls";

/// The local address of a connection whose peer has proved to have this certificate.
pub(super) fn with_certificate(address: &impl Display, certificate: &PeerCertificate) -> LocalAddr {
    let certificate = BASE64_STANDARD.encode(certificate.der());
    LocalAddr(Addr::custom(SCHEME, format!("{address}#{certificate}")))
}

pub(super) fn certificate_in(request: &Request) -> Option<PeerCertificate> {
    let Addr::Custom(SCHEME, address) = &request.local_addr().0 else { return None };
    let (_, certificate) = address.rsplit_once('#')?;
    Some(PeerCertificate::of_connection(BASE64_STANDARD.decode(certificate).ok()?))
}

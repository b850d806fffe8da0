//! APIs at https base URLs.

use std::sync::Arc;

use monocloud_testkit::{Audit, Authority, Certificate, Clock, MockTenant, Report, Verdict};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{OPENAPI, api::Api, defect::Defect};

/// The URL of an API behind this certificate.
async fn served(api: &Api, certificate: &Certificate) -> String {
    let chain = certificate.chain_pem();
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let address = api.url.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate ends the handshake.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut plain).await;
            });
        }
    });
    url
}

async fn audited(certificate: &Certificate, prepare: impl FnOnce(Audit) -> Audit) -> Report {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::None).await;
    let audit = Audit::of(OPENAPI).against(served(&api, certificate).await).only(["no-token"]);
    prepare(audit.allow_unsafe().rate(10_000)).run(&tenant).await
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_or_by_itself() {
    let authority = Authority::new();
    let server = authority.server("localhost");
    let report = audited(&server, |audit| audit.trust(authority.certificate_pem())).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
    let report = audited(&server, |audit| audit.trust(server.certificate_pem())).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
    let own = Certificate::self_signed("localhost");
    let report = audited(&own, |audit| audit.trust(own.certificate_pem())).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_the_reason_why_nothing_is_checked() {
    let server = Authority::new().server("localhost");
    for (trusted, expected) in [
        (None, "is not trusted: name a file with it, or with its authority, by --ca-file"),
        (Some(Authority::new().certificate_pem()), "is not trusted"),
        (Some("no PEM".to_owned()), "there is no certificate in PEM"),
    ] {
        let report = audited(&server, |audit| match trusted {
            Some(trusted) => audit.trust(trusted),
            None => audit,
        });
        let report = report.await;
        assert_eq!(report.verdict(), Verdict::Inconclusive, "{report}");
        assert!(report.inconclusive[0].reason.contains(expected), "{report}");
    }
}

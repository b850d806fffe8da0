//! Authenticating to the tenant with a certificate (RFC 8705 §2, SPIFFE): where it is presented,
//! and how the tenant's answers are handled.

use bytes::Bytes;
use harness::support::{
    Api, Expected, Log, client, get, internal, ok, protect, serve, unavailable,
};
use monocloud_backend::{
    ProtectApiBuilder,
    config::ClientAuthMethod,
    http_client::{HttpClient, HttpFuture},
};
use monocloud_testkit::{
    Authority, Certificate, ClientAuth, Clock, Endpoint, Entrance, Fault, Introspection,
    MockTenant, ServerCertificate,
};
use reqwest::Client;
use serde_json::json;
use tracing::Level;

const METHODS: [ClientAuth; 3] =
    [ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509];

/// A tenant that knows its client by a certificate, with a clock that the test moves.
pub(crate) async fn mutual_tls_tenant() -> MockTenant {
    MockTenant::builder().mutual_tls().clock(Clock::frozen()).start().await
}

/// The configuration of an API that presents its certificate when it introspects tokens.
pub(crate) fn presenting(tenant: &MockTenant) -> ProtectApiBuilder {
    protect(tenant).vars(tenant.vars_for(ClientAuth::Tls))
}

/// Makes a call that causes an introspection.
pub(crate) async fn check(case: &str, api: &Api, tenant: &MockTenant, expected: &Expected) {
    api.check(case, get("/any").bearer(&tenant.opaque_token().mint()), expected).await;
}

pub(crate) fn last_introspection(tenant: &MockTenant) -> Introspection {
    tenant.introspections().pop().unwrap()
}

#[tokio::test]
async fn only_introspection_presents_the_certificate_and_only_at_its_endpoint() {
    for method in METHODS {
        let tenant = mutual_tls_tenant().await;
        let api = serve(&protect(&tenant).vars(tenant.vars_for(method)).build().unwrap());
        for _ in 0..2 {
            check(method.as_str(), &api, &tenant, &ok()).await;
            let seen = last_introspection(&tenant);
            assert_eq!((seen.client_auth, seen.refusal), (Some(method), None), "{seen:?}");
            assert_eq!(seen.entrance, Entrance::MutualTls, "{seen:?}");
        }
        api.check("a JWT", get("/any").bearer(&tenant.token().mint()), &ok()).await;
        for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
            assert_eq!(tenant.requests(endpoint), 1, "{endpoint:?}");
            assert_eq!(tenant.requests_with_certificate(endpoint), 0, "{endpoint:?}");
        }
    }
}

#[tokio::test]
async fn each_trust_store_has_its_own_endpoint() {
    let tenant = MockTenant::builder().trust_store("eu").trust_store("us").start().await;
    for id in ["eu", "us"] {
        let api = serve(&presenting(&tenant).trust_store_id(id).build().unwrap());
        check(id, &api, &tenant, &ok()).await;
        assert_eq!(last_introspection(&tenant).entrance, Entrance::TrustStore(id.into()));
    }
}

#[tokio::test]
async fn a_missing_endpoint_is_not_replaced_by_another() {
    const MEMBER: &str = "introspection_endpoint";
    let (aliases, stores) = ("/mtls_endpoint_aliases", "/mtls_additional_endpoint_aliases");
    let tenant = MockTenant::builder().trust_store("eu").start().await;
    let plain = tenant.metadata()[MEMBER].as_str().unwrap().replace("https:", "http:");
    for (store, pointer, value) in [
        (None, aliases.to_owned(), json!(null)),
        (None, format!("{aliases}/{MEMBER}"), json!(null)),
        (None, format!("{aliases}/{MEMBER}"), json!(plain)),
        (Some("us"), stores.to_owned(), json!({})),
        (Some("eu"), stores.to_owned(), json!(null)),
        (Some("eu"), format!("{stores}/eu"), json!({})),
        (Some("eu"), format!("{stores}/eu/{MEMBER}"), json!("")),
    ] {
        let mut metadata = tenant.metadata();
        *metadata.pointer_mut(&pointer).unwrap() = value;
        tenant.serve_metadata(metadata);
        let builder = store.into_iter().fold(presenting(&tenant), |it, id| it.trust_store_id(id));
        let (api, log) = (serve(&builder.build().unwrap()), Log::capture());
        check(&pointer, &api, &tenant, &internal()).await;
        let missing = match store {
            Some(id) => format!("mtls_additional_endpoint_aliases[{id:?}].{MEMBER}"),
            None => format!("mtls_endpoint_aliases.{MEMBER}"),
        };
        let warnings = log.lines(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains(&missing), "{warnings:?}");
    }
    assert_eq!(tenant.requests(Endpoint::Introspection), 0);
}

#[tokio::test]
async fn a_client_certificate_the_tenant_does_not_recognize_is_500_until_it_does() {
    let tenant = mutual_tls_tenant().await;
    let strangers = [
        ("another client", tenant.client_certificate("another client")),
        ("another authority", Authority::new().client("the API")),
        ("self-signed", Certificate::self_signed("the API")),
        ("expired", tenant.client_authority().expired_client("the API")),
    ];
    for (case, stranger) in strangers {
        for in_handshake in [false, true] {
            let is_known_authority = case == "another client";
            tenant.refuse_in_handshake(in_handshake);
            let asked = tenant.requests(Endpoint::Introspection);
            let builder = presenting(&tenant)
                .client_certificate(stranger.certificate_file(), stranger.key_file());
            let (api, log) = (serve(&builder.build().unwrap()), Log::capture());
            check(case, &api, &tenant, &internal()).await;
            let is_requested = !in_handshake || is_known_authority;
            let requests = tenant.requests(Endpoint::Introspection) - asked;
            assert_eq!(requests, usize::from(is_requested), "{case}");
            let reason =
                if is_requested { "with status 401" } else { "rejects this API's certificate" };
            let warnings = log.lines(Level::WARN);
            assert!(warnings.len() == 1 && warnings[0].contains(reason), "{case}: {warnings:?}");
        }
    }
    let api = serve(&presenting(&tenant).build().unwrap());
    check("the client's own", &api, &tenant, &ok()).await;
}

#[tokio::test]
async fn no_token_is_sent_to_a_tenant_with_an_invalid_certificate() {
    let tenant = mutual_tls_tenant().await;
    for (certificate, reason) in [
        (ServerCertificate::Expired, "certificate expired"),
        (ServerCertificate::OtherHost, "not valid for name"),
        (ServerCertificate::OtherAuthority, "UnknownIssuer"),
    ] {
        tenant.serve_certificate(ServerCertificate::Valid);
        let api = serve(&presenting(&tenant).build().unwrap());
        api.check("a JWT", get("/any").bearer(&tenant.token().mint()), &ok()).await;
        let asked = tenant.requests(Endpoint::Introspection);
        tenant.serve_certificate(certificate);
        let log = Log::capture();
        check(reason, &api, &tenant, &unavailable()).await;
        let warnings = log.lines(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains(reason), "{warnings:?}");
        assert_eq!(tenant.requests(Endpoint::Introspection), asked, "{reason}");
        tenant.serve_certificate(ServerCertificate::Valid);
        check("repaired", &api, &tenant, &ok()).await;
    }
}

#[tokio::test]
async fn a_custom_http_client_presents_the_certificate_itself() {
    let tenant = mutual_tls_tenant().await;
    let certificate = tenant.client_authority().client("the API");
    let builder = protect(&tenant)
        .http_client(Presenting::new(&tenant, &certificate))
        .client_id(tenant.client().id())
        .client_auth_method(ClientAuthMethod::TlsClientAuth);
    let api = serve(&builder.build().unwrap());
    check("its own", &api, &tenant, &ok()).await;
    let seen = last_introspection(&tenant);
    assert_eq!(seen.certificate, Some(certificate.thumbprint()), "{seen:?}");
    assert_eq!(seen.entrance, Entrance::MutualTls, "{seen:?}");
}

#[tokio::test]
async fn a_key_that_does_not_match_its_certificate_is_a_configuration_error() {
    let tenant = mutual_tls_tenant().await;
    let (one, other) = (Certificate::self_signed("one"), Certificate::self_signed("other"));
    let builder = presenting(&tenant).client_certificate(one.certificate_file(), other.key_file());
    let error = builder.build().unwrap_err().to_string();
    for expected in [
        "builder: client_key_file: ",
        "does not belong to the certificate of MONOCLOUD_BACKEND_CLIENT_CERTIFICATE_FILE",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let key = other.key_pem();
    let secret = key.lines().nth(1).unwrap();
    assert!(!error.contains(secret) && !format!("{error:?}").contains(secret), "{error}");
}

/// An HTTP client of an application, which presents a certificate to every server.
struct Presenting(Client);

impl Presenting {
    fn new(tenant: &MockTenant, certificate: &Certificate) -> Self {
        Self(client(Some(tenant.authority()), Some(certificate)))
    }
}

impl HttpClient for Presenting {
    fn send(&self, request: http::Request<Bytes>, _max_body: usize) -> HttpFuture<'_> {
        Box::pin(async move {
            let received = self.0.execute(request.try_into()?).await?;
            let status = received.status();
            let mut response = http::Response::new(received.bytes().await?);
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

#[tokio::test]
async fn a_call_lost_with_a_reused_connection_presents_the_certificate_again() {
    let tenant = mutual_tls_tenant().await;
    let api = serve(&presenting(&tenant).build().unwrap());
    check("first", &api, &tenant, &ok()).await;
    tenant.fault(Endpoint::Introspection, Fault::CloseBeforeAnswer).times(1);
    check("repeated", &api, &tenant, &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Introspection), 3);
    assert_eq!(last_introspection(&tenant).client_auth, Some(ClientAuth::Tls));
}

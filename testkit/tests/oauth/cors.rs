//! Calls of browsers from other origins.

use monocloud_testkit::{Endpoint, Fault, MockTenant};

use crate::client::{ORIGIN, Seen, http, post, started};

const OPEN: [Endpoint; 11] = [
    Endpoint::Discovery,
    Endpoint::AuthorizationServer,
    Endpoint::Jwks,
    Endpoint::Token,
    Endpoint::DeviceAuthorization,
    Endpoint::Device,
    Endpoint::Introspection,
    Endpoint::Revocation,
    Endpoint::Userinfo,
    Endpoint::EndSession,
    Endpoint::Registration,
];

async fn preflight(tenant: &MockTenant, endpoint: Endpoint) -> Seen {
    let request = http()
        .request(reqwest::Method::OPTIONS, tenant.url(endpoint))
        .header("Origin", ORIGIN)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type,x-requested-with");
    Seen::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_preflight_is_answered_and_not_counted() {
    let tenant = MockTenant::start().await;
    for endpoint in OPEN {
        tenant.fault(endpoint, Fault::Status(503)).until_recovered();
        let seen = preflight(&tenant, endpoint).await;
        assert_eq!((seen.status, &*seen.text), (204, ""), "{endpoint:?}");
        assert_eq!(seen.header("access-control-allow-origin"), "*");
        assert!(seen.header("access-control-allow-methods").contains("POST"));
        let allowed = "content-type, x-requested-with, authorization, dpop";
        assert_eq!(seen.header("access-control-allow-headers"), allowed);
        assert!(!seen.header("access-control-max-age").is_empty());
        assert_eq!(tenant.requests(endpoint), 0);
    }
}

#[tokio::test]
async fn every_answer_but_that_of_the_login_may_be_read_across_origins() {
    let tenant = started(MockTenant::builder()).await;
    for endpoint in OPEN {
        for answer in [post(&tenant, endpoint, &[]).await, {
            tenant.fault(endpoint, Fault::Status(503)).times(1);
            post(&tenant, endpoint, &[]).await
        }] {
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{endpoint:?}");
            let exposed = answer.header("access-control-expose-headers");
            assert_eq!(exposed, "DPoP-Nonce, WWW-Authenticate", "{endpoint:?}");
            assert!(!answer.headers.contains_key("cross-origin-opener-policy"));
        }
    }
    let answers = [
        preflight(&tenant, Endpoint::Authorize).await,
        post(&tenant, Endpoint::Authorize, &[]).await,
    ];
    for answer in answers {
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
        assert!(!answer.headers.contains_key("cross-origin-opener-policy"));
    }
}

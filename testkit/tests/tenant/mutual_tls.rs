use crate::asker::{Asker, assert_refused, client_trusting};
use monocloud_testkit::{
    Authority, Certificate, ClientAuth, Clock, Endpoint, Entrance, Introspection, MockTenant,
};
use serde_json::{Value, json};
use std::path::Path;
use std::{fs, time::Duration};

const BY_CERTIFICATE: [ClientAuth; 3] =
    [ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509];

async fn mutual_tenant() -> MockTenant {
    let builder = MockTenant::builder().clock(Clock::frozen()).path("acme");
    builder.trust_store("partners é").start().await
}

fn last(tenant: &MockTenant) -> Introspection {
    tenant.introspections().pop().unwrap()
}

fn introspection_at(tenant: &MockTenant, entrance: &Entrance) -> String {
    tenant.url_at(entrance, Endpoint::Introspection)
}

#[tokio::test]
async fn a_certificate_authenticates_the_client_at_the_aliases() {
    let tenant = mutual_tenant().await;
    let token = tenant.opaque_token().mint();
    for method in BY_CERTIFICATE {
        let asker = Asker::new(&tenant, method);
        for entrance in [Entrance::MutualTls, Entrance::TrustStore("partners é".into())] {
            let ask = asker.ask(&token).at(introspection_at(&tenant, &entrance));
            let (status, answer) = ask.send().await;
            assert_eq!((status, &answer["active"]), (200, &json!(true)), "{method:?}: {answer}");
            let seen = last(&tenant);
            assert_eq!((seen.client_auth, seen.refusal), (Some(method), None));
            assert_eq!(seen.entrance, entrance);
            assert!(seen.certificate.is_some());
        }
    }
    assert_eq!(tenant.requests(Endpoint::Introspection), 6);
    assert_eq!(tenant.requests_with_certificate(Endpoint::Introspection), 6);
}

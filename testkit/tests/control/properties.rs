use monocloud_testkit::{Clock, MockTenant};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::caller::{client, request};

const PATHS: [&str; 8] =
    ["tokens", "keys/rotate", "keys/withdraw", "faults", "clock", "revoke", "reset", "requests"];

const NAMES: [&str; 20] = [
    "user",
    "client",
    "scope",
    "audience",
    "claim",
    "expires_in",
    "opaque",
    "kid",
    "endpoint",
    "fault",
    "times",
    "status",
    "after",
    "latency",
    "chunk",
    "every",
    "advance",
    "shift",
    "token",
    "freeze",
];

/// Values that are likely to be valid, at a limit, or neither.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-100_i64..1000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        select(vec!["alice", "web", "jwks", "status", "latency", "slow_drip", "empty", "a b"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((".{0,8}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let object = vec((select(&NAMES[..]), value()), 0..5).prop_map(|members| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect()).to_string().into_bytes()
    });
    let other = value().prop_map(|value| value.to_string().into_bytes());
    prop_oneof![4 => object, 1 => other, 1 => vec(any::<u8>(), 0..60)]
}

/// Each request is answered with JSON, by an error or not, and the tenant lives on.
#[test]
fn no_body_breaks_the_tenant() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = MockTenant::builder().clock(Clock::frozen()).control().start();
    let tenant = runtime.block_on(start);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let sender = client();
    runner
        .run(&(select(&PATHS[..]), body()), |(path, body)| {
            let method = if path == "requests" { Method::GET } else { Method::POST };
            let (client, request) = request(&tenant, method, path).build_split();
            drop(client);
            let mut request = request.unwrap();
            request.headers_mut().insert("content-type", "application/json".parse().unwrap());
            *request.body_mut() = Some(body.into());
            let (status, text) = runtime.block_on(async {
                let response = sender.execute(request).await.unwrap();
                (response.status().as_u16(), response.text().await.unwrap())
            });
            let answer: Value = serde_json::from_str(&text).unwrap();
            prop_assert!([200, 400, 409].contains(&status), "{} {}", status, text);
            prop_assert_eq!(status == 200, answer.get("error").is_none());
            Ok(())
        })
        .unwrap();
    let minted = request(&tenant, Method::POST, "tokens").send();
    assert_eq!(runtime.block_on(minted).unwrap().status(), 200);
    assert_ne!(json!(tenant.jwks()["keys"]), json!([]));
}

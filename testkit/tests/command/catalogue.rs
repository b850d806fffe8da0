use std::collections::HashSet;

use monocloud_testkit::{DpopRequest, Hostile, HostileProof, MockTenant};
use serde_json::Value;

use crate::process::run;

#[tokio::test]
async fn the_catalogue_is_listed_with_the_rule_that_each_entry_breaks() {
    let tenant = MockTenant::start().await;
    let request = DpopRequest::new(tenant.token(), "GET", "https://api.example.com/posts/1");
    let request = request.nonce("n").stale_nonce("o");
    let entry = |parts: [&str; 3]| parts.map(str::to_owned);
    let tokens =
        Hostile::all(&tenant).into_iter().map(|it| entry(["token", it.name, it.reference]));
    let proofs = HostileProof::all(&request);
    let proofs = proofs.into_iter().map(|it| entry(["proof", it.name, it.reference]));
    let expected: HashSet<_> = tokens.chain(proofs).collect();

    let listed: Vec<Value> =
        serde_json::from_str(&run(&["hostile", "--format", "json"]).success()).unwrap();
    let parts =
        |it: &Value| ["kind", "name", "rule"].map(|name| it[name].as_str().unwrap().to_owned());
    assert_eq!(listed.iter().map(parts).collect::<HashSet<_>>(), expected);
    assert_eq!(listed.len(), expected.len());
    assert!(listed.iter().any(|entry| entry["class"] == "key-confusion"));

    let text = run(&["hostile"]).success();
    for [_, name, rule] in expected {
        let is_it = |line: &str| line.trim().starts_with(&name) && line.ends_with(&rule);
        assert!(text.lines().any(is_it), "{name}: {rule}");
    }
}

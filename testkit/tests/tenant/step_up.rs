use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use monocloud_testkit::{
    ClientAuth, Clock, Control, Hostile, Insufficient, InsufficientClass, MockTenant, StepUp,
    TokenBuilder,
};
use serde_json::{Value, json};

use crate::{
    asker::Asker,
    reader::{segment, verify},
};

const MFA: &str = "urn:example:mfa";

async fn frozen_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

fn demanded() -> StepUp {
    StepUp::new().acr_values([MFA, "urn:example:key"]).max_age(300)
}

fn claims(token: &str) -> Value {
    segment(token, 1).unwrap()
}

#[tokio::test]
async fn acr_and_auth_time_are_in_the_token_and_in_its_introspection() {
    let tenant = frozen_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SecretPost);
    for token in [tenant.token(), tenant.opaque_token()] {
        let token = token.acr(MFA).authenticated_ago(60).mint();
        let answer = asker.ask(&token).send().await.1;
        assert_eq!(answer["acr"], MFA);
        assert_eq!(answer["auth_time"], answer["iat"].as_i64().unwrap() - 60);
    }
    let token = claims(&tenant.token().acr(MFA).authenticated_ago(60).mint());
    assert_eq!((&token["acr"], &token["auth_time"]), (&json!(MFA), &json!(iat(&token) - 60)));
    assert_eq!(claims(&tenant.token().mint()).get("acr"), None);
}

#[tokio::test]
async fn auth_time_is_by_the_tenants_clock() {
    let tenant = frozen_tenant().await;
    let before = claims(&tenant.token().authenticated_ago(60).mint());
    tenant.clock().advance(Duration::from_secs(90));
    let after = claims(&tenant.token().authenticated_ago(-60).mint());
    let [before, after] = [before, after].map(|claims| claims["auth_time"].as_i64().unwrap());
    assert_eq!(after - before, 90 + 120);
}

#[tokio::test]
async fn names_are_unique_beside_those_of_the_other_catalogues() {
    let tenant = frozen_tenant().await;
    let token = tenant.token();
    let insufficient = Insufficient::all(&token, &demanded()).into_iter().map(|it| it.name);
    let controls = demanded().controls(&token).into_iter().chain(Control::all(&tenant));
    let hostile = Hostile::all(&tenant).into_iter().map(|it| it.name);
    let mut seen = HashSet::new();
    for name in insufficient.chain(controls.map(|it| it.name)).chain(hostile) {
        assert!(seen.insert(name), "{name} is there twice");
        let is_kebab = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        assert!(name.bytes().all(is_kebab), "{name}");
    }
}

#[tokio::test]
async fn each_is_valid_and_one_change_away_from_what_satisfies() {
    let tenant = frozen_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SecretPost);
    let token = tenant.token().scope("posts:write");
    let good = claims(&demanded().satisfied_by(token.clone()).mint());
    assert_eq!((&good["acr"], &good["auth_time"]), (&json!(MFA), &good["iat"]));
    let mut classes = BTreeSet::new();
    for insufficient in Insufficient::all(&token, &demanded()) {
        let (name, token) = (insufficient.name, &insufficient.token);
        assert!(verify(&tenant, token).await.is_ok(), "{name}");
        assert_eq!(asker.ask(token).send().await.1["active"], true, "{name}");
        let changed = changed(&claims(token), &good);
        let is_one = |claim: &str| {
            let others = ["amr", "acr_values", "auth_instant"];
            changed.contains(claim)
                && changed.iter().all(|name| name == claim || others.contains(&name.as_str()))
        };
        assert!(is_one("acr") != is_one("auth_time"), "{name}: {changed:?}");
        assert!(name.starts_with(if is_one("acr") { "acr-" } else { "auth-time-" }), "{name}");
        classes.insert(insufficient.class);
    }
    assert_eq!(classes, InsufficientClass::ALL.into());
}

/// What RFC 9470 §3 says, written once more.
#[tokio::test]
async fn each_falls_short_and_each_control_does_not() {
    let tenant = frozen_tenant().await;
    let acr_only = StepUp::new().acr_values(["1"]);
    for (demanded, acr_values, max_age) in [
        (demanded(), &[MFA, "urn:example:key"][..], Some(300)),
        (StepUp::new().max_age(0), &[], Some(0)),
        (acr_only, &["1"], None),
    ] {
        let falls_short = |token: &str| {
            let claims = claims(token);
            let acr = claims.get("acr").and_then(Value::as_str);
            let is_weak = !acr_values.is_empty() && !acr.is_some_and(|it| acr_values.contains(&it));
            let age = claims.get("auth_time").and_then(Value::as_f64);
            let age = age.map(|auth_time| iat(&claims) as f64 - auth_time);
            let is_recent = |max_age: i32| {
                age.is_some_and(|age| age >= -60.0 && age <= f64::from(max_age) + 60.0)
            };
            is_weak || !max_age.is_none_or(is_recent)
        };
        let token = tenant.token();
        let insufficient = Insufficient::all(&token, &demanded);
        assert!(insufficient.len() > 15, "{}", insufficient.len());
        for insufficient in insufficient {
            assert!(falls_short(&insufficient.token), "{}", insufficient.name);
        }
        for control in demanded.controls(&token) {
            assert!(!falls_short(&control.token), "{}", control.name);
        }
    }
}

#[tokio::test]
async fn what_is_not_demanded_is_not_in_the_tokens() {
    let tenant = frozen_tenant().await;
    let token = tenant.token();
    let lacks = |demanded: StepUp, claim: &str| {
        let tokens = Insufficient::all(&token, &demanded).into_iter().map(|it| it.token);
        let controls = demanded.controls(&token).into_iter().map(|it| it.token);
        tokens.chain(controls).all(|token| claims(&token).get(claim).is_none())
    };
    assert!(lacks(StepUp::new().acr_values([MFA]), "auth_time"));
    assert!(lacks(StepUp::new().max_age(300), "acr"));
    assert!(Insufficient::all(&token, &StepUp::new()).is_empty());
}

#[tokio::test]
async fn a_value_that_is_demanded_is_not_among_the_weak_ones() {
    let tenant = frozen_tenant().await;
    let weak = |values: &[&str]| {
        let demanded = StepUp::new().acr_values(values.iter().copied());
        let weak = Insufficient::of(&tenant.token(), &demanded, InsufficientClass::Weak);
        weak.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert!(weak(&[MFA]).contains(&"acr-of-no-confidence"));
    assert!(!weak(&[MFA, "0"]).contains(&"acr-of-no-confidence"));
    assert!(!weak(&["2"]).contains(&"acr-upper-case"));
}

#[tokio::test]
async fn an_opaque_token_falls_short_by_its_introspection() {
    let tenant = frozen_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SecretPost);
    let of = |token: &TokenBuilder<'_>| {
        Insufficient::of(token, &demanded(), InsufficientClass::Mistyped)
    };
    let jwts = of(&tenant.token());
    for (opaque, jwt) in of(&tenant.opaque_token()).iter().zip(&jwts) {
        assert!(!opaque.token.contains('.'));
        let (answer, jwt) = (asker.ask(&opaque.token).send().await.1, claims(&jwt.token));
        assert_eq!((&answer["acr"], &answer["auth_time"]), (&jwt["acr"], &jwt["auth_time"]));
    }
}

#[tokio::test]
async fn the_assertion_names_the_token() {
    let tenant = frozen_tenant().await;
    let insufficient = Insufficient::all(&tenant.token(), &demanded()).remove(0);
    let challenge = r#"Bearer error="insufficient_user_authentication", max_age="300""#;
    insufficient.assert_refused(401, Some(challenge));
    for (status, challenge) in
        [(200, None), (403, Some(challenge)), (401, Some(r#"Bearer error="invalid_token""#))]
    {
        let refused = std::panic::catch_unwind(|| insufficient.assert_refused(status, challenge));
        let message = refused.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains(insufficient.name), "{message}");
    }
}

fn iat(claims: &Value) -> i64 {
    claims["iat"].as_i64().unwrap()
}

fn changed(claims: &Value, others: &Value) -> BTreeSet<String> {
    let [claims, others] = [claims, others].map(|it| it.as_object().unwrap());
    let names = claims.keys().chain(others.keys()).filter(|name| *name != "jti");
    names.filter(|name| claims.get(*name) != others.get(*name)).cloned().collect()
}

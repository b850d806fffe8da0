//! Which schemes a request may use, and which challenge carries the error.

use harness::support::{get, missing, ok};
use monocloud_backend::{Policy, ProtectApi, dpop::DpopMode, error::InvalidToken};
use reqwest::header::HeaderMap;

use super::{URL, World, bearer, dpop, proven, seen};

/// RFC 9449 §7.1: the error of a token.
fn invalid_token(reason: InvalidToken) -> String {
    format!(r#", error="invalid_token", error_description="{reason}""#)
}

#[tokio::test]
async fn while_dpop_is_disabled_it_is_another_scheme_and_a_bound_token_is_rejected() {
    let world = World::with(|builder| builder).await;
    for token in world.both_kinds() {
        let token = token.bound_to_key(&world.key).mint();
        let proof = world.proof("/any", &token).mint();
        world.api.check("DPoP", proven("GET", "/any", &token, &proof), &missing()).await;
        let answer = world.api.send(get("/any").bearer(&token).header("dpop", &proof)).await;
        let expected = bearer(&invalid_token(InvalidToken::KeyBinding));
        assert_eq!(seen(&answer), (401, vec![expected.as_str()]));
    }
    let two_proofs = get("/any").bearer(&world.tenant.token().mint());
    let two_proofs = two_proofs.header("dpop", "a").header("dpop", "b");
    world.api.check("the header means nothing", two_proofs, &ok()).await;
}

#[tokio::test]
async fn where_dpop_is_allowed_bearer_tokens_and_bound_tokens_are_accepted() {
    let world = World::new(DpopMode::Allowed).await;
    for kind in world.both_kinds() {
        let unbound = kind.clone().mint();
        world.api.check("unbound", get("/any").bearer(&unbound), &ok()).await;
        let with_proof = get("/any").bearer(&unbound).header("dpop", "not looked at");
        world.api.check("unbound beside a proof", with_proof, &ok()).await;

        let bound = kind.bound_to_key(&world.key).mint();
        let answer = world.get("/any", &bound, |proof| proof).await;
        assert_eq!(seen(&answer), (200, vec![]));
    }
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token_and_an_unbound_token_needs_no_proof() {
    let world = World::new(DpopMode::Allowed).await;
    for kind in world.both_kinds() {
        let bound = kind.clone().bound_to_key(&world.key).mint();
        let (error, bare) = (bearer(&invalid_token(InvalidToken::KeyBinding)), dpop(""));
        for call in [
            get("/any").bearer(&bound),
            get("/any").bearer(&bound).header("dpop", world.proof("/any", &bound).mint()),
        ] {
            let answer = world.api.send(call).await;
            assert_eq!(seen(&answer), (401, vec![error.as_str(), bare.as_str()]));
        }

        let unbound = kind.mint();
        let answer = world.get("/any", &unbound, |proof| proof).await;
        let (bare, error) = (bearer(""), dpop(&invalid_token(InvalidToken::KeyUnbound)));
        assert_eq!(seen(&answer), (401, vec![bare.as_str(), error.as_str()]));
    }
}

#[tokio::test]
async fn where_dpop_is_required_no_bearer_token_is_accepted_and_bearer_is_not_offered() {
    let world = World::new(DpopMode::Required).await;
    for kind in world.both_kinds() {
        let bound = kind.clone().bound_to_key(&world.key).mint();
        assert_eq!(world.get("/any", &bound, |proof| proof).await.status, 200);

        let by_bearer = dpop(&invalid_token(InvalidToken::BearerScheme));
        for token in [&kind.clone().mint(), &bound] {
            let answer = world.api.send(get("/any").bearer(token)).await;
            assert_eq!(seen(&answer), (401, vec![by_bearer.as_str()]));
        }
        let answer = world.get("/any", &kind.mint(), |proof| proof).await;
        let unbound = dpop(&invalid_token(InvalidToken::KeyUnbound));
        assert_eq!(seen(&answer), (401, vec![unbound.as_str()]));
    }
    let answer = world.api.send(get("/any")).await;
    assert_eq!(seen(&answer), (401, vec![dpop("").as_str()]));
}

#[tokio::test]
async fn without_credentials_each_accepted_scheme_is_offered_without_an_error() {
    let world = World::new(DpopMode::Allowed).await;
    let scope = r#", scope="posts:read""#;
    for (path, parameters) in [("/any", ""), ("/read", scope)] {
        let expected = [bearer(parameters), dpop(parameters)];
        for call in [
            get(path),
            get(path).authorization("DPoP"),
            get(path).authorization("DPoP \t"),
            get(path).authorization("Basic YWJj"),
            get(path).header("dpop", "a proof without a token"),
        ] {
            let answer = world.api.send(call).await;
            assert_eq!(seen(&answer), (401, expected.iter().map(String::as_str).collect()));
        }
    }
}

#[tokio::test]
async fn the_scheme_is_case_insensitive() {
    let world = World::new(DpopMode::Required).await;
    let token = world.bound();
    for scheme in ["DPoP", "dpop", "DPOP", "dPoP "] {
        let proof = world.proof("/any", &token).mint();
        let call = get("/any").authorization(format!("{scheme} {token}")).header("dpop", proof);
        assert_eq!(world.api.send(call).await.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn two_schemes_or_two_proofs_are_an_invalid_request() {
    let world = World::new(DpopMode::Allowed).await;
    let (token, proof) = (world.bound(), world.proof("/any", &world.bound()).mint());
    let error = r#", error="invalid_request""#;
    let proven = || proven("GET", "/any", &token, &proof);
    let both = [bearer(error), dpop(error)];
    let by_dpop = [bearer(""), dpop(error)];
    let by_bearer = [bearer(error), dpop("")];
    for (case, call, expected) in [
        ("two schemes", proven().bearer(&token), &both),
        ("two headers of one scheme", proven().authorization("DPoP a"), &by_dpop),
        ("a scheme of others beside ours", proven().authorization("Basic a"), &by_dpop),
        ("two headers of others", get("/any").authorization("Basic a").authorization(""), &both),
        ("a list of schemes", get("/any").authorization("DPoP a, Bearer b"), &both),
        ("two tokens", get("/any").authorization("DPoP a b").header("dpop", &proof), &by_dpop),
        ("two proofs", proven().header("dpop", &proof), &by_dpop),
        ("two proofs, one empty", proven().header("dpop", ""), &by_dpop),
        (
            "two proofs beside a bearer token",
            get("/any").bearer(&token).header("dpop", "a").header("dpop", "a"),
            &by_bearer,
        ),
    ] {
        let answer = world.api.send(call).await;
        let expected = expected.iter().map(String::as_str).collect();
        assert_eq!(seen(&answer), (400, expected), "{case}");
        assert_eq!(answer.body, r#"{"message":"bad request"}"#, "{case}");
    }
}

#[tokio::test]
async fn what_the_token_lacks_is_said_in_the_challenge_of_its_scheme() {
    let world = World::new(DpopMode::Allowed).await;
    let scope = r#", scope="posts:read""#;
    let lacks = format!(r#", error="insufficient_scope"{scope}"#);
    let bound = world.bound();
    let answer = world.get("/read", &bound, |proof| proof).await;
    assert_eq!(seen(&answer), (403, vec![bearer(scope).as_str(), dpop(&lacks).as_str()]));
    let unbound = world.tenant.token().mint();
    let answer = world.api.send(get("/read").bearer(&unbound)).await;
    assert_eq!(seen(&answer), (403, vec![bearer(&lacks).as_str(), dpop(scope).as_str()]));
}

#[tokio::test]
async fn a_stronger_authentication_is_demanded_in_the_challenge_of_the_scheme() {
    let world = World::new(DpopMode::Required).await;
    let protect = harness::support::protect(&world.tenant).dpop(DpopMode::Required);
    let guard = protect.build().unwrap().require(Policy::ANY_TOKEN.acr_values(&["urn:mfa"]));
    let client = world.tenant.dpop_client(&world.key, world.bound());
    let headers: HeaderMap = client.headers("GET", format!("{URL}/")).into_iter().collect();
    let refusal = guard.check(harness::support::request_head(&headers)).await.unwrap_err();
    let challenges: Vec<_> = refusal.challenges().collect();
    let expected = dpop(concat!(
        r#", error="insufficient_user_authentication", "#,
        r#"error_description="the operation needs another kind of authentication", "#,
        r#"acr_values="urn:mfa""#
    ));
    assert_eq!(challenges, [expected]);
}

/// RFC 9728 §5.1: each challenge says where the metadata is, once it is served.
#[tokio::test]
async fn each_challenge_names_the_metadata_of_the_api() {
    let world = World::new(DpopMode::Allowed).await;
    let protect = harness::support::protect(&world.tenant).dpop(DpopMode::Allowed);
    let protect: ProtectApi = protect.build().unwrap();
    protect.serve_resource_metadata().unwrap();
    let answer = harness::support::serve(&protect).send(get("/any")).await;
    let metadata = format!(r#", resource_metadata="{URL}/.well-known/oauth-protected-resource""#);
    let expected = [bearer(&metadata), dpop(&metadata)];
    assert_eq!(seen(&answer), (401, expected.iter().map(String::as_str).collect()));
}

/// A resolver says nothing of a scheme.
#[tokio::test]
async fn a_token_that_a_resolver_finds_is_a_bearer_token() {
    for (mode, reason) in
        [(DpopMode::Allowed, None), (DpopMode::Required, Some(InvalidToken::BearerScheme))]
    {
        let world = World::with(|builder| {
            builder.dpop(mode).token_resolver(|headers| {
                Ok(headers.get("x-token").map(|token| token.to_str().unwrap().to_owned()))
            })
        })
        .await;
        let unbound = get("/any").header("x-token", world.tenant.token().mint());
        let bound = world.bound();
        let proof = world.proof("/any", &bound).mint();
        let with_proof = get("/any").header("x-token", &bound).header("dpop", &proof);
        match reason {
            None => {
                world.api.check("unbound", unbound, &ok()).await;
                let answer = world.api.send(with_proof).await;
                let error = bearer(&invalid_token(InvalidToken::KeyBinding));
                assert_eq!(seen(&answer), (401, vec![error.as_str(), dpop("").as_str()]));
            }
            Some(reason) => {
                for call in [unbound, with_proof] {
                    let answer = world.api.send(call).await;
                    let error = dpop(&invalid_token(reason));
                    assert_eq!(seen(&answer), (401, vec![error.as_str()]));
                }
            }
        }
        let in_header = proven("GET", "/any", &bound, &world.proof("/any", &bound).mint());
        world.api.check("in the header", in_header, &ok()).await;
    }
}

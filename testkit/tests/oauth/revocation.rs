//! Revocation, and logout.

use monocloud_testkit::{Endpoint, MockTenant, OAuthClient};

use crate::client::{basic, encoded, get, is_active, issued, post, post_with, started, tokens};

#[tokio::test]
async fn a_client_revokes_an_access_token_alone_and_a_refresh_token_with_its_family() {
    let tenant = started(MockTenant::builder()).await;
    let first = tokens(&tenant).await;
    let revoke = async |token: &str| {
        let form = [("client_id", "web"), ("token", token), ("token_type_hint", "whatever")];
        post(&tenant, Endpoint::Revocation, &form).await
    };
    let seen = revoke(first["access_token"].as_str().unwrap()).await;
    assert_eq!((seen.status, &*seen.text), (200, ""));
    assert!(!is_active(&tenant, &first["access_token"]).await);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "web"),
        ("refresh_token", first["refresh_token"].as_str().unwrap()),
    ];
    let second = issued(&post(&tenant, Endpoint::Token, &refresh).await);

    assert_eq!(revoke(second["refresh_token"].as_str().unwrap()).await.status, 200);
    assert!(!is_active(&tenant, &second["access_token"]).await);
    assert_eq!(revoke("unknown").await.status, 200, "RFC 7009 §2.2");
}

#[tokio::test]
async fn a_client_revokes_only_its_own_tokens() {
    let tenant = started(MockTenant::builder()).await;
    let tokens = tokens(&tenant).await;
    let service = basic("service", "secret");
    for name in ["access_token", "refresh_token"] {
        let form = [("token", tokens[name].as_str().unwrap())];
        post(&tenant, Endpoint::Revocation, &form).await.refused("invalid_client");
        let headers = [("Authorization", &*service)];
        let seen = post_with(&tenant, Endpoint::Revocation, &form, &headers).await;
        seen.refused("unauthorized_client");
    }
    let none = [("client_id", "web")];
    post(&tenant, Endpoint::Revocation, &none).await.refused("invalid_request");
    assert!(is_active(&tenant, &tokens["access_token"]).await);
}

#[tokio::test]
async fn a_user_returns_after_a_logout_where_the_client_may_send_her() {
    let app = OAuthClient::public("app").post_logout_redirect_uri("https://app.example.com/bye");
    let tenant = started(MockTenant::builder().oauth_client(app)).await;
    let id_token = tokens(&tenant).await["id_token"].as_str().unwrap().to_owned();
    let (head, signature) = id_token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let end = async |pairs: &[(&str, &str)]| {
        get(&format!("{}?{}", tenant.url(Endpoint::EndSession), encoded(pairs))).await
    };
    let (bye, local) = ("https://app.example.com/bye", "http://localhost:3000/?a=b");
    for (pairs, location) in [
        (vec![("client_id", "app"), ("post_logout_redirect_uri", bye)], bye.to_owned()),
        (
            vec![
                ("id_token_hint", &*id_token),
                ("post_logout_redirect_uri", local),
                ("state", "&"),
            ],
            format!("{local}&state=%26"),
        ),
    ] {
        let seen = end(&pairs).await;
        assert_eq!((seen.status, seen.header("location")), (302, &*location), "{pairs:?}");
    }
    assert_eq!(end(&[]).await.status, 200);
    for pairs in [
        vec![("post_logout_redirect_uri", bye)],
        vec![("client_id", "unknown"), ("post_logout_redirect_uri", bye)],
        vec![("client_id", "app"), ("post_logout_redirect_uri", local)],
        vec![("id_token_hint", &*id_token), ("post_logout_redirect_uri", bye)],
        vec![("id_token_hint", &*forged), ("post_logout_redirect_uri", local)],
        vec![("id_token_hint", &*id_token), ("client_id", "app")],
        vec![("state", "a"), ("state", "b")],
    ] {
        let seen = end(&pairs).await;
        assert_eq!((seen.status, seen.header("location")), (400, ""), "{pairs:?}");
    }
}

#[cfg(feature = "pages")]
#[tokio::test]
async fn a_logout_ends_the_session() {
    use crate::client::{Seen, VERIFIER, authorization, challenge, http, with};

    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let pairs = authorization(&challenge);
    let seen = crate::pages::log_in(&tenant, "alice", &pairs).await;
    let cookie = seen.header("set-cookie").split(';').next().unwrap();
    crate::pages::allow(&tenant, &seen).await;

    let send = async |url: String| {
        Seen::of(http().get(url).header("Cookie", cookie).send().await.unwrap()).await
    };
    let none = encoded(&with(pairs.clone(), "prompt", "none"));
    let silent = format!("{}?{none}", tenant.url(Endpoint::Authorize));
    assert!(send(silent.clone()).await.redirected().contains_key("code"));
    let out = send(tenant.url(Endpoint::EndSession)).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    assert_eq!(send(silent).await.redirected()["error"], "login_required");
}

//! What the tenant may publish, and how a request fares when it does not.

use monocloud_backend::InvalidToken;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::{
    hosts::HOSTS,
    support::{Document, Expected, Upstream, get, internal, invalid_token, ok, unavailable},
};

/// A cold start with one document that is not what it should be.
async fn assert_cold(
    case: &str,
    document: Document,
    response: ResponseTemplate,
    expected: &Expected,
) {
    for host in HOSTS {
        let upstream = Upstream::start().await;
        upstream.publish(document, response.clone());
        let api = host.serve(&upstream.protect().build().unwrap());
        let case = format!("{document:?}: {case}");
        api.check(&case, get("/any").bearer(&upstream.token().mint()), expected).await;
        assert_eq!(upstream.requests(Document::Metadata), 1, "{case}");
        assert_eq!(
            upstream.requests(Document::Keys),
            usize::from(document == Document::Keys),
            "{case}"
        );
        assert_eq!(upstream.strays(), 0, "{case}");
    }
}

fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string("{}")
}

fn body(body: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body.into())
}

#[tokio::test]
async fn a_tenant_that_is_down_is_503_and_one_that_refuses_us_500() {
    for document in [Document::Metadata, Document::Keys] {
        for code in [500, 502, 503, 504, 599, 429] {
            assert_cold(&code.to_string(), document, status(code), &unavailable()).await;
        }
        for code in [400, 401, 403, 404, 405, 410, 304] {
            assert_cold(&code.to_string(), document, status(code), &internal()).await;
        }
        for code in [201, 202, 204] {
            assert_cold(&code.to_string(), document, status(code), &unavailable()).await;
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for document in [Document::Metadata, Document::Keys] {
        for code in [301, 302, 303, 307, 308] {
            let elsewhere = status(code).insert_header("location", "/elsewhere");
            assert_cold(&code.to_string(), document, elsewhere, &internal()).await;
        }
    }
}

#[tokio::test]
async fn garbage_is_503() {
    for document in [Document::Metadata, Document::Keys] {
        for (case, text) in [
            ("empty", ""),
            ("HTML", "<html><body>Hello</body></html>"),
            ("half a document", r#"{"issuer":"https://acme"#),
            ("null", "null"),
            ("an array", "[]"),
            ("a string", r#""keys""#),
            ("a byte-order mark", "\u{feff}{}"),
        ] {
            assert_cold(case, document, body(text), &unavailable()).await;
        }
        let binary = ResponseTemplate::new(200).set_body_bytes(vec![0xff; 64]);
        assert_cold("binary", document, binary, &unavailable()).await;
    }
    let many = format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"EC"}"#; 257].join(","));
    for (case, text) in [
        ("no keys", "{}"),
        ("an empty set", r#"{"keys":[]}"#),
        ("keys of another type", r#"{"keys":{}}"#),
        ("keys null", r#"{"keys":null}"#),
        ("257 keys", many.as_str()),
    ] {
        assert_cold(case, Document::Keys, body(text), &unavailable()).await;
    }
}

#[tokio::test]
async fn a_document_may_be_so_long_and_no_longer() {
    for host in HOSTS {
        for (document, limit) in [(Document::Metadata, 256 * 1024), (Document::Keys, 1024 * 1024)] {
            for (length, expected) in [(limit, ok()), (limit + 1, unavailable())] {
                let upstream = Upstream::start().await;
                let text = match document {
                    Document::Metadata => upstream.metadata().to_string(),
                    Document::Keys => upstream.tenant.jwks().to_string(),
                };
                let padding = " ".repeat(length - text.len());
                upstream.publish(document, body(text + &padding));
                let api = host.serve(&upstream.protect().build().unwrap());
                let case = format!("{document:?} of {length} bytes");
                api.check(&case, get("/any").bearer(&upstream.token().mint()), &expected).await;
            }
        }
    }
}

#[tokio::test]
async fn a_set_of_256_keys_is_read() {
    for host in HOSTS {
        let upstream = Upstream::start().await;
        let mut keys = vec![json!({"kty": "EC"}); 255];
        keys.push(upstream.tenant.jwks()["keys"][0].clone());
        upstream.publish(Document::Keys, body(json!({"keys": keys}).to_string()));
        let api = host.serve(&upstream.protect().build().unwrap());
        api.check("256 keys", get("/any").bearer(&upstream.token().mint()), &ok()).await;
    }
}

/// Serves the upstream's own metadata with one member changed, or removed where it is null.
async fn assert_metadata(cases: &[(&str, Value, Expected)]) {
    for host in HOSTS {
        for (member, value, expected) in cases {
            let upstream = Upstream::start().await;
            let mut metadata = upstream.metadata();
            metadata[*member] = match value.as_str() {
                Some(text) => json!(text.replace("{issuer}", &upstream.issuer())),
                None => value.clone(),
            };
            upstream.publish(Document::Metadata, body(metadata.to_string()));
            let api = host.serve(&upstream.protect().build().unwrap());
            let case = format!("{member}: {value}");
            api.check(&case, get("/any").bearer(&upstream.token().mint()), expected).await;
            let fetched = usize::from(*expected == ok());
            assert_eq!(upstream.requests(Document::Keys), fetched, "{case}");
        }
    }
}

#[tokio::test]
async fn the_metadata_is_that_of_the_tenant_byte_for_byte() {
    assert_metadata(&[
        ("issuer", json!("{issuer}"), ok()),
        ("issuer", json!("{issuer}/"), internal()),
        ("issuer", json!("{issuer}.evil.test"), internal()),
        ("issuer", json!("https://evil.test"), internal()),
        ("issuer", json!(""), internal()),
        ("issuer", json!(null), internal()),
        ("issuer", json!(["{issuer}"]), internal()),
        ("unknown", json!({"a": [1]}), ok()),
    ])
    .await;
}

#[tokio::test]
async fn keys_are_fetched_only_from_where_they_may_be() {
    let refused = [
        json!(null),
        json!(""),
        json!(7),
        json!("/jwks"),
        json!("http://example.com/jwks"),
        json!("http://localhost.example.com/jwks"),
        json!("ftp://127.0.0.1/jwks"),
        json!("file:///etc/passwd"),
        json!("data:application/json,{}"),
        json!("{issuer}/jwks#keys"),
    ];
    let mut cases: Vec<_> = refused.map(|url| ("jwks_uri", url, internal())).to_vec();
    cases.push(("jwks_uri", json!("{issuer}/jwks?v=1"), ok()));
    assert_metadata(&cases).await;
    for host in HOSTS {
        let upstream = Upstream::start().await;
        let mut metadata = upstream.metadata();
        metadata["jwks_uri"] = json!(upstream.url("/jwks").replace("http://", "http://me:pw@"));
        upstream.publish(Document::Metadata, body(metadata.to_string()));
        let api = host.serve(&upstream.protect().build().unwrap());
        api.check("userinfo", get("/any").bearer(&upstream.token().mint()), &internal()).await;
        assert_eq!(upstream.requests(Document::Keys), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn a_refused_document_never_replaces_a_good_one() {
    let odd = r#"{"keys":[{"kty":"oct","k":"AQAB","kid":"x"}]}"#;
    for host in HOSTS {
        for (case, document, response) in [
            ("empty", Document::Keys, body("")),
            ("an empty set", Document::Keys, body(r#"{"keys":[]}"#)),
            ("a set of nothing usable", Document::Keys, body(odd)),
            ("too long", Document::Keys, body("x".repeat(1024 * 1024 + 1))),
            ("404", Document::Keys, status(404)),
            ("500", Document::Keys, status(500)),
            ("another issuer's", Document::Metadata, body(r#"{"issuer":"https://evil.test"}"#)),
            ("no endpoint", Document::Metadata, body("{}")),
            ("500", Document::Metadata, status(500)),
        ] {
            let upstream = Upstream::start().await;
            let api = host.serve(&upstream.protect().build().unwrap());
            let good = upstream.token().expires_in(1000).mint();
            api.check("warm", get("/any").bearer(&good), &ok()).await;
            upstream.publish(document, response);
            upstream.tenant.clock().advance(std::time::Duration::from_secs(400));
            let case = format!("{document:?}: {case}");
            api.check(&case, get("/any").bearer(&good), &ok()).await;
            assert_eq!(upstream.requests(Document::Metadata), 2, "{case} on {}", host.name);
            let forged = upstream.token().signed_by(monocloud_testkit::Signer::Foreign).mint();
            let refused = invalid_token(InvalidToken::Signature);
            api.check(&case, get("/any").bearer(&forged), &refused).await;
        }
    }
}

//! Which documents of the tenant are accepted, and the answers to requests if they are not.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use harness::support::{
    Expected, Http2, Log, body, coded, frozen_tenant, get, gzip, internal, introspecting,
    invalid_token, mock, ok, padded, serve, served, unavailable,
};
use http::{Request, Response, header};
use monocloud_backend::{
    ProtectApi,
    error::InvalidToken,
    http_client::{HttpClient, HttpFuture},
};
use monocloud_testkit::{
    Authority,
    Endpoint::{self, Discovery, Jwks},
    Fault, MockTenant, Signer,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracing::Level;
use wiremock::ResponseTemplate;

use crate::keys::fetches;

/// Checks the answer of an API that has just started and gets this response for one document.
async fn assert_cold(
    case: &str,
    document: Endpoint,
    response: ResponseTemplate,
    expected: &Expected,
) {
    let tenant = frozen_tenant().await;
    tenant.mount(mock(&tenant, document, response)).await;
    let case = format!("{document:?}: {case}");
    served(&tenant).check(&case, get("/any").bearer(&tenant.token().mint()), expected).await;
    assert_eq!(fetches(&tenant), (1, usize::from(document == Jwks)), "{case}");
    assert_eq!(tenant.requests(Endpoint::Canary), 0, "{case}");
}

fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string("{}")
}

/// The document as the tenant serves it.
fn own(tenant: &MockTenant, document: Endpoint) -> String {
    let own = if document == Jwks { tenant.jwks() } else { tenant.metadata() };
    own.to_string()
}

#[tokio::test]
async fn an_unavailable_tenant_is_503_and_rejected_credentials_are_500() {
    for document in [Discovery, Jwks] {
        for code in [500, 502, 503, 504, 599, 429, 408] {
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
    for document in [Discovery, Jwks] {
        for code in [301, 302, 303, 307, 308] {
            let elsewhere = status(code).insert_header("location", "/canary");
            assert_cold(&code.to_string(), document, elsewhere, &internal()).await;
        }
    }
}

#[tokio::test]
async fn a_malformed_document_is_503() {
    for document in [Discovery, Jwks] {
        for (case, text) in [
            ("empty", ""),
            ("HTML", "<html><body>Hello</body></html>"),
            ("half a document", r#"{"issuer":"https://acme"#),
            ("null", "null"),
            ("an array", "[]"),
            ("a string", r#""keys""#),
            ("two byte order marks", "\u{feff}\u{feff}{}"),
        ] {
            assert_cold(case, document, body(text), &unavailable()).await;
        }
        assert_cold("binary", document, body([0xff; 64]), &unavailable()).await;
    }
    let many = format!(r#"{{"keys":[{}]}}"#, vec![r#"{"kty":"EC"}"#; 257].join(","));
    for (case, text) in [
        ("no keys", "{}"),
        ("an empty set", r#"{"keys":[]}"#),
        ("keys of another type", r#"{"keys":{}}"#),
        ("keys that are null", r#"{"keys":null}"#),
        ("257 keys", many.as_str()),
    ] {
        assert_cold(case, Jwks, body(text), &unavailable()).await;
    }
}

#[tokio::test]
async fn a_document_has_a_maximum_length() {
    for (document, limit) in [(Discovery, 256 * 1024), (Jwks, 1024 * 1024)] {
        for (length, expected) in [(limit, ok()), (limit + 1, unavailable())] {
            let tenant = frozen_tenant().await;
            let text = padded(&own(&tenant, document), length);
            tenant.mount(mock(&tenant, document, body(text))).await;
            let case = format!("{document:?} of {length} bytes");
            let call = get("/any").bearer(&tenant.token().mint());
            served(&tenant).check(&case, call, &expected).await;
        }
    }
}

#[tokio::test]
async fn a_set_of_256_keys_is_read() {
    let tenant = frozen_tenant().await;
    let mut keys = vec![json!({"kty": "EC"}); 255];
    keys.push(tenant.jwks()["keys"][0].clone());
    tenant.publish(json!({"keys": keys}));
    let call = get("/any").bearer(&tenant.token().mint());
    served(&tenant).check("256 keys", call, &ok()).await;
}

/// Checks the answers with metadata in which one member is replaced.
async fn assert_metadata(cases: &[(&str, Value, Expected)]) {
    for (member, value, expected) in cases {
        let tenant = frozen_tenant().await;
        let (issuer, jwks) = (tenant.issuer(), tenant.url(Jwks));
        let with_userinfo = jwks.replace("://", "://me:pw@");
        let mut metadata = json!({"issuer": issuer, "jwks_uri": jwks});
        let value = value.to_string().replace("{issuer}", issuer).replace("{jwks}", &jwks);
        let value = value.replace("{jwks with userinfo}", &with_userinfo);
        metadata[*member] = value.parse().unwrap();
        tenant.serve_metadata(metadata);
        let case = format!("{member}: {value}");
        served(&tenant).check(&case, get("/any").bearer(&tenant.token().mint()), expected).await;
        assert_eq!(fetches(&tenant), (1, usize::from(*expected == ok())), "{case}");
    }
}

#[tokio::test]
async fn the_metadata_must_name_the_issuer_byte_for_byte() {
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
async fn keys_are_fetched_only_from_allowed_urls() {
    let forbidden = [
        json!(null),
        json!(""),
        json!(7),
        json!("/jwks"),
        json!("http://example.com/jwks"),
        json!("http://localhost.example.com/jwks"),
        json!("ftp://127.0.0.1/jwks"),
        json!("file:///etc/passwd"),
        json!("data:application/json,{}"),
        json!("{jwks}#keys"),
        json!("{jwks with userinfo}"),
    ];
    let mut cases: Vec<_> = forbidden.map(|url| ("jwks_uri", url, internal())).to_vec();
    cases.push(("jwks_uri", json!("{jwks}?v=1"), ok()));
    assert_metadata(&cases).await;
}

#[tokio::test]
async fn an_unusable_document_never_replaces_a_good_one() {
    let odd = r#"{"keys":[{"kty":"oct","k":"AQAB","kid":"x"}]}"#;
    for (case, document, response) in [
        ("empty", Jwks, body("")),
        ("an empty set", Jwks, body(r#"{"keys":[]}"#)),
        ("a set without a usable key", Jwks, body(odd)),
        ("too long", Jwks, body("x".repeat(1024 * 1024 + 1))),
        ("404", Jwks, status(404)),
        ("500", Jwks, status(500)),
        ("of another issuer", Discovery, body(r#"{"issuer":"https://evil.test"}"#)),
        ("no endpoint", Discovery, body("{}")),
        ("500", Discovery, status(500)),
    ] {
        let tenant = frozen_tenant().await;
        let api = served(&tenant);
        let good = tenant.token().expires_in(1000).mint();
        api.check("warm", get("/any").bearer(&good), &ok()).await;
        tenant.mount(mock(&tenant, document, response)).await;
        tenant.clock().advance(Duration::from_secs(400));
        let case = format!("{document:?}: {case}");
        api.check(&case, get("/any").bearer(&good), &ok()).await;
        assert_eq!(tenant.requests(Discovery), 2, "{case}");
        let forged = tenant.token().signed_by(Signer::Foreign).mint();
        let rejected = invalid_token(InvalidToken::Signature);
        api.check(&case, get("/any").bearer(&forged), &rejected).await;
    }
}

#[tokio::test]
async fn a_document_may_be_compressed_or_begin_with_a_byte_order_mark() {
    for (document, limit) in [(Discovery, 256 * 1024), (Jwks, 1024 * 1024)] {
        let tenant = frozen_tenant().await;
        let text = own(&tenant, document);
        let zipped = |length: usize| coded("gzip", gzip(padded(&text, length).as_bytes()));
        let excess = format!("it has more than {limit} bytes");
        for (case, response, expected, logged) in [
            ("a mark", body(format!("\u{feff}{text}")), ok(), ""),
            ("gzip", coded("gzip", gzip(text.as_bytes())), ok(), ""),
            (
                "gzip and a mark",
                coded("x-gzip", gzip(format!("\u{feff}{text}").as_bytes())),
                ok(),
                "",
            ),
            ("of the maximum length", zipped(limit), ok(), ""),
            ("too long", zipped(limit + 1), unavailable(), &excess),
            ("a bomb", zipped(64 << 20), unavailable(), &excess),
            ("Brotli", coded("br", text.clone()), unavailable(), "coding \"br\""),
        ] {
            tenant.mount(mock(&tenant, document, response).up_to_n_times(1)).await;
            let (api, log) = (served(&tenant), Log::capture());
            let case = format!("{document:?}: {case}");
            api.check(&case, get("/any").bearer(&tenant.token().mint()), &expected).await;
            let warnings = log.lines(Level::WARN).concat();
            assert_eq!(warnings.is_empty(), logged.is_empty(), "{case}: {warnings}");
            assert!(warnings.contains(logged), "{case}: {warnings}");
        }
    }
}

/// Records requests, and answers with gzip although they do not accept it.
#[derive(Clone)]
struct Compressing {
    tenant: Arc<MockTenant>,
    requests: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl HttpClient for Compressing {
    fn send(&self, request: Request<Bytes>, _: usize) -> HttpFuture<'_> {
        Box::pin(async move {
            let text = |name| request.headers()[name].to_str().unwrap().to_owned();
            let path = request.uri().path().to_owned();
            let seen = (path.clone(), text(header::ACCEPT), text(header::ACCEPT_ENCODING));
            self.requests.lock().unwrap().push(seen);
            let body = match path.as_str() {
                "/.well-known/openid-configuration" => self.tenant.metadata(),
                path if path.ends_with("/jwks") => self.tenant.jwks(),
                _ => json!({
                    "active": true,
                    "iss": self.tenant.issuer(),
                    "aud": self.tenant.audience(),
                }),
            };
            let mut response = Response::new(gzip(body.to_string().as_bytes()).into());
            response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
            Ok(response)
        })
    }
}

#[tokio::test]
async fn a_custom_http_client_gets_the_same_requests_and_may_return_gzip() {
    let tenant = Arc::new(frozen_tenant().await);
    let client = Compressing { tenant: Arc::clone(&tenant), requests: Arc::default() };
    let protect = introspecting(&tenant).http_client(client.clone()).build().unwrap();
    let api = serve(&protect);
    for token in [tenant.token().mint(), tenant.opaque_token().mint()] {
        api.check("compressed", get("/any").bearer(&token), &ok()).await;
    }
    let path = |endpoint| tenant.url(endpoint).replace(tenant.issuer(), "");
    let json = "application/json";
    let expected = [
        (Discovery, json),
        (Jwks, "application/jwk-set+json, application/json"),
        (Endpoint::Introspection, json),
    ];
    let expected = expected
        .map(|(endpoint, accept)| (path(endpoint), accept.to_owned(), "identity".to_owned()));
    assert_eq!(*client.requests.lock().unwrap(), expected);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    for document in [Discovery, Jwks] {
        let tenant = frozen_tenant().await;
        let in_30_s = tenant.clock().now() + Duration::from_secs(30);
        let date = httpdate::fmt_http_date(in_30_s);
        let response = status(429).insert_header("retry-after", &*date);
        tenant.mount(mock(&tenant, document, response)).await;
        let answer = served(&tenant).send(get("/any").bearer(&tenant.token().mint())).await;
        answer.assert("429", &unavailable());
        // A date has whole seconds.
        assert!((29..=30).contains(&answer.retry_after().unwrap()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_fetch_lost_with_a_reused_connection_is_repeated() {
    for fault in [Fault::CloseBeforeAnswer, Fault::Reset] {
        let tenant = frozen_tenant().await;
        let api = served(&tenant);
        // The fetch reuses the connection of the metadata.
        tenant.fault(Jwks, fault.clone()).times(1);
        let case = format!("{fault:?}");
        api.check(&case, get("/any").bearer(&tenant.token().mint()), &ok()).await;
        assert_eq!(tenant.requests(Jwks), 2, "{case}");
    }
}

#[tokio::test]
async fn a_tenant_may_support_only_http_2() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let certificate = authority.server("localhost");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.certificate_pem()).unwrap();
    let tenant = frozen_tenant().await;
    let (jwks, audience) = (tenant.jwks().to_string(), tenant.audience().to_owned());
    let respond = move |path: &str| match path {
        "/jwks" => jwks.clone(),
        "/introspect" => json!({"active": true, "iss": "{origin}", "aud": audience}).to_string(),
        _ => json!({
            "issuer": "{origin}",
            "jwks_uri": "{origin}/jwks",
            "introspection_endpoint": "{origin}/introspect",
        })
        .to_string(),
    };
    let server = Http2::start(&certificate.chain_pem(), &certificate.key_pem(), respond).await;
    let protect = ProtectApi::builder()
        .tenant_domain(server.origin())
        .audience(tenant.audience())
        .client("api", "secret")
        .ca_certificate_file(&ca_file)
        .clock(tenant.clock().reading());
    let api = serve(&protect.build().unwrap());
    let token = tenant.token().claim("iss", server.origin()).mint();
    api.check("a JWT", get("/any").bearer(&token), &ok()).await;
    api.check("an opaque token", get("/any").bearer("opaque"), &ok()).await;
}

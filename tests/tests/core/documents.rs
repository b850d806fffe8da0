//! Which documents of the tenant are accepted, and what a request is answered otherwise.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use harness::support::{
    Document, Expected, Http2, Log, Upstream, frozen_tenant, get, gzip, internal, introspecting,
    invalid_token, ok, serve, served, unavailable,
};
use http::{Request, Response, header};
use monocloud_backend::{
    ProtectApi,
    error::InvalidToken,
    http_client::{HttpClient, HttpFuture},
};
use monocloud_testkit::{Authority, Endpoint, Fault, MockTenant};
use serde_json::{Value, json};
use tempfile::TempDir;
use tracing::Level;
use wiremock::ResponseTemplate;

/// A cold start with one document that is not what it should be.
async fn assert_cold(
    case: &str,
    document: Document,
    response: ResponseTemplate,
    expected: &Expected,
) {
    let upstream = Upstream::start().await;
    upstream.publish(document, response.clone());
    let api = serve(&upstream.protect().build().unwrap());
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

fn status(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string("{}")
}

fn body(body: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body.into())
}

#[tokio::test]
async fn an_unavailable_tenant_is_503_and_rejected_credentials_are_500() {
    for document in [Document::Metadata, Document::Keys] {
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
            ("two byte order marks", "\u{feff}\u{feff}{}"),
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
async fn a_document_has_a_maximum_length() {
    for (document, limit) in [(Document::Metadata, 256 * 1024), (Document::Keys, 1024 * 1024)] {
        for (length, expected) in [(limit, ok()), (limit + 1, unavailable())] {
            let upstream = Upstream::start().await;
            let text = match document {
                Document::Metadata => upstream.metadata().to_string(),
                Document::Keys => upstream.tenant.jwks().to_string(),
            };
            let padding = " ".repeat(length - text.len());
            upstream.publish(document, body(text + &padding));
            let api = serve(&upstream.protect().build().unwrap());
            let case = format!("{document:?} of {length} bytes");
            api.check(&case, get("/any").bearer(&upstream.token().mint()), &expected).await;
        }
    }
}

#[tokio::test]
async fn a_set_of_256_keys_is_read() {
    let upstream = Upstream::start().await;
    let mut keys = vec![json!({"kty": "EC"}); 255];
    keys.push(upstream.tenant.jwks()["keys"][0].clone());
    upstream.publish(Document::Keys, body(json!({"keys": keys}).to_string()));
    let api = serve(&upstream.protect().build().unwrap());
    api.check("256 keys", get("/any").bearer(&upstream.token().mint()), &ok()).await;
}

/// Serves the upstream's own metadata with one member changed, or removed where it is null.
async fn assert_metadata(cases: &[(&str, Value, Expected)]) {
    for (member, value, expected) in cases {
        let upstream = Upstream::start().await;
        let mut metadata = upstream.metadata();
        metadata[*member] = match value.as_str() {
            Some(text) => json!(text.replace("{issuer}", &upstream.issuer())),
            None => value.clone(),
        };
        upstream.publish(Document::Metadata, body(metadata.to_string()));
        let api = serve(&upstream.protect().build().unwrap());
        let case = format!("{member}: {value}");
        api.check(&case, get("/any").bearer(&upstream.token().mint()), expected).await;
        let fetched = usize::from(*expected == ok());
        assert_eq!(upstream.requests(Document::Keys), fetched, "{case}");
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
    let upstream = Upstream::start().await;
    let mut metadata = upstream.metadata();
    metadata["jwks_uri"] = json!(upstream.url("/jwks").replace("http://", "http://me:pw@"));
    upstream.publish(Document::Metadata, body(metadata.to_string()));
    let api = serve(&upstream.protect().build().unwrap());
    api.check("userinfo", get("/any").bearer(&upstream.token().mint()), &internal()).await;
    assert_eq!(upstream.requests(Document::Keys), 0);
}

#[tokio::test]
async fn a_refused_document_never_replaces_a_good_one() {
    let odd = r#"{"keys":[{"kty":"oct","k":"AQAB","kid":"x"}]}"#;
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
        let api = serve(&upstream.protect().build().unwrap());
        let good = upstream.token().expires_in(1000).mint();
        api.check("warm", get("/any").bearer(&good), &ok()).await;
        upstream.publish(document, response);
        upstream.tenant.clock().advance(Duration::from_secs(400));
        let case = format!("{document:?}: {case}");
        api.check(&case, get("/any").bearer(&good), &ok()).await;
        assert_eq!(upstream.requests(Document::Metadata), 2, "{case}");
        let forged = upstream.token().signed_by(monocloud_testkit::Signer::Foreign).mint();
        let refused = invalid_token(InvalidToken::Signature);
        api.check(&case, get("/any").bearer(&forged), &refused).await;
    }
}

#[tokio::test]
async fn a_document_may_be_compressed_unasked_or_begin_with_a_byte_order_mark() {
    for (document, limit) in [(Document::Metadata, 256 * 1024), (Document::Keys, 1024 * 1024)] {
        let upstream = Upstream::start().await;
        let text = match document {
            Document::Metadata => upstream.metadata().to_string(),
            Document::Keys => upstream.tenant.jwks().to_string(),
        };
        let padded = |length: usize| text.clone() + &" ".repeat(length - text.len());
        let coded = |coding: &str, body: Vec<u8>| {
            ResponseTemplate::new(200)
                .insert_header("content-encoding", coding)
                .set_body_bytes(body)
        };
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
            ("fitting", coded("gzip", gzip(padded(limit).as_bytes())), ok(), ""),
            ("too long", coded("gzip", gzip(padded(limit + 1).as_bytes())), unavailable(), &excess),
            ("a bomb", coded("gzip", gzip(padded(64 << 20).as_bytes())), unavailable(), &excess),
            ("Brotli", coded("br", text.clone().into()), unavailable(), "coding \"br\""),
        ] {
            upstream.publish(document, response);
            let api = serve(&upstream.protect().build().unwrap());
            let case = format!("{document:?}: {case}");
            let log = Log::capture();
            api.check(&case, get("/any").bearer(&upstream.token().mint()), &expected).await;
            let told = log.lines(Level::WARN).concat();
            assert_eq!(told.is_empty(), logged.is_empty(), "{case}: {told}");
            assert!(told.contains(logged), "{case}: {told}");
        }
    }
}

/// Records what is requested, and compresses every response of the tenant without being asked.
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
async fn an_applications_own_client_is_asked_for_the_same_and_may_bring_gzip_too() {
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
        (Endpoint::Discovery, json),
        (Endpoint::Jwks, "application/jwk-set+json, application/json"),
        (Endpoint::Introspection, json),
    ];
    let expected = expected
        .map(|(endpoint, accept)| (path(endpoint), accept.to_owned(), "identity".to_owned()));
    assert_eq!(*client.requests.lock().unwrap(), expected);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    for document in [Document::Metadata, Document::Keys] {
        let upstream = Upstream::start().await;
        let in_30_s = upstream.tenant.clock().now() + Duration::from_secs(30);
        let date = httpdate::fmt_http_date(in_30_s);
        upstream.publish(document, status(429).insert_header("retry-after", &*date));
        let api = serve(&upstream.protect().build().unwrap());
        let answer = api.send(get("/any").bearer(&upstream.token().mint())).await;
        answer.assert("429", &unavailable());
        // A date has whole seconds.
        assert!((29..=30).contains(&answer.retry_after().unwrap()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_fetch_that_is_lost_with_a_kept_connection_is_repeated() {
    for fault in [Fault::CloseBeforeAnswer, Fault::Reset] {
        let tenant = frozen_tenant().await;
        let api = served(&tenant);
        // The connection is that of the metadata.
        tenant.fault(Endpoint::Jwks, fault.clone()).times(1);
        let case = format!("{fault:?}");
        api.check(&case, get("/any").bearer(&tenant.token().mint()), &ok()).await;
        assert_eq!(tenant.requests(Endpoint::Jwks), 2, "{case}");
    }
}

#[tokio::test]
async fn a_tenant_may_speak_http_2_alone() {
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

//! What a document says of tokens that are bound to a key (DPoP, RFC 9449).

use monocloud_backend::{
    ApiDocument, DocumentError, ProtectApi, certificate::CertificateBinding, dpop::DpopMode,
    poem::Handlers,
};
use poem::handler;
use serde_json::{Value, json};

use crate::world::described;

const MODES: [DpopMode; 3] = [DpopMode::Disabled, DpopMode::Allowed, DpopMode::Required];

const DOCUMENT: &str = "
openapi: 3.1.0
info: { title: Posts, version: '1' }
components: { responses: { LogIn: { description: Log in }, Denied: { description: No } } }
paths:
  /posts: { get: { security: [MonoCloud: []] } }
  /own:
    get:
      security: [MonoCloud: []]
      responses:
        '401': { $ref: '#/components/responses/LogIn' }
        '403': { $ref: '#/components/responses/Denied' }
";

#[handler]
fn up() {}

fn protect(dpop: DpopMode, binding: CertificateBinding) -> ProtectApi {
    let api = ProtectApi::builder()
        .tenant_domain("acme.us.monocloud.com")
        .audience("https://api.example.com");
    api.dpop(dpop).certificate_binding(binding).build().unwrap()
}

fn start(protect: &ProtectApi, text: &str) -> Result<ApiDocument, DocumentError> {
    let handlers = Handlers::new().get("/posts", up).get("/own", up);
    protect.document(text)?.routes(handlers).map(|(_, document)| document)
}

/// The document with the endpoints of the tenant, or without them.
fn rendered(document: &ApiDocument, with_endpoints: bool) -> Value {
    let issuer = "https://acme.us.monocloud.com";
    let mut metadata = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") });
    if with_endpoints {
        metadata["authorization_endpoint"] = format!("{issuer}/authorize").into();
        metadata["token_endpoint"] = format!("{issuer}/token").into();
    }
    document.render_with(&metadata).unwrap()
}

#[test]
fn the_scheme_says_whether_tokens_may_or_must_be_bound_to_a_key() {
    for (dpop, word) in MODES.into_iter().zip([json!(null), json!("allowed"), json!("required")]) {
        let document = start(&protect(dpop, CertificateBinding::WhenPresent), DOCUMENT).unwrap();
        for with_endpoints in [true, false] {
            let document = rendered(&document, with_endpoints);
            let scheme = &document["components"]["securitySchemes"]["MonoCloud"];
            assert_eq!(scheme["x-monocloud-dpop"], word, "{with_endpoints}");
            assert_eq!(scheme["x-monocloud-certificate-binding"], "when_present");
        }
    }
}

#[test]
fn a_401_has_the_nonce_and_the_challenges_of_the_schemes_that_are_accepted() {
    let challenges = [
        "The challenge of RFC 6750: realm, error, error_description, scope",
        "The challenges of RFC 6750 and RFC 9449: realm, algs, error, error_description, scope",
        "The challenge of RFC 9449: realm, algs, error, error_description, scope",
    ];
    for (dpop, challenge) in MODES.into_iter().zip(challenges) {
        let document = start(&protect(dpop, CertificateBinding::WhenPresent), DOCUMENT).unwrap();
        let document = rendered(&document, true);
        for path in ["/posts", "/own"] {
            for (status, has_nonce) in [("401", dpop != DpopMode::Disabled), ("403", false)] {
                let response = described(&document, &document["paths"][path]["get"], status);
                let headers = &response["headers"];
                assert_eq!(headers["WWW-Authenticate"]["description"], challenge, "{response}");
                let nonce = headers["DPoP-Nonce"]["schema"]["type"] == "string";
                assert_eq!(nonce, has_nonce, "{status} {response}");
            }
        }
    }
}

#[test]
fn a_served_document_is_accepted_again_and_one_that_contradicts_the_setting_is_not() {
    for served in MODES {
        let document = start(&protect(served, CertificateBinding::WhenPresent), DOCUMENT).unwrap();
        let once = rendered(&document, true);
        for configured in MODES {
            let protect = protect(configured, CertificateBinding::WhenPresent);
            let again = start(&protect, &once.to_string());
            if served == configured {
                assert_eq!(rendered(&again.unwrap(), true), once);
            } else if served == DpopMode::Disabled {
                // It says nothing.
                again.unwrap();
            } else {
                let word = format!("{configured:?}").to_lowercase();
                let problem = again.unwrap_err().to_string();
                let expected = format!(
                    "and this API is configured for {word:?}; write that, or set \
                     MONOCLOUD_BACKEND_DPOP"
                );
                assert!(problem.contains(&expected), "{problem}");
            }
        }
    }
}

/// The document with an operation that needs a bound token.
fn constrained() -> String {
    let security = "security: [MonoCloud: []]";
    DOCUMENT.replacen(security, &format!("{security}, x-monocloud-sender-constrained: true"), 1)
}

#[test]
fn what_needs_a_bound_token_needs_a_binding_that_is_verified() {
    let document = constrained();
    for binding in [CertificateBinding::WhenPresent, CertificateBinding::DangerouslyIgnore] {
        for dpop in MODES {
            let started = start(&protect(dpop, binding), &document);
            let is_verified =
                binding == CertificateBinding::WhenPresent || dpop != DpopMode::Disabled;
            assert_eq!(started.is_ok(), is_verified, "{binding:?} {dpop:?}");
            let Err(error) = started else { continue };
            let expected = "GET /posts: it needs a token that is bound to its sender, and no binding \
                            is verified; set MONOCLOUD_BACKEND_VALIDATE_CERTIFICATE_BINDING to \
                            `when_present` or `required`, or MONOCLOUD_BACKEND_DPOP to `allowed` or \
                            `required`";
            assert_eq!(error.to_string().lines().nth(1), Some(expected));
        }
    }
}

#[test]
fn the_description_names_both_bindings() {
    let api = protect(DpopMode::Allowed, CertificateBinding::WhenPresent);
    let document = start(&api, &constrained());
    let document = rendered(&document.unwrap(), true);
    assert_eq!(
        document["paths"]["/posts"]["get"]["description"],
        "Requires a token that is bound to its sender by certificate or by DPoP key."
    );
}

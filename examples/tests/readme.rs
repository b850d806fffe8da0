//! The code in the README is that of the files in `readme/`, which are compiled and run.
//!
//! Change those, and copy them into the README.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic")]

const README: &str = include_str!("../../README.md");

mod axum_app {
    include!("../readme/axum.rs");

    // Its test runs as one of this target, and reads the document in this package's folder.
    #[test]
    fn the_code_for_axum_is_in_the_readme_and_its_document_in_a_file() {
        crate::assert_shown(include_str!("../readme/axum.rs"));
        let protect = crate::protect().describe_scope("posts:read", "Read posts");
        let document = protect.document(&Posts::openapi().to_json().unwrap()).unwrap();
        let (_, document) = document.routes(Router::new().route("/posts", get(list))).unwrap();
        let metadata = serde_json::json!({
            "issuer": "https://acme.us.monocloud.com",
            "jwks_uri": "https://acme.us.monocloud.com/.well-known/openid-configuration/jwks",
            "authorization_endpoint": "https://acme.us.monocloud.com/connect/authorize",
            "token_endpoint": "https://acme.us.monocloud.com/connect/token",
        });
        let document = document.render_with(&metadata).unwrap();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write("openapi.json", format!("{document:#}\n")).unwrap();
        }
        let file = std::fs::read("openapi.json").unwrap_or_default();
        let file: serde_json::Value = serde_json::from_slice(&file).unwrap_or_default();
        assert_eq!(document, file, "openapi.json is out of date: run this with UPDATE_OPENAPI=1");
    }
}

#[allow(dead_code, reason = "`main` is not called")]
mod poem_openapi_app {
    // Its test runs as one of this target.
    include!("../readme/poem_openapi.rs");

    #[test]
    fn the_code_for_poem_openapi_is_in_the_readme() {
        crate::assert_shown(include_str!("../readme/poem_openapi.rs"));
    }
}

mod salvo_app {
    include!("../readme/salvo.rs");

    #[test]
    fn the_code_for_salvo_is_in_the_readme_and_starts() {
        crate::assert_shown(include_str!("../readme/salvo.rs"));
        let _ = app(crate::protect()).unwrap();
    }
}

fn assert_shown(code: &str) {
    assert!(README.contains(code), "README.md does not contain this:\n{code}");
}

fn protect() -> monocloud_backend::ProtectApi {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    monocloud_backend::ProtectApi::from_vars(vars).unwrap()
}

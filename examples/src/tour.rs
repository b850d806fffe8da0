//! Requests to paste, and what each is answered with.

use std::fmt::Write as _;

use monocloud_testkit::MockTenant;

use crate::{MadeUp, TENANT_DOMAIN};

/// How long the printed tokens last, in seconds.
const TOKEN_LIFETIME: i64 = 12 * 60 * 60;

/// The posts API, with every kind of token.
pub(crate) fn of_posts(tenant: &MockTenant, api: &str) -> String {
    let token = || tenant.token().subject("alice").expires_in(TOKEN_LIFETIME);
    let reader = token().scope("posts:read").mint();
    let writer = token().scope("posts:read posts:write").mint();
    let admin = token().groups(["admin"]).mint();
    let opaque = tenant.opaque_token().scope("posts:read").expires_in(TOKEN_LIFETIME).mint();
    let post = r#"-X POST -H 'Content-Type: application/json' -d '{"title":"Hello"}'"#;
    let mut text = introduction();
    for (comment, arguments, path, token) in [
        ("200: a reader reads", "", "/api/posts", Some(&reader)),
        ("200: so does an opaque token", "", "/api/posts", Some(&opaque)),
        ("401: without a token", "", "/api/posts", None),
        ("403: a reader does not write", post, "/api/posts", Some(&reader)),
        ("201: a writer writes", post, "/api/posts", Some(&writer)),
        ("204: an admin deletes", "-X DELETE", "/api/posts/1", Some(&admin)),
        ("200: who am I?", "", "/api/me", Some(&reader)),
    ] {
        let authorization = token.map(|token| format!("-H 'Authorization: Bearer {token}'"));
        let arguments = [arguments, authorization.as_deref().unwrap_or_default()];
        let arguments: String = arguments
            .iter()
            .filter(|argument| !argument.is_empty())
            .map(|argument| format!(" {argument}"))
            .collect();
        let _ = write!(text, "\n# {comment}\ncurl -i{arguments} {api}{path}\n");
    }
    text
}

/// A token that is bound to a certificate, with it and without.
pub(crate) fn of_bound_tokens(tenant: &MockTenant, made_up: &MadeUp, api: &str) -> String {
    let MadeUp { authority, client, .. } = made_up;
    let token = tenant.token().subject("alice").expires_in(TOKEN_LIFETIME).bound_to(client).mint();
    let trusting = format!("curl -i --cacert {}", authority.certificate_file().display());
    let presenting = format!(
        "--cert {} --key {}",
        client.certificate_file().display(),
        client.key_file().display()
    );
    let rest = format!("-H 'Authorization: Bearer {token}' {api}/api/me");
    let mut text = introduction();
    let _ = write!(
        text,
        "\n# 200: its owner proves it\n{trusting} {presenting} {rest}\n\
         \n# 401: whoever stole the token does not\n{trusting} {rest}\n"
    );
    text
}

fn introduction() -> String {
    format!(
        "NO TENANT IS CONFIGURED: THIS IS A MOCK TENANT, FOR TRYING THINGS OUT ONLY.\n\
         Set {TENANT_DOMAIN} and MONOCLOUD_BACKEND_AUDIENCE to use your own.\n"
    )
}

//! `mock-tenant token`.

use monocloud_testkit::Decoded;
use serde_json::{Map, Value, json};

use crate::{
    args::{Output, TokenArgs},
    failure::Failure,
    http,
    terminal::print,
};

pub(crate) fn token(args: TokenArgs) -> Result<(), Failure> {
    let url = args.tenant.trim_end_matches('/');
    let answer = http::post(url, "/_control/tokens", &order(&args))?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        return Err(refusal(&args, answer.status, &body));
    }
    let token = body.get("token").and_then(Value::as_str).ok_or_else(|| not_a_tenant(url))?;
    print(&printed(token, args.output))
}

/// The body of the request.
fn order(args: &TokenArgs) -> Value {
    let mut order = Map::new();
    let texts = [
        ("user", &args.user),
        ("client", &args.client),
        ("scope", &args.scope),
        ("audience", &args.audience),
        ("hostile", &args.hostile),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            order.insert(name.to_owned(), value.as_str().into());
        }
    }
    if !args.claim.is_empty() {
        order.insert("claim".to_owned(), args.claim.iter().cloned().collect());
    }
    if let Some(seconds) = args.expires_in {
        order.insert("expires_in".to_owned(), seconds.into());
    }
    if args.opaque {
        order.insert("opaque".to_owned(), true.into());
    }
    order.into()
}

fn printed(token: &str, output: Output) -> String {
    match output {
        Output::Token => format!("{token}\n"),
        Output::Header => format!("Authorization: Bearer {token}\n"),
        Output::Curl => {
            format!("curl -H 'Authorization: Bearer {token}' http://127.0.0.1:3000/\n")
        }
        Output::Json => {
            let object = match Decoded::parse(token) {
                Ok(decoded) => json!({
                    "token": token, "header": decoded.header, "claims": decoded.claims,
                }),
                Err(_) => json!({ "token": token }),
            };
            format!("{object:#}\n")
        }
    }
}

/// Why the tenant did not mint the token.
fn refusal(args: &TokenArgs, status: u16, body: &Value) -> Failure {
    let Some(error) = body.get("error").and_then(Value::as_str) else {
        return not_a_tenant(&args.tenant);
    };
    if status >= 500 {
        return Failure::other(error);
    }
    let valid = args.hostile.as_deref().zip(body.get("valid"));
    Failure::usage(match valid.map(|(name, valid)| similar(name, valid)) {
        None => error.to_owned(),
        Some(None) => format!("{error}; `mock-tenant hostile` lists them"),
        Some(Some(similar)) => format!("{error}; similar: {similar}"),
    })
}

fn not_a_tenant(url: &str) -> Failure {
    Failure::usage(format!(
        "{url} is not a mock tenant with a control API: name one with --tenant or MOCK_TENANT_URL"
    ))
}

/// The three names that look most like this one, if any does.
fn similar(name: &str, valid: &Value) -> Option<String> {
    let valid = valid.as_array()?.iter().filter_map(Value::as_str);
    let mut ranked: Vec<_> = valid
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let names: Vec<_> = ranked.into_iter().take(3).map(|(_, name)| name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

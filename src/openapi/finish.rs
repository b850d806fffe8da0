//! The document that is served: the tenant's own endpoints, scopes with their descriptions, and
//! the answers of a refusal on every operation that can refuse.

use serde_json::{Map, Value, json};

use super::{document::Document, security};
use crate::{
    certificate::CertificateBinding, policy::Access, protect::ScopeDescriptions,
    tenant::metadata::Metadata,
};

/// The extension that marks a document which the tenant's endpoints are missing from.
const INCOMPLETE: &str = "x-monocloud-incomplete";

/// The extension that says which tokens must prove possession of a certificate (RFC 8705).
const BINDING: &str = "x-monocloud-certificate-binding";

/// What is known of our scheme beside the document.
pub(crate) struct Scheme<'s> {
    pub(crate) name: &'s str,
    pub(crate) scopes: &'s ScopeDescriptions,
    pub(crate) binding: CertificateBinding,
    /// The tenant's, if it could be read.
    pub(crate) metadata: Option<&'s Metadata>,
}

/// Finishes a document. While the tenant cannot be read the scheme is plain bearer, marked as
/// incomplete: `http` schemes have no endpoints, and no scopes either.
pub(crate) fn finish(mut document: Document, scheme: &Scheme<'_>) -> Value {
    let accesses = security::compile(&document, scheme.name);
    let mut takes_scopes = Vec::new();
    edit(document.members_mut(), "components", |components| {
        edit(components, "securitySchemes", |schemes| {
            schemes.insert(scheme.name.to_owned(), scheme.describe());
            takes_scopes = schemes_with_scopes(schemes);
        });
    });
    if let Some(root) = document.members_mut().get_mut("security") {
        strip_scopes(root, &takes_scopes);
    }
    let mut accesses = accesses.into_iter();
    document.rewrite(|_, _, operation| {
        if let Some(security) = operation.get_mut("security") {
            strip_scopes(security, &takes_scopes);
        }
        if let Some((_, Ok(access))) = accesses.next()
            && !access.is_public()
        {
            describe_refusals(operation, &access);
        }
    });
    Value::Object(std::mem::take(document.members_mut()))
}

impl Scheme<'_> {
    fn describe(&self) -> Value {
        let endpoints = self.metadata.and_then(|metadata| {
            Some((metadata.authorization_endpoint.as_ref()?, metadata.token_endpoint.as_ref()?))
        });
        match endpoints {
            Some((authorization, token)) => json!({
                "type": "oauth2",
                "description": "An access token of the MonoCloud tenant",
                BINDING: self.binding.word(),
                "flows": { "authorizationCode": {
                    "authorizationUrl": authorization.as_str(),
                    "tokenUrl": token.as_str(),
                    "scopes": self.scopes,
                }},
            }),
            None => json!({
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token of the MonoCloud tenant, whose endpoints could not be read yet",
                BINDING: self.binding.word(),
                INCOMPLETE: true,
            }),
        }
    }
}

fn schemes_with_scopes(schemes: &Map<String, Value>) -> Vec<String> {
    let has_scopes =
        |scheme: &Value| scheme["type"] == "oauth2" || scheme["type"] == "openIdConnect";
    schemes.iter().filter(|(_, scheme)| has_scopes(scheme)).map(|(name, _)| name.clone()).collect()
}

/// Only oauth2 and openIdConnect schemes have scopes (OpenAPI 3.0 §4.7.30); poem-openapi copies
/// them to every scheme of an argument.
fn strip_scopes(security: &mut Value, takes_scopes: &[String]) {
    let alternatives = security.as_array_mut().into_iter().flatten();
    for (scheme, scopes) in alternatives.filter_map(Value::as_object_mut).flatten() {
        if !takes_scopes.contains(scheme) {
            *scopes = json!([]);
        }
    }
}

/// The answers of RFC 6750 §3 on an operation that gives them. An answer that the application
/// describes itself stays, and gains the header.
fn describe_refusals(operation: &mut Map<String, Value>, access: &Access) {
    let forbidden = match access.alternatives.first() {
        Some(needed) if !needed.scopes.is_empty() => {
            format!("The access token does not carry every scope of: {}", needed.scopes.join(" "))
        }
        Some(needed) if !needed.groups.is_empty() => {
            format!("The access token does not carry the groups of: {}", needed.groups.join(", "))
        }
        _ => "The access token does not permit this operation".to_owned(),
    };
    edit(operation, "responses", |responses| {
        for (status, description) in [
            ("401", "The access token is missing, expired or not valid for this API"),
            ("403", &forbidden),
        ] {
            let described = responses.contains_key(status);
            edit(responses, status, |response| {
                if !described {
                    response.extend(refusal(description));
                }
                describe_challenge(response);
            });
        }
    });
}

fn refusal(description: &str) -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "required": ["message"],
        "properties": { "message": { "type": "string" } },
    });
    let content = json!({ "application/json": { "schema": schema } });
    [("description".to_owned(), description.into()), ("content".to_owned(), content)]
        .into_iter()
        .collect()
}

fn describe_challenge(response: &mut Map<String, Value>) {
    if response.contains_key("$ref") {
        return;
    }
    edit(response, "headers", |headers| {
        if !headers.keys().any(|name| name.eq_ignore_ascii_case("WWW-Authenticate")) {
            let header = json!({
                "description": "The challenge of RFC 6750: realm, error, error_description, scope",
                "schema": { "type": "string" },
            });
            headers.insert("WWW-Authenticate".to_owned(), header);
        }
    });
}

/// Edits a member that is an object; what is no object becomes one.
fn edit(members: &mut Map<String, Value>, name: &str, edit: impl FnOnce(&mut Map<String, Value>)) {
    let mut object = match members.remove(name) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    edit(&mut object);
    members.insert(name.to_owned(), Value::Object(object));
}

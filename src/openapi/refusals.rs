//! The responses to rejected requests: described once, in the components, and referred to by each
//! operation that can reject one.

use serde_json::{Map, Value, json};

use super::{
    document::edit,
    pointer::{MAX_HOPS, target_mut},
};
use crate::{config::DpopMode, protect::refusal::ErrorBody};

const UNAUTHORIZED: &str = "The access token is missing, expired or not valid for this API";
const FORBIDDEN: &str = "The access token does not permit this operation";

const UNAUTHORIZED_STATUS: &str = "401";
const FORBIDDEN_STATUS: &str = "403";

/// Where a reference to a response begins (OpenAPI 3.0 §4.7.23).
const RESPONSES: &str = "#/components/responses/";

/// References to the responses of this library in one document.
pub(super) struct Refusals {
    unauthorized: String,
    forbidden: String,
    /// Whether a reference may have a description of its own: from OpenAPI 3.1 on (§4.8.23).
    takes_description: bool,
    dpop: DpopMode,
    /// What the application's operations refer to, and for which status.
    own: Vec<(&'static str, String)>,
}

impl Refusals {
    /// Chooses the names of the components.
    pub(super) fn new(document: &Map<String, Value>, scheme: &str, dpop: DpopMode) -> Self {
        let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
        let components =
            document.get("components").and_then(|components| components.get("responses"));
        let name =
            |suffix, description| free_name(components, &format!("{scheme}{suffix}"), description);
        Self {
            unauthorized: name("Unauthorized", UNAUTHORIZED),
            forbidden: name("Forbidden", FORBIDDEN),
            takes_description: !version.starts_with("3.0"),
            dpop,
            own: Vec::new(),
        }
    }

    /// Describes the refusals of one operation. A response that the application describes itself
    /// stays, and gains the headers.
    pub(super) fn describe(
        &mut self,
        operation: &mut Map<String, Value>,
        requirement: Option<&str>,
    ) {
        let requirement = requirement.filter(|_| self.takes_description);
        let forbidden = requirement.map(|requirement| format!("{FORBIDDEN}. {requirement}"));
        edit(operation, "responses", |responses| {
            for (status, name, description) in [
                (UNAUTHORIZED_STATUS, &self.unauthorized, None),
                (FORBIDDEN_STATUS, &self.forbidden, forbidden),
            ] {
                let reference = format!("{RESPONSES}{name}");
                let own = match responses.get_mut(status) {
                    Some(own) if own.get("$ref") != Some(&json!(reference)) => own,
                    _ => {
                        let ours = match description {
                            None => json!({ "$ref": reference }),
                            Some(text) => json!({ "$ref": reference, "description": text }),
                        };
                        responses.insert(status.to_owned(), ours);
                        continue;
                    }
                };
                if let Some(reference) = own.get("$ref").and_then(Value::as_str) {
                    self.own.push((status, reference.to_owned()));
                } else if let Value::Object(response) = own {
                    describe_headers(response, status, self.dpop);
                }
            }
        });
    }

    /// Adds the responses to the components of the document, and the headers to those that the
    /// application's operations refer to.
    pub(super) fn add_to(self, document: &mut Map<String, Value>, body: &ErrorBody) {
        edit(document, "components", |components| {
            edit(components, "responses", |responses| {
                for (status, name, description) in [
                    (UNAUTHORIZED_STATUS, self.unauthorized, UNAUTHORIZED),
                    (FORBIDDEN_STATUS, self.forbidden, FORBIDDEN),
                ] {
                    let mut response = Map::new();
                    response.insert("description".to_owned(), description.into());
                    response.insert("content".to_owned(), body.describe());
                    describe_headers(&mut response, status, self.dpop);
                    responses.insert(name, response.into());
                }
            });
        });
        for (status, mut reference) in self.own {
            for _ in 0..MAX_HOPS {
                let Some(Value::Object(response)) = target_mut(document, &reference) else { break };
                match response.get("$ref").and_then(Value::as_str) {
                    Some(next) => reference = next.to_owned(),
                    None => {
                        describe_headers(response, status, self.dpop);
                        break;
                    }
                }
            }
        }
    }
}

/// The name of a component that the document does not have, or has from an earlier time when this
/// library served it.
fn free_name(components: Option<&Value>, name: &str, description: &str) -> String {
    let is_free = |name: &String| {
        let component = components.and_then(|components| components.get(name));
        component.is_none_or(|component| component["description"] == description)
    };
    let numbered = (2_u32..).map(|number| format!("{name}{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

fn describe_headers(response: &mut Map<String, Value>, status: &str, dpop: DpopMode) {
    let challenge = match dpop {
        DpopMode::Allowed => {
            "The challenges of RFC 6750 and RFC 9449: realm, algs, error, error_description, scope"
        }
        DpopMode::Disabled => "The challenge of RFC 6750: realm, error, error_description, scope",
        DpopMode::Required => {
            "The challenge of RFC 9449: realm, algs, error, error_description, scope"
        }
    };
    let nonce = "The nonce for the next DPoP proof (RFC 9449), where the API requires one";
    let has_nonce = status == UNAUTHORIZED_STATUS && dpop != DpopMode::Disabled;
    let nonce = has_nonce.then_some(("DPoP-Nonce", nonce));
    edit(response, "headers", |headers| {
        for (name, description) in [("WWW-Authenticate", challenge)].into_iter().chain(nonce) {
            if !headers.keys().any(|own| own.eq_ignore_ascii_case(name)) {
                let header = json!({ "description": description, "schema": { "type": "string" } });
                headers.insert(name.to_owned(), header);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(document: &Value) -> Value {
        let mut document = document.as_object().unwrap().clone();
        let mut refusals = Refusals::new(&document, "MonoCloud", DpopMode::Required);
        let mut operation = document.remove("operation").unwrap();
        refusals.describe(operation.as_object_mut().unwrap(), Some("Requires `a`."));
        refusals.add_to(&mut document, &ErrorBody::Message);
        document.insert("operation".to_owned(), operation);
        document.into()
    }

    #[test]
    fn a_name_of_the_applications_is_left_alone_and_an_earlier_one_of_ours_is_used_again() {
        let own = json!({ "description": "Own words" });
        let document = json!({
            "openapi": "3.1.0",
            "components": { "responses": { "MonoCloudForbidden": own, "MonoCloudForbidden2": own } },
            "operation": {},
        });
        let once = finished(&document);
        let responses = &once["components"]["responses"];
        assert_eq!(responses["MonoCloudForbidden"], own);
        assert_eq!(responses["MonoCloudForbidden3"]["description"], FORBIDDEN);
        assert_eq!(
            once["operation"]["responses"]["403"],
            json!({
                "$ref": "#/components/responses/MonoCloudForbidden3",
                "description": "The access token does not permit this operation. Requires `a`.",
            }),
        );
        assert_eq!(finished(&once), once);
    }

    #[test]
    fn a_reference_has_no_description_before_openapi_3_1() {
        let document = finished(&json!({ "openapi": "3.0.3", "operation": {} }));
        let reference = json!({ "$ref": "#/components/responses/MonoCloudForbidden" });
        assert_eq!(document["operation"]["responses"]["403"], reference);
    }

    #[test]
    fn a_response_that_the_application_refers_to_gains_the_header_where_it_is_described() {
        let document = json!({
            "openapi": "3.1.0",
            "components": { "responses": {
                "LogIn": { "$ref": "#/components/responses/Real" },
                "Real": { "description": "Log in" },
                "Circle": { "$ref": "#/components/responses/Circle" },
            }},
            "operation": { "responses": {
                "401": { "$ref": "#/components/responses/LogIn" },
                "403": { "$ref": "#/components/responses/Circle" },
            }},
        });
        let finished = finished(&document);
        assert_eq!(finished["operation"], document["operation"]);
        let responses = &finished["components"]["responses"];
        assert_eq!(responses["LogIn"], document["components"]["responses"]["LogIn"]);
        assert_eq!(responses["Real"]["description"], "Log in");
        let headers = responses["Real"]["headers"].as_object().unwrap();
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["DPoP-Nonce", "WWW-Authenticate"]);
        assert_eq!(responses["Circle"], document["components"]["responses"]["Circle"]);
    }
}

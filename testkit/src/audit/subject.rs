//! The operations of a document as the audit calls them.

use http::Method;
use serde_json::Value;

use crate::{
    audit::{base::Base, call::Call, mcp, sample},
    document::{Document, Operation, Parameter, Requirement, SchemeKind, Security},
};

/// An operation with a request to it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// Such as `GET /posts/{id}`.
    pub(super) name: String,
    pub(super) method: Method,
    /// The path with values for its parameters, as it is sent.
    pub(super) path: String,
    /// With parameters in braces, as it is sent.
    pub(super) template: String,
    /// The path with values that name nothing, if it has parameters.
    pub(super) nothing: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<(String, Vec<u8>)>,
    invalid: Vec<Invalid>,
    /// Whether it is an MCP endpoint, which is called by a harmless message.
    pub(super) is_mcp: bool,
    pub(super) access: Access,
}

/// Who may call an operation.
#[derive(Clone, Debug)]
pub(super) enum Access {
    Public,
    /// With a token that satisfies one of these.
    Token(Vec<Requirement>),
    /// With a token that satisfies one of these, or without one.
    Optional(Vec<Requirement>),
    /// With credentials that the audit does not have.
    Other,
}

/// A way to make the request invalid, so that it cannot succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Invalid {
    /// The start of a JSON object.
    Body(String),
    /// A text where another type is documented.
    Path(String),
    Query(String),
}

/// What is not the name of anything.
pub(super) const NOTHING: &str = "mock-tenant-audit";

impl Subject {
    /// The operations of a document that the audit can check, and names of schemes whose tokens the
    /// tenant mints.
    pub(super) fn all(document: &Document, base: &Base, schemes: &[String]) -> Vec<Self> {
        document.operations.iter().map(|it| Self::new(document, base, schemes, it)).collect()
    }

    fn new(document: &Document, base: &Base, schemes: &[String], operation: &Operation) -> Self {
        let prefix = if base.path.is_empty() { &operation.base_path } else { &base.path };
        let template = format!("{prefix}{}", operation.path);
        let mut path = template.clone();
        let mut nothing = template.clone();
        let (mut query, mut headers, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
        let content = operation.request_body.as_ref().map(|body| &body.content);
        let is_json =
            |media_type: &&String| media_type.contains("json") && !media_type.contains('*');
        let media_type = content.and_then(|content| content.keys().find(is_json));
        let media_type = media_type.or_else(|| content.and_then(|content| content.keys().next()));
        let body = media_type.map(|media_type| {
            let members = content.and_then(|content| content.get(media_type));
            let members = members.and_then(Value::as_object).cloned().unwrap_or_default();
            let value = sample::value_of(document, &members);
            if is_json(&media_type) {
                invalid.push(Invalid::Body(media_type.clone()));
            }
            (media_type.clone(), body_of(media_type, &value))
        });
        for parameter in &operation.parameters {
            let value = plain(&sample::value_of(document, &parameter.members));
            let is_typed = is_typed(document, parameter);
            match parameter.location.as_str() {
                "path" => {
                    let place = format!("{{{}}}", parameter.name);
                    nothing = nothing.replace(&place, if is_typed { "not-valid" } else { NOTHING });
                    if is_typed && path.contains(&place) {
                        let other = path.replace(&place, "not-valid");
                        invalid.push(Invalid::Path(filled(
                            &other,
                            &operation.parameters,
                            document,
                        )));
                    }
                    path = path.replace(&place, &encoded(&value));
                }
                "query" => {
                    if is_typed {
                        invalid.push(Invalid::Query(parameter.name.clone()));
                    }
                    if parameter.required {
                        query.push((parameter.name.clone(), value));
                    }
                }
                "header" if parameter.required => headers.push((parameter.name.clone(), value)),
                "cookie" if parameter.required => {
                    headers.push(("Cookie".to_owned(), format!("{}={value}", parameter.name)));
                }
                _ => {}
            }
        }
        Self {
            name: format!("{} {}", operation.method, operation.path),
            method: operation.method.clone(),
            path,
            nothing: (nothing != template).then_some(nothing),
            template,
            query,
            headers,
            body,
            invalid,
            is_mcp: false,
            access: access(&operation.security, document, schemes),
        }
    }

    /// Whether an operation of the document has the same path.
    pub(super) fn is_at_path_of(&self, operation: &Operation) -> bool {
        self.name.split_once(' ').is_some_and(|(_, path)| path == operation.path)
    }

    /// Whether calling it changes nothing (RFC 9110 §9.2.1).
    pub(super) fn is_safe(&self) -> bool {
        self.is_mcp
            || matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "QUERY")
    }

    /// The operation as an MCP endpoint, if its path says so.
    pub(super) fn of_mcp(mut self) -> Self {
        if self.method == Method::POST && self.path.ends_with("/mcp") {
            let (body, headers) = mcp::harmless();
            let media_type = "application/json".to_owned();
            self.invalid.retain(|it| !matches!(it, Invalid::Body(_)));
            self.invalid.push(Invalid::Body(media_type.clone()));
            self.body = Some((media_type, body));
            self.headers.extend(headers);
            self.is_mcp = true;
        }
        self
    }

    pub(super) fn requirements(&self) -> &[Requirement] {
        match &self.access {
            Access::Token(alternatives) | Access::Optional(alternatives) => alternatives,
            Access::Public | Access::Other => &[],
        }
    }

    /// Whether every token must be bound to its client.
    pub(super) fn is_bound(&self) -> bool {
        let requirements = self.requirements();
        !requirements.is_empty() && requirements.iter().all(|it| it.sender_constrained)
    }

    pub(super) fn invalid(&self) -> &[Invalid] {
        &self.invalid
    }

    pub(super) fn has_body(&self) -> bool {
        self.body.is_some()
    }

    /// The documented request.
    pub(super) fn call(&self) -> Call {
        self.call_at(&self.path, &self.query)
    }

    /// The documented request at another spelling of its path.
    pub(super) fn call_at_path(&self, path: &str) -> Call {
        self.call_at(path, &self.query)
    }

    /// The documented request with one more query parameter.
    pub(super) fn call_with_query(&self, name: &str, value: &str) -> Call {
        let mut query = self.query.clone();
        query.retain(|(other, _)| other != name);
        query.push((name.to_owned(), value.to_owned()));
        self.call_at(&self.path, &query)
    }

    /// A request that cannot succeed.
    pub(super) fn invalid_call(&self, invalid: &Invalid) -> Call {
        match invalid {
            Invalid::Body(media_type) => self.call().body(media_type, "{\"audit\": "),
            Invalid::Path(path) => self.call_at_path(path),
            Invalid::Query(name) => self.call_with_query(name, "not-valid"),
        }
    }

    fn call_at(&self, path: &str, query: &[(String, String)]) -> Call {
        let pair =
            |(name, value): &(String, String)| format!("{}={}", encoded(name), encoded(value));
        let query: Vec<_> = query.iter().map(pair).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut call = Call::new(self.method.clone(), format!("{path}{mark}{}", query.join("&")));
        for (name, value) in &self.headers {
            call = call.plain_header(name, value);
        }
        match &self.body {
            Some((media_type, body)) => call.body(media_type, body.clone()),
            None => call,
        }
    }
}

/// The schemes of a document that are presented as `Authorization: Bearer`.
pub(super) fn token_schemes(document: &Document) -> Vec<String> {
    use SchemeKind::{Http, OAuth2, OpenIdConnect};
    let is_token = |kind: &_| match kind {
        OAuth2 | OpenIdConnect => true,
        Http(scheme) => matches!(scheme.as_str(), "bearer" | "dpop"),
        _ => false,
    };
    let schemes = document.schemes.iter().filter(|(_, scheme)| is_token(&scheme.kind));
    schemes.map(|(name, _)| name.clone()).collect()
}

fn access(security: &Security, document: &Document, schemes: &[String]) -> Access {
    if matches!(security, Security::Public) {
        return Access::Public;
    }
    let kind = |name: &String| document.schemes.get(name).map(|scheme| &scheme.kind);
    let is_token = |name: &String| schemes.contains(name);
    let is_ours = |it: &&Requirement| {
        let mut names = it.schemes.keys();
        names.all(|name| is_token(name) || kind(name) == Some(&SchemeKind::MutualTls))
            && it.schemes.keys().any(is_token)
    };
    let ours = security.alternatives().iter().filter(is_ours).cloned();
    let ours: Vec<_> = ours.map(|requirement| bound(requirement, document)).collect();
    match (security.permits_anonymous(), ours.is_empty()) {
        (true, true) => Access::Public,
        (true, false) => Access::Optional(ours),
        (false, true) => Access::Other,
        (false, false) => Access::Token(ours),
    }
}

/// The requirement, which says so where one of its schemes demands a bound token.
fn bound(mut requirement: Requirement, document: &Document) -> Requirement {
    let mut schemes = requirement.schemes.keys().filter_map(|name| document.schemes.get(name));
    requirement.sender_constrained |= schemes.any(|scheme| {
        let requires = |name: &str| scheme.members.get(name).is_some_and(|it| it == "required");
        matches!(&scheme.kind, SchemeKind::MutualTls)
            || scheme.kind == SchemeKind::Http("dpop".to_owned())
            || requires("x-monocloud-dpop")
            || requires("x-monocloud-certificate-binding")
    });
    requirement
}

/// Whether a text is not a value of the parameter.
fn is_typed(document: &Document, parameter: &Parameter) -> bool {
    let Some(schema) = sample::schema_of(document, &parameter.members) else { return false };
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    matches!(sample::type_of(schema), Some("integer" | "number" | "boolean"))
        || matches!(format, "uuid" | "date" | "date-time")
}

fn filled(path: &str, parameters: &[Parameter], document: &Document) -> String {
    let in_path = parameters.iter().filter(|parameter| parameter.location == "path");
    in_path.fold(path.to_owned(), |path, parameter| {
        let value = plain(&sample::value_of(document, &parameter.members));
        path.replace(&format!("{{{}}}", parameter.name), &encoded(&value))
    })
}

fn body_of(media_type: &str, value: &Value) -> Vec<u8> {
    match (media_type, value) {
        ("application/x-www-form-urlencoded", Value::Object(members)) => {
            let pair = |(name, value): (&String, &Value)| {
                format!("{}={}", encoded(name), encoded(&plain(value)))
            };
            members.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes()
        }
        (media_type, value) if media_type.contains("json") => value.to_string().into_bytes(),
        (_, value) => plain(value).into_bytes(),
    }
}

/// As a parameter of style `simple` or `form` has it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Percent-encoded but for unreserved characters (RFC 3986 §2.3).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(base: &str, paths: &str) -> Vec<Subject> {
        let openapi = format!(
            "openapi: 3.1.0\nservers: [{{ url: https://api.example.com/v1 }}]\ncomponents:\n  \
             securitySchemes:\n    login: {{ type: openIdConnect, openIdConnectUrl: https://a }}\n    \
             dpop: {{ type: http, scheme: dpop }}\n    mtls: {{ type: mutualTLS }}\n    \
             key: {{ type: apiKey, in: header, name: X-Key }}\npaths:\n{paths}"
        );
        let document = Document::read(openapi.as_bytes()).unwrap();
        let schemes = token_schemes(&document);
        assert_eq!(schemes, ["dpop", "login"]);
        Subject::all(&document, &Base::parse(base).unwrap(), &schemes)
    }

    fn access(security: &str) -> Subject {
        let path = format!("  /a:\n    get: {{ security: {security} }}\n");
        subjects("http://127.0.0.1", &path).remove(0)
    }

    #[test]
    fn a_request_has_values_for_what_is_required() {
        let paths = "  /posts/{id}/{part}:\n    post:\n      parameters:\n        \
                     - { name: id, in: path, required: true, schema: { type: integer } }\n        \
                     - { name: part, in: path, required: true, example: a/b }\n        \
                     - { name: q, in: query, required: true, example: [x, y z] }\n        \
                     - { name: page, in: query, schema: { type: integer } }\n        \
                     - { name: X-Trace, in: header, required: true, example: t }\n        \
                     - { name: seen, in: cookie, required: true, example: 1 }\n      \
                     requestBody: { content: { text/plain: {}, application/json: { example: { a: 1 } } } }\n";
        let subject = subjects("http://127.0.0.1", paths).remove(0);
        let call = subject.call();
        assert_eq!(call.target, "/v1/posts/1/a%2Fb?q=x%2Cy%20z");
        assert_eq!(call.body.as_deref(), Some(&br#"{"a":1}"#[..]));
        let headers: Vec<_> =
            call.headers.iter().map(|(name, value)| (name.as_str(), value.sent.as_str())).collect();
        let expected =
            [("X-Trace", "t"), ("Cookie", "seen=1"), ("Content-Type", "application/json")];
        assert_eq!(headers, expected);
        assert_eq!(subject.nothing.as_deref(), Some("/v1/posts/not-valid/mock-tenant-audit"));
        let invalid: Vec<_> =
            subject.invalid().iter().map(|it| subject.invalid_call(it).target).collect();
        let target = call.target.as_str();
        assert_eq!(
            invalid,
            [target, "/v1/posts/not-valid/a%2Fb?q=x%2Cy%20z", &format!("{target}&page=not-valid")]
        );
        assert!(!subject.is_safe());
    }

    #[test]
    fn a_path_of_the_base_url_replaces_that_of_the_servers() {
        let subject = subjects("http://127.0.0.1/v2/", "  /a:\n    get: {}\n").remove(0);
        assert_eq!((&*subject.path, subject.nothing), ("/v2/a", None));
    }

    #[test]
    fn access_is_that_of_the_alternatives_with_tokens() {
        assert!(matches!(access("[]").access, Access::Public));
        assert!(matches!(access("[{}, { key: [] }]").access, Access::Public));
        assert!(matches!(access("[{}, { login: [] }]").access, Access::Optional(_)));
        assert!(matches!(access("[{ key: [] }, { login: [], key: [] }]").access, Access::Other));
        let Access::Token(ours) = access("[{ key: [] }, { login: [a] }]").access else { panic!() };
        assert_eq!(ours.len(), 1);
        assert_eq!(ours[0].schemes["login"], ["a"]);
    }

    #[test]
    fn a_token_is_bound_where_each_alternative_says_so() {
        assert!(access("[{ dpop: [] }]").is_bound());
        assert!(access("[{ login: [], mtls: [] }]").is_bound());
        assert!(!access("[{ login: [] }, { dpop: [] }]").is_bound());
        assert!(!access("[]").is_bound());
    }

    #[test]
    fn an_mcp_endpoint_is_called_by_a_harmless_message() {
        let paths = "  /mcp:\n    post: {}\n  /other:\n    post: {}\n";
        let [mcp, other] = subjects("http://127.0.0.1", paths).try_into().unwrap();
        let (mcp, other) = (mcp.of_mcp(), other.of_mcp());
        assert!(mcp.is_safe() && !other.is_safe());
        let body = mcp.call().body.unwrap();
        assert!(String::from_utf8(body).unwrap().contains(r#""method":"tools/list""#));
        assert_eq!(other.call().body, None);
    }
}

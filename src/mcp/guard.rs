//! Authenticates a request to an MCP server, and authorizes all that its body asks for.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE, ORIGIN},
};

use super::{
    body::BodyError,
    headers::StandardHeaders,
    message::{Body, Message},
    operation::{Kind, Operation},
    policies::Policies,
    rejection::McpRejection,
};
use crate::{
    policy::{Policy, PolicyBuf},
    protect::{Authenticated, Caller, Guard, ProtectApi, RequestHead, decision, refusal::Refusal},
};

/// How large a body may be unless the application says otherwise, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Guards the endpoint of an MCP server: lets requests pass whose token permits every tool, resource
/// and prompt that they ask for.
///
/// [`mcp`](super::mcp) makes one. It is a layer on axum, a middleware on poem and a hoop on salvo; for
/// any other host, [`check`](Self::check) is enough.
#[derive(Clone, Debug)]
#[must_use = "it guards nothing before it is put in front of the endpoint"]
pub struct McpGuard {
    protect: ProtectApi,
    policies: Arc<Policies>,
    origins: Arc<[String]>,
    max_body: usize,
}

/// A request that may pass.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admitted {
    /// Who sent it.
    pub caller: Caller,
    /// Its body, which was read to see what it asks for; empty if it is not a POST.
    pub body: Bytes,
    /// What it had to satisfy.
    #[allow(dead_code, reason = "hosts use it")]
    pub(crate) guard: Guard,
}

impl McpGuard {
    pub(super) fn new(protect: &ProtectApi) -> Self {
        let own_origin = protect.settings().resource.as_ref();
        let own_origin = own_origin.map(|resource| resource.url.origin().ascii_serialization());
        Self {
            protect: protect.clone(),
            policies: Arc::new(Policies::new(protect.require(Policy::ANY_TOKEN))),
            origins: own_origin.into_iter().collect(),
            max_body: MAX_BODY,
        }
    }

    /// Calling this tool needs this policy.
    pub fn tool(self, name: impl Into<String>, policy: impl Into<PolicyBuf>) -> Self {
        self.list(Kind::Tool, name.into(), policy)
    }

    /// Reading the resource with this URI needs this policy, and so does subscribing to it.
    ///
    /// URIs are compared byte for byte: the server alone knows which others mean the same resource. So
    /// a policy cannot be given for a prefix, which `..` or an encoded character could leave. Resources
    /// of a template are not listed; `method("resources/read", POLICY)` says what they need.
    pub fn resource(self, uri: impl Into<String>, policy: impl Into<PolicyBuf>) -> Self {
        self.list(Kind::Resource, uri.into(), policy)
    }

    /// Getting this prompt needs this policy, and so does the completion of its arguments.
    pub fn prompt(self, name: impl Into<String>, policy: impl Into<PolicyBuf>) -> Self {
        self.list(Kind::Prompt, name.into(), policy)
    }

    /// A message with this method needs this policy, unless it is about something that is listed:
    /// `tools/list`, or `resources/read` for every resource that is not.
    ///
    /// Another spelling of a listed resource is not listed. So the policy of a method that is about
    /// resources should be at least as strict as that of each of them.
    pub fn method(mut self, method: impl Into<String>, policy: impl Into<PolicyBuf>) -> Self {
        let guard = self.protect.require(policy);
        Arc::make_mut(&mut self.policies).list_method(method.into(), guard);
        self
    }

    /// Everything that is not listed needs this policy: other tools, resources, prompts and methods,
    /// and the streams of older revisions, by GET and DELETE. It should be at least as strict as any
    /// other policy here.
    ///
    /// Without it, tools, resources and prompts that are not listed are forbidden whatever the
    /// token, and the rest needs a valid token.
    pub fn by_default(mut self, policy: impl Into<PolicyBuf>) -> Self {
        let guard = self.protect.require(policy);
        Arc::make_mut(&mut self.policies).set_default(guard);
        self
    }

    /// Browsers may send requests from this origin, written as they write it:
    /// `https://app.example.com`. That of the API's own URL is allowed already; requests without an
    /// origin always are.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins = self.origins.iter().cloned().chain([origin.into()]).collect();
        self
    }

    /// How large a body may be, in bytes; 4 MiB unless set.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// How many bytes of a body a host reads at most.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.max_body
    }

    /// Whether a caller may call a tool, for a list of tools that shows no other. The application's
    /// own [decision](crate::ProtectApiBuilder::decide) is not asked.
    #[must_use]
    pub fn permits_tool(&self, caller: &Authenticated, name: &str) -> bool {
        self.permits("tools/call", Kind::Tool, caller, name)
    }

    /// Whether a caller may read a resource, as [`permits_tool`](Self::permits_tool).
    #[must_use]
    pub fn permits_resource(&self, caller: &Authenticated, uri: &str) -> bool {
        self.permits("resources/read", Kind::Resource, caller, uri)
    }

    /// Whether a caller may get a prompt, as [`permits_tool`](Self::permits_tool).
    #[must_use]
    pub fn permits_prompt(&self, caller: &Authenticated, name: &str) -> bool {
        self.permits("prompts/get", Kind::Prompt, caller, name)
    }

    /// Authenticates a request, reads its body and authorizes all that it asks for.
    ///
    /// `body` reads at most [`body_limit`](Self::body_limit) bytes. It is not polled before the request
    /// is authenticated.
    ///
    /// # Errors
    ///
    /// An [`McpRejection`], ready to be sent.
    pub async fn check(
        &self,
        head: RequestHead<'_>,
        body: impl Future<Output = Result<Bytes, BodyError>> + Send,
    ) -> Result<Admitted, McpRejection> {
        self.check_origin(head.headers())?;
        if *head.method() == Method::OPTIONS {
            return Err(McpRejection::method());
        }
        let headers = StandardHeaders::read(head.headers());
        let needed = self.needed_by(headers.as_ref().ok().and_then(StandardHeaders::operation));
        let caller = needed.authenticate(head).await?;
        let presentation = caller.presentation().clone();
        let rejected = |rejection: McpRejection| rejection.to(&presentation);
        if *head.method() != Method::POST {
            let guard = self.policies.by_default();
            let caller = guard.authorize_for(head, caller, &[]).await?;
            return Ok(Admitted { caller, body: Bytes::new(), guard: guard.clone() });
        }
        check_media_type(head.headers()).map_err(rejected)?;
        let body = body.await.map_err(|error| {
            rejected(match error {
                BodyError::Incomplete => McpRejection::incomplete(),
                BodyError::TooLarge => McpRejection::too_large(),
            })
        })?;
        if body.len() > self.max_body {
            return Err(rejected(McpRejection::too_large()));
        }
        let messages = Body::parse(&body).map_err(McpRejection::malformed).map_err(rejected)?;
        let messages = agreed(messages, headers).map_err(rejected)?;
        let (guard, operations) = self.needed_for(&messages, &caller)?;
        let caller = guard.authorize_for(head, caller, &operations).await?;
        Ok(Admitted { caller, body, guard })
    }

    /// What messages must satisfy, and what the application's own decision is asked about.
    fn needed_for(
        &self,
        messages: &[Message],
        caller: &Authenticated,
    ) -> Result<(Guard, Vec<decision::Operation>), Refusal> {
        let (mut needed, mut operations) = (Vec::new(), Vec::new());
        for Message { operation, .. } in messages {
            let Some(guards) = self.policies.of(operation) else {
                tracing::debug!(
                    name: "mcp.unlisted",
                    method = operation.method,
                    "a message names a tool, resource or prompt that has no policy"
                );
                return Err(self.policies.by_default().refuse_unlisted(caller));
            };
            needed.extend(guards);
            for operation in asked_of_hook(operation) {
                if !operations.contains(&operation) {
                    operations.push(operation);
                }
            }
        }
        let guard = Guard::of_all(&needed).unwrap_or_else(|| self.policies.by_default().clone());
        Ok((guard, operations))
    }

    /// What the headers call for, so that a challenge names it.
    fn needed_by(&self, operation: Option<Operation>) -> Guard {
        let needed = operation.and_then(|operation| Guard::of_all(&self.policies.of(&operation)?));
        needed.unwrap_or_else(|| self.policies.by_default().clone())
    }

    fn check_origin(&self, headers: &HeaderMap) -> Result<(), McpRejection> {
        let is_allowed = |origin: &[u8]| self.origins.iter().any(|it| it.as_bytes() == origin);
        match headers.get_all(ORIGIN).iter().all(|origin| is_allowed(origin.as_bytes())) {
            true => Ok(()),
            false => Err(McpRejection::origin()),
        }
    }

    fn permits(&self, method: &str, kind: Kind, caller: &Authenticated, name: &str) -> bool {
        let (method, subjects) = (Some(method.to_owned()), vec![kind.named(name)]);
        let needed = self.policies.of(&Operation { method, subjects });
        needed.is_some_and(|guards| guards.iter().all(|guard| guard.permits(caller)))
    }

    fn list(mut self, kind: Kind, name: String, policy: impl Into<PolicyBuf>) -> Self {
        let guard = self.protect.require(policy);
        Arc::make_mut(&mut self.policies).list(kind, name, guard);
        self
    }
}

/// The messages of a body, if the headers say the same.
fn agreed(
    body: Body,
    headers: Result<StandardHeaders, &'static str>,
) -> Result<Vec<Message>, McpRejection> {
    match body {
        Body::One(message) => {
            let agreement = headers.and_then(|headers| headers.agree_with(&message.operation));
            let mismatch = |problem| McpRejection::header_mismatch(message.id.clone(), problem);
            agreement.map_err(mismatch)?;
            Ok(vec![message])
        }
        Body::Batch(messages) => match headers {
            Ok(headers) if headers.is_empty() => Ok(messages),
            Ok(_) => {
                let problem = "the headers are for one message, and the body is a batch";
                Err(McpRejection::header_mismatch(None, problem))
            }
            Err(problem) => Err(McpRejection::header_mismatch(None, problem)),
        },
    }
}

/// A body that is not plain JSON in UTF-8 may mean something else to the server.
fn check_media_type(headers: &HeaderMap) -> Result<(), McpRejection> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_json = match (types.next(), types.next()) {
        (Some(media_type), None) => media_type.to_str().is_ok_and(is_json),
        _ => false,
    };
    if !is_json {
        return Err(McpRejection::media_type("the body is not application/json in UTF-8"));
    }
    let is_plain = |encoding: &[u8]| encoding.eq_ignore_ascii_case(b"identity");
    match headers.get_all(CONTENT_ENCODING).iter().all(|it| is_plain(it.as_bytes())) {
        true => Ok(()),
        false => Err(McpRejection::media_type("the body is encoded")),
    }
}

fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|it| it.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// What the application's own decision is asked about a message: the method, and the name of each
/// subject.
fn asked_of_hook(operation: &Operation) -> Vec<decision::Operation> {
    let Some(method) = &operation.method else { return Vec::new() };
    let about = |id| decision::Operation { path: method.as_str().into(), id };
    match operation.subjects.as_slice() {
        [] => vec![about(None)],
        subjects => subjects.iter().map(|it| about(Some(it.name.as_str().into()))).collect(),
    }
}

//! The cases of an MCP server over streamable HTTP (authorization of 2026-07-28).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};

use crate::audit::{
    call::Call,
    challenge::challenges,
    check::{Violation, faults, violation},
    control::Control,
    grant::Grant,
    metadata::problem_of,
    plan::Planned,
    rule::Grade,
    run::Run,
    wire::Reply,
};

const REVISION: &str = "2026-07-28";

/// The last one in which requests say what they call in their body alone.
const OLD_REVISION: &str = "2025-06-18";

/// JSON-RPC's code for headers that differ from the body.
const HEADER_MISMATCH: i64 = -32020;

/// A tool, and the scopes that a call of it needs beside those of the endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
}

/// The rule that is broken by a request which runs, what it is, its body and its headers.
type Attempt<'a> = (&'static str, &'static str, &'a Value, &'a [(&'a str, &'a str)]);

/// What a server has done with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    Refused,
    Result,
    /// JSON-RPC's code.
    Error(i64),
}

/// The body and headers of the harmless request by which the endpoint is audited.
pub(super) fn harmless() -> (Vec<u8>, Vec<(String, String)>) {
    let headers = [
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", REVISION),
        ("Mcp-Method", "tools/list"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (message("tools/list", json!({})).to_string().into_bytes(), headers.to_vec())
}

impl Run<'_> {
    pub(super) async fn mcp(&mut self, planned: &Planned<'_>, control: &Control) {
        self.mcp_metadata(planned).await;
        self.mcp_origin(planned, control).await;
        let session = self.mcp_session(planned, control).await;
        let mut tools = self.options.tools.clone();
        if tools.is_empty() {
            tools.extend(self.listed_tool(planned, control, session.as_deref()).await);
        }
        for tool in &tools {
            self.mcp_tool(planned, control, tool, session.as_deref()).await;
        }
    }

    /// The first tool that the server lists, whose scopes are unknown.
    async fn listed_tool(
        &self,
        planned: &Planned<'_>,
        control: &Control,
        session: Option<&str>,
    ) -> Option<Tool> {
        let call = in_session(planned.subject.call(), session);
        let reply = self.send(&control.right(self, call)).await.ok()?;
        let messages = messages(&reply);
        let tools = messages.iter().find_map(|it| it.get("result")?.get("tools")?.as_array())?;
        let name = tools.first()?.get("name")?.as_str()?.to_owned();
        Some(Tool { name, scopes: Vec::new() })
    }

    /// RFC 9728 at its two forms. One of them, or the challenge, must lead there.
    async fn mcp_metadata(&mut self, planned: &Planned<'_>) {
        let (name, path) = (&planned.subject.name, &planned.subject.path);
        let refused = self.send(&planned.subject.call()).await;
        let challenges = refused.map(|it| challenges(&it.headers).unwrap_or_default());
        let challenge = challenges.unwrap_or_default().into_iter().find(|it| it.scheme == "bearer");
        let is_named =
            challenge.as_ref().is_some_and(|it| it.parameter("resource_metadata").is_some());
        let mut problems = Vec::new();
        for suffix in [path.as_str(), ""] {
            let target = format!("/.well-known/oauth-protected-resource{suffix}");
            let call = Call::new(Method::GET, target);
            let Ok(reply) = self.send(&call).await else { continue };
            let resources =
                [path.as_str(), ""].map(|path| format!("{}{path}", self.wire.base.origin()));
            // Which name the API has for itself, where it is not the base URL, its challenge says.
            let resources = if is_named { None } else { Some(&resources[..]) };
            let problem = problem_of(&reply, resources, self.tenant.issuer(), true);
            problems.extend(problem.map(|problem| (call, reply.status, problem)));
        }
        let is_found = is_named || problems.len() < 2;
        for (call, status, problem) in problems {
            // One that is served is wrong; one that is not may be found in another way.
            let grade = if is_found && status != 200 { Grade::Advice } else { Grade::Finding };
            let detail = format!("{} {problem}", call.target);
            self.record(name, &call, violation("mcp-metadata", grade, detail));
        }
        let needs_scopes =
            planned.subject.requirements().iter().any(|it| !Grant::of(it).scopes.is_empty());
        let has_scope = challenge.as_ref().is_some_and(|it| it.parameter("scope").is_some());
        for (is_missing, what) in
            [(!is_named, "resource_metadata"), (needs_scopes && !has_scope, "scope")]
        {
            if is_missing {
                let detail = format!("the challenge for a request without a token has no {what}");
                let violations = violation("mcp-challenge", Grade::Advice, detail);
                self.record(name, &planned.subject.call(), violations);
            }
        }
    }

    /// A page of another origin in a user's browser, with the right token and without one.
    async fn mcp_origin(&mut self, planned: &Planned<'_>, control: &Control) {
        let foreign = planned.subject.call().plain_header("Origin", "https://attacker.example.com");
        let right = control.right(self, foreign.clone());
        for (call, what) in [(right, "the right token"), (foreign, "no token")] {
            let Ok(reply) = self.send(&call).await else { continue };
            let has_challenge = reply.headers.contains_key("www-authenticate");
            let grade = match reply.status {
                403 if !has_challenge => continue,
                _ if control.right_answer.accepts(&reply) => Grade::Finding,
                _ => Grade::Advice,
            };
            let challenge = if has_challenge { " and a challenge" } else { "" };
            let status = reply.status;
            let detail = format!(
                "a request of a foreign Origin with {what} is answered with {status}{challenge} instead of \
                 403 without one"
            );
            self.record(&planned.subject.name, &call, violation("mcp-origin", grade, detail));
        }
    }

    /// The id of a session, which authenticates nothing, if the server has sessions.
    async fn mcp_session(&mut self, planned: &Planned<'_>, control: &Control) -> Option<String> {
        let client = json!({ "name": "mock-tenant-audit", "version": "1" });
        let params =
            json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": client });
        let body = message("initialize", params);
        let call = control.right(self, request(planned, &body, &[("Mcp-Method", "initialize")]));
        let reply = self.send(&call).await.ok();
        let id = reply.as_ref().and_then(|it| it.headers.get("mcp-session-id")?.to_str().ok());
        let call = planned.subject.call().plain_header("Mcp-Session-Id", id.unwrap_or("1"));
        if let Ok(reply) = self.send(&call).await
            && outcome(&reply) != Outcome::Refused
        {
            let detail =
                format!("the id of a session and no token are answered with {}", reply.status);
            let violations = violation("mcp-session", Grade::Finding, detail);
            self.record(&planned.subject.name, &call, violations);
        }
        id.map(str::to_owned)
    }

    async fn mcp_tool(
        &mut self,
        planned: &Planned<'_>,
        control: &Control,
        tool: &Tool,
        session: Option<&str>,
    ) {
        let name = &planned.subject.name;
        let mut full = control.grant.clone();
        full.scopes.extend(tool.scopes.iter().cloned());
        let mut lacking = control.grant.clone();
        lacking.scopes.retain(|scope| !tool.scopes.contains(scope));
        // A call that cannot succeed tells as much, unless the right one may be sent.
        let arguments = if self.options.allows_unsafe() { json!({}) } else { json!("audit") };
        let params = json!({ "name": tool.name, "arguments": arguments });
        let body = message("tools/call", params);
        let sends = |run: &Self, grant: &Grant, body: &Value, headers: &[(&str, &str)]| {
            control.with(run, in_session(request(planned, body, headers), session), grant)
        };
        let named = [("Mcp-Method", "tools/call"), ("Mcp-Name", tool.name.as_str())];
        let usual = self.send(&sends(self, &full, &body, &named)).await;
        let usual = usual.as_ref().map_or(Outcome::Refused, outcome);
        if usual == Outcome::Refused {
            let mut reason = format!("a call of the tool {:?} is refused", tool.name);
            if tool.scopes.is_empty() {
                reason.push_str(": name the scopes that it needs with --mcp-tool NAME=SCOPE");
            }
            self.record_inconclusive(name, reason);
            return;
        }
        let encoded = STANDARD.encode(&tool.name);
        let (lower, upper) = (format!("=?base64?{encoded}?="), format!("=?BASE64?{encoded}?="));
        let batch = json!([message("tools/list", json!({})), body]);
        let of = |method, name| [("Mcp-Method", method), ("Mcp-Name", name)];
        let cases: [Attempt<'_>; 8] = [
            ("mcp-tool-scope", "a call of the tool", &body, &named),
            ("mcp-tool-scope", "a call of the tool by its body alone", &body, &[]),
            (
                "mcp-tool-scope",
                "a call of the tool by its name in base64",
                &body,
                &of("tools/call", &lower),
            ),
            (
                "mcp-tool-scope",
                "a call of the tool by its name in base64 with upper-case markers",
                &body,
                &of("tools/call", &upper),
            ),
            (
                "mcp-header",
                "a call of the tool by the name of another",
                &body,
                &of("tools/call", "audit"),
            ),
            (
                "mcp-header",
                "a call of the tool as another method",
                &body,
                &[("Mcp-Method", "tools/list")],
            ),
            ("mcp-batch", "a call of the tool in a batch", &batch, &[]),
            (
                "mcp-batch",
                "a batch that is named as harmless",
                &batch,
                &[("Mcp-Method", "tools/list")],
            ),
        ];
        // Without a scope, nothing is lacking.
        let cases = cases.into_iter().filter(|_| !tool.scopes.is_empty());
        for (rule, what, body, headers) in cases {
            let call = sends(self, &lacking, body, headers);
            let Ok(reply) = self.send(&call).await else { continue };
            let mut violations = faults(what, &reply);
            if outcome(&reply) == usual {
                let detail =
                    format!("{what} {:?}, without its scope, is answered as with it", tool.name);
                violations.extend(violation(rule, Grade::Finding, detail));
            } else if rule == "mcp-tool-scope" && headers == named {
                violations.extend(forbidden(&tool.scopes, &reply));
            }
            self.record(name, &call, violations);
        }
        // Whatever the token grants, two readers of the request must not differ.
        let call = sends(self, &full, &body, &of("tools/call", "audit"));
        if let Ok(reply) = self.send(&call).await
            && (reply.status, outcome(&reply)) != (400, Outcome::Error(HEADER_MISMATCH))
        {
            let is_run = outcome(&reply) == usual;
            let grade = if is_run { Grade::Finding } else { Grade::Advice };
            let detail = format!(
                "a call of the tool {:?} by the name of another is answered with {} instead of 400 and \
                 {HEADER_MISMATCH}",
                tool.name, reply.status
            );
            self.record(name, &call, violation("mcp-header", grade, detail));
        }
    }
}

/// How a call that lacks a scope is refused.
fn forbidden(scopes: &[String], reply: &Reply) -> Vec<Violation> {
    const RULE: &str = "mcp-challenge";
    let says =
        |text: &str| format!("a call that lacks a scope is answered with {}{text}", reply.status);
    if reply.status != 403 {
        return violation(RULE, Grade::Advice, says(" instead of 403"));
    }
    let challenges = challenges(&reply.headers).unwrap_or_default();
    let parameter = |name: &str| challenges.iter().find_map(|it| it.parameter(name));
    let named: Vec<_> = parameter("scope").unwrap_or_default().split(' ').collect();
    if !scopes.iter().all(|scope| named.contains(&scope.as_str())) {
        return violation(RULE, Grade::Advice, says(" and a challenge without the scope"));
    }
    if parameter("resource_metadata").is_none() {
        return violation(RULE, Grade::Advice, says(" and a challenge without resource_metadata"));
    }
    Vec::new()
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// A request to the endpoint with these headers; without any, by an old revision.
fn request(planned: &Planned<'_>, body: &Value, headers: &[(&str, &str)]) -> Call {
    let revision = if headers.is_empty() { OLD_REVISION } else { REVISION };
    let call = Call::new(Method::POST, &*planned.subject.path)
        .plain_header("Accept", "application/json, text/event-stream")
        .plain_header("MCP-Protocol-Version", revision);
    let call = headers.iter().fold(call, |call, (name, value)| call.plain_header(name, value));
    call.body("application/json", body.to_string())
}

fn in_session(call: Call, session: Option<&str>) -> Call {
    session.into_iter().fold(call, |call, id| call.plain_header("Mcp-Session-Id", id))
}

/// The messages of a response: one, several, or the first of a stream.
fn messages(reply: &Reply) -> Vec<Value> {
    let text = String::from_utf8_lossy(&reply.body);
    let events = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut parsed = events.chain([&*text]).filter_map(|text| serde_json::from_str(text).ok());
    match parsed.next() {
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn outcome(reply: &Reply) -> Outcome {
    let messages = messages(reply);
    let code = messages.iter().find_map(|it| it.get("error")?.get("code")?.as_i64());
    let is_success = (200..300).contains(&reply.status);
    match code {
        Some(code) if is_success || reply.status == 400 => Outcome::Error(code),
        None if is_success && messages.iter().any(|it| it.get("result").is_some()) => {
            Outcome::Result
        }
        _ => Outcome::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome_of(status: u16, body: &str) -> Outcome {
        outcome(&Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() })
    }

    #[test]
    fn a_response_is_a_message_or_several_or_a_stream() {
        let result = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}"#;
        assert_eq!(outcome_of(200, result), Outcome::Result);
        assert_eq!(outcome_of(200, &format!("[{result},{result}]")), Outcome::Result);
        assert_eq!(outcome_of(200, &format!("[{result},{error}]")), Outcome::Error(-32602));
        assert_eq!(
            outcome_of(200, &format!("event: message\ndata: {result}\n\n")),
            Outcome::Result
        );
        assert_eq!(outcome_of(400, error), Outcome::Error(-32602));
        for (status, body) in [(403, error), (401, result), (202, ""), (200, "{}"), (404, "x")] {
            assert_eq!(outcome_of(status, body), Outcome::Refused, "{status} {body}");
        }
    }
}

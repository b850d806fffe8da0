//! The MCP server under audit, which has two tools, and its audit.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, request::Parts};
use monocloud_testkit::{Audit, Clock, MockTenant, Report, Verdict};
use serde_json::{Value, json};

use crate::{
    MCP,
    api::{Api, Needs, Refusal, State},
    defect::Defect,
    planted::ids,
};

const NEEDS: Needs = Needs { scopes: &["mcp"], is_mcp: true, ..Needs::NONE };

const NEEDS_TO_WRITE: Needs =
    Needs { scopes: &["mcp", "posts:write"], is_mcp: true, ..Needs::NONE };

impl State {
    pub(crate) async fn mcp(&self, head: &Parts, body: &[u8]) -> Result<Value, Refusal> {
        if head.method != Method::POST {
            return Err(Refusal::Status(405, None));
        }
        let headers = &head.headers;
        let is_foreign = text_of(headers, "origin").is_some_and(|it| it != self.base);
        if is_foreign && self.defect != Defect::IgnoresOrigin {
            return Err(Refusal::Status(403, None));
        }
        let has_session = text_of(headers, "mcp-session-id").is_some();
        if has_session && self.defect == Defect::TrustsSession {
            return Ok(result());
        }
        let claims = self.authenticate(head, body, NEEDS).await?;
        let read: Value = serde_json::from_slice(body).map_err(|_| Refusal::Status(400, None))?;
        let messages = read.as_array().cloned().unwrap_or_else(|| vec![read.clone()]);
        let named = (text_of(headers, "mcp-method"), name_of(headers, self.defect));
        let differs = |message: &Value| {
            let method = named.0.is_some_and(|method| message["method"] != method);
            let name = &message["params"]["name"];
            method || named.1.as_ref().is_some_and(|named| name != named)
        };
        let believes_headers = self.defect == Defect::BelievesMcpHeaders && named.0.is_some();
        if messages.iter().any(differs) && !believes_headers && !skips_encoded(headers, self.defect)
        {
            return Err(Refusal::Rpc(400, -32020));
        }
        let by_headers =
            json!({ "method": named.0, "params": { "name": named.1.clone().unwrap_or_default() } });
        let authorized = match self.defect {
            Defect::BelievesMcpHeaders if named.0.is_some() => vec![by_headers],
            Defect::AuthorizesByHeadersAlone if named.0.is_none() => Vec::new(),
            Defect::AuthorizesFirstOfBatch => messages.iter().take(1).cloned().collect(),
            _ if skips_encoded(headers, self.defect) => Vec::new(),
            _ => messages.clone(),
        };
        self.authorize(&claims, NEEDS, self.defect)?;
        let is_write = |message: &Value| message["params"]["name"] == "create_post";
        if authorized.iter().any(is_write) && self.defect != Defect::IgnoresToolScope {
            self.authorize(&claims, NEEDS_TO_WRITE, Defect::None)?;
        }
        let is_bad = |message: &Value| message["params"]["arguments"].is_string();
        if messages.iter().any(is_bad) {
            return Err(Refusal::Rpc(200, -32602));
        }
        let mut result = result();
        if messages.iter().any(|message| message["method"] == "tools/list") {
            let first = match self.defect {
                Defect::ListsHarmlessToolFirst | Defect::BelievesMcpHeaders => "read_posts",
                _ => "create_post",
            };
            result["result"]["tools"] = json!([{ "name": first }]);
        }
        Ok(result)
    }
}

fn result() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": {} })
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|it| it.to_str().ok())
}

fn name_of(headers: &HeaderMap, defect: Defect) -> Option<String> {
    let text = text_of(headers, "mcp-name")?;
    let encoded = text.strip_prefix("=?base64?").and_then(|it| it.strip_suffix("?="));
    match encoded.filter(|_| defect != Defect::ReadsPlainNamesAlone) {
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

/// Whether the guard takes a name in base64 for that of a harmless tool.
fn skips_encoded(headers: &HeaderMap, defect: Defect) -> bool {
    let is_encoded = text_of(headers, "mcp-name").is_some_and(|it| it.starts_with("=?base64?"));
    is_encoded && defect == Defect::ReadsPlainNamesAlone
}

async fn audited(defect: Defect, prepare: impl FnOnce(Audit) -> Audit) -> Report {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, defect).await;
    let audit = Audit::of(MCP).against(&*api.url).rate(10_000).mcp();
    prepare(audit).run(&tenant).await
}

fn with_tool(audit: Audit) -> Audit {
    audit.mcp_tool("create_post", ["posts:write"])
}

#[tokio::test]
async fn a_right_mcp_server_is_cleared() {
    for prepare in [with_tool, |audit| with_tool(audit).allow_unsafe()] {
        let report = audited(Defect::None, prepare).await;
        assert_eq!(report.verdict(), Verdict::Passed, "{report}");
        let advice: BTreeSet<_> = report.findings.iter().map(|it| it.rule.id).collect();
        // Its parser takes the last of two members.
        assert_eq!(advice, BTreeSet::from(["json"]), "{report}");
    }
}

/// Whether a tool needs a scope is unknown, unless it may be called without.
#[tokio::test]
async fn without_a_tool_the_first_that_is_listed_is_called() {
    let only = |audit: Audit| audit.only(["mcp"]);
    let report = audited(Defect::None, only).await;
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{report}");
    assert!(report.inconclusive[0].reason.ends_with("--mcp-tool NAME=SCOPE"), "{report}");
    let report = audited(Defect::ListsHarmlessToolFirst, only).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
    let report = audited(Defect::BelievesMcpHeaders, only).await;
    assert_eq!(ids(&report), BTreeSet::from(["mcp-header"]), "{report}");
}

macro_rules! planted {
    ($($name:ident: $defect:ident is $($id:literal)+;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let report = audited(Defect::$defect, |it| with_tool(it).only(["mcp", "no-token"])).await;
                assert_eq!(ids(&report), BTreeSet::from([$($id),+]), "{report}");
            }
        )+
    };
}

planted! {
    any_origin: IgnoresOrigin is "mcp-origin";
    a_session_in_place_of_a_token: TrustsSession is "mcp-session";
    any_scope_of_a_tool: IgnoresToolScope is "mcp-tool-scope" "mcp-batch";
    no_headers: AuthorizesByHeadersAlone is "mcp-tool-scope" "mcp-batch";
    a_name_in_base64: ReadsPlainNamesAlone is "mcp-tool-scope";
    another_name_than_in_the_body: BelievesMcpHeaders is "mcp-header" "mcp-batch" "mcp-tool-scope";
    the_first_of_a_batch: AuthorizesFirstOfBatch is "mcp-batch";
    metadata_of_another_resource: MisnamesResource is "resource-metadata";
    metadata_of_another_tenant: NamesAnotherTenant is "mcp-metadata" "resource-metadata";
    no_metadata: HasNoMetadata is "mcp-metadata";
}

//! An example that is an MCP server.

use monocloud_backend::{ConfigError, ProtectApi};
use monocloud_testkit::{Api, MockTenant, User};

use crate::{Mock, Start, configure_for, diagnose, listen, or_exit, tour};

const CONNECT: &str = r#"
Connect a client; it registers itself, and a browser logs in as alice or admin.

MCP Inspector (transport: Streamable HTTP, URL: the one below):
  npx @modelcontextprotocol/inspector

Claude Code (then /mcp, Authenticate):
  claude mcp add --transport http posts $MCP

Codex:
  codex mcp add posts --url $MCP && codex mcp login posts

VS Code, in .vscode/mcp.json:
  { "servers": { "posts": { "type": "http", "url": "$MCP" } } }

Or by hand. 401, with the URL of the metadata:
  curl -i $MCP -H "Content-Type: application/json" -d "$LIST"

200: a reader lists posts
  curl -i $MCP -H "Authorization: Bearer $READER" \
    -H "Content-Type: application/json" \
    -H "Accept: application/json, text/event-stream" -d "$LIST"

403, with the scope that is missing: a reader may not create one
  curl -i $MCP -H "Authorization: Bearer $READER" \
    -H "Content-Type: application/json" \
    -H "Accept: application/json, text/event-stream" -d "$CREATE"
"#;

/// Like [`start`](crate::start), for an MCP server at `/mcp`.
pub async fn start_mcp() -> Start {
    or_exit(try_start_mcp().await)
}

async fn try_start_mcp() -> Result<Start, String> {
    let (listener, address) = listen()?;
    let url = format!("http://{address}/mcp");
    let (protect, tenant) = configure_for(with_mock_tenant(&url)).await?;
    let mock = match tenant {
        None => {
            // Clients find the tenant by the server's URL, so it must be configured.
            protect.serve_resource_metadata().map_err(|error| error.to_string())?;
            diagnose(&protect);
            None
        }
        Some(tenant) => {
            let tokens = print(&tenant, &url)?;
            Some(Mock { _tenant: tenant, _tokens: Some(tokens) })
        }
    };
    println!("listening on {url}");
    Ok(Start { protect, listener, mock })
}

/// Starts a mock tenant for an MCP server at this URL, and protects the server by it. Clients register
/// themselves; `alice` and `admin` can log in.
async fn with_mock_tenant(url: &str) -> Result<(ProtectApi, MockTenant), ConfigError> {
    let tenant = MockTenant::builder()
        .user(User::new("alice"))
        .user(User::new("admin").group("admin"))
        .api(Api::new(url).scope("posts:read posts:write"))
        .start()
        .await;
    let protect = ProtectApi::builder().env().vars(tenant.vars()).resource(url).build()?;
    Ok((protect, tenant))
}

fn print(tenant: &MockTenant, url: &str) -> Result<tempfile::TempPath, String> {
    let call = |tool: &str, arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        )
    };
    let variables = [
        ("MCP", url.to_owned()),
        ("READER", tour::token_of_alice(tenant).scope("posts:read").mint()),
        ("LIST", call("list_posts", "{}")),
        ("CREATE", call("create_post", r#"{"title":"Hello"}"#)),
    ];
    tour::print(CONNECT, &variables)
}

#[cfg(test)]
mod tests {
    #[test]
    fn requests_fit_a_terminal() {
        crate::tour::tests::assert_fits(super::CONNECT);
    }
}

//! `mock-tenant hostile`.

use std::fmt::Write as _;

use monocloud_testkit::{Clock, DpopRequest, Hostile, HostileProof, MockTenant};
use serde_json::json;
use tokio::runtime;

use crate::{
    args::Format,
    failure::Failure,
    terminal::{FAINT, HEADING, print},
};

/// An entry of the catalogue.
struct Entry {
    name: &'static str,
    kind: &'static str,
    class: String,
    rule: &'static str,
}

pub(crate) fn list(format: Format) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(format!("no runtime: {error}")))?;
    let entries = runtime.block_on(entries())?;
    let text = match format {
        Format::Text => table(&entries),
        Format::Json => {
            let entries = entries.iter().map(|entry| {
                json!({
                    "name": entry.name,
                    "kind": entry.kind,
                    "class": entry.class,
                    "rule": entry.rule,
                })
            });
            format!("{:#}\n", entries.collect::<serde_json::Value>())
        }
    };
    print(&text)
}

/// The catalogue is made of real tokens, so it takes a tenant.
async fn entries() -> Result<Vec<Entry>, Failure> {
    let tenant = MockTenant::builder().clock(Clock::frozen()).try_start().await;
    let tenant = tenant.map_err(|error| Failure::other(format!("no tenant: {error}")))?;
    let tokens = Hostile::all(&tenant).into_iter().map(|it| Entry {
        name: it.name,
        kind: "token",
        class: it.class.to_string(),
        rule: it.reference,
    });
    let request = DpopRequest::new(tenant.token(), "GET", "https://api.example.com/posts/1");
    let request = request.nonce("current").stale_nonce("stale");
    let proofs = HostileProof::all(&request).into_iter().map(|it| Entry {
        name: it.name,
        kind: "proof",
        class: it.class.to_string(),
        rule: it.reference,
    });
    Ok(tokens.chain(proofs).collect())
}

fn table(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    let mut group = (String::new(), "");
    for entry in entries {
        if (entry.class.as_str(), entry.kind) != (group.0.as_str(), group.1) {
            group = (entry.class.clone(), entry.kind);
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{HEADING}{}s: {}{HEADING:#}", entry.kind, entry.class);
        }
        let _ = writeln!(text, "  {:<width$}  {FAINT}{}{FAINT:#}", entry.name, entry.rule);
    }
    let of = |kind| entries.iter().filter(|entry| entry.kind == kind).count();
    let _ = writeln!(
        text,
        "\n{} tokens and {} proofs of possession. `mock-tenant token --hostile NAME` mints a token.",
        of("token"),
        of("proof"),
    );
    text
}

//! `mock-tenant run`.

use std::{fmt::Write as _, io};

use monocloud_testkit::{MockTenant, TenantConfig, TokenFormat};
use tokio::runtime;

use crate::{
    args::RunArgs,
    config,
    failure::Failure,
    terminal::{FAINT, HEADING, print},
};

pub(crate) fn run(args: RunArgs) -> Result<(), Failure> {
    let config =
        args.config.as_deref().map_or_else(|| Ok(TenantConfig::default()), config::load)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        // Before the start, so that a signal right after it ends the command as well.
        let stopped = stop_signal()?;
        let tenant = start(&args, config.clone()).await?;
        print(&announcement(&tenant, &config))?;
        stopped.await;
        Ok(())
    })
}

async fn start(args: &RunArgs, config: TenantConfig) -> Result<MockTenant, Failure> {
    let mut builder = MockTenant::builder().config(config).listen(args.listen).control();
    if let Some(issuer) = &args.issuer {
        builder = builder.issuer(issuer);
    }
    if let Some(audience) = &args.audience {
        builder = builder.audience(audience);
    }
    if let Some(user) = &args.auto_login {
        builder = builder.auto_login(user);
    }
    if args.tls {
        builder = builder.tls();
    }
    builder.try_start().await.map_err(|error| {
        let address = args.listen;
        match error.kind() {
            io::ErrorKind::AddrInUse => Failure::usage(format!(
                "{address} is taken: stop what listens there, or choose another address with \
                 --listen, such as 127.0.0.1:0 for any free port"
            )),
            io::ErrorKind::InvalidInput => Failure::usage(error.to_string()),
            _ => Failure::usage(format!("cannot listen on {address}: {error}")),
        }
    })
}

/// What a developer needs to use the tenant.
fn announcement(tenant: &MockTenant, config: &TenantConfig) -> String {
    let mut text = format!("{HEADING}mock tenant{HEADING:#}  {}\n\n", tenant.issuer());
    let mut list = |heading: &str, rows: Vec<String>| {
        for (place, row) in rows.iter().enumerate() {
            let heading = if place == 0 { heading } else { "" };
            let _ = writeln!(text, "{HEADING}{heading:<9}{HEADING:#}{row}");
        }
    };
    list("users", config.users.iter().map(user_row).collect());
    list("clients", config.clients.iter().map(client_row).collect());
    list("APIs", api_rows(tenant, config));
    list("page", vec![format!("{}/", tenant.issuer())]);
    list("control", vec![format!("{}/_control/openapi.json", tenant.issuer())]);

    let _ = writeln!(text, "\n{FAINT}# settings of an API, for MonoCloud SDKs{FAINT:#}");
    for (name, value) in settings(tenant, config) {
        let _ = writeln!(text, "export {name}={}", quoted(&value));
    }
    let mut token = tenant.token();
    if let Some(user) = config.users.first() {
        token = token.user(user);
        let name = &user.name;
        let _ = writeln!(text, "\n{FAINT}# a request with a token of {name}, for an hour{FAINT:#}");
    } else {
        let _ = writeln!(text, "\n{FAINT}# a request with a token, for an hour{FAINT:#}");
    }
    if let Some(client) = config.clients.iter().find(|client| client.is_public()) {
        token = token.claim("client_id", &client.id);
    }
    let token = token.mint();
    let _ = writeln!(text, "curl -H 'Authorization: Bearer {token}' http://127.0.0.1:3000/");
    let _ = writeln!(text, "\n{FAINT}Ctrl-C stops the tenant.{FAINT:#}");
    text
}

fn user_row(user: &monocloud_testkit::User) -> String {
    match &user.groups[..] {
        [] => user.name.clone(),
        groups => format!("{} (groups: {})", user.name, groups.join(", ")),
    }
}

fn client_row(client: &monocloud_testkit::OAuthClient) -> String {
    let mut facts = Vec::new();
    if client.is_public() {
        facts.push("public".to_owned());
    }
    facts.extend(client.secret.as_ref().map(|secret| format!("secret: {secret}")));
    if client.any_loopback_redirect {
        facts.push("any redirect URI on loopback".to_owned());
    }
    facts.extend(client.redirect_uris.iter().cloned());
    format!("{} ({})", client.id, facts.join(", "))
}

fn api_rows(tenant: &MockTenant, config: &TenantConfig) -> Vec<String> {
    let mut rows = Vec::new();
    if !config.apis.iter().any(|api| api.audience == tenant.audience()) {
        rows.push(format!("{} (any scope)", tenant.audience()));
    }
    rows.extend(config.apis.iter().map(|api| {
        let scopes = match &api.scopes[..] {
            [] => "any scope".to_owned(),
            scopes => format!("scopes: {}", scopes.join(" ")),
        };
        let form = if api.tokens == TokenFormat::Opaque { ", opaque tokens" } else { "" };
        format!("{} ({scopes}{form})", api.audience)
    }));
    rows
}

/// The settings of an API that trusts the tenant, and of its client if there is a confidential one.
pub(crate) fn settings(tenant: &MockTenant, config: &TenantConfig) -> Vec<(String, String)> {
    let mut settings = tenant.vars();
    // Node has no other way to trust an authority than this variable of its own.
    let authority = settings.iter().find(|(name, _)| name.ends_with("CA_CERTIFICATE_FILE"));
    let authority = authority.map(|(_, file)| ("NODE_EXTRA_CA_CERTS".to_owned(), file.clone()));
    settings.extend(authority);
    let mut clients = config.clients.iter();
    // The client by which the API introspects.
    let client = clients.find_map(|client| Some((&client.id, client.secret.as_ref()?)));
    if let Some((id, secret)) = client {
        settings.push(("MONOCLOUD_BACKEND_CLIENT_ID".to_owned(), id.clone()));
        settings.push(("MONOCLOUD_BACKEND_CLIENT_SECRET".to_owned(), secret.clone()));
    }
    settings
}

/// A word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~:/@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Completes with Ctrl-C, or when the process is asked to end.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let failed = |error| Failure::other(format!("signals cannot be handled: {error}"));
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(windows)]
    {
        let mut interrupt = tokio::signal::windows::ctrl_c().map_err(failed)?;
        Ok(async move {
            interrupt.recv().await;
        })
    }
}

//! `mock-tenant audit`.

use std::{fs, io, io::Write as _, process::ExitCode, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use monocloud_testkit::{Audit, Format, MockTenant, Report, Rule, TenantConfig};
use tokio::runtime;

use crate::{
    args::{AuditArgs, AuditFormat, Profile},
    failure::Failure,
    run::{quoted, settings},
    terminal::{FAINT, HEADING, print},
};

/// How long the API may take to start after its settings were printed.
const START: Duration = Duration::from_secs(20);

pub(crate) fn audit(args: AuditArgs) -> Result<ExitCode, Failure> {
    if let Some(id) = &args.explain {
        print(&explained(id)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let tenant = if args.dry_run { None } else { Some(start(&args).await?) };
        if let Some(tenant) = &tenant {
            announce(&args, tenant);
        }
        let audit = configured(&args)?;
        let Some(tenant) = tenant else {
            print(&audit.plan().await.map_err(Failure::usage)?)?;
            return Ok(ExitCode::SUCCESS);
        };
        let report = run(audit, &tenant).await;
        print(&report.format(match args.format {
            AuditFormat::Text => Format::Text,
            AuditFormat::Json => Format::Json,
            AuditFormat::Junit => Format::Junit,
            AuditFormat::Sarif => Format::Sarif,
        }))?;
        Ok(ExitCode::from(report.verdict().exit_code()))
    })
}

fn configured(args: &AuditArgs) -> Result<Audit, Failure> {
    let base_url = args.base_url.as_deref().unwrap_or_default();
    let start = if args.dry_run { Duration::ZERO } else { START };
    let audit = of_document(args)?.against(base_url).start_within(start);
    let mut audit = audit.only(&args.only).rate(args.rate);
    if let Some(file) = &args.ca_file {
        let text = fs::read_to_string(file).map_err(|error| unreadable(&file.display(), &error))?;
        audit = audit.trust(text);
    }
    if args.allow_unsafe {
        audit = audit.allow_unsafe();
    }
    if let Some(scheme) = &args.scheme {
        audit = audit.scheme(scheme);
    }
    if let Some(seconds) = args.key_cache {
        audit = audit.key_cache(Duration::from_secs(seconds));
    }
    audit = match args.profile {
        Profile::Rfc6750 => audit,
        Profile::Dpop => audit.dpop(),
        Profile::Mcp => audit.mcp(),
    };
    for (name, scopes) in &args.mcp_tool {
        audit = audit.mcp_tool(name, scopes);
    }
    if let Some(file) = &args.baseline {
        let text = fs::read_to_string(file).map_err(|error| unreadable(&file.display(), &error))?;
        audit = audit.baseline(&text);
    }
    Ok(audit)
}

async fn start(args: &AuditArgs) -> Result<MockTenant, Failure> {
    let mut builder = MockTenant::builder().listen(args.listen).control();
    if let Some(audience) = &args.audience {
        builder = builder.audience(audience);
    }
    if let Some(issuer) = &args.issuer {
        builder = builder.issuer(issuer);
    }
    if args.tls {
        builder = builder.tls();
    }
    builder.try_start().await.map_err(|error| {
        Failure::usage(format!("the audit's tenant cannot listen on {}: {error}", args.listen))
    })
}

/// The settings of the API, on standard error: the report has standard output for itself.
fn announce(args: &AuditArgs, tenant: &MockTenant) {
    let mut text = format!("{HEADING}tenant of the audit{HEADING:#}  {}\n", tenant.issuer());
    for (name, value) in settings(tenant, &TenantConfig::default()) {
        text.push_str(&format!("{FAINT}export {name}={}{FAINT:#}\n", quoted(&value)));
    }
    let base_url = args.base_url.as_deref().unwrap_or_default();
    text.push_str(&format!("auditing {base_url}\n"));
    // Without standard error, the report is enough.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// By the document in a file, or at the API itself.
fn of_document(args: &AuditArgs) -> Result<Audit, Failure> {
    let place = args.openapi.as_deref().unwrap_or_default();
    if place.starts_with("http://") || place.starts_with("https://") {
        return Ok(Audit::of_url(place));
    }
    fs::read(place).map(Audit::of).map_err(|error| unreadable(&place, &error))
}

/// Runs the audit, and shows on a terminal how far it is.
async fn run(audit: Audit, tenant: &MockTenant) -> Report {
    // It draws nothing where standard error is not a terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} requests, {elapsed}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    let shown = bar.clone();
    let audit = audit.on_progress(move |sent, all| {
        shown.set_length(all as u64);
        shown.set_position(sent as u64);
    });
    let report = audit.run(tenant).await;
    bar.finish_and_clear();
    report
}

fn explained(id: &str) -> Result<String, Failure> {
    let Some(rule) = Rule::of(id) else {
        let ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id).collect();
        return Err(Failure::usage(format!(
            "no finding has the id {id:?}; there are {}",
            ids.join(", ")
        )));
    };
    let grade = rule.grade.name();
    Ok(format!(
        "{HEADING}{}{HEADING:#} ({grade}, {})\n{}\n\n{}\n",
        rule.id,
        rule.source,
        rule.title,
        rule.page()
    ))
}

fn unreadable(file: &dyn std::fmt::Display, error: &io::Error) -> Failure {
    Failure::usage(format!("{file} cannot be read: {error}"))
}

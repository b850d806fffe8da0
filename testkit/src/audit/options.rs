//! What an audit is told.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use http::Method;

use crate::{
    MockTenant,
    audit::{
        base::Base,
        call::Call,
        case,
        diagnosis::no_reply,
        mcp::Tool,
        plan::{Plan, Scope},
        report::{Inconclusive, Report},
        run::Run,
        subject::{self, Access, Subject},
        wire::Wire,
    },
    document::Document,
};

/// An audit of an API that trusts a mock tenant.
///
/// It calls each operation of an OpenAPI document with tokens that are right in everything but one
/// thing, and reports which of them are accepted. Nothing is cleared that does not accept the right
/// token. Requests go to the base URL alone.
///
/// ```no_run
/// use monocloud_testkit::{Audit, MockTenant};
///
/// # async fn start_api(_: Vec<(String, String)>) -> String { String::new() }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::builder().audience("https://api.example.com").start().await;
/// let base_url = start_api(tenant.vars()).await;
/// let openapi = std::fs::read_to_string("openapi.json").unwrap();
/// let report = Audit::of(openapi).against(base_url).allow_unsafe().run(&tenant).await;
/// report.assert_passed();
/// # }
/// ```
#[derive(Clone)]
#[must_use = "the audit is done by `run`"]
pub struct Audit {
    source: Source,
    base_url: String,
    scheme: Option<String>,
    scope: Scope,
    pub(super) tools: Vec<Tool>,
    rate: u32,
    patience: Duration,
    pub(super) start: Duration,
    pub(super) key_cache: Option<Duration>,
    pub(super) key_refresh: Duration,
    baseline: BTreeSet<String>,
    pub(super) progress: Option<Arc<dyn Fn(usize, usize) + Send + Sync>>,
    trusted: Vec<String>,
}

/// Where the document is.
#[derive(Clone)]
enum Source {
    Text(Vec<u8>),
    Url(String),
}

impl Audit {
    /// An audit by this OpenAPI document, the text of it in JSON or YAML.
    pub fn of(openapi: impl Into<Vec<u8>>) -> Self {
        Self {
            source: Source::Text(openapi.into()),
            base_url: String::new(),
            scheme: None,
            scope: Scope::default(),
            tools: Vec::new(),
            rate: 200,
            patience: Duration::from_secs(10),
            start: Duration::ZERO,
            key_cache: None,
            key_refresh: Duration::from_secs(60),
            baseline: BTreeSet::new(),
            progress: None,
            trusted: Vec::new(),
        }
    }

    /// An audit by the document at this URL, which must be at the base URL's host: the audit calls no
    /// other.
    pub fn of_url(url: impl Into<String>) -> Self {
        Self { source: Source::Url(url.into()), ..Self::of("") }
    }

    /// Waits this long for an API that is starting.
    pub const fn start_within(mut self, duration: Duration) -> Self {
        self.start = duration;
        self
    }

    /// The URL of the API. A path in it replaces that of the document's `servers`.
    pub fn against(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// The security scheme of the document that stands for the tenant's tokens. Without it, those
    /// of the types `oauth2`, `openIdConnect` and `http` bearer do.
    pub fn scheme(mut self, name: impl Into<String>) -> Self {
        self.scheme = Some(name.into());
        self
    }

    /// Sends requests that can change something, such as a documented DELETE with the right token.
    /// Without it, such operations are called by invalid requests, or inconclusive.
    pub const fn allow_unsafe(mut self) -> Self {
        self.scope.allow_unsafe = true;
        self
    }

    /// Tests only these classes, beside the positive controls; [`classes`](Self::classes) lists
    /// them.
    pub fn only(mut self, classes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scope.only.extend(classes.into_iter().map(Into::into));
        self
    }

    /// The names that [`only`](Self::only) takes.
    #[must_use]
    pub fn classes() -> Vec<String> {
        case::all_classes()
    }

    /// Tests proofs of possession too (RFC 9449).
    pub const fn dpop(mut self) -> Self {
        self.scope.with_dpop = true;
        self
    }

    /// Tests the operation at a path that ends with `/mcp` as an MCP server too (revision 2026-07-28).
    pub const fn mcp(mut self) -> Self {
        self.scope.with_mcp = true;
        self
    }

    /// A tool of the MCP server, and the scopes that a call of it needs beside those of its operation.
    /// Without any, it is tested with the first tool that the server lists whether headers and body agree.
    pub fn mcp_tool(
        mut self,
        name: impl Into<String>,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        self.tools.push(Tool { name: name.into(), scopes });
        self
    }

    pub(super) const fn allows_unsafe(&self) -> bool {
        self.scope.allow_unsafe
    }

    /// The number of requests per second at most, 200 by default. It is not bounded above 1000.
    pub const fn rate(mut self, per_second: u32) -> Self {
        self.rate = per_second;
        self
    }

    /// How long to wait for a response, ten seconds by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.patience = timeout;
        self
    }

    /// How long the API caches keys. Whether it forgets a withdrawn one is tested only with this.
    pub const fn key_cache(mut self, duration: Duration) -> Self {
        self.key_cache = Some(duration);
        self.scope.with_withdrawal = true;
        self
    }

    /// How long the API may take to accept a new key, a minute by default.
    pub const fn key_refresh(mut self, duration: Duration) -> Self {
        self.key_refresh = duration;
        self
    }

    /// Accepts the findings of a file: a line for each, `id METHOD /path`. Empty lines and lines
    /// that start with `#` are skipped.
    pub fn baseline(mut self, text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.baseline.extend(lines.map(str::to_owned));
        self
    }

    /// Trusts these certificates too, in PEM: that of the API, or of the authority which issued it. An
    /// audit trusts those of the system, and the [authority](MockTenant::authority) of a tenant with
    /// TLS.
    pub fn trust(mut self, certificates: impl Into<String>) -> Self {
        self.trusted.push(certificates.into());
        self
    }

    /// Is told how many requests were sent, and how many will be, as far as the plan knows.
    pub fn on_progress(mut self, progress: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// The plan: what would be sent to which operation.
    ///
    /// # Errors
    ///
    /// Says why there is nothing to send.
    pub async fn plan(&self) -> Result<String, String> {
        let wire = self.wire(None)?;
        let document = self.read(&wire).await?;
        let subjects = self.subjects(&document, &wire.base)?;
        Ok(Plan::of(&subjects, &document, &self.scope).text())
    }

    /// Audits the API, which is configured to trust this tenant and nothing else.
    ///
    /// Keys of the tenant are rotated, and its endpoints fail for a while.
    pub async fn run(self, tenant: &MockTenant) -> Report {
        let mut report = self.run_on(tenant).await.unwrap_or_else(|reason| Report {
            inconclusive: vec![Inconclusive::api(reason)],
            ..Report::default()
        });
        report.base_url = self.base_url;
        tenant.issuer().clone_into(&mut report.tenant);
        let before = report.findings.len();
        report.findings.retain(|finding| !self.baseline.contains(&finding.key()));
        report.accepted = before - report.findings.len();
        report.findings.sort_by_key(|finding| finding.grade);
        report
    }

    async fn run_on(&self, tenant: &MockTenant) -> Result<Report, String> {
        let wire = self.wire(Some(&tenant.authority().certificate_pem()))?;
        let document = self.read(&wire).await?;
        let subjects = self.subjects(&document, &wire.base)?;
        let plan = Plan::of(&subjects, &document, &self.scope);
        Ok(Run::new(self, &document, tenant, wire).perform(&plan).await)
    }

    fn wire(&self, authority: Option<&str>) -> Result<Wire, String> {
        let base = Base::parse(&self.base_url)?;
        let trusted: Vec<_> = self.trusted.iter().map(String::as_str).chain(authority).collect();
        Wire::new(base, self.rate, self.patience, &trusted)
    }

    async fn read(&self, wire: &Wire) -> Result<Document, String> {
        let known = case::all_classes();
        if let Some(unknown) = self.scope.only.iter().find(|name| !known.contains(name)) {
            return Err(format!(
                "{unknown:?} is not a class; the classes are {}",
                known.join(", ")
            ));
        }
        let document = match &self.source {
            Source::Text(text) => Document::read(text),
            Source::Url(url) => Document::read(&self.fetch(url, wire).await?),
        };
        document.map_err(|error| format!("the OpenAPI document cannot be read: {error}"))
    }

    async fn fetch(&self, url: &str, wire: &Wire) -> Result<Vec<u8>, String> {
        let place = Base::parse(url)?;
        if place.origin() != wire.base.origin() {
            return Err(format!(
                "{url} is not at {}, and the audit calls no other host: download the document, and \
                 name the file",
                wire.base.origin()
            ));
        }
        match wire.send_within(&Call::new(Method::GET, place.path), self.start).await {
            Err(why) => Err(no_reply(why, &wire.base)),
            Ok(reply) if reply.status == 200 => Ok(reply.body),
            Ok(reply) => Err(format!("{url} has no document: it answers {}", reply.status)),
        }
    }

    fn subjects(&self, document: &Document, base: &Base) -> Result<Vec<Subject>, String> {
        let schemes = match &self.scheme {
            None => subject::token_schemes(document),
            Some(name) if document.schemes.contains_key(name) => vec![name.clone()],
            Some(name) => {
                let names: Vec<_> = document.schemes.keys().map(String::as_str).collect();
                return Err(format!(
                    "the document has no security scheme {name:?}; it has {}",
                    names.join(", ")
                ));
            }
        };
        let mut subjects = Subject::all(document, base, &schemes);
        if self.scope.with_mcp {
            subjects = subjects.into_iter().map(Subject::of_mcp).collect();
            if !subjects.iter().any(|subject| subject.is_mcp) {
                return Err("the document has no POST at a path that ends with /mcp".to_owned());
            }
        }
        if subjects.is_empty() {
            return Err("the document has no operations".to_owned());
        }
        if !subjects.iter().any(|subject| matches!(subject.access, Access::Token(_))) {
            return Err("the document secures no operation by a scheme for access tokens \
                        (oauth2, openIdConnect or http bearer): add `security` to it, or name its \
                        scheme with --scheme"
                .to_owned());
        }
        Ok(subjects)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

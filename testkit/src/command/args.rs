//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serde_json::Value;

pub(crate) const DEFAULT_TENANT: &str = "http://127.0.0.1:4444";

const ABOUT: &str = "A development MonoCloud, for an API or a client in any language.";

const EXAMPLES: &str = "\
Examples:
  mock-tenant                                   start the tenant on 127.0.0.1:4444
  mock-tenant --audience https://api.acme.test  … for your API
  mock-tenant --listen 127.0.0.1:0              … on any free port
  mock-tenant token -o curl                     a request with a token of the first user
  mock-tenant hostile                           tokens that your API must reject
  mock-tenant policy report openapi.yaml        who may call which operation of any API

Set the printed MONOCLOUD_BACKEND_… variables for your API, and it trusts this tenant.
Tests control the tenant over HTTP: see http://127.0.0.1:4444/_control/openapi.json.

Exit codes: 0 success, 1 failure, 2 wrong options, configuration or input.";

const RUN_EXAMPLES: &str = "\
Examples:
  mock-tenant run --config tenant.toml          users, clients and APIs of your own
  mock-tenant run --auto-login alice            log in without a page, for tests
  mock-tenant run --listen 0.0.0.0:4444 --issuer http://host.docker.internal:4444
                                                the same issuer in and outside of a container

Who can reach the tenant can mint tokens: listen on other than loopback addresses only in networks \
that you trust.";

const TOKEN_EXAMPLES: &str = "\
Examples:
  mock-tenant token --user admin --scope 'posts:read posts:write'
  mock-tenant token --client service --claim plan=pro --claim level=3
  mock-tenant token --expires-in -60            a token that has expired
  mock-tenant token --hostile none-unsigned     … that is forged; `mock-tenant hostile` lists them
  curl -H \"$(mock-tenant token -o header)\" http://127.0.0.1:3000/posts

The token comes from a running tenant, whose keys your API trusts. One with --tls is trusted by the \
certificate in the file MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE, which the tenant prints.";

const DECODE_EXAMPLES: &str = "\
Examples:
  mock-tenant decode eyJhbGciOi…
  mock-tenant token | mock-tenant decode -

The signature is not verified.";

const POLICY_EXAMPLES: &str = "\
Examples:
  mock-tenant policy report openapi.yaml
  mock-tenant policy diff released.json openapi.json

Documents are OpenAPI 3.0, 3.1 or 3.2, in JSON or YAML, of any API with any security schemes. \
A file, `-` for standard input, or an http or https URL.";

const REPORT_EXAMPLES: &str = "\
Examples:
  mock-tenant policy report openapi.yaml
  mock-tenant policy report http://127.0.0.1:3000/openapi.json
  mock-tenant policy report openapi.yaml --format markdown > policy.md

A row says which credentials a caller presents: schemes with their scopes in parentheses, then groups, \
acr, max age, sender constraint and claims, joined by `+` where all are needed. `or` separates \
alternatives. Warnings name what is probably not meant: public operations that change something, optional \
credentials, schemes and scopes that are not declared.";

const DIFF_EXAMPLES: &str = "\
Examples:
  mock-tenant policy diff released.json openapi.json
  git show main:openapi.json | mock-tenant policy diff - openapi.json
  mock-tenant policy diff released.json openapi.json --accept accepted.txt

An operation became weaker if there is a caller that the new document lets in, and the old one does not:
  GET /posts: scope posts:read removed
  DELETE /posts/{id}: became public
Such a line in the file of --accept accepts that change. Blank lines and lines that begin with # are \
ignored; lines that name no change are reported, so that they can be removed.

Exit codes: 0 nothing became weaker, or all of it is accepted; 1 something became weaker; 2 wrong options or \
documents.";

const AUDIT_EXAMPLES: &str = "\
Examples:
  mock-tenant audit --base-url http://127.0.0.1:3000 --openapi openapi.json --dry-run
                                                the plan, without a request
  mock-tenant audit --base-url http://127.0.0.1:3000 --openapi http://127.0.0.1:3000/openapi.json \
--audience https://api.acme.test
  mock-tenant audit --base-url https://localhost:3000 --openapi openapi.json --ca-file localhost.pem
                                                an API with a self-signed certificate
  mock-tenant audit --explain key-flood         what a finding means, and how to fix it

The audit runs a tenant of its own on --listen, which the API must be configured to trust, and nothing \
else; it prints the settings and waits until the API answers. Without --allow-unsafe, it sends no request \
other than GET that could succeed. Use an API with data that may change: a finding can mean that a request \
succeeded.

Exit codes: 0 passed, 1 findings, 2 inconclusive, with what to do.";

const CONFIG_EXAMPLES: &str = "\
Examples:
  mock-tenant config > tenant.toml
  mock-tenant config --check tenant.toml
  mock-tenant run --config tenant.toml";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  mock-tenant completions bash > ~/.local/share/bash-completion/completions/mock-tenant
  mock-tenant completions zsh > ~/.zfunc/_mock-tenant
  mock-tenant completions fish > ~/.config/fish/completions/mock-tenant.fish";

#[derive(Debug, Parser)]
#[command(
    name = "mock-tenant",
    version,
    about = ABOUT,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the tenant until Ctrl-C; the default.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Mint an access token at a running tenant.
    #[command(after_help = TOKEN_EXAMPLES)]
    Token(TokenArgs),
    /// Show the header, the claims and the times of a token.
    #[command(after_help = DECODE_EXAMPLES)]
    Decode {
        /// The token; `-` reads it from standard input.
        token: String,
    },
    /// List the tokens and proofs that every API must reject, with the rule that each breaks.
    Hostile {
        /// How to print them.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show who may call an API, by its OpenAPI document, and what became weaker since another one.
    #[command(subcommand, after_help = POLICY_EXAMPLES)]
    Policy(PolicyCommand),
    /// Find out what an API gets wrong about tokens, by its OpenAPI document.
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(Box<AuditArgs>),
    /// Print a commented configuration, or check one.
    #[command(after_help = CONFIG_EXAMPLES)]
    Config {
        /// Report every mistake in this file instead.
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
    /// Print a script that completes this command in a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct RunArgs {
    /// The address to listen on; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4444", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The issuer, if clients reach the tenant by another URL than its address.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Users, clients, APIs and lifetimes in TOML; `mock-tenant config` prints an example.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The API that tokens are for, unless they name another: its `aud` claim.
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// Serve https://localhost, with a certificate by an authority of the tenant's own.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Log this user in without a page.
    #[arg(long, value_name = "USER")]
    pub(crate) auto_login: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct TokenArgs {
    /// The tenant.
    #[arg(long, value_name = "URL", env = "MOCK_TENANT_URL", hide_env_values = true, default_value = DEFAULT_TENANT)]
    pub(crate) tenant: String,
    /// The user that the token is about; the first one by default.
    #[arg(long, conflicts_with = "client")]
    pub(crate) user: Option<String>,
    /// The client that the token is about, instead of a user.
    #[arg(long)]
    pub(crate) client: Option<String>,
    /// Scopes, separated by spaces.
    #[arg(long)]
    pub(crate) scope: Option<String>,
    /// The API that it is for: the `aud` claim.
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// A claim, in JSON or as a text; can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    pub(crate) claim: Vec<(String, Value)>,
    /// The lifetime in seconds; negative for a token that has expired.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) expires_in: Option<i64>,
    /// An opaque token, whose claims only introspection reveals.
    #[arg(long)]
    pub(crate) opaque: bool,
    /// A token that every API must reject, by its name.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["expires_in", "opaque"])]
    pub(crate) hostile: Option<String>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Token)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print a table of the operations and who may call each.
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Compare two documents, and fail if anything became weaker.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
}

#[derive(clap::Args, Debug)]
pub(crate) struct ReportArgs {
    /// The document.
    #[arg(value_name = "FILE|URL")]
    pub(crate) document: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// Where a list of groups says neither any nor all, the API's configuration needs all of them.
    #[arg(long)]
    pub(crate) groups_match_all: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct DiffArgs {
    /// The document that is in force.
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// The document that is to replace it.
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    /// Changes that are accepted, a line each, as they are printed.
    #[arg(long, value_name = "FILE")]
    pub(crate) accept: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Where a list of groups says neither any nor all, the API's configuration needs all of them.
    #[arg(long)]
    pub(crate) groups_match_all: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct AuditArgs {
    /// The API. No request goes to another host.
    #[arg(long, value_name = "URL", required_unless_present = "explain")]
    pub(crate) base_url: Option<String>,
    /// Its OpenAPI document: a file, or a URL at the API.
    #[arg(long, value_name = "URL|FILE", required_unless_present = "explain")]
    pub(crate) openapi: Option<String>,
    /// The API's audience: the `aud` claim of its tokens.
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// The address of the audit's tenant; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4444", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The issuer, if the API reaches the tenant by another URL than its address.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Serve the audit's tenant at https://localhost, with a certificate by an authority of its own.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Trust the API's certificate, or the authority that issued it, in PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Test these classes alone, separated by commas.
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Send requests that can change something.
    #[arg(long)]
    pub(crate) allow_unsafe: bool,
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = AuditFormat::Text)]
    pub(crate) format: AuditFormat,
    /// Accept the findings of this file: `id METHOD /path`, a line for each.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// The security scheme of the document that stands for the tenant's tokens.
    #[arg(long, value_name = "NAME")]
    pub(crate) scheme: Option<String>,
    /// What is tested beside bearer tokens.
    #[arg(long, value_enum, default_value_t = Profile::Rfc6750)]
    pub(crate) profile: Profile,
    /// A tool of the MCP server, and the scopes that a call of it needs, separated by commas.
    #[arg(long, value_name = "NAME=SCOPE", value_parser = tool)]
    pub(crate) mcp_tool: Vec<(String, Vec<String>)>,
    /// How long the API caches keys: whether it forgets a withdrawn one is tested only with this.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) key_cache: Option<u64>,
    /// The number of requests per second at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub(crate) rate: u32,
    /// Print the plan, and send nothing to the API but the request for a document at a URL.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the page about a finding instead.
    #[arg(long, value_name = "ID")]
    pub(crate) explain: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A table for terminals.
    Text,
    /// A table for documents and reviews.
    Markdown,
    /// An object for programs.
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people.
    Text,
    /// One object.
    Json,
    /// JUnit's XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Profile {
    /// Bearer tokens.
    Rfc6750,
    /// Proofs of possession too (RFC 9449).
    Dpop,
    /// An MCP server, at a path that ends with `/mcp`.
    Mcp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Output {
    /// The token alone.
    Token,
    /// The `Authorization` header.
    Header,
    /// A request with it.
    Curl,
    /// The token, its header and its claims.
    Json,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| "not an IP address with a port, such as 127.0.0.1:4444".to_owned())
}

/// A value that is not JSON is a text.
fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE, such as plan=pro")?;
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

fn tool(text: &str) -> Result<(String, Vec<String>), String> {
    match text.split_once('=') {
        Some((name, scopes)) if !name.is_empty() && !scopes.is_empty() => {
            Ok((name.to_owned(), scopes.split(',').map(str::to_owned).collect()))
        }
        _ => Err("it is a name, `=` and scopes, such as `create_post=posts:write`".to_owned()),
    }
}

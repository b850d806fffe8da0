//! The manual: how to do things, and what to expect.
//!
//! First an API, in reading order:
//!
//! 1. [`configuration`]: every variable and feature, and which value counts.
//! 2. [`declaring`]: what an operation needs, on each host.
//! 3. [`groups`]: requiring groups.
//! 4. [`policies`]: alternatives, step-up, implied scopes, and policies built at run time.
//! 5. [`claims`]: the claims in a type of the application's.
//! 6. [`optional`]: operations that serve anonymous callers too.
//! 7. [`several_schemes`]: a token or an API key.
//! 8. [`middleware`]: CORS, a request log and other middleware around an API.
//! 9. [`streams`]: events and WebSockets that end with the token.
//! 10. [`testing`]: tests against a mock tenant, and of a handler alone.
//! 11. [`reviewing`]: what every operation needs, for reviewers, and what became weaker.
//!
//! Then what some APIs need:
//!
//! 12. [`decisions`]: the application's own decision, after every other.
//! 13. [`opaque`]: opaque tokens, introspection, and a cache that instances share.
//! 14. [`certificates`]: tokens that are bound to a client certificate.
//! 15. [`dpop`]: tokens that are bound to a key of the client.
//! 16. [`proxies`]: client certificates behind nginx, HAProxy, Apache, Caddy, Envoy, Traefik and AWS.
//! 17. [`several_tenants`]: callers of several tenants.
//! 18. [`resource_metadata`]: clients that find the tenant by themselves.
//! 19. [`mcp`]: an MCP server, with scopes per tool.
//!
//! For reference, and in operation:
//!
//! 20. [`tokens`]: which tokens are accepted.
//! 21. [`answers`]: how a request is rejected.
//! 22. [`keys`]: how the tenant's documents are refreshed, and what happens in an outage.
//! 23. [`fleets`]: what many instances ask of the tenant.
//! 24. [`costs`]: what a validation costs, and what a request.
//! 25. [`watching`]: readiness, events, spans and metrics.
//! 26. [`troubleshooting`]: messages, and what to do about them.
//! 27. [`adding_a_host`]: other frameworks.

/// A page, and code for hosts below it: compiled where the host's feature is on, shown in any case.
/// `starts` also builds the application, which compares its document with its routes.
macro_rules! page {
    ($name:ident $(, $check:ident $cfg:meta: $title:literal $file:literal)* $(,)?) => {
        #[doc = include_str!(concat!(stringify!($name), ".md"))]
        $(
            #[doc = concat!("\n# ", $title, "\n")]
            #[cfg_attr($cfg, doc = "```")]
            #[cfg_attr(not($cfg), doc = "```ignore")]
            #[doc = include_str!(concat!(stringify!($name), "/", $file))]
            #[doc = $check!()]
            #[doc = "```"]
        )*
        pub mod $name {}
    };
}

/// Nothing is run.
macro_rules! compiles {
    () => {
        "# "
    };
}

macro_rules! starts {
    () => {
        "# let vars = [(\"MONOCLOUD_BACKEND_TENANT_DOMAIN\", \"acme.us.monocloud.com\"), (\"MONOCLOUD_BACKEND_AUDIENCE\", \"api\")];\n\
         # app(ProtectApi::from_vars(vars).unwrap()).unwrap();"
    };
}

/// As `starts`, for an application that takes the groups of its operators.
macro_rules! starts_for_operators {
    () => {
        "# let vars = [(\"MONOCLOUD_BACKEND_TENANT_DOMAIN\", \"acme.us.monocloud.com\"), (\"MONOCLOUD_BACKEND_AUDIENCE\", \"api\")];\n\
         # app(ProtectApi::from_vars(vars).unwrap(), \"admin\").unwrap();"
    };
}

/// Runs the test that the code has.
macro_rules! runs {
    () => {
        "# tokio::runtime::Runtime::new().unwrap().block_on(accepts_its_tenant_and_rejects_attacks());"
    };
}

macro_rules! greets {
    () => {
        "# tokio::runtime::Runtime::new().unwrap().block_on(greets_by_name());"
    };
}

page!(adding_a_host);
page!(answers);
page!(
    certificates,
    compiles feature = "axum-server": "axum, with axum-server" "axum.rs",
    compiles all(feature = "poem", feature = "tls"): "poem and poem-openapi" "poem.rs",
    compiles all(feature = "salvo", feature = "tls"): "salvo" "salvo.rs",
);
page!(
    claims,
    starts feature = "axum": "axum" "axum.rs",
    starts feature = "poem": "poem" "poem.rs",
    starts feature = "poem-openapi": "poem-openapi" "poem_openapi.rs",
    starts feature = "salvo": "salvo" "salvo.rs",
);
page!(configuration);

#[doc = include_str!("costs.md")]
#[doc = include_str!("costs.svg")]
pub mod costs {}

page!(decisions, compiles all(): "A decision point" "authzen.rs");
page!(
    declaring,
    starts feature = "axum": "axum, with utoipa" "axum.rs",
    starts all(feature = "poem", feature = "yaml"): "poem, with a document written by hand" "poem.rs",
    starts feature = "poem-openapi": "poem-openapi" "poem_openapi.rs",
    starts feature = "salvo": "salvo" "salvo.rs",
);
page!(dpop);
page!(fleets);
page!(groups);
page!(keys);
// A test of the example compiles the first: the library has no rmcp.
#[cfg(feature = "mcp")]
page!(
    mcp,
    compiles any(): "axum, with rmcp" "rmcp.rs",
    compiles feature = "poem": "poem and poem-openapi" "poem.rs",
    compiles feature = "salvo": "salvo" "salvo.rs",
);
page!(
    middleware,
    compiles feature = "axum": "axum" "axum.rs",
    compiles feature = "poem": "poem" "poem.rs",
    compiles feature = "poem-openapi": "poem-openapi" "poem_openapi.rs",
    compiles feature = "salvo": "salvo" "salvo.rs",
);
page!(opaque);
page!(optional);
page!(
    policies,
    starts_for_operators feature = "axum": "axum, with utoipa" "axum.rs",
    starts_for_operators all(feature = "poem", feature = "yaml"): "poem, with a document written by hand" "poem.rs",
    starts_for_operators feature = "poem-openapi": "poem-openapi" "poem_openapi.rs",
    starts_for_operators feature = "salvo": "salvo" "salvo.rs",
);
page!(proxies);
page!(
    resource_metadata,
    compiles feature = "axum": "axum" "axum.rs",
    compiles all(feature = "openapi", feature = "poem"): "poem and poem-openapi" "poem.rs",
    compiles feature = "salvo": "salvo" "salvo.rs",
);
#[cfg(feature = "openapi")]
page!(reviewing);
page!(
    several_schemes,
    starts feature = "axum": "axum, with utoipa" "axum.rs",
    starts all(feature = "poem", feature = "yaml"): "poem, with a document written by hand" "poem.rs",
    starts feature = "poem-openapi": "poem-openapi" "poem_openapi.rs",
);
page!(several_tenants);
page!(
    streams,
    compiles feature = "axum": "axum" "axum.rs",
    compiles feature = "poem": "poem and poem-openapi" "poem.rs",
    compiles feature = "salvo": "salvo" "salvo.rs",
);
page!(
    testing,
    runs feature = "axum": "axum" "axum.rs",
    runs feature = "poem": "poem and poem-openapi" "poem.rs",
    greets feature = "poem-openapi": "A handler alone" "handler.rs",
);
page!(tokens);
page!(troubleshooting);
page!(
    watching,
    starts feature = "axum": "Readiness on axum" "axum.rs",
    starts feature = "poem": "Readiness on poem and poem-openapi" "poem.rs",
    starts feature = "salvo": "Readiness on salvo" "salvo.rs",
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::config::Key;

    /// Settings of the builder that have no variable.
    const BUILDER_ONLY: [&str; 11] = [
        "dangerously_allow_http",
        "dpop_replay_store",
        "http_client",
        "introspection_cache_store",
        "last_forwarded_certificate_counts",
        "realm",
        "resource_documentation",
        "resource_name",
        "scheme_name",
        "stripped_path_prefix",
        "svid_provider",
    ];

    #[test]
    fn the_page_on_configuration_lists_every_variable() {
        let page = include_str!("configuration.md");
        let listed: BTreeSet<_> = page.split('`').skip(1).step_by(2).collect();
        for key in Key::ALL {
            let is_listed = listed.contains(key.variable().as_str());
            assert_eq!(is_listed, !BUILDER_ONLY.contains(&key.name()), "{key:?}");
        }
    }

    #[test]
    fn the_table_of_declarations_is_the_code_below_it() {
        let files = [
            include_str!("declaring/poem_openapi.rs"),
            include_str!("declaring/axum.rs"),
            include_str!("declaring/salvo.rs"),
            include_str!("declaring/poem.rs"),
        ];
        let rows: Vec<_> =
            include_str!("declaring.md").lines().filter(|line| line.starts_with("| **")).collect();
        assert_eq!(rows.len(), 5, "{rows:?}");
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').split('|').skip(1).collect();
            assert_eq!(cells.len(), files.len(), "{row}");
            for (cell, file) in cells.into_iter().zip(files) {
                let code = cell.trim().trim_matches('`');
                assert!(file.contains(code), "no code on this page has {code}");
            }
        }
    }
}

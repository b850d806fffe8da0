//! The manual lists every event, span and metric; the code has these and no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use harness::support::request_head;
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};
use monocloud_backend::{Guard, Policy, ProtectApi};
use monocloud_testkit::{ClientAuth, Clock, Endpoint, Fault, MockTenant};
use reqwest::header::{AUTHORIZATION, HeaderMap};

const MANUAL: &str = include_str!("../../../src/manual/watching.md");

/// The rows of a table of the manual, which is found by its first heading.
fn table(heading: &str) -> Vec<Vec<String>> {
    let lines = MANUAL.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The words of a cell that are code.
fn code(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every call of one of tracing's macros in the library: the macro and its arguments.
fn traced() -> Vec<(String, String)> {
    fn visit(folder: &Path, calls: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The examples there log on behalf of an application.
            if path.ends_with("manual") {
                continue;
            }
            if path.is_dir() {
                visit(&path, calls);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                for call in text.split("tracing::").skip(1) {
                    let is_word = |char: char| char.is_ascii_lowercase() || char == '_';
                    if let Some((name, rest)) = call.split_once("!(")
                        && name.chars().all(is_word)
                    {
                        calls.push((name.to_owned(), arguments(rest).to_owned()));
                    }
                }
            }
        }
    }
    let mut calls = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../src"), &mut calls);
    calls
}

/// The text before the closing parenthesis.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|char| {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &text[..end.unwrap()]
}

/// The names of the fields in a macro's arguments.
fn fields(arguments: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let mut is_text = false;
    let parts = arguments.split(|char| {
        match char {
            '"' => is_text = !is_text,
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        char == ',' && depth == 0 && !is_text
    });
    // The name is first; the message and its arguments are last.
    let parts = parts.map(str::trim).skip(1).take_while(|part| !part.starts_with('"'));
    let parts = parts.filter(|part| !part.is_empty());
    let name = |part: &str| {
        let name = part.split('=').next().unwrap().trim().trim_matches(['%', '?']);
        name.rsplit('.').next().unwrap().to_owned()
    };
    parts.map(name).collect()
}

#[test]
fn the_manual_lists_every_event_with_its_level_and_fields_and_no_other() {
    let mut emitted = BTreeMap::new();
    for (level, arguments) in traced().into_iter().filter(|(name, _)| !name.ends_with("_span")) {
        let name = arguments.split("name: \"").nth(1).and_then(|rest| rest.split('"').next());
        let name = name.unwrap_or_else(|| panic!("an event without a name: {arguments}"));
        let known = emitted.insert(name.to_owned(), (level.clone(), fields(&arguments)));
        assert!(known.is_none_or(|known| known == (level, fields(&arguments))), "{name} differs");
    }
    let listed = table("event")
        .into_iter()
        .map(|row| (code(&row[0]).pop_first().unwrap(), (row[1].clone(), code(&row[2]))));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), emitted);
}

#[test]
fn the_manual_lists_every_span_and_no_other() {
    let emitted = traced().into_iter().filter_map(|(name, arguments)| {
        let level = name.strip_suffix("_span")?.to_owned();
        let span = arguments.split('"').nth(1)?.to_owned();
        Some((span, (level, fields(&arguments))))
    });
    let listed = table("span")
        .into_iter()
        .map(|row| (code(&row[0]).pop_first().unwrap(), (row[1].clone(), code(&row[2]))));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), emitted.collect::<BTreeMap<_, _>>());
}

/// A tenant and an API that it protects.
struct World {
    tenant: MockTenant,
    protect: ProtectApi,
    guard: Guard,
}

impl World {
    async fn start() -> Self {
        let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
        let protect = ProtectApi::builder()
            .vars(tenant.vars_for(ClientAuth::SecretPost))
            .introspection_cache_in_memory()
            .clock(tenant.clock().reading())
            .timer(tenant.clock().timer())
            .build()
            .unwrap();
        let guard = protect.require(Policy::ANY_TOKEN.scopes(&["read"]));
        Self { tenant, protect, guard }
    }

    /// The outcome of a request with this token.
    async fn check(&self, token: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        if !token.is_empty() {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        match self.guard.check(request_head(&headers)).await {
            Ok(_) => "accepted",
            Err(refusal) => refusal.error().reason(),
        }
    }
}

/// The kind, name and labels (except the issuer) of each metric, and its value.
fn recorded(snapshotter: &Snapshotter, issuer: &str) -> BTreeMap<String, f64> {
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    metrics
        .map(|(key, _, _, value)| {
            let (kind, key) = (key.kind(), key.key());
            let mut name = format!("{} {}", kind_name(kind), key.name());
            for label in key.labels() {
                match label.key() {
                    "issuer" => assert_eq!(label.value(), issuer),
                    label_key => name = format!("{name} {label_key}={}", label.value()),
                }
            }
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(gauge) => gauge.into_inner(),
                DebugValue::Histogram(_) => panic!("the library has no histograms"),
            };
            (name, value)
        })
        .collect()
}

const fn kind_name(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

#[tokio::test]
async fn the_manual_lists_every_metric_and_no_other() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let world = World::start().await;
    let tenant = &world.tenant;

    let reader = tenant.token().scope("read").expires_in(86_400).mint();
    assert_eq!(world.check(&reader).await, "accepted");
    assert_eq!(world.check("").await, "missing_token");
    assert_eq!(world.check("a b").await, "malformed_token");
    assert_eq!(world.check(&tenant.token().mint()).await, "scopes");
    assert_eq!(world.check(&tenant.token().expires_in(-600).mint()).await, "expired");
    for kid in ["a", "a", "b", "c"] {
        let token = tenant.token().header("kid", kid).mint();
        assert_eq!(world.check(&token).await, "unknown_key");
    }
    let opaque = tenant.opaque_token().scope("read").mint();
    assert_eq!(world.check(&opaque).await, "accepted");
    assert_eq!(world.check(&opaque).await, "accepted");
    assert_eq!(world.check("never-issued").await, "inactive");
    tenant.fault(Endpoint::Introspection, Fault::Status(401)).until_recovered();
    assert_eq!(world.check("whatever").await, "tenant_status");
    tenant.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
    tenant.clock().advance(Duration::from_secs(265));
    let is_renewed = || {
        let documents = world.protect.health().tenants.remove(0);
        documents.keys.failure.is_some() && documents.metadata.age == Some(Duration::ZERO)
    };
    while !is_renewed() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.check(&reader).await, "accepted");

    let expected = [
        ("counter monocloud_backend_introspection_cache_lookups result=hit", 1.0),
        ("counter monocloud_backend_introspection_cache_lookups result=miss", 3.0),
        ("counter monocloud_backend_introspections outcome=accepted", 1.0),
        ("counter monocloud_backend_introspections outcome=failed", 1.0),
        ("counter monocloud_backend_introspections outcome=rejected", 1.0),
        ("counter monocloud_backend_jwt_cache_lookups result=hit", 1.0),
        ("counter monocloud_backend_jwt_cache_lookups result=miss", 7.0),
        ("counter monocloud_backend_refreshes document=key set outcome=failed", 1.0),
        ("counter monocloud_backend_refreshes document=key set outcome=succeeded", 3.0),
        ("counter monocloud_backend_refreshes document=metadata outcome=succeeded", 2.0),
        ("counter monocloud_backend_unknown_kids cost=fetched", 2.0),
        ("counter monocloud_backend_unknown_kids cost=over_budget", 1.0),
        ("counter monocloud_backend_unknown_kids cost=remembered", 1.0),
        ("counter monocloud_backend_validations outcome=accepted reason=jwt", 2.0),
        ("counter monocloud_backend_validations outcome=accepted reason=opaque", 2.0),
        ("counter monocloud_backend_validations outcome=insufficient_scope reason=scopes", 1.0),
        ("counter monocloud_backend_validations outcome=internal reason=tenant_status", 1.0),
        (
            "counter monocloud_backend_validations outcome=invalid_request reason=malformed_token",
            1.0,
        ),
        ("counter monocloud_backend_validations outcome=invalid_token reason=expired", 1.0),
        ("counter monocloud_backend_validations outcome=invalid_token reason=inactive", 1.0),
        ("counter monocloud_backend_validations outcome=invalid_token reason=unknown_key", 4.0),
        ("counter monocloud_backend_validations outcome=missing_token reason=missing_token", 1.0),
        ("gauge monocloud_backend_key_set_age_seconds", 265.0),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    let recorded = recorded(&snapshotter, tenant.issuer());
    assert_eq!(recorded, BTreeMap::from(expected));

    let words = |name: &String| {
        let mut words = name.split(' ').map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    let listed = table("metric").into_iter();
    let listed = listed.map(|row| (row[1].clone(), code(&row[0]).pop_first().unwrap()));
    assert_eq!(recorded.keys().map(words).collect::<BTreeSet<_>>(), listed.collect());
    for row in table("metric") {
        let name = code(&row[0]).pop_first().unwrap();
        let labels = recorded.keys().filter(|recorded| recorded.contains(&name)).flat_map(|name| {
            let (_, labels) = name.split_once("monocloud").unwrap();
            let labels = labels.split(' ').skip(1).filter_map(|label| label.split_once('='));
            labels.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        });
        let labels = labels.chain(["issuer".to_owned()]).collect::<BTreeSet<_>>();
        assert_eq!(code(&row[2]), labels, "{name}");
    }
}

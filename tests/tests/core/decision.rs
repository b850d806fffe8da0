//! The application's own decision, as a guard asks for it.

use std::{
    error::Error as StdError,
    fmt::{Debug, Write as _},
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use harness::support::{
    Api, Log, at_once, frozen_tenant, get, internal, introspecting, missing, missing_group,
    missing_scope, ok, post, protect, says, serve, until,
};
use monocloud_backend::{
    Policy, ProtectApi, ProtectApiBuilder, RequestHead,
    decision::{Decision, DecisionRequest},
};
use monocloud_testkit::{Endpoint, MockTenant};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::json;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

type Outcome = Result<Decision, Box<dyn StdError + Send + Sync>>;

/// What a hook was told, one after the other.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<DecisionRequest>>>);

impl Told {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn last(&self) -> DecisionRequest {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

/// Adds a hook with this outcome.
fn deciding(
    builder: ProtectApiBuilder,
    outcome: impl Fn() -> Outcome + Send + Sync + 'static,
) -> (ProtectApi, Told) {
    let told = Told::default();
    let hears = told.clone();
    let builder = builder.decide(move |request| {
        hears.0.lock().unwrap().push(request);
        let outcome = outcome();
        async { outcome }
    });
    (builder.build().unwrap(), told)
}

fn allow() -> Outcome {
    Ok(Decision::Allow)
}

fn deny() -> Outcome {
    Ok(Decision::Deny)
}

#[tokio::test]
async fn a_request_proceeds_if_the_application_allows_it() {
    let tenant = frozen_tenant().await;
    let (protect, told) = deciding(protect(&tenant), allow);
    let token = tenant.token().scope("posts:read").mint();
    serve(&protect).check("allowed", get("/read").bearer(&token), &says("read")).await;
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_request_that_the_application_denies_is_answered_as_one_without_the_group() {
    let tenant = frozen_tenant().await;
    let (protect, told) = deciding(protect(&tenant), deny);
    let token = tenant.token().scope("posts:read").mint();
    serve(&protect).check("denied", get("/read").bearer(&token), &missing_group()).await;
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_hook_that_fails_or_panics_is_the_apis_fault() {
    let tenant = frozen_tenant().await;
    type Failing = (&'static str, fn() -> Outcome);
    let failing: [Failing; 3] = [
        ("no rules for it", || Err("no rules for it".into())),
        ("it panicked", || panic!("the hook's own panic, before there is a future")),
        ("invalid digit", || {
            Ok(if "x".parse::<u8>()? > 0 { Decision::Allow } else { Decision::Deny })
        }),
    ];
    for (cause, outcome) in failing {
        assert_failure_is_logged(
            &tenant,
            protect(&tenant).decide(move |_| {
                let outcome = outcome();
                async { outcome }
            }),
            cause,
        )
        .await;
    }
    let panicking = protect(&tenant).decide(|_| async { panic!("the panic of the hook's future") });
    assert_failure_is_logged(&tenant, panicking, "it panicked").await;
}

async fn assert_failure_is_logged(tenant: &MockTenant, builder: ProtectApiBuilder, cause: &str) {
    let log = Log::capture();
    let api = serve(&builder.build().unwrap());
    api.check(cause, get("/any").bearer(&tenant.token().mint()), &internal()).await;
    let lines = log.lines(Level::ERROR);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(cause) && lines[0].contains("GET"), "{lines:?}");
    assert!(lines[0].contains("path=\"/any\""), "{lines:?}");
}

#[tokio::test]
async fn the_reason_of_a_failure_is_decision() {
    let tenant = frozen_tenant().await;
    let (protect, _) = deciding(protect(&tenant), || Err("a secret of the application".into()));
    let headers = bearer(&tenant.token().mint());
    let guard = protect.require(Policy::ANY_TOKEN);
    let refusal = guard.check(harness::support::request_head(&headers)).await.unwrap_err();
    assert_eq!(refusal.error().reason(), "decision");
    assert!(refusal.challenges().next().is_none());
    let body = String::from_utf8(refusal.response().into_body().to_vec()).unwrap();
    assert!(!body.contains("secret"), "{body}");
}

#[tokio::test]
async fn a_decision_is_awaited_for_five_seconds_or_as_long_as_configured() {
    for (configured, limit) in [(None, 5), (Some(2), 2)] {
        let tenant = frozen_tenant().await;
        let told = Told::default();
        let hears = told.clone();
        let builder = protect(&tenant).decide(move |request| {
            hears.0.lock().unwrap().push(request);
            pending()
        });
        let builder = match configured {
            Some(seconds) => builder.decision_timeout(Duration::from_secs(seconds)),
            None => builder,
        };
        let api: Api = serve(&builder.build().unwrap());
        let call = get("/any").bearer(&tenant.token().mint());
        let log = Log::capture();
        let answer = tokio::spawn(async move { api.send(call).await });
        until(|| told.count() == 1).await;
        let almost = Duration::from_secs(limit) - Duration::from_millis(1);
        tenant.clock().advance(almost);
        tokio::task::yield_now().await;
        assert!(!answer.is_finished());
        tenant.clock().advance(Duration::from_millis(1));
        at_once(answer).await.unwrap().assert("too late", &internal());
        assert_eq!(log.count(&format!("it took longer than {limit}s")), 2, "both events name it");
    }
}

const STRONG: Policy = Policy::ANY_TOKEN.acr_values(&["mfa"]);
const RECENT: Policy = Policy::ANY_TOKEN.max_age(Duration::from_secs(300));
const PRO: Policy = Policy::ANY_TOKEN.claim("plan", "pro");
const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);

#[tokio::test]
async fn a_token_that_does_not_permit_the_operation_is_not_asked_about() {
    let tenant = frozen_tenant().await;
    let (protect, told) = deciding(introspecting(&tenant), allow);
    let sender_constrained = Policy::ANY_TOKEN.sender_constrained();
    for token in [tenant.token(), tenant.opaque_token()] {
        for (policy, reason) in [
            (READ, "scopes"),
            (ADMIN, "groups"),
            (STRONG, "acr"),
            (RECENT, "max_age"),
            (PRO, "claims"),
            (sender_constrained, "not_sender_constrained"),
            (Policy::any_of(&[READ, ADMIN]), "scopes"),
        ] {
            let headers = bearer(&token.clone().mint());
            let guard = protect.require(policy);
            let refusal = guard.check(harness::support::request_head(&headers)).await.unwrap_err();
            assert_eq!(refusal.error().reason(), reason);
        }
    }
    let api = serve(&protect);
    let expired = tenant.token().expires_in(-3600).mint();
    assert_eq!(api.send(get("/any").bearer(&expired)).await.status, 401);
    api.check("none", get("/any"), &missing()).await;
    let call = get("/read").bearer(&tenant.token().mint());
    api.check("no scope", call, &missing_scope("posts:read")).await;
    assert_eq!(told.count(), 0);
}

#[tokio::test]
async fn an_anonymous_caller_is_not_asked_about_and_one_with_a_token_is() {
    let tenant = frozen_tenant().await;
    let (protect, told) = deciding(protect(&tenant), deny);
    let api = serve(&protect);
    api.check("anonymous", get("/optional"), &says("anonymous")).await;
    assert_eq!(told.count(), 0);
    let call = get("/optional").bearer(&tenant.token().mint());
    api.check("with a token", call, &missing_group()).await;
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn the_hook_is_told_what_is_known_of_the_request() {
    let tenant = frozen_tenant().await;
    let (protect, told) = deciding(introspecting(&tenant), allow);
    let guard = protect.require(Policy::ANY_TOKEN);
    for token in [tenant.token(), tenant.opaque_token()] {
        let headers = bearer(&token.subject("alice").claim("plan", "pro").mint());
        let method = "PATCH".parse().unwrap();
        let uri = "/v1//posts/a%2Fb/../7?draft=1".parse().unwrap();
        guard.check(RequestHead::new(&method, &uri, &headers)).await.unwrap();
        let request = told.last();
        assert_eq!(request.claims.subject(), Some("alice"));
        assert_eq!(request.claims.get("plan"), Some(&json!("pro")));
        assert_eq!(&*request.issuer, tenant.issuer());
        assert_eq!(request.method, "PATCH");
        assert_eq!(request.path, "/v1//posts/a%2Fb/../7");
        assert_eq!(request.operation, None);
    }
    assert_eq!(told.count(), 2);
}

#[tokio::test]
async fn each_request_is_decided_also_with_a_cached_introspection_result() {
    let tenant = frozen_tenant().await;
    let (protect, told) = deciding(introspecting(&tenant).introspection_cache_in_memory(), allow);
    let api = serve(&protect);
    let token = tenant.opaque_token().mint();
    for asked in 1..=3 {
        api.check("cached", get("/any").bearer(&token), &ok()).await;
        assert_eq!(told.count(), asked);
    }
    assert_eq!(tenant.requests(Endpoint::Introspection), 1);
}

#[tokio::test]
async fn tokens_of_a_further_tenant_are_decided_by_the_same_hook() {
    let (own, partner) = (frozen_tenant().await, frozen_tenant().await);
    let (protect, told) = deciding(protect(&own), allow);
    let accepted = harness::support::protect(&partner).build().unwrap();
    let api = serve(&protect.also_accept(accepted).unwrap());
    api.check("partner", get("/any").bearer(&partner.token().mint()), &ok()).await;
    assert_eq!(&*told.last().issuer, partner.issuer());
}

#[tokio::test]
async fn each_decision_is_one_event_with_who_and_what() {
    let tenant = frozen_tenant().await;
    for (outcome, name) in
        [(allow as fn() -> Outcome, "decision.allowed"), (deny, "decision.denied")]
    {
        // It keeps tracing from caching, for other threads, that nothing is collected.
        let _other = Log::capture();
        let audit = Audit::default();
        let _collecting = tracing::subscriber::set_default(audit.clone());
        let (protect, _) = deciding(protect(&tenant), outcome);
        let token = tenant.token().scope("posts:read posts:write").subject("alice");
        let call = post("/write", r#"{"title":"hello"}"#);
        serve(&protect).send(call.bearer(&token.claim("client_id", "web").mint())).await;
        let issuer = tenant.issuer();
        let fields = format!(
            r#"issuer="{issuer}" subject="alice" client_id="web" method=POST path="/write" "#
        );
        let text = match name {
            "decision.allowed" => "message=the application allowed a request ",
            _ => "message=the application denied a request ",
        };
        assert_eq!(*audit.0.lock().unwrap(), [format!("{name}: INFO {text}{fields}")]);
    }
}

/// An audit log: a subscriber for the names of the events.
#[derive(Clone, Default)]
struct Audit(Arc<Mutex<Vec<String>>>);

impl Subscriber for Audit {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name().starts_with("decision.")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{}: {} ", metadata.name(), metadata.level()));
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

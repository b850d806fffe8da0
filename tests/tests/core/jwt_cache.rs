//! A JWT whose signature was verified before gets the answer that it would get without the cache.

use std::time::Duration;

use harness::support::{frozen_tenant, protect, request_head};
use http::{HeaderMap, header::AUTHORIZATION};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use monocloud_backend::{Guard, Policy, ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Algorithm, Clock, DpopKey, Endpoint, Fault, KeySetState, MockTenant};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;
use tokio::runtime::Runtime;

const DAY: i64 = 24 * 60 * 60;

/// Longer than keys are fresh.
const PAST_REFRESH: Duration = Duration::from_secs(331);

/// The same API twice, with the cache and without.
struct Twins {
    cached: ProtectApi,
    uncached: ProtectApi,
}

impl Twins {
    fn new(builder: impl Fn() -> ProtectApiBuilder) -> Self {
        let build = |builder: ProtectApiBuilder| builder.build().unwrap();
        Self { cached: build(builder()), uncached: build(builder().jwt_cache(0)) }
    }

    /// What both answer.
    async fn check_by(&self, policy: Policy, token: &str) -> &'static str {
        let with = outcome(&self.cached.require(policy), token).await;
        let without = outcome(&self.uncached.require(policy), token).await;
        assert_eq!(with, without);
        with
    }

    async fn check(&self, token: &str) -> &'static str {
        self.check_by(Policy::ANY_TOKEN, token).await
    }
}

async fn outcome(guard: &Guard, token: &str) -> &'static str {
    let authorization = format!("Bearer {token}").parse().unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
    match guard.check(request_head(&headers)).await {
        Ok(_) => "accepted",
        Err(refusal) => refusal.error().reason(),
    }
}

/// How many lookups there were, with hits first.
fn lookups(snapshotter: &Snapshotter) -> [u64; 2] {
    let metrics = snapshotter.snapshot().into_vec();
    ["hit", "miss"].map(|result| {
        let counts = metrics.iter().filter_map(|(key, _, _, value)| match value {
            DebugValue::Counter(count)
                if key.key().name() == "monocloud_backend_jwt_cache_lookups"
                    && key.key().labels().any(|label| label.value() == result) =>
            {
                Some(*count)
            }
            _ => None,
        });
        counts.sum()
    })
}

#[tokio::test]
async fn a_token_that_was_accepted_is_a_hit_and_one_that_was_rejected_is_none() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().mint();
    assert_eq!(twins.check(&token).await, "accepted");
    assert_eq!(lookups(&snapshotter), [0, 1]);
    assert_eq!(twins.check(&token).await, "accepted");
    assert_eq!(lookups(&snapshotter), [1, 0]);
    let expired = tenant.token().expires_in(-DAY).mint();
    let (forged, _) = token.rsplit_once('.').unwrap();
    for bad in [expired, format!("{forged}.AAAA")] {
        for _ in 0..2 {
            assert_ne!(twins.check(&bad).await, "accepted");
        }
    }
    assert_eq!(lookups(&snapshotter), [0, 4]);
}

#[tokio::test]
async fn a_hit_is_rejected_when_its_key_is_withdrawn() {
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().expires_in(DAY).mint();
    assert_eq!([twins.check(&token).await, twins.check(&token).await], ["accepted"; 2]);
    tenant.rotate_keys();
    tenant.clock().advance(PAST_REFRESH);
    assert_eq!(twins.check(&token).await, "accepted", "the key is still published");
    tenant.withdraw_former_keys();
    tenant.clock().advance(PAST_REFRESH);
    assert_eq!([twins.check(&token).await, twins.check(&token).await], ["unknown_key"; 2]);
}

#[tokio::test]
async fn a_hit_is_rejected_when_another_key_has_its_kid() {
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().expires_in(DAY).mint();
    assert_eq!([twins.check(&token).await, twins.check(&token).await], ["accepted"; 2]);
    for (state, expected) in
        [(KeySetState::SameKidNewKey, "signature"), (KeySetState::DuplicateKid, "ambiguous_key")]
    {
        tenant.publish_keys_as(state.clone());
        tenant.clock().advance(PAST_REFRESH);
        let found = [twins.check(&token).await, twins.check(&token).await];
        assert_eq!(found, [expected; 2], "{state:?}");
    }
    tenant.publish_keys();
    tenant.clock().advance(PAST_REFRESH);
    assert_eq!(twins.check(&token).await, "accepted");
}

#[tokio::test]
async fn a_hit_without_a_kid_is_rejected_when_a_second_key_fits() {
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().without_header("kid").expires_in(DAY).mint();
    assert_eq!([twins.check(&token).await, twins.check(&token).await], ["accepted"; 2]);
    tenant.announce_key();
    tenant.clock().advance(PAST_REFRESH);
    assert_eq!([twins.check(&token).await, twins.check(&token).await], ["ambiguous_key"; 2]);
}

#[tokio::test]
async fn claims_time_and_policy_are_validated_with_each_hit() {
    const READ: Policy = Policy::ANY_TOKEN.scopes(&["read"]);
    const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
    const RECENT: Policy = Policy::ANY_TOKEN.max_age(Duration::from_secs(300));
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().scope("read").authenticated_ago(0).expires_in(900).mint();
    assert_eq!(twins.check_by(READ, &token).await, "accepted");
    assert_eq!(twins.check_by(ADMIN, &token).await, "groups");
    assert_eq!(twins.check_by(RECENT, &token).await, "accepted");
    tenant.clock().advance(Duration::from_secs(600));
    assert_eq!(twins.check_by(RECENT, &token).await, "max_age");
    assert_eq!(twins.check_by(READ, &token).await, "accepted");
    tenant.clock().advance(Duration::from_secs(600));
    assert_eq!(twins.check_by(READ, &token).await, "expired");
    let bound = tenant.token().bound_to_key(&DpopKey::generate()).mint();
    assert_eq!([twins.check(&bound).await, twins.check(&bound).await], ["key_binding"; 2]);
}

#[tokio::test]
async fn two_tenants_share_no_entry() {
    let (one, other) = (frozen_tenant().await, frozen_tenant().await);
    let build = |tenant: &MockTenant, bytes: Option<u64>| {
        let builder = protect(tenant).clock(one.clock().reading()).timer(one.clock().timer());
        match bytes {
            Some(bytes) => builder.jwt_cache(bytes).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    let both = |bytes| build(&one, bytes).also_accept(build(&other, bytes)).unwrap();
    let twins = Twins { cached: both(None), uncached: both(Some(0)) };
    let tokens = [&one, &other].map(|tenant| tenant.token().expires_in(DAY).mint());
    for token in tokens.iter().chain(&tokens) {
        assert_eq!(twins.check(token).await, "accepted");
    }
    // The other tenant has the first one's keys, and the first one has them no more.
    other.publish(one.jwks());
    one.replace_keys();
    one.clock().advance(PAST_REFRESH);
    for token in tokens.iter().chain(&tokens) {
        assert_eq!(twins.check(token).await, "unknown_key");
    }
    let alone = Twins { cached: build(&other, None), uncached: build(&other, Some(0)) };
    assert_eq!([alone.check(&tokens[0]).await, alone.check(&tokens[0]).await], ["issuer"; 2]);
}

#[tokio::test]
async fn a_hit_needs_the_keys_as_a_miss_does() {
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().expires_in(2 * DAY).mint();
    assert_eq!([twins.check(&token).await, twins.check(&token).await], ["accepted"; 2]);
    tenant.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
    tenant.clock().advance(PAST_REFRESH);
    assert_eq!(twins.check(&token).await, "accepted", "the last good keys are used");
    tenant.clock().advance(Duration::from_secs(DAY as u64));
    assert_eq!(twins.check(&token).await, "tenant_status");
}

/// What happens to a tenant and to its API.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A request with one of the tokens.
    Check(usize),
    /// A token is issued.
    Mint {
        has_kid: bool,
        lives: i64,
    },
    Announce,
    Rotate,
    Replace,
    WithdrawFormer,
    /// The keys are published in another state.
    Publish(usize),
    Restore,
    /// Time passes, and the keys are fetched again.
    Advance(u64),
}

const STATES: [KeySetState; 4] = [
    KeySetState::DuplicateKid,
    KeySetState::WithoutKid,
    KeySetState::SameKidNewKey,
    KeySetState::WrongAlg,
];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => (0_usize..6).prop_map(Event::Check),
        3 => (any::<bool>(), select(vec![400, 4_000, DAY])).prop_map(|(has_kid, lives)| Event::Mint { has_kid, lives }),
        1 => Just(Event::Announce),
        1 => Just(Event::Rotate),
        1 => Just(Event::Replace),
        1 => Just(Event::WithdrawFormer),
        2 => (0..STATES.len()).prop_map(Event::Publish),
        1 => Just(Event::Restore),
        4 => select(vec![331, 1_000]).prop_map(Event::Advance),
    ]
}

async fn run(events: Vec<Event>) {
    let tenant = MockTenant::builder().algorithm(Algorithm::EdDsa).clock(Clock::frozen());
    let tenant = tenant.start().await;
    let twins = Twins::new(|| protect(&tenant));
    let mut tokens = vec![tenant.token().expires_in(DAY).mint()];
    for event in events {
        match event {
            Event::Check(index) => {
                let token = &tokens[index % tokens.len()];
                twins.check(token).await;
                twins.check_by(Policy::ANY_TOKEN.scopes(&["read"]), token).await;
            }
            Event::Mint { has_kid, lives } => {
                let token = tenant.token().scope("read").expires_in(lives);
                let token = if has_kid { token } else { token.without_header("kid") };
                tokens.push(token.mint());
            }
            Event::Announce => tenant.announce_key(),
            Event::Rotate => tenant.rotate_keys(),
            Event::Replace => tenant.replace_keys(),
            Event::WithdrawFormer => tenant.withdraw_former_keys(),
            Event::Publish(state) => tenant.publish_keys_as(STATES[state].clone()),
            Event::Restore => tenant.publish_keys(),
            Event::Advance(seconds) => {
                tenant.clock().advance(Duration::from_secs(seconds));
                for protect in [&twins.cached, &twins.uncached] {
                    protect.warm_up().await.unwrap();
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hit_and_a_miss_get_the_same_answer_whatever_happens_to_the_keys(
        events in vec(event(), 1..40)
    ) {
        Runtime::new().unwrap().block_on(run(events));
    }
}

#[tokio::test]
async fn a_token_that_was_changed_anywhere_is_no_hit() {
    let tenant = frozen_tenant().await;
    let twins = Twins::new(|| protect(&tenant));
    let token = tenant.token().mint();
    assert_eq!(twins.check(&token).await, "accepted");
    let claims = json!({"scope": "admin"}).to_string();
    let other = tenant.token().raw_payload(claims).mint();
    let (header, _) = token.split_once('.').unwrap();
    let (_, signature) = token.rsplit_once('.').unwrap();
    let payload = other.split('.').nth(1).unwrap();
    assert_eq!(twins.check(&format!("{header}.{payload}.{signature}")).await, "signature");
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_ne!(twins.check(&changed).await, "accepted", "{at}");
    }
}

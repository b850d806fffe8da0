//! Two minutes of load from several threads, with the default limits, while keys rotate (announced
//! and abruptly), the tenant goes down and comes up, and forged tokens arrive.
//!
//! ```sh
//! cargo test --test soak --all-features -- --ignored --nocapture
//! ```
//!
//! The clock of tenant and library runs as fast as the load permits: each of its seconds has at
//! least a hundred requests. `SOAK_SEED` repeats the order of events.
//!
//! The mock tenant runs in this process and records its tokens and answers, so the load sends it
//! few requests: growing memory is mostly the library's.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::rand;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use harness::{memory::resident_kilobytes, support::request_head};
use monocloud_backend::{Error, Guard, Policy, ProtectApi, token::AccessToken};
use monocloud_testkit::{
    Algorithm, ClientAuth, Clock, Endpoint, Fault, FaultGuard, MockTenant, Signer,
};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use tokio::task::JoinSet;

/// The duration of the test, in real time.
const DURATION: Duration = Duration::from_secs(120);

/// The maximum time until an abrupt rotation is noticed: one window of the budget, in seconds.
const WINDOW: u64 = 30;

/// A document's lifetime, in seconds.
const LIFETIME: u64 = 300;

/// The minimum age at which a document is renewed, in seconds.
const EARLIEST_RENEWAL: u64 = 216;

/// The maximum growth of memory, in kilobytes.
const MEMORY: usize = 32 * 1024;

/// A tenant, its API, and what is counted.
struct World {
    tenant: MockTenant,
    protect: ProtectApi,
    guard: Guard,
    requests: AtomicUsize,
    /// Counts the starts and ends of abrupt rotations: while it is odd, the API may not know the
    /// current key.
    rotations: AtomicUsize,
    is_over: AtomicBool,
    /// Seconds on the test's clock.
    passed: AtomicUsize,
}

/// The result of a request.
#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    Accepted,
    Rejected,
    Unavailable,
}

impl World {
    async fn start() -> Self {
        let builder = MockTenant::builder().algorithm(Algorithm::Es256).clock(Clock::frozen());
        let tenant = builder.start().await;
        let protect = ProtectApi::builder()
            .vars(tenant.vars_for(ClientAuth::SecretBasic))
            .clock(tenant.clock().reading())
            .timer(tenant.clock().timer())
            .build()
            .unwrap();
        let guard = protect.require(Policy::ANY_TOKEN);
        Self {
            tenant,
            protect,
            guard,
            requests: AtomicUsize::new(0),
            rotations: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            passed: AtomicUsize::new(0),
        }
    }

    async fn present(&self, token: &str) -> Verdict {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        match self.guard.check(request_head(&headers)).await {
            Ok(_) => Verdict::Accepted,
            Err(refusal) => match refusal.error() {
                Error::Unavailable { .. } => Verdict::Unavailable,
                Error::InvalidToken(_) => Verdict::Rejected,
                error => panic!("{error:?}"),
            },
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Presents valid tokens, signed with the current key.
    async fn present_valid_tokens(self: Arc<Self>) {
        while !self.is_over() {
            let before = self.rotations.load(Ordering::SeqCst);
            let token = self.tenant.token().mint();
            for _ in 0..100 {
                let verdict = self.present(&token).await;
                let is_rotating =
                    before % 2 == 1 || before != self.rotations.load(Ordering::SeqCst);
                assert!(
                    verdict == Verdict::Accepted || is_rotating,
                    "a valid token is {verdict:?}"
                );
                if is_rotating {
                    break;
                }
            }
        }
    }

    /// Presents tokens that are signed with a foreign key, or that name a made-up key.
    async fn present_forged_tokens(self: Arc<Self>) {
        let mut number = 0;
        while !self.is_over() {
            let foreign = self.tenant.token().signed_by(Signer::Foreign).mint();
            let (_, rest) = foreign.split_once('.').unwrap();
            for _ in 0..50 {
                number += 1;
                let header = format!(r#"{{"alg":"ES256","kid":"made-up-{number}"}}"#);
                let made_up = format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header));
                for token in [&made_up, &foreign] {
                    let verdict = self.present(token).await;
                    assert_ne!(verdict, Verdict::Accepted, "a forged token");
                }
            }
        }
    }

    /// Presents opaque tokens, each of which is valid until it is revoked.
    async fn present_opaque_tokens(self: Arc<Self>) {
        let mut last = 0;
        while !self.is_over() {
            let passed = self.passed.load(Ordering::SeqCst);
            if passed < last + 20 {
                tokio::task::yield_now().await;
                continue;
            }
            last = passed;
            let token = self.tenant.opaque_token().mint();
            assert_ne!(self.present(&token).await, Verdict::Rejected, "an opaque token");
            self.tenant.revoke(&token);
            self.protect.forget(&AccessToken::new(&token).unwrap()).await.unwrap();
            for _ in 0..3 {
                assert_ne!(self.present(&token).await, Verdict::Accepted, "a revoked token");
            }
        }
    }

    /// Lets one second pass, after at least a hundred further requests.
    async fn second(&self) {
        let enough = self.requests.load(Ordering::SeqCst) + 100;
        while self.requests.load(Ordering::SeqCst) < enough {
            tokio::task::yield_now().await;
        }
        self.tenant.clock().advance(Duration::from_secs(1));
        self.passed.fetch_add(1, Ordering::SeqCst);
    }

    async fn seconds(&self, seconds: u64) {
        for _ in 0..seconds {
            self.second().await;
        }
    }
}

/// What happened, from which the limits follow.
#[derive(Debug, Default)]
struct Report {
    announced: usize,
    abrupt: usize,
    outages: usize,
    /// The maximum number of fetches that outages may have caused.
    attempts: u64,
    /// In seconds.
    longest_rejection: u64,
}

/// A rotation as recommended: the new key is published for the lifetime of documents before it is
/// used, and the old one for as long afterwards.
async fn rotate_announced(world: &World, report: &mut Report) {
    world.tenant.announce_key();
    world.seconds(LIFETIME).await;
    world.tenant.rotate_keys();
    world.seconds(LIFETIME).await;
    world.tenant.withdraw_former_keys();
    report.announced += 1;
}

/// A rotation as after a theft: the key is replaced from one moment to the next.
async fn rotate_abruptly(world: &World, report: &mut Report) {
    let old = world.tenant.token().mint();
    world.rotations.fetch_add(1, Ordering::SeqCst);
    world.tenant.replace_keys();
    let token = world.tenant.token().expires_in(86_400).mint();
    let mut rejected = 0;
    while world.present(&token).await != Verdict::Accepted {
        rejected += 1;
        assert!(rejected <= WINDOW, "a rotated key is rejected for {rejected} s");
        world.second().await;
    }
    world.rotations.fetch_add(1, Ordering::SeqCst);
    report.longest_rejection = report.longest_rejection.max(rejected);
    report.abrupt += 1;
    assert_eq!(world.present(&old).await, Verdict::Rejected, "a stolen key");
}

/// The tenant is down for a while.
async fn go_down(world: &World, report: &mut Report, choice: u8) {
    let fault = match choice % 4 {
        0 => Fault::Status(503),
        1 => Fault::Reset,
        2 => Fault::NeverAnswer,
        _ => Fault::Malformed,
    };
    let endpoints = [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Introspection];
    let faults: Vec<FaultGuard> =
        endpoints.into_iter().map(|it| world.tenant.fault(it, fault.clone())).collect();
    let length = 60 + u64::from(choice) * 4;
    world.seconds(length).await;
    drop(faults);
    // Wait for the next attempt, which succeeds.
    world.seconds(70).await;
    report.outages += 1;
    report.attempts += 8 + (length + 70) / 54;
}

/// A sequence of choices that a seed repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u8 {
        // Multiplicative congruence (Lehmer); any sequence will do.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 56) as u8
    }
}

fn seed() -> u64 {
    let given = env::var("SOAK_SEED").ok();
    given.map_or_else(
        || {
            let mut seed = [0; 8];
            rand::fill(&mut seed).unwrap();
            u64::from_le_bytes(seed)
        },
        |seed| seed.parse().expect("SOAK_SEED is a number"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes two minutes"]
async fn soak() {
    let seed = seed();
    println!("SOAK_SEED={seed}");
    let (mut dice, mut report) = (Dice(seed), Report::default());
    let world = Arc::new(World::start().await);
    world.protect.warm_up().await.unwrap();
    let mut load = JoinSet::new();
    for _ in 0..2 {
        load.spawn(Arc::clone(&world).present_valid_tokens());
        load.spawn(Arc::clone(&world).present_forged_tokens());
    }
    load.spawn(Arc::clone(&world).present_opaque_tokens());
    world.seconds(60).await;
    let memory = resident_kilobytes();
    let start = tokio::time::Instant::now();
    while start.elapsed() < DURATION {
        match dice.roll() % 3 {
            0 => rotate_announced(&world, &mut report).await,
            1 => rotate_abruptly(&world, &mut report).await,
            _ => go_down(&world, &mut report, dice.roll()).await,
        }
        if let Some(ended) = load.try_join_next() {
            panic!("the load ended early: {ended:?}");
        }
        world.seconds(u64::from(dice.roll())).await;
    }
    world.is_over.store(true, Ordering::SeqCst);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }

    let passed = world.passed.load(Ordering::SeqCst) as u64;
    let grown = resident_kilobytes().saturating_sub(memory);
    let fetches = [Endpoint::Discovery, Endpoint::Jwks].map(|it| world.tenant.requests(it) as u64);
    // Renewals, attempts while the tenant was down, and for keys the budget for made-up kids.
    let renewals = passed / EARLIEST_RENEWAL + 2 + report.attempts;
    let limits = [renewals, renewals + passed / WINDOW + 2];
    println!("{report:?}");
    println!("requests: {}, on {passed} s of the clock", world.requests.load(Ordering::SeqCst));
    println!("fetches of metadata and keys: {fetches:?}, at most {limits:?}");
    println!("longest rejection of an abruptly rotated key: {} s", report.longest_rejection);
    println!("resident: {} kB, {grown} kB more than after the start", resident_kilobytes());
    assert!(report.announced > 0 && report.abrupt > 0 && report.outages > 0, "{report:?}");
    assert!(fetches[0] <= limits[0] && fetches[1] <= limits[1], "{fetches:?} of {limits:?}");
    assert!(grown <= MEMORY, "{grown} kB more");
}

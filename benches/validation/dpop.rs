//! What a proof costs: a request with DPoP, compared with a bearer request and with only verifying
//! the proof's signature.
//!
//! The two requests have twin tokens, of which one is bound to a key. Each proof is used once.

use std::{
    array, future,
    hint::black_box,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lc_rs::signature::ParsedPublicKey;
use http::{HeaderMap, HeaderValue, Method, Uri, header::AUTHORIZATION};
use monocloud_backend::{
    Guard, Policy, ProtectApi, RequestHead,
    dpop::{DpopMode, ReplayFuture, ReplayKey, ReplayStore},
};
use monocloud_testkit::{Algorithm, Clock, DpopKey, MockTenant};

use super::{decoded, median, prepared, time};

const ROUNDS: usize = 1_000;

/// Each contender's runs in a round.
const TURN: u32 = 5;

/// Accepts every proof and records none, so that the time of the record is the difference.
struct Nowhere;

impl ReplayStore for Nowhere {
    fn record(&self, _key: ReplayKey, _lifetime: Duration) -> ReplayFuture<'_> {
        Box::pin(future::ready(Ok(true)))
    }
}

pub(super) async fn print_ratios() {
    let tenant = MockTenant::builder().algorithm(Algorithm::Es256).clock(Clock::frozen());
    let tenant = tenant.start().await;
    let guard = |store: Option<Nowhere>| {
        let builder = ProtectApi::builder().vars(tenant.vars()).dpop(DpopMode::Allowed);
        let builder = builder.clock(tenant.clock().reading());
        let builder = match store {
            None => builder,
            Some(store) => {
                builder.fleet_key("a secret of thirty-two bytes and more").dpop_replay_store(store)
            }
        };
        let protect = builder.build().unwrap();
        (protect.clone(), protect.require(Policy::ANY_TOKEN))
    };
    let (in_memory, with_memory) = guard(None);
    let (nowhere, without_record) = guard(Some(Nowhere));
    in_memory.warm_up().await.unwrap();
    nowhere.warm_up().await.unwrap();

    let key = DpopKey::generate();
    let bound = tenant.token().scope("posts:read").bound_to_key(&key).mint();
    let client = tenant.dpop_client(&key, &bound);
    let url = "https://api.example.com/posts";
    let proofs = || -> Vec<HeaderMap> {
        let count = (ROUNDS + 100) * TURN as usize;
        (0..count).map(|_| client.headers("GET", url).into_iter().collect()).collect()
    };
    let proofs = [Proofs::new(proofs()), Proofs::new(proofs())];
    let token = tenant.token().scope("posts:read").mint();
    let mut bearer = HeaderMap::new();
    bearer.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    let proof = client.proof("GET", url).mint();
    let (input, signature) = proof.rsplit_once('.').unwrap();
    let (bare, signature): (ParsedPublicKey, _) =
        (prepared(&key.jwk(), Algorithm::Es256), decoded(signature));

    let contenders: [Box<dyn Fn()>; 4] = [
        Box::new(|| bare.verify_sig(black_box(input.as_bytes()), black_box(&signature)).unwrap()),
        Box::new(|| check(&with_memory, &bearer)),
        Box::new(|| check(&with_memory, proofs[0].next())),
        Box::new(|| check(&without_record, proofs[1].next())),
    ];
    for run in &contenders {
        (0..50).for_each(|_| run());
    }
    let rounds: Vec<[f64; 4]> = (0..ROUNDS)
        .map(|_| {
            proofs.iter().for_each(Proofs::touch);
            array::from_fn(|contender| time(TURN, &contenders[contender]))
        })
        .collect();
    let over_rounds = |value: fn(&[f64; 4]) -> f64| median(rounds.iter().map(value).collect());
    println!(
        "DPoP with ES256, beyond a bearer request of the twin token (medians of {ROUNDS} rounds)"
    );
    println!(
        "{:8.2} us bare   {:6.3} x bare for the proof   {:6.3} us for the record in memory",
        over_rounds(|[bare, ..]| bare * 1e6),
        over_rounds(|[bare, bearer, dpop, _]| (dpop - bearer) / bare),
        over_rounds(|[.., dpop, unrecorded]| (dpop - unrecorded) * 1e6),
    );
    println!();
}

/// Requests with a proof each, none of which is used twice.
struct Proofs {
    headers: Vec<HeaderMap>,
    next: AtomicUsize,
}

impl Proofs {
    const fn new(headers: Vec<HeaderMap>) -> Self {
        Self { headers, next: AtomicUsize::new(0) }
    }

    /// Reads those of the next turn: a server has just received them.
    fn touch(&self) {
        let next = self.next.load(Ordering::Relaxed);
        for headers in &self.headers[next..next + TURN as usize] {
            for value in headers.values() {
                black_box(value.as_bytes().iter().map(|byte| u32::from(*byte)).sum::<u32>());
            }
        }
    }

    fn next(&self) -> &HeaderMap {
        &self.headers[self.next.fetch_add(1, Ordering::Relaxed)]
    }
}

fn check(guard: &Guard, headers: &HeaderMap) {
    let uri = Uri::from_static("/posts");
    let head = RequestHead::new(&Method::GET, &uri, black_box(headers));
    let check = pin!(guard.check(head));
    match check.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(caller) => drop(black_box(caller.unwrap())),
        Poll::Pending => panic!("a warm check waits for nothing"),
    }
}

//! What a proof costs: a request with DPoP, compared with a bearer request and with only verifying
//! the proof's signature.
//!
//! The two requests have twin tokens, of which one is bound to a key. Each proof is used once.

use std::{
    array, future,
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use aws_lc_rs::signature::ParsedPublicKey;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use monocloud_backend::{
    Policy, ProtectApi,
    dpop::{DpopMode, ReplayFuture, ReplayKey, ReplayStore},
};
use monocloud_testkit::{Algorithm, Clock, DpopKey, MockTenant};

use super::{
    median,
    scene::{check, decoded, prepared},
    time,
};

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
    let (raw, signature): (ParsedPublicKey, _) =
        (prepared(&key.jwk(), Algorithm::Es256), decoded(signature));

    let contenders: [Box<dyn Fn()>; 4] = [
        Box::new(|| raw.verify_sig(black_box(input.as_bytes()), black_box(&signature)).unwrap()),
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
        "dpop es256 (dpop-bearer)/raw {:.2}",
        over_rounds(|[raw, bearer, dpop, _]| (dpop - bearer) / raw)
    );
    println!(
        "dpop record in memory {:.2} us",
        over_rounds(|[.., dpop, unrecorded]| (dpop - unrecorded) * 1e6)
    );
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

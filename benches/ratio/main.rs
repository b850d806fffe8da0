//! The time of validation as ratios: to the bare signature check, to `jsonwebtoken`, and between the
//! ways to validate a token.
//!
//! - `raw`: aws-lc-rs verifies the decoded signature, with a prepared key, and that is all
//! - `validate`: [`Guard::check`](monocloud_backend::Guard::check) on a warm API without a cache, from the
//!   headers to the caller
//! - `jsonwebtoken`: `decode_header` to find the key, then `decode`, on aws-lc-rs too
//!
//! All get the same token, and take turns in one run. A turn is shorter than a time slice of the
//! scheduler, so other load on the machine affects all of a round or none of it. Each ratio is the
//! median over the rounds, which other load hardly changes.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has no caller that could handle errors"
)]

mod dpop;
mod opaque;
mod repeated;
#[path = "../scene/mod.rs"]
mod scene;

use std::{
    array, env,
    hint::black_box,
    time::{Duration, Instant},
};

use jsonwebtoken::{DecodingKey, Validation, crypto::aws_lc, jwk::Jwk};
use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Algorithm, MockTenant};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::scene::{ALGORITHMS, Scene, jwk_of, token};

const ROUNDS: usize = 1_000;

/// The duration of a contender's turn.
const TURN: Duration = Duration::from_micros(300);

fn main() {
    // `cargo test` builds and starts every bench too; only `cargo bench` measures.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    let runtime = Runtime::new().unwrap();
    let tenant = runtime.block_on(MockTenant::start());
    let warm = |builder: ProtectApiBuilder| {
        let protect = builder.vars(tenant.vars()).build().unwrap();
        runtime.block_on(protect.warm_up()).unwrap();
        protect
    };
    let protect = warm(ProtectApi::builder().jwt_cache(0));
    println!("medians of {ROUNDS} rounds");
    for algorithm in ALGORITHMS {
        let token = token(&tenant, algorithm).mint();
        let jwk = jwk_of(&tenant, &token);
        let scene = Scene::new(&protect, algorithm, token, &jwk);
        let peer = Peer::new(&tenant, &scene.token, algorithm);
        let [raw, validate, jsonwebtoken] =
            compared([&|| scene.verify_raw(), &|| scene.request.check(), &|| {
                peer.decode(&scene.token)
            }]);
        let name = algorithm.as_str().to_lowercase();
        println!("{name} validate/raw {:.2}", ratio(&validate, &raw));
        println!("{name} jsonwebtoken/raw {:.2}", ratio(&jsonwebtoken, &raw));
        println!("{name} raw {:.2} us", median(raw) * 1e6);
    }
    repeated::print_ratios(&tenant, &protect, warm);
    opaque::print_ratios(&runtime, &tenant);
    runtime.block_on(dpop::print_ratios());
}

/// Lets the contenders take turns: the seconds that one run of each took, by rounds.
fn compared<const N: usize>(contenders: [&dyn Fn(); N]) -> [Vec<f64>; N] {
    let turns = contenders.map(|run| {
        (0..50).for_each(|_| run());
        (TURN.as_secs_f64() / time(50, run)).ceil() as u32
    });
    let mut rounds = array::from_fn(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for (index, seconds) in rounds.iter_mut().enumerate() {
            seconds.push(time(turns[index], contenders[index]));
        }
    }
    rounds
}

/// Seconds for one of `count` runs.
fn time(count: u32, run: impl Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        run();
    }
    start.elapsed().as_secs_f64() / f64::from(count)
}

/// The median of the ratios of all rounds.
fn ratio(one: &[f64], other: &[f64]) -> f64 {
    median(one.iter().zip(other).map(|(one, other)| one / other).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The same with `jsonwebtoken`.
struct Peer {
    key: DecodingKey,
    validation: Validation,
}

impl Peer {
    fn new(tenant: &MockTenant, token: &str, algorithm: Algorithm) -> Self {
        let jwk: Jwk = serde_json::from_value(jwk_of(tenant, token)).unwrap();
        let algorithm = serde_json::from_value(json!(algorithm.as_str())).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[tenant.issuer()]);
        validation.set_audience(&[tenant.audience()]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        validation.validate_nbf = true;
        Self { key: DecodingKey::from_jwk(&jwk).unwrap(), validation }
    }

    fn decode(&self, token: &str) {
        let token = black_box(token);
        black_box(jsonwebtoken::decode_header(token).unwrap().kid);
        black_box(jsonwebtoken::decode::<Value>(token, &self.key, &self.validation).unwrap());
    }
}

//! The time of validation, compared with only verifying the signature and with `jsonwebtoken`.
//!
//! ```sh
//! cargo bench -p monocloud-backend --bench validation            # the ratios, then criterion
//! cargo bench -p monocloud-backend --bench validation -- RS256   # criterion for one algorithm
//! ```
//!
//! With `CARGO_PROFILE_BENCH_LTO=thin CARGO_PROFILE_BENCH_CODEGEN_UNITS=1` it is built like an
//! optimized service.
//!
//! The same for DPoP is in `dpop.rs`.
//!
//! Every contender gets the same token of about 870 bytes (with RS256) and ten claims:
//!
//! - `bare`: aws-lc-rs only verifies the decoded signature, with a prepared key
//! - `guard`: [`Guard::check`] on a warm [`ProtectApi`], from the headers to the caller
//! - `jsonwebtoken`: `decode_header` to find the key, then `decode`, on aws-lc-rs too
//!
//! The ratios come from one run in which the contenders take turns. A turn is shorter than a time
//! slice of the scheduler, so other load on the machine affects all of a round or none of it. Each
//! ratio is the median over the rounds, which other load hardly changes.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has no caller that could handle errors"
)]

mod dpop;

use std::{
    env,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use criterion::{Criterion, Throughput};
use http::{HeaderMap, HeaderValue, Method, Uri, header::AUTHORIZATION};
use jsonwebtoken::{DecodingKey, Validation, crypto::aws_lc, jwk::Jwk};
use monocloud_backend::{Guard, Policy, ProtectApi, RequestHead};
use monocloud_testkit::{Algorithm, MockTenant};
use serde_json::{Value, json};

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

const ROUNDS: usize = 2000;

/// The duration of a contender's turn.
const TURN: Duration = Duration::from_micros(300);

fn main() {
    aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tenant = runtime.block_on(MockTenant::start());
    let scenes = ALGORITHMS.map(|algorithm| runtime.block_on(Scene::set(&tenant, algorithm)));
    // `cargo test` runs the ratios too; with a name on the command line, only criterion runs.
    if env::args().skip(1).eq(["--bench"]) {
        println!("ratio to bare      guard  jsonwebtoken   (medians of {ROUNDS} rounds)");
        for scene in &scenes {
            scene.print_ratios();
        }
        println!();
        runtime.block_on(dpop::print_ratios());
    }
    let mut criterion = Criterion::default().configure_from_args();
    for scene in &scenes {
        scene.measure(&mut criterion);
    }
    criterion.final_summary();
}

/// A name, and a function that validates the token once.
type Contender<'s> = (&'static str, Box<dyn Fn() + 's>);

/// A token of one algorithm, and what each contender needs to validate it.
struct Scene {
    algorithm: Algorithm,
    token: String,
    bare: ParsedPublicKey,
    signature: Vec<u8>,
    guard: Guard,
    headers: HeaderMap,
    key: DecodingKey,
    validation: Validation,
}

impl Scene {
    async fn set(tenant: &MockTenant, algorithm: Algorithm) -> Self {
        let token = tenant
            .token()
            .algorithm(algorithm)
            .subject("usr_5kNvXbmzXHpvSyTVgQd4Sx")
            .claim("client_id", "7d3f0b8a-4c25-4d0e-9a5b-1f6c2e8d9b70")
            .scope("posts:read posts:write profile")
            .groups(["admin", "editors"])
            .mint();
        let kid = serde_json::from_slice::<Value>(&decoded(token.split('.').next().unwrap()))
            .unwrap()["kid"]
            .clone();
        let keys = tenant.jwks()["keys"].as_array().unwrap().clone();
        let jwk = keys.into_iter().find(|jwk| jwk["kid"] == kid).unwrap();

        let protect = ProtectApi::from_vars(tenant.vars()).unwrap();
        protect.warm_up().await.unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());

        let key: Jwk = serde_json::from_value(jwk.clone()).unwrap();
        let jwt_algorithm = serde_json::from_value(json!(algorithm.as_str())).unwrap();
        let mut validation = Validation::new(jwt_algorithm);
        validation.set_issuer(&[tenant.issuer()]);
        validation.set_audience(&[tenant.audience()]);
        validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        validation.validate_nbf = true;

        Self {
            algorithm,
            bare: prepared(&jwk, algorithm),
            signature: decoded(token.rsplit('.').next().unwrap()),
            guard: protect.require(Policy::ANY_TOKEN.scopes(&["posts:read"])),
            headers,
            key: DecodingKey::from_jwk(&key).unwrap(),
            validation,
            token,
        }
    }

    fn contenders(&self) -> [Contender<'_>; 3] {
        [
            ("bare", Box::new(|| self.verify_bare())),
            ("guard", Box::new(|| self.check())),
            ("jsonwebtoken", Box::new(|| self.decode())),
        ]
    }

    fn verify_bare(&self) {
        let (input, _) = self.token.rsplit_once('.').unwrap();
        self.bare.verify_sig(black_box(input.as_bytes()), black_box(&self.signature)).unwrap();
    }

    fn check(&self) {
        let uri = Uri::from_static("/posts");
        let head = RequestHead::new(&Method::GET, &uri, black_box(&self.headers));
        let check = pin!(self.guard.check(head));
        match check.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(caller) => drop(black_box(caller.unwrap())),
            Poll::Pending => panic!("a warm check waits for nothing"),
        }
    }

    fn decode(&self) {
        let token = black_box(self.token.as_str());
        let header = jsonwebtoken::decode_header(token).unwrap();
        black_box(header.kid);
        let token = jsonwebtoken::decode::<Value>(token, &self.key, &self.validation).unwrap();
        drop(black_box(token));
    }

    /// Lets the contenders take turns.
    fn print_ratios(&self) {
        let contenders = self.contenders();
        let turns = contenders.each_ref().map(|(_, run)| {
            (0..50).for_each(|_| run());
            let once = time(50, run);
            (TURN.as_secs_f64() / once).ceil() as u32
        });
        let rounds: Vec<[f64; 3]> = (0..ROUNDS)
            .map(|_| std::array::from_fn(|index| time(turns[index], &contenders[index].1)))
            .collect();
        let over_rounds = |value: fn(&[f64; 3]) -> f64| median(rounds.iter().map(value).collect());
        println!(
            "{:5} {:8.2} us  {:9.3}  {:12.3}   token of {} bytes",
            self.algorithm.as_str(),
            over_rounds(|[bare, ..]| bare * 1e6),
            over_rounds(|[bare, guard, _]| guard / bare),
            over_rounds(|[bare, _, jsonwebtoken]| jsonwebtoken / bare),
            self.token.len(),
        );
    }

    fn measure(&self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(self.algorithm.as_str());
        group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(2));
        for (name, run) in self.contenders() {
            group.bench_function(name, |bencher| bencher.iter(&run));
        }
        group.finish();
    }
}

/// Seconds for one of `count` runs.
fn time(count: u32, run: impl Fn()) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        run();
    }
    start.elapsed().as_secs_f64() / f64::from(count)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The public key in the form that aws-lc-rs verifies fastest with.
fn prepared(jwk: &Value, algorithm: Algorithm) -> ParsedPublicKey {
    let member = |name: &str| decoded(jwk[name].as_str().unwrap());
    match algorithm {
        Algorithm::Rs256 => RsaPublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .unwrap(),
        Algorithm::Ps256 => RsaPublicKeyComponents { n: member("n"), e: member("e") }
            .to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
            .unwrap(),
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).unwrap()
        }
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, member("x")).unwrap(),
        other => panic!("{other} is not measured"),
    }
}

fn decoded(segment: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()
}

//! The time to validate an opaque token, compared with a JWT.
//!
//! ```sh
//! cargo bench -p monocloud-backend --bench introspection
//! ```
//!
//! All of them take turns in one run, and each includes everything from the headers to the caller:
//!
//! - `jwt`: an RS256 token, validated with a warm key set
//! - `hit`: an opaque token whose introspection result is cached in the process
//! - `call`: an opaque token without a cache, so the mock tenant introspects it, on loopback; this
//!   includes the tenant's own work

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has no caller that could handle errors"
)]

use std::{
    env,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, Uri, header::AUTHORIZATION};
use monocloud_backend::{Guard, Policy, ProtectApi, RequestHead};
use monocloud_testkit::{ClientAuth, MockTenant};
use tokio::runtime::Runtime;

const ROUNDS: usize = 200;

/// A guard, and a request for it.
struct Contender {
    name: &'static str,
    turns: u32,
    guard: Guard,
    headers: HeaderMap,
}

fn main() {
    // `cargo test` builds and starts every bench too; only `cargo bench` measures.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let tenant = runtime.block_on(MockTenant::start());
    let contenders = contenders(&tenant);
    let mut rounds: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (times, contender) in rounds.iter_mut().zip(&contenders) {
            times.push(runtime.block_on(contender.run()));
        }
    }
    let [jwt, hit, call] = rounds.map(median);
    for (contender, time) in contenders.iter().zip([jwt, hit, call]) {
        println!("{:5} {:10.2} us", contender.name, time.as_secs_f64() * 1e6);
    }
    println!("jwt / hit   {:7.1}", jwt.as_secs_f64() / hit.as_secs_f64());
    println!("call / hit  {:7.1}", call.as_secs_f64() / hit.as_secs_f64());
    println!("call / jwt  {:7.1}", call.as_secs_f64() / jwt.as_secs_f64());
}

fn contenders(tenant: &MockTenant) -> [Contender; 3] {
    let vars = || tenant.vars_for(ClientAuth::SecretPost);
    let asking = ProtectApi::from_vars(vars()).unwrap();
    let keeping =
        ProtectApi::builder().vars(vars()).introspection_cache_in_memory().build().unwrap();
    let scope = "posts:read posts:write profile";
    let jwt = tenant.token().scope(scope).mint();
    let opaque = tenant.opaque_token().scope(scope).mint();
    [
        Contender::new("jwt", 20, &asking, &jwt),
        Contender::new("hit", 200, &keeping, &opaque),
        Contender::new("call", 5, &asking, &opaque),
    ]
}

impl Contender {
    fn new(name: &'static str, turns: u32, protect: &ProtectApi, token: &str) -> Self {
        let authorization = format!("Bearer {token}").parse().unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        Self { name, turns, guard: protect.require(Policy::ANY_TOKEN), headers }
    }

    /// The time of one check, averaged over a turn.
    async fn run(&self) -> Duration {
        let start = Instant::now();
        let uri = Uri::from_static("/posts");
        for _ in 0..self.turns {
            let head = RequestHead::new(&Method::GET, &uri, &self.headers);
            self.guard.check(head).await.unwrap();
        }
        start.elapsed() / self.turns
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

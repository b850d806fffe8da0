//! Tokens that come again, and what it costs to remember them: the signature of a hit is not verified.

use std::{array, cell::Cell, thread, time::Instant};

use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Algorithm, MockTenant};

use super::{
    compared, median, ratio,
    scene::{Request, Scene, jwk_of, token},
};

/// Tokens that take turns.
const TOKENS: usize = 500;

/// A cache that holds about a tenth of them.
const SMALL: u64 = 64 * 1024;

const ROUNDS: usize = 100;

pub(super) fn print_ratios(
    tenant: &MockTenant,
    uncached: &ProtectApi,
    warm: impl Fn(ProtectApiBuilder) -> ProtectApi,
) {
    let algorithm = Algorithm::Rs256;
    let tokens: Vec<_> = (0..TOKENS).map(|_| token(tenant, algorithm).mint()).collect();
    let requests = |protect: &ProtectApi| -> Vec<Request> {
        tokens.iter().map(|token| Request::new(protect, token)).collect()
    };
    let all = requests(&warm(ProtectApi::builder()));
    let few = requests(&warm(ProtectApi::builder().jwt_cache(SMALL)));
    let none = requests(uncached);
    let jwk = jwk_of(tenant, &tokens[0]);
    let scene = Scene::new(uncached, algorithm, tokens[0].clone(), &jwk);
    all.iter().for_each(Request::check);
    let places: [Cell<usize>; 2] = array::from_fn(|_| Cell::new(0));
    let next = |place: usize| places[place].replace((places[place].get() + 1) % TOKENS);
    let [raw, hit, any, miss] =
        compared([&|| scene.verify_raw(), &|| all[0].check(), &|| all[next(0)].check(), &|| {
            few[next(1)].check()
        }]);
    println!("cached hit/rs256 raw {:.3}", ratio(&hit, &raw));
    println!("cached hit of {TOKENS} tokens in turn/rs256 raw {:.3}", ratio(&any, &raw));
    println!("rs256 miss/raw {:.2}", ratio(&miss, &raw));
    println!("rs256 uncached, two threads/one {:.2}", two_threads(&none, 1));
    println!("cached hit, two threads/one {:.2}", two_threads(&all, 20));
}

/// How many more requests two threads check than one, in the same time.
fn two_threads(requests: &[Request], passes: usize) -> f64 {
    let check_all = || (0..passes).for_each(|_| requests.iter().for_each(Request::check));
    let rounds = (0..ROUNDS).map(|_| {
        let one = seconds(check_all);
        let two = seconds(|| {
            thread::scope(|scope| {
                let other = scope.spawn(check_all);
                check_all();
                other.join().unwrap();
            });
        });
        2.0 * one / two
    });
    median(rounds.collect())
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

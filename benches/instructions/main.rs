//! The instructions of a validation beyond those of the bare signature check, as callgrind counts them:
//! the same at every run, whatever else the machine does.
//!
//! Each count is made in a process of its own under `valgrind`, which must be installed, and is the mean
//! of several runs. The profiles are left in `target/tmp`, for `callgrind_annotate`.
//!
//! Valgrind knows fewer instructions than the processor: of SHA-256 and of AVX-512, for example, it sees
//! what is done without. So a hash weighs more here than in truth.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has no caller that could handle errors"
)]

mod hosts;
#[path = "../scene/mod.rs"]
mod scene;

use std::{env, process::Command};

use monocloud_backend::ProtectApi;
use monocloud_testkit::{Algorithm, MockTenant};
use tokio::runtime::Runtime;

use self::{
    hosts::{HOSTS, handling},
    scene::{ALGORITHMS, Scene, jwk_of, token},
};

/// How often each run is counted.
const RUNS: i64 = 50;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--count", what, algorithm, token, jwk] => count(what, algorithm, token, jwk),
        // `cargo test` builds and starts every bench too; only `cargo bench` measures.
        ref other if other.contains(&"--bench") => report(),
        _ => {}
    }
}

fn report() {
    let runtime = Runtime::new().unwrap();
    let tenant = runtime.block_on(MockTenant::start());
    println!("instructions beyond the raw signature check");
    for algorithm in ALGORITHMS {
        let token = token(&tenant, algorithm).mint();
        let [raw, validate, hit] =
            ["raw", "validate", "hit"].map(|what| counted(&tenant, what, algorithm, &token));
        let name = algorithm.as_str().to_lowercase();
        println!("{name} validate-raw {}   raw {raw}   cached hit {hit}", validate - raw);
        if algorithm == Algorithm::Rs256 {
            for host in HOSTS {
                let [open, guarded] = ["open", "guarded"]
                    .map(|what| counted(&tenant, &format!("{host}.{what}"), algorithm, &token));
                let own = guarded - open - validate;
                println!("{host} guarded-open-validate {own}   open {open}");
            }
        }
    }
}

/// Instructions of one run, counted by another process, whose tenant is in this one.
fn counted(tenant: &MockTenant, what: &str, algorithm: Algorithm, token: &str) -> i64 {
    let name = algorithm.as_str();
    let profile =
        format!("{}/callgrind.{}.{what}", env!("CARGO_TARGET_TMPDIR"), name.to_lowercase());
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*::counted_runs"])
        .arg(format!("--callgrind-out-file={profile}"))
        .arg(env::current_exe().unwrap())
        .args(["--count", what, name, token, &jwk_of(tenant, token).to_string()])
        .envs(tenant.vars())
        .output()
        .expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, collected) = collected.unwrap_or_else(|| panic!("valgrind failed: {said}"));
    let total: i64 = collected.trim().parse().unwrap();
    total / RUNS
}

/// Does what is to be counted, after a few runs that are not.
fn count(what: &str, algorithm: &str, token: &str, jwk: &str) {
    let algorithm = ALGORITHMS.into_iter().find(|it| it.as_str() == algorithm).unwrap();
    let cache = if what == "hit" { 1024 * 1024 } else { 0 };
    let protect = ProtectApi::builder().env().jwt_cache(cache).build().unwrap();
    Runtime::new().unwrap().block_on(protect.warm_up()).unwrap();
    let jwk = serde_json::from_str(jwk).unwrap();
    let scene = Scene::new(&protect, algorithm, token.to_owned(), &jwk);
    let run: Box<dyn Fn()> = match what.split_once('.') {
        Some((host, what)) => handling(host, what == "guarded", &protect, token),
        None if what == "raw" => Box::new(|| scene.verify_raw()),
        None => Box::new(|| scene.request.check()),
    };
    (0..5).for_each(|_| run());
    counted_runs(&run);
}

#[inline(never)]
fn counted_runs(run: &dyn Fn()) {
    for _ in 0..RUNS {
        run();
    }
}

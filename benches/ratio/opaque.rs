//! What an opaque token costs, compared with a JWT: its introspection result is cached in the process, or
//! the mock tenant introspects it, on loopback, and the tenant's own work counts.

use http::{HeaderMap, Method, Uri, header::AUTHORIZATION};
use monocloud_backend::{Guard, Policy, ProtectApi, RequestHead};
use monocloud_testkit::{ClientAuth, MockTenant};
use tokio::runtime::Runtime;

use super::{compared, ratio};

pub(super) fn print_ratios(runtime: &Runtime, tenant: &MockTenant) {
    let vars = || tenant.vars_for(ClientAuth::SecretPost);
    let asking = ProtectApi::builder().vars(vars()).jwt_cache(0).build().unwrap();
    let keeping =
        ProtectApi::builder().vars(vars()).introspection_cache_in_memory().build().unwrap();
    let scope = "posts:read posts:write profile";
    let jwt = request(&asking, &tenant.token().scope(scope).mint());
    let opaque = tenant.opaque_token().scope(scope).mint();
    let (hit, call) = (request(&keeping, &opaque), request(&asking, &opaque));
    let run = |(guard, headers): &(Guard, HeaderMap)| {
        let uri = Uri::from_static("/posts");
        let check = guard.check(RequestHead::new(&Method::GET, &uri, headers));
        drop(runtime.block_on(check).unwrap());
    };
    let [jwt, hit, call] = compared([&|| run(&jwt), &|| run(&hit), &|| run(&call)]);
    println!("opaque hit/rs256 validate {:.3}", ratio(&hit, &jwt));
    println!("opaque call/rs256 validate {:.1}", ratio(&call, &jwt));
}

/// A guard, and a request for it.
fn request(protect: &ProtectApi, token: &str) -> (Guard, HeaderMap) {
    let authorization = format!("Bearer {token}").parse().unwrap();
    (protect.require(Policy::ANY_TOKEN), HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
}

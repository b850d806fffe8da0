use std::{error::Error, time::Duration};

use monocloud_backend::{Bearer, Policy, ProtectApi, Require, policy::PolicyBuf};
use salvo::prelude::*;

struct ReadersAndAdmins;

impl Require for ReadersAndAdmins {
    const POLICY: Policy = Policy::any_of(&[
        Policy::ANY_TOKEN.scopes(&["posts:read"]),
        Policy::ANY_TOKEN.any_group(&["admin"]),
    ]);
}

// The type has the whole policy, the scope too.
struct Publishers;

impl Require for Publishers {
    const POLICY: Policy = Policy::ANY_TOKEN
        .scopes(&["posts:write"])
        .acr_values(&["urn:example:mfa"])
        .max_age(Duration::from_secs(300));
}

struct ProPlan;

impl Require for ProPlan {
    const POLICY: Policy = Policy::ANY_TOKEN.claim("plan", "pro");
}

#[endpoint]
async fn list(_caller: Bearer<ReadersAndAdmins>) {}

#[endpoint]
async fn publish(_caller: Bearer<Publishers>) {}

#[endpoint]
async fn export(_caller: Bearer<ProPlan>) {}

// A token that is bound to its sender, by `require` below.
#[endpoint(security(("MonoCloud" = ["posts:write"])))]
async fn replace_key() {}

#[endpoint]
async fn reindex() {}

fn app(protect: ProtectApi, operators: &str) -> Result<Router, Box<dyn Error>> {
    let operators = PolicyBuf::any_token().any_group(operators.split_whitespace())?;
    let api = Router::new()
        .push(Router::with_path("posts").get(list))
        .push(Router::with_path("publish").post(publish))
        .push(Router::with_path("export").get(export))
        .push(Router::with_path("key").post(replace_key))
        .push(Router::with_path("operations/reindex").post(reindex));
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .describe_scope("posts:write", "Write posts")
        .describe_scope("posts:admin", "Administer posts")
        .implies("posts:admin", &["posts:read", "posts:write"])
        .document(&OpenApi::new("Posts", "1.0").merge_router(&api).to_json()?)?
        .require("POST", "/key", Policy::ANY_TOKEN.sender_constrained())
        .by_default_under("/operations", operators)
        .routes(api)?;
    Ok(Router::new().push(api).push(Router::with_path("openapi.json").get(document.json())))
}

//! The DPoP proofs that were used, recorded in a real Redis that instances share.

use std::{
    env, future,
    io::{self, BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use harness::{
    hosts::POEM,
    support::{Answer, Api, Call, FLEET_KEY, frozen_tenant, get, protect, serve},
};
use monocloud_backend::ProtectApi;
use monocloud_testkit::{DpopKey, MockTenant};
use reqwest::header::WWW_AUTHENTICATE;

use crate::{cluster, sentinel, server::Redis};

const URL: &str = "https://api.example.com/any";

/// An instance with connections of its own.
fn instance(tenant: &MockTenant, redis: &str, more: &[(&str, &str)]) -> Api {
    let vars = [("DPOP", "required"), ("DPOP_REPLAY_CACHE", redis), ("FLEET_KEY", FLEET_KEY)];
    let vars = vars.into_iter().chain(more.iter().copied());
    let vars = vars.map(|(name, value)| (format!("MONOCLOUD_BACKEND_{name}"), value.to_owned()));
    let protect: ProtectApi = protect(tenant).vars(vars).build().unwrap();
    serve(&protect)
}

fn error(answer: &Answer) -> &str {
    let challenge = answer.header(WWW_AUTHENTICATE).unwrap_or_default();
    challenge.split_once(r#"error=""#).map_or("", |(_, rest)| rest.split('"').next().unwrap())
}

/// A client with a token of its own.
struct Client<'t> {
    tenant: &'t MockTenant,
    key: DpopKey,
    token: String,
}

impl<'t> Client<'t> {
    fn new(tenant: &'t MockTenant) -> Self {
        let key = DpopKey::generate();
        let token = tenant.token().bound_to_key(&key).mint();
        Self { tenant, key, token }
    }

    fn call(&self) -> Call {
        let client = self.tenant.dpop_client(&self.key, &self.token);
        get("/any").headers(client.headers("GET", URL))
    }
}

async fn assert_each_proof_is_accepted_once(instances: &[Api], client: &Client<'_>) {
    for first in 0..instances.len() {
        let call = client.call();
        let answer = instances[first].send(call.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for instance in instances {
            let answer = instance.send(call.clone()).await;
            assert_eq!((answer.status, error(&answer)), (401, "invalid_dpop_proof"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn instances_reject_each_others_replays_and_accept_each_others_nonces() {
    let Some(redis) = Redis::start(&[]) else { return };
    let tenant = frozen_tenant().await;
    let client = Client::new(&tenant);
    let fleet = [(); 3].map(|()| instance(&tenant, &redis.url(), &[]));
    assert_each_proof_is_accepted_once(&fleet, &client).await;

    let nonces = [("DPOP_NONCE", "true")];
    let fleet = [(); 2].map(|()| instance(&tenant, &redis.url(), &nonces));
    let mut of_one = tenant.dpop_client(&client.key, &client.token);
    let refused = fleet[0].send(get("/any").headers(of_one.headers("GET", URL))).await;
    assert!(of_one.observe(refused.status, &refused.headers), "{refused:?}");
    let call = get("/any").headers(of_one.headers("GET", URL));
    assert_eq!(fleet[1].send(call.clone()).await.status, 200);
    let replayed = fleet[0].send(call).await;
    assert_eq!((replayed.status, error(&replayed)), (401, "invalid_dpop_proof"));
}

/// What a process of an API does here: `Process` runs it.
#[tokio::test]
#[ignore = "it serves until it is killed"]
async fn a_process_serves() {
    let api = POEM.serve(&ProtectApi::from_env().unwrap());
    println!("\nserves {}", api.address());
    future::pending().await
}

/// Another process with an API, which is killed when it is dropped.
struct Process {
    child: Child,
    api: Api,
}

impl Process {
    fn start(tenant: &MockTenant, redis: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "dpop::a_process_serves"]);
        command.envs(tenant.vars()).stdout(Stdio::piped());
        for (name, value) in [
            ("DPOP", "required"),
            ("DPOP_NONCE", "true"),
            ("DPOP_REPLAY_CACHE", redis),
            ("FLEET_KEY", FLEET_KEY),
        ] {
            command.env(format!("MONOCLOUD_BACKEND_{name}"), value);
        }
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let serves = |line: io::Result<String>| {
            line.unwrap().strip_prefix("serves ").map(|address| address.parse().unwrap())
        };
        let address = output.into_iter().find_map(serves).expect("it serves");
        Self { child, api: Api::new("another process", address) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn processes_reject_each_others_replays_and_accept_each_others_nonces() {
    let Some(redis) = Redis::start(&[]) else { return };
    let tenant = MockTenant::start().await;
    let processes = [(); 2].map(|()| Process::start(&tenant, &redis.url()));
    let key = DpopKey::generate();
    let mut client = tenant.dpop_client(&key, tenant.token().bound_to_key(&key).mint());
    let refused = processes[0].api.send(get("/any").headers(client.headers("GET", URL))).await;
    assert_eq!((refused.status, error(&refused)), (401, "use_dpop_nonce"));
    assert!(client.observe(refused.status, &refused.headers));
    for [first, second] in [[0, 1], [1, 0]] {
        let call = get("/any").headers(client.headers("GET", URL));
        let answer = processes[first].api.send(call.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let replayed = processes[second].api.send(call).await;
        assert_eq!((replayed.status, error(&replayed)), (401, "invalid_dpop_proof"));
    }
}

#[tokio::test]
async fn a_record_lives_as_long_as_its_proof_and_reveals_nothing() {
    let Some(redis) = Redis::start(&[]) else { return };
    let tenant = frozen_tenant().await;
    let client = Client::new(&tenant);
    let api = instance(&tenant, &redis.url(), &[("CLOCK_TOLERANCE", "10")]);
    assert_eq!(api.send(client.call()).await.status, 200);
    let [key] = <[String; 1]>::try_from(redis.keys()).unwrap();
    let name = key.strip_prefix("monocloud-backend:dpop:").unwrap();
    assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    assert_eq!(redis.run::<String>(&format!("GET {key}")), "1");
    let left: u64 = redis.run(&format!("PTTL {key}"));
    assert!((60_000..=70_000).contains(&left), "{left}");
}

#[tokio::test]
async fn while_redis_is_down_requests_are_rejected_and_afterwards_accepted() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let tenant = frozen_tenant().await;
    let client = Client::new(&tenant);
    let fleet = [(); 2].map(|()| instance(&tenant, &redis.url(), &[]));
    assert_each_proof_is_accepted_once(&fleet, &client).await;
    redis.stop();
    for api in &fleet {
        let answer = api.send(client.call()).await;
        assert_eq!((answer.status, answer.retry_after()), (503, Some(1)), "{answer:?}");
    }
    redis.start_again();
    // The first request may find that its connection was lost.
    for api in &fleet {
        let is_back = async || api.send(client.call()).await.status == 200;
        let mut attempts = 0;
        while !is_back().await {
            attempts += 1;
            assert!(attempts < 50, "it is accepted again");
        }
    }
    assert_each_proof_is_accepted_once(&fleet, &client).await;
}

#[tokio::test]
async fn a_proof_that_was_rejected_while_redis_was_down_was_not_used() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let tenant = frozen_tenant().await;
    let client = Client::new(&tenant);
    let api = instance(&tenant, &redis.url(), &[]);
    redis.stop();
    let call = client.call();
    assert_eq!(api.send(call.clone()).await.status, 503);
    redis.start_again();
    let mut answer = api.send(call.clone()).await;
    while answer.status == 503 {
        answer = api.send(call.clone()).await;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn after_a_fail_over_of_sentinel_each_proof_is_accepted_once() {
    let Some(mut former) = Redis::start(&[]) else { return };
    let Some(primary) = Redis::start(&[]) else { return };
    let Some(sentinel) = sentinel::sentinel_of(former.port, "") else { return };
    let tenant = frozen_tenant().await;
    let client = Client::new(&tenant);
    let fleet = [(); 2].map(|()| instance(&tenant, &sentinel::url(&[&sentinel]), &[]));
    assert_each_proof_is_accepted_once(&fleet, &client).await;
    assert_eq!(former.keys().len(), 2);
    sentinel::rename(&sentinel, primary.port);
    former.stop();
    for api in &fleet {
        let mut attempts = 0;
        while api.send(client.call()).await.status != 200 {
            attempts += 1;
            assert!(attempts < 50, "a proof is accepted again");
        }
    }
    assert_each_proof_is_accepted_once(&fleet, &client).await;
    assert_eq!(primary.keys().len(), 4);
}

#[tokio::test]
async fn in_a_cluster_each_proof_is_accepted_once_whichever_node_has_it() {
    let Some(nodes) = cluster::cluster() else { return };
    let tenant = frozen_tenant().await;
    let client = Client::new(&tenant);
    let url = cluster::url(&nodes.each_ref());
    let fleet = [(); 2].map(|()| instance(&tenant, &url, &[]));
    // The connections of the others are made ahead, once the first has been used.
    wait_for_all_nodes(&fleet, &client).await;
    for _ in 0..20 {
        assert_each_proof_is_accepted_once(&fleet, &client).await;
    }
    for node in &nodes {
        assert!(!node.keys().is_empty());
    }
}

async fn wait_for_all_nodes(fleet: &[Api], client: &Client<'_>) {
    for api in fleet {
        let mut in_a_row = 0;
        let mut attempts = 0;
        while in_a_row < 20 {
            let is_accepted = api.send(client.call()).await.status == 200;
            in_a_row = if is_accepted { in_a_row + 1 } else { 0 };
            attempts += 1;
            assert!(attempts < 1_000, "every node is reached");
        }
    }
}

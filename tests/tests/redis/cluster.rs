//! `redis+cluster://`: each result is on the node that has the slot of its key.

use harness::{
    hosts::POEM,
    support::{Api, Log, frozen_tenant},
};
use monocloud_backend::token::AccessToken;
use monocloud_testkit::{Authority, MockTenant};

use crate::{
    PAUSE, hold_time, introspecting, introspections, protect, served,
    server::{Redis, free_port, wait_until},
    warnings,
};

/// A node of a cluster, without slots.
fn node(options: &[&str]) -> Option<Redis> {
    let bus = free_port().to_string();
    let cluster = ["--cluster-enabled", "yes", "--cluster-port", &bus];
    Redis::start(&[&cluster[..], &["--cluster-node-timeout", "2000"], options].concat())
}

/// Three nodes with a third of the slots each, in two ranges.
pub(crate) fn cluster() -> Option<[Redis; 3]> {
    let nodes = [node(&[])?, node(&[])?, node(&[])?];
    let slots = ["0 2729 8192 10921", "2730 5459 10922 13651", "5460 8191 13652 16383"];
    for (node, slots) in nodes.iter().zip(slots) {
        node.run::<()>(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
        meet(node, &nodes[0]);
    }
    wait_until("the cluster is complete", || nodes.iter().all(is_complete));
    Some(nodes)
}

fn meet(node: &Redis, other: &Redis) {
    let bus = other.option("--cluster-port");
    node.run::<()>(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", other.port));
}

fn is_complete(node: &Redis) -> bool {
    node.run::<String>("CLUSTER INFO").contains("cluster_state:ok")
}

/// Has a node name others by address, or leave the address to the client, as behind NAT.
fn announce(node: &Redis, endpoint: &str) {
    node.run::<()>(&format!("CONFIG SET cluster-preferred-endpoint-type {endpoint}"));
}

fn id(node: &Redis) -> String {
    node.run("CLUSTER MYID")
}

pub(crate) fn url(nodes: &[&Redis]) -> String {
    let hosts: Vec<_> = nodes.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
    format!("redis+cluster://{}", hosts.join(","))
}

/// Makes results until each of these nodes has one, and returns their tokens.
async fn tokens_for(nodes: &[&Redis], api: &Api, tenant: &MockTenant) -> Vec<String> {
    let mut tokens = Vec::new();
    while nodes.iter().any(|node| node.keys().is_empty()) {
        let token = tenant.opaque_token().mint();
        assert_eq!(introspections(api, tenant, &token).await, tokens.len() + 1);
        tokens.push(token);
        assert!(tokens.len() < 1000, "a node has no results");
    }
    tokens
}

#[tokio::test]
async fn results_are_spread_over_all_nodes_and_shared() {
    let Some(nodes) = cluster() else { return };
    for node in &nodes {
        announce(node, "unknown-endpoint");
    }
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    // One node knows the others.
    let (one, other) = (protect(&tenant, &url(&[&nodes[0]])), served(&tenant, &url(&[&nodes[1]])));
    let (api, log) = (POEM.serve(&one), Log::capture());
    let tokens = tokens_for(&nodes.each_ref(), &api, &tenant).await;
    let kept: usize = nodes.iter().map(|node| node.keys().len()).sum();
    assert_eq!(kept, tokens.len());
    for token in &tokens {
        assert_eq!(introspections(&other, &tenant, token).await, tokens.len(), "shared");
    }
    for (number, token) in tokens.iter().enumerate() {
        one.forget(&AccessToken::new(token).unwrap()).await.unwrap();
        assert_eq!(introspections(&other, &tenant, token).await, tokens.len() + number + 1);
    }

    // A process connects to all nodes, once, although it needs one of them.
    let late = served(&tenant, &url(&[&nodes[2]]));
    let calls = introspections(&late, &tenant, &tokens[0]).await;
    let clients = |node: &Redis| node.run::<String>("CLIENT LIST TYPE NORMAL").lines().count();
    for _ in 0..1000 {
        if nodes.iter().any(|node| clients(node) != 4) {
            assert_eq!(introspections(&late, &tenant, &tokens[0]).await, calls);
        }
    }
    assert_eq!(nodes.each_ref().map(clients), [4; 3], "three APIs, and the test's own");
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn a_slot_that_migrates_takes_its_results_along() {
    let Some(nodes) = cluster() else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let (one, log) = (protect(&tenant, &url(&nodes.each_ref())), Log::capture());
    let fleet = [POEM.serve(&one), served(&tenant, &url(&nodes.each_ref()))];
    let token = tenant.opaque_token().mint();
    for api in &fleet {
        assert_eq!(introspections(api, &tenant, &token).await, 1);
    }
    let (from, to) = match nodes.iter().position(|node| !node.keys().is_empty()).unwrap() {
        0 => (&nodes[0], &nodes[1]),
        owner => (&nodes[owner], &nodes[owner - 1]),
    };
    let [key] = <[String; 1]>::try_from(from.keys()).unwrap();
    let slot: u16 = from.run(&format!("CLUSTER KEYSLOT {key}"));
    announce(from, "unknown-endpoint");
    to.run::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(from)));
    from.run::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(to)));
    for api in &fleet {
        assert_eq!(introspections(api, &tenant, &token).await, 1, "not moved yet");
    }
    from.run::<()>(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port));
    for api in &fleet {
        assert_eq!(introspections(api, &tenant, &token).await, 1, "moved, and its slot has not");
    }
    one.forget(&AccessToken::new(&token).unwrap()).await.unwrap();
    for api in &fleet {
        assert_eq!(introspections(api, &tenant, &token).await, 2, "forgotten, and kept again");
    }
    assert!(from.keys().is_empty());

    for node in [to, from] {
        node.run::<()>(&format!("CLUSTER SETSLOT {slot} NODE {}", id(to)));
    }
    announce(from, "ip");
    for api in &fleet {
        assert_eq!(introspections(api, &tenant, &token).await, 2, "the slot has moved");
    }
    let redirections = || {
        let statistics: String = from.run("INFO commandstats");
        let line = statistics.lines().find(|line| line.starts_with("cmdstat_getrange")).unwrap();
        line.split("rejected_calls=").nth(1).unwrap().to_owned()
    };
    let before = redirections();
    for api in &fleet {
        assert_eq!(introspections(api, &tenant, &token).await, 2, "and is found at once");
    }
    assert_eq!(redirections(), before);
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn a_node_that_starts_again_is_used_again() {
    let Some(mut nodes) = cluster() else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let fleet = [(); 2].map(|()| served(&tenant, &url(&nodes.each_ref())));
    let log = Log::capture();
    let tokens = tokens_for(&nodes.each_ref(), &fleet[0], &tenant).await;
    nodes[1].stop();
    for token in &tokens {
        introspections(&fleet[0], &tenant, token).await;
    }
    assert_eq!(warnings(&log).lines().count(), 1, "{}", warnings(&log));
    nodes[1].start_again();
    wait_until("the cluster is complete", || nodes.iter().all(is_complete));
    tenant.clock().advance(PAUSE);
    for token in &tokens {
        introspections(&fleet[0], &tenant, token).await;
    }
    let calls = introspections(&fleet[0], &tenant, &tokens[0]).await;
    for token in &tokens {
        assert_eq!(introspections(&fleet[1], &tenant, token).await, calls, "shared again");
    }
    assert!(!nodes[1].keys().is_empty());
    assert_eq!(warnings(&log).lines().count(), 1, "{}", warnings(&log));
}

/// The node that dies is the only one that the URL names.
#[tokio::test]
async fn after_a_primary_has_died_its_replica_has_its_results() {
    let Some(mut nodes) = cluster() else { return };
    let Some(replica) = node(&[]) else { return };
    meet(&replica, &nodes[0]);
    // By gossip it gets to know all of them.
    wait_until("the replica knows all slots", || is_complete(&replica));
    let primary = id(&nodes[0]);
    replica.run::<()>(&format!("CLUSTER REPLICATE {primary}"));
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let one = protect(&tenant, &url(&[&nodes[0]]));
    let fleet = [POEM.serve(&one), served(&tenant, &url(&[&nodes[0], &replica]))];
    let tokens = tokens_for(&nodes.each_ref(), &fleet[0], &tenant).await;
    wait_until("the results are replicated", || {
        replica.keys().len() == nodes[0].keys().len()
            && nodes.iter().all(|it| it.run::<String>("CLUSTER NODES").contains("slave "))
    });

    nodes[0].stop();
    // An election could take several attempts.
    replica.run::<()>("CLUSTER FAILOVER TAKEOVER");
    let others = [&nodes[1], &nodes[2], &replica];
    wait_until("the replica is a primary", || {
        let is_known = |node: &Redis| !node.run::<String>("CLUSTER NODES").contains("slave ");
        others.iter().all(|node| is_known(node) && is_complete(node))
    });
    // The first command on the lost connection may fail.
    for api in &fleet {
        for token in &tokens {
            introspections(api, &tenant, token).await;
        }
    }
    tenant.clock().advance(PAUSE);
    let calls = introspections(&fleet[0], &tenant, &tokens[0]).await;
    for token in &tokens {
        for api in &fleet {
            assert_eq!(introspections(api, &tenant, token).await, calls, "shared");
        }
    }
    for (number, token) in tokens.iter().enumerate() {
        one.forget(&AccessToken::new(token).unwrap()).await.unwrap();
        assert_eq!(introspections(&fleet[1], &tenant, token).await, calls + number + 1);
    }
}

/// Sends commands to a node that does not have their keys, as one server.
#[tokio::test]
async fn a_node_is_not_used_as_one_server() {
    let Some(nodes) = cluster() else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let url = format!("redis://127.0.0.1:{}", nodes[0].port);
    let (api, log) = (served(&tenant, &url), Log::capture());
    while warnings(&log).is_empty() {
        introspections(&api, &tenant, &tenant.opaque_token().mint()).await;
    }
    assert!(
        warnings(&log).contains("another node of the cluster has the key"),
        "{}",
        warnings(&log)
    );
}

#[tokio::test]
async fn a_server_without_a_cluster_fails_no_request() {
    let Some(redis) = Redis::start(&[]) else { return };
    let Some(node) = node(&[]) else { return };
    let _held_time = hold_time();
    for (server, reason) in [
        (&redis, "Redis answered with the error ERR"),
        (&node, "no node of the cluster has the key"),
    ] {
        let tenant = frozen_tenant().await;
        let (api, log) = (served(&tenant, &url(&[server])), Log::capture());
        introspections(&api, &tenant, &tenant.opaque_token().mint()).await;
        assert!(warnings(&log).contains(reason), "{}", warnings(&log));
    }
}

/// The node has a certificate for `localhost`, and says that this is its name.
#[tokio::test]
async fn nodes_are_reached_over_tls_by_the_name_that_they_announce() {
    let authority = Authority::new();
    let server = authority.server("localhost");
    let [certificate, key, ca] =
        [server.certificate_file(), server.key_file(), authority.certificate_file()]
            .map(|path| path.display().to_string());
    let port = free_port().to_string();
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-port", &port];
    let tls = ["--tls-cluster", "yes", "--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"];
    let login = ["--requirepass", "pa55word"];
    let name = ["--cluster-announce-hostname", "localhost"];
    let named = ["--cluster-preferred-endpoint-type", "hostname"];
    let Some(redis) = node(&[&files[..], &tls, &login, &name, &named].concat()) else { return };
    let admin = format!("redis://:pa55word@127.0.0.1:{}", redis.port);
    let mut admin = redis::Client::open(admin).unwrap();
    redis::cmd("CLUSTER").arg(&["ADDSLOTSRANGE", "0", "16383"]).exec(&mut admin).unwrap();
    wait_until("the cluster is complete", || {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut admin).unwrap();
        info.contains("cluster_state:ok")
    });
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let url = format!("rediss+cluster://:pa55word@localhost:{port}");
    let trusting = introspecting(&tenant).vars([
        ("MONOCLOUD_BACKEND_INTROSPECTION_CACHE", url.as_str()),
        ("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE", &ca),
    ]);
    let (api, log) = (POEM.serve(&trusting.build().unwrap()), Log::capture());
    let token = tenant.opaque_token().mint();
    for _ in 0..2 {
        assert_eq!(introspections(&api, &tenant, &token).await, 1);
    }
    assert_eq!(warnings(&log), "");
    let api = served(&tenant, &url);
    assert_eq!(introspections(&api, &tenant, &token).await, 2);
    assert!(warnings(&log).contains("an authority that is not trusted"), "{}", warnings(&log));
}

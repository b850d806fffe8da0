//! `redis+sentinel://`: the primary that sentinels name, also after a fail-over.

use harness::{
    hosts::POEM,
    support::{Log, frozen_tenant},
};
use monocloud_backend::token::AccessToken;
use monocloud_testkit::{Authority, Endpoint};
use std::time::Duration;

use crate::{
    PAUSE, assert_tombstone, hold_time, introspecting, introspections, protect, served,
    server::{Redis, free_port, wait_until},
    warnings,
};

/// What makes a sentinel notice within tenths of seconds, and act although the machine is busy.
const FAST: &str = "DEBUG ping-period 300 info-period 50 publish-period 50 ask-period 50 \
                    election-timeout 200 min-link-reconnect-period 50 tilt-period 100";

/// The configuration of a sentinel that never starts a fail-over, and votes for one that does.
const PATIENT: &str = "sentinel down-after-milliseconds main 600000";

/// A sentinel that watches `main`, which is at `port`.
pub(crate) fn sentinel_of(port: u16, more: &str) -> Option<Redis> {
    let configuration = format!(
        "sentinel monitor main 127.0.0.1 {port} 1\n\
         sentinel down-after-milliseconds main 300\n\
         sentinel failover-timeout main 1000\n{more}\n"
    );
    let sentinel = Redis::sentinel(&configuration, &[])?;
    sentinel.run::<()>(&format!("SENTINEL {FAST}"));
    Some(sentinel)
}

/// Makes a sentinel watch another server under the name `main`, and only that.
pub(crate) fn rename(sentinel: &Redis, port: u16) {
    sentinel.run::<()>("SENTINEL REMOVE main");
    name(sentinel, port);
}

fn name(sentinel: &Redis, port: u16) {
    sentinel.run::<()>(&format!("SENTINEL MONITOR main 127.0.0.1 {port} 1"));
}

pub(crate) fn url(sentinels: &[&Redis]) -> String {
    let hosts: Vec<_> = sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
    format!("redis+sentinel://{}/main", hosts.join(","))
}

fn replica_of(primary: &Redis) -> Option<Redis> {
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &primary.port.to_string()])?;
    let is_connected =
        || replica.run::<String>("INFO replication").contains("master_link_status:up");
    wait_until("the replica is connected", is_connected);
    Some(replica)
}

#[tokio::test]
async fn after_the_primary_has_died_results_are_shared_through_the_new_one() {
    let Some(mut primary) = Redis::start(&[]) else { return };
    let Some(replica) = replica_of(&primary) else { return };
    // Two that could start a fail-over might vote for themselves, again and again.
    let sentinels = ["", PATIENT, PATIENT].map(|it| sentinel_of(primary.port, it).unwrap());
    let field = |sentinel: &Redis, name: &str| {
        let fields: Vec<String> = sentinel.run("SENTINEL MASTER main");
        fields.iter().skip_while(|it| *it != name).nth(1).unwrap().clone()
    };
    for sentinel in &sentinels {
        wait_until("the sentinels have met and know the replica", || {
            field(sentinel, "num-other-sentinels") == "2" && field(sentinel, "num-slaves") == "1"
        });
    }

    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let url = url(&sentinels.each_ref());
    let (protected, log) = (protect(&tenant, &url), Log::capture());
    let (one, other) = (POEM.serve(&protected), served(&tenant, &url));
    let old = tenant.opaque_token().mint();
    assert_eq!(introspections(&one, &tenant, &old).await, 1);
    assert_eq!(introspections(&other, &tenant, &old).await, 1);
    wait_until("the result is replicated", || replica.keys() == primary.keys());

    primary.stop();
    for sentinel in &sentinels {
        wait_until("the replica is the primary", || {
            field(sentinel, "port") == replica.port.to_string()
                && replica.run::<String>("INFO replication").contains("role:master")
        });
    }
    assert_eq!(introspections(&one, &tenant, &old).await, 1, "replicated");
    assert_eq!(introspections(&other, &tenant, &old).await, 1, "replicated");
    replica.run::<()>("FLUSHALL");
    let token = tenant.opaque_token().mint();
    assert_eq!(introspections(&one, &tenant, &token).await, 2);
    assert_eq!(introspections(&other, &tenant, &token).await, 2, "shared again");
    protected.forget(&AccessToken::new(&token).unwrap()).await.unwrap();
    assert_tombstone(&replica);
    assert_eq!(introspections(&other, &tenant, &token).await, 3, "forgotten");
    assert_eq!(warnings(&log), "");
}

/// Before a sentinel could tell the former primary's clients, it became a replica.
#[tokio::test]
async fn a_command_that_a_replica_refuses_goes_to_the_primary() {
    let Some(former) = Redis::start(&[]) else { return };
    let Some(primary) = Redis::start(&[]) else { return };
    let Some(sentinel) = sentinel_of(former.port, "") else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &url(&[&sentinel])), Log::capture());
    introspections(&api, &tenant, &tenant.opaque_token().mint()).await;
    assert_eq!(former.keys().len(), 1);
    rename(&sentinel, primary.port);
    former.run::<()>(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    wait_until("the former primary has what the primary has", || former.keys().is_empty());
    let token = tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &tenant, &token).await, 2);
    assert_eq!(primary.keys().len(), 1);
    let other = served(&tenant, &url(&[&sentinel]));
    assert_eq!(introspections(&other, &tenant, &token).await, 2, "shared");
    assert_eq!(warnings(&log), "");
}

/// The former primary, which accepts commands, is cut off from the sentinels.
#[tokio::test]
async fn a_primary_that_was_replaced_without_notice_is_left_within_a_second() {
    let Some(former) = Redis::start(&[]) else { return };
    let Some(primary) = Redis::start(&[]) else { return };
    let Some(sentinel) = sentinel_of(former.port, "") else { return };
    let Some(mut down) = sentinel_of(former.port, "") else { return };
    down.stop();
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &url(&[&down, &sentinel])), Log::capture());
    introspections(&api, &tenant, &tenant.opaque_token().mint()).await;
    assert_eq!((former.keys().len(), primary.keys().len()), (1, 0));
    rename(&sentinel, primary.port);
    introspections(&api, &tenant, &tenant.opaque_token().mint()).await;
    assert_eq!((former.keys().len(), primary.keys().len()), (2, 0));
    tokio::time::advance(Duration::from_millis(1001)).await;
    for _ in 0..1000 {
        if primary.keys().is_empty() {
            introspections(&api, &tenant, &tenant.opaque_token().mint()).await;
        }
    }
    assert_eq!(primary.keys().len(), 1);
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn a_sentinel_that_names_a_replica_is_not_believed() {
    let Some(primary) = Redis::start(&[]) else { return };
    let Some(replica) = replica_of(&primary) else { return };
    let Some(sentinel) = sentinel_of(primary.port, "") else { return };
    let Some(outdated) = sentinel_of(replica.port, PATIENT) else { return };
    let _held_time = hold_time();
    for (sentinels, is_shared, said) in [
        (&[&outdated, &sentinel][..], true, ""),
        (&[&sentinel, &outdated], true, ""),
        (&[&outdated], false, "the server that Sentinel names is not a primary"),
    ] {
        let tenant = frozen_tenant().await;
        let (api, log) = (served(&tenant, &url(sentinels)), Log::capture());
        let token = tenant.opaque_token().mint();
        introspections(&api, &tenant, &token).await;
        let times = introspections(&api, &tenant, &token).await;
        assert_eq!(times == 1, is_shared, "{said}");
        assert_eq!(warnings(&log).is_empty(), is_shared, "{}", warnings(&log));
        assert!(warnings(&log).contains(said), "{}", warnings(&log));
    }
}

#[tokio::test]
async fn sentinels_that_are_down_or_know_no_such_service_fail_no_request() {
    let Some(primary) = Redis::start(&[]) else { return };
    let Some(mut sentinel) = sentinel_of(primary.port, "") else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &url(&[&sentinel])), Log::capture());
    sentinel.run::<()>("SENTINEL REMOVE main");
    let token = tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &tenant, &token).await, 1);
    assert!(warnings(&log).contains("Sentinel does not know the service"), "{}", warnings(&log));
    sentinel.stop();
    tenant.clock().advance(PAUSE);
    assert_eq!(introspections(&api, &tenant, &token).await, 2);
    assert!(warnings(&log).contains("connection refused"), "{}", warnings(&log));
    sentinel.start_again();
    name(&sentinel, primary.port);
    tenant.clock().advance(PAUSE);
    assert_eq!(introspections(&api, &tenant, &token).await, 3);
    assert_eq!(introspections(&api, &tenant, &token).await, 3);
    sentinel.stop();
    assert_eq!(introspections(&api, &tenant, &token).await, 3, "the connection is kept");
}

#[tokio::test]
async fn user_password_and_database_are_those_of_the_servers() {
    let Some(primary) = Redis::start(&["--requirepass", "pa55 word"]) else { return };
    let Some(sentinel) = sentinel_of(primary.port, "sentinel auth-pass main \"pa55 word\"") else {
        return;
    };
    let _held_time = hold_time();
    for (login, is_right) in [("default:pa55%20word@", true), (":pa55@", false)] {
        let tenant = frozen_tenant().await;
        let url = format!("redis+sentinel://{login}127.0.0.1:{}/main/3", sentinel.port);
        let (api, log) = (served(&tenant, &url), Log::capture());
        let token = tenant.opaque_token().mint();
        assert_eq!(introspections(&api, &tenant, &token).await, 1);
        let times = introspections(&api, &tenant, &token).await;
        assert_eq!(times, if is_right { 1 } else { 2 }, "{login}");
        assert_eq!(warnings(&log).is_empty(), is_right, "{}", warnings(&log));
        assert!(!warnings(&log).contains("pa55"), "{}", warnings(&log));
    }
    let database = format!("redis://:pa55%20word@127.0.0.1:{}/3", primary.port);
    let mut database = redis::Client::open(database).unwrap();
    assert_eq!(redis::cmd("DBSIZE").query::<u64>(&mut database).unwrap(), 1);
}

/// Sentinel and server have a certificate for `localhost`.
#[tokio::test]
async fn sentinels_and_servers_are_reached_over_tls() {
    let authority = Authority::new();
    let server = authority.server("localhost");
    let [certificate, key, ca] =
        [server.certificate_file(), server.key_file(), authority.certificate_file()]
            .map(|path| path.display().to_string());
    let [server_port, sentinel_port] = [(); 2].map(|()| free_port().to_string());
    let tls = |port| {
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
        let port = ["--tls-port", port, "--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"];
        [&files[..], &port].concat()
    };
    let Some(redis) = Redis::start(&tls(&server_port)) else { return };
    let configuration = format!(
        "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\ntls-replication yes\n\
         sentinel monitor main localhost {server_port} 1\n"
    );
    let Some(_sentinel) = Redis::sentinel(&configuration, &tls(&sentinel_port)) else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let url = format!("rediss+sentinel://localhost:{sentinel_port}/main");
    let trusting = introspecting(&tenant).vars([
        ("MONOCLOUD_BACKEND_INTROSPECTION_CACHE", url.as_str()),
        ("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE", &ca),
    ]);
    let (api, log) = (POEM.serve(&trusting.build().unwrap()), Log::capture());
    let token = tenant.opaque_token().mint();
    for _ in 0..2 {
        assert_eq!(introspections(&api, &tenant, &token).await, 1);
    }
    assert_eq!(redis.keys().len(), 1);
    assert_eq!(warnings(&log), "");

    let (api, log) = (served(&tenant, &url), Log::capture());
    introspections(&api, &tenant, &token).await;
    assert_eq!(tenant.requests(Endpoint::Introspection), 2);
    assert!(warnings(&log).contains("an authority that is not trusted"), "{}", warnings(&log));
}

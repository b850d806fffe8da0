//! A Redis that is down, hangs, or gives wrong answers fails no request.

use harness::support::{Log, frozen_tenant, get, ok};
use monocloud_testkit::Endpoint;
use redis::Commands;
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};
use tracing::Level;

use crate::{PAUSE, Setup, hold_time, introspections, served, server::Redis, warnings};

#[tokio::test]
async fn while_redis_is_stopped_tokens_are_introspected_and_afterwards_it_is_used_again() {
    let Some(mut setup) = Setup::start().await else { return };
    let (api, log) = (setup.served(), Log::capture());
    let token = setup.tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 1);
    setup.redis.stop();
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 2);
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 3);
    assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
    assert!(warnings(&log).contains("connection refused"), "{}", warnings(&log));
    setup.redis.start_again();
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 4, "paused");
    setup.tenant.clock().advance(PAUSE);
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 5, "the new Redis is empty");
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 5);
    assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
}

#[tokio::test]
async fn a_restart_between_two_requests_fails_no_request() {
    let Some(mut setup) = Setup::start().await else { return };
    let (api, log) = (setup.served(), Log::capture());
    let token = setup.tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 1);
    setup.redis.stop();
    setup.redis.start_again();
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 2);
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 2);
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn an_api_starts_while_redis_is_down() {
    let Some(mut setup) = Setup::start().await else { return };
    setup.redis.stop();
    let api = setup.served();
    let token = setup.tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 1);
    setup.redis.start_again();
    setup.tenant.clock().advance(PAUSE);
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 2);
    assert_eq!(introspections(&api, &setup.tenant, &token).await, 2);
}

/// The first connection hangs, before or after the login; the others reach Redis.
#[tokio::test]
async fn a_hanging_redis_times_out_and_its_connection_is_replaced() {
    let _held_time = hold_time();
    for (login, timeout) in [("", 80), (":pa55word@", 100)] {
        let options: &[&str] = if login.is_empty() { &[] } else { &["--requirepass", "pa55word"] };
        let Some(redis) = Redis::start(options) else { return };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("redis://{login}{}", listener.local_addr().unwrap());
        let tenant = frozen_tenant().await;
        let (api, log) = (served(&tenant, &url), Log::capture());
        let token = tenant.opaque_token().mint();

        let request = {
            let (api, token) = (api.clone(), token.clone());
            tokio::spawn(async move {
                api.check("hanging", get("/any").bearer(&token), &ok()).await;
            })
        };
        let (mut hanging, _) = listener.accept().await.unwrap();
        hanging.read_u8().await.unwrap();
        tokio::time::advance(Duration::from_millis(timeout - 1)).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), 0, "still waiting for Redis");
        tokio::time::advance(Duration::from_millis(2)).await;
        request.await.unwrap();
        assert_eq!(introspections(&api, &tenant, &token).await, 2, "paused");
        assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
        assert!(warnings(&log).contains(" answer"), "{}", warnings(&log));

        let port = redis.port;
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        tokio::time::advance(PAUSE).await;
        tenant.clock().advance(PAUSE);
        assert_eq!(introspections(&api, &tenant, &token).await, 3);
        assert_eq!(introspections(&api, &tenant, &token).await, 3);
        drop(hanging);
    }
}

#[tokio::test]
async fn an_unexpected_server_fails_no_request_and_passwords_are_not_logged() {
    let answers: [(&[u8], &str); 7] = [
        (b"", "closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis"),
        (b"\0\xff\xfe\r\n", "not Redis"),
        (b"*1\r\n*1\r\n*1\r\n?\r\n", "not Redis"),
        (b"-ERR unknown command 'AUTH', with args beginning with: 'pa55word'\r\n", "password"),
        (b"-pa55word pa55word\r\n", "password"),
        (b"-WRONGPASS pa55word\r\n", "password"),
    ];
    let _held_time = hold_time();
    for (answer, reason) in answers {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                client.read_u8().await.unwrap();
                let _ = client.write_all(answer).await;
            }
        });
        for login in ["", ":pa55word@"] {
            let tenant = frozen_tenant().await;
            let (api, log) =
                (served(&tenant, &format!("redis://{login}{address}")), Log::capture());
            let token = tenant.opaque_token().mint();
            for times in 1..=3 {
                assert_eq!(introspections(&api, &tenant, &token).await, times);
                tenant.clock().advance(PAUSE);
            }
            let log = log.lines(Level::TRACE).join("\n");
            assert!(log.contains("the introspection cache failed"), "{answer:?}: {log}");
            assert!(login.is_empty() || log.contains(reason), "{reason}: {log}");
            assert!(!log.contains("pa55word"), "{log}");
            assert!(!log.contains(&address.to_string()), "{log}");
        }
    }
}

#[tokio::test]
async fn a_forged_or_foreign_value_is_a_miss_and_is_replaced() {
    let Some(setup) = Setup::start().await else { return };
    let (api, log) = (setup.served(), Log::capture());
    let mut commands = setup.redis.commands();
    introspections(&api, &setup.tenant, &setup.tenant.opaque_token().groups(["admin"]).mint())
        .await;
    let [of_another_key] = <[String; 1]>::try_from(setup.redis.keys()).unwrap();
    let of_another: Vec<u8> = commands.get(&of_another_key).unwrap();
    commands.del::<_, ()>(of_another_key).unwrap();

    let token = setup.tenant.opaque_token().mint();
    let mut times = introspections(&api, &setup.tenant, &token).await;
    let [key] = <[String; 1]>::try_from(setup.redis.keys()).unwrap();
    let own: Vec<u8> = commands.get(&key).unwrap();
    let forged = [
        br#"{"until":99999999999,"claims":{"active":true}}"#.to_vec(),
        of_another,
        own[1..].to_vec(),
        own.iter().map(|byte| byte ^ 1).collect(),
        vec![],
        vec![0],
        vec![b'x'; 3 * 1024 * 1024],
        [own.as_slice(), &vec![0; 3 * 1024 * 1024]].concat(),
    ];
    for value in forged {
        commands.set::<_, _, ()>(&key, &value).unwrap();
        times += 1;
        for _ in 0..2 {
            assert_eq!(
                introspections(&api, &setup.tenant, &token).await,
                times,
                "{} bytes",
                value.len()
            );
        }
    }
    for foreign in ["LPUSH", "SADD"] {
        commands.del::<_, ()>(&key).unwrap();
        redis::cmd(foreign).arg(&key).arg("x").exec(&mut commands).unwrap();
        times += 1;
        for _ in 0..2 {
            assert_eq!(introspections(&api, &setup.tenant, &token).await, times, "{foreign}");
        }
    }
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn a_password_is_sent_and_a_wrong_one_fails_no_request() {
    let Some(redis) = Redis::start(&["--requirepass", "pa55 word"]) else { return };
    let _held_time = hold_time();
    for (login, is_right) in [
        (":pa55%20word@", true),
        ("default:pa55%20word@", true),
        (":pa55%20word-not@", false),
        ("", false),
    ] {
        let tenant = frozen_tenant().await;
        let url = format!("redis://{login}127.0.0.1:{}/3", redis.port);
        let (api, log) = (served(&tenant, &url), Log::capture());
        let token = tenant.opaque_token().mint();
        assert_eq!(introspections(&api, &tenant, &token).await, 1);
        tenant.clock().advance(PAUSE);
        assert_eq!(
            introspections(&api, &tenant, &token).await,
            if is_right { 1 } else { 2 },
            "{login}"
        );
        let warned = warnings(&log);
        assert_eq!(warned.is_empty(), is_right, "{warned}");
        assert!(!warned.contains("pa55"), "{warned}");
    }
}

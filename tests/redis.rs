//! Verdicts shared through a real Redis, which each test starts for itself.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test's mistake is best told by a panic"
)]
#![allow(dead_code, unused_imports, reason = "shared with the `http` tests, which use all of it")]

#[path = "http/hosts/mod.rs"]
mod hosts;
#[path = "http/support/mod.rs"]
mod support;

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use hosts::POEM;
use monocloud_backend::{AccessToken, ProtectApi, RedisCache};
use monocloud_testkit::{ClientAuth, Clock, Endpoint, MockTenant};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::Commands;
use support::{Api, Log, frozen_tenant, get, ok};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};
use tracing::Level;

/// How long a store that failed is left alone.
const REST: Duration = Duration::from_secs(5);

/// A Redis of the test's own, on loopback.
struct Redis {
    process: Child,
    port: u16,
    options: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// None, said aloud, where there is no `redis-server` and need not be one.
    fn start(options: &[&str]) -> Option<Self> {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        loop {
            let (port, folder) = (free_port(), TempDir::new().unwrap());
            let process = match spawn(port, &options, &folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    skip();
                    return None;
                }
                process => process.unwrap(),
            };
            let mut redis = Self { process, port, options: options.clone(), folder };
            // Somebody else may have taken the port first.
            if redis.is_ready() {
                return Some(redis);
            }
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        fs::remove_file(self.folder.path().join("redis.log")).unwrap();
        self.process = spawn(self.port, &self.options, &self.folder).unwrap();
        assert!(self.is_ready(), "Redis starts again on its port");
    }

    /// A connection of the test's own.
    fn commands(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    fn keys(&self) -> Vec<String> {
        self.commands().keys("*").unwrap()
    }

    /// Waits until this very process has its port and answers there, or has ended.
    fn is_ready(&mut self) -> bool {
        let log = self.folder.path().join("redis.log");
        for _ in 0..30_000 {
            let has_port =
                fs::read_to_string(&log).is_ok_and(|log| log.contains("Ready to accept"));
            if has_port && answers_ping(self.port) {
                return true;
            }
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("redis-server does not answer")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn skip() {
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "there is no redis-server in CI");
    // Past the test harness, which shows nothing of a test that passes.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let mut aloud = io::stderr();
    writeln!(aloud, "SKIPPED, there is no redis-server: {name}").unwrap();
}

/// Any answer will do: a password may be wanted first.
fn answers_ping(port: u16) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

fn spawn(port: u16, options: &[String], folder: &TempDir) -> io::Result<Child> {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--logfile"])
        .arg(folder.path().join("redis.log"))
        .args(options)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Holds tokio's time still until it is dropped, so that no time-out fires because the machine is
/// busy: time does not jump while a blocking task runs.
#[must_use]
fn hold_time() -> mpsc::Sender<()> {
    let (holder, held) = mpsc::channel();
    tokio::time::pause();
    tokio::task::spawn_blocking(move || held.recv().is_ok());
    holder
}

fn protect(tenant: &MockTenant, url: &str) -> ProtectApi {
    let cache = ("MONOCLOUD_BACKEND_INTROSPECTION_CACHE".to_owned(), url.to_owned());
    let vars = tenant.vars_for(ClientAuth::SecretPost).into_iter().chain([cache]);
    ProtectApi::builder().vars(vars).clock(tenant.clock().reading()).build().unwrap()
}

fn served(tenant: &MockTenant, url: &str) -> Api {
    POEM.serve(&protect(tenant, url))
}

/// Makes a request that must pass, and says how many the tenant has been asked by then.
async fn asked(api: &Api, tenant: &MockTenant, token: &str) -> usize {
    api.check("the handler is reached", get("/any").bearer(token), &ok()).await;
    tenant.requests(Endpoint::Introspection)
}

fn warnings(log: &Log) -> String {
    log.lines(Level::WARN).join("\n")
}

#[tokio::test]
async fn a_fleet_asks_once_until_the_duration_is_over() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let fleet = [(); 2].map(|()| served(&tenant, &redis.url()));
    let token = tenant.opaque_token().mint();
    for (advanced, times) in [(0, 1), (299, 1), (1, 2), (0, 2)] {
        tenant.clock().advance(Duration::from_secs(advanced));
        for api in &fleet {
            assert_eq!(asked(api, &tenant, &token).await, times, "after {advanced} s");
            assert_eq!(asked(api, &tenant, &token).await, times, "after {advanced} s, again");
        }
    }
}

#[tokio::test]
async fn a_value_expires_in_redis_with_its_token_and_shows_nothing_of_it() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let api = served(&tenant, &redis.url());
    for (life, kept) in [(3600, 300_000), (60, 60_000)] {
        let token = tenant.opaque_token().subject("canary-alice").expires_in(life).mint();
        asked(&api, &tenant, &token).await;
        let [key] = <[String; 1]>::try_from(redis.keys()).unwrap();
        assert_eq!(key.strip_prefix("monocloud-backend:introspection:").unwrap().len(), 64);
        let left: i64 = redis.commands().pttl(&key).unwrap();
        assert!((kept - 30_000..=kept).contains(&left), "{left} of {kept}");
        let value: Vec<u8> = redis.commands().get(&key).unwrap();
        let shown = String::from_utf8_lossy(&value).into_owned() + &key;
        for secret in [&token, "canary", "sub", tenant.issuer(), tenant.audience()] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        redis.commands().del::<_, ()>(&key).unwrap();
    }
}

#[tokio::test]
async fn what_one_forgets_all_forget() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (one, other) = (protect(&tenant, &redis.url()), served(&tenant, &redis.url()));
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&other, &tenant, &token).await, 1);
    one.forget(&AccessToken::new(&token).unwrap()).await;
    assert_eq!(redis.keys(), [""; 0]);
    assert_eq!(asked(&other, &tenant, &token).await, 2);
}

#[tokio::test]
async fn a_verdict_is_forgotten_in_a_store_that_came_back_before_its_rest_is_over() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (one, other) = (protect(&tenant, &redis.url()), served(&tenant, &redis.url()));
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&other, &tenant, &token).await, 1);
    // One that Redis answers with an error: the breaker of `one` opens.
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("x")
        .exec(&mut redis.commands())
        .unwrap();
    one.forget(&AccessToken::new(&token).unwrap()).await;
    let mut admin = redis::Client::open(format!("redis://:x@127.0.0.1:{}", redis.port)).unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("").exec(&mut admin).unwrap();
    assert_eq!(redis.keys().len(), 1, "it could not be forgotten then");
    one.forget(&AccessToken::new(&token).unwrap()).await;
    assert_eq!(redis.keys(), [""; 0]);
}

#[tokio::test]
async fn many_requests_at_once_share_one_connection() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let api = served(&tenant, &redis.url());
    let requests: Vec<_> = (0..40)
        .map(|_| {
            let (api, token) = (api.clone(), tenant.opaque_token().mint());
            tokio::spawn(async move {
                api.check("one of many", get("/any").bearer(&token), &ok()).await;
            })
        })
        .collect();
    for request in requests {
        request.await.unwrap();
    }
    assert_eq!(redis.keys().len(), 40);
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut redis.commands()).unwrap();
    assert_eq!(clients.lines().count(), 2, "and the test's own: {clients}");
}

#[tokio::test]
async fn while_redis_is_stopped_the_tenant_is_asked_and_afterwards_redis_again() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &redis.url()), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    redis.stop();
    assert_eq!(asked(&api, &tenant, &token).await, 2);
    assert_eq!(asked(&api, &tenant, &token).await, 3);
    assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
    assert!(warnings(&log).contains("connection refused"), "{}", warnings(&log));
    redis.start_again();
    assert_eq!(asked(&api, &tenant, &token).await, 4, "it rests");
    tenant.clock().advance(REST);
    assert_eq!(asked(&api, &tenant, &token).await, 5, "the new Redis knows nothing");
    assert_eq!(asked(&api, &tenant, &token).await, 5);
    assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
}

#[tokio::test]
async fn a_restart_between_two_requests_goes_unnoticed() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &redis.url()), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    redis.stop();
    redis.start_again();
    assert_eq!(asked(&api, &tenant, &token).await, 2);
    assert_eq!(asked(&api, &tenant, &token).await, 2);
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn an_api_starts_while_redis_is_down() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    redis.stop();
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let api = served(&tenant, &redis.url());
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    redis.start_again();
    tenant.clock().advance(REST);
    assert_eq!(asked(&api, &tenant, &token).await, 2);
    assert_eq!(asked(&api, &tenant, &token).await, 2);
}

/// The first connection hangs, be it before or after the login; the others reach Redis.
#[tokio::test]
async fn a_redis_that_hangs_is_cut_off_and_the_connection_given_up() {
    let _still = hold_time();
    for (login, patience) in [("", 80), (":pa55word@", 100)] {
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
        tokio::time::advance(Duration::from_millis(patience - 1)).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), 0, "it is waited for");
        tokio::time::advance(Duration::from_millis(2)).await;
        request.await.unwrap();
        assert_eq!(asked(&api, &tenant, &token).await, 2, "it rests");
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
        tokio::time::advance(REST).await;
        tenant.clock().advance(REST);
        assert_eq!(asked(&api, &tenant, &token).await, 3);
        assert_eq!(asked(&api, &tenant, &token).await, 3);
        drop(hanging);
    }
}

#[tokio::test]
async fn whatever_answers_in_place_of_redis_harms_nobody_and_no_password_is_repeated() {
    let answers: [(&[u8], &str); 7] = [
        (b"", "closed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not Redis"),
        (b"\0\xff\xfe\r\n", "not Redis"),
        (b"*1\r\n*1\r\n*1\r\n?\r\n", "not Redis"),
        (b"-ERR unknown command 'AUTH', with args beginning with: 'pa55word'\r\n", "password"),
        (b"-pa55word pa55word\r\n", "password"),
        (b"-WRONGPASS pa55word\r\n", "password"),
    ];
    let _still = hold_time();
    for (answer, told) in answers {
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
                assert_eq!(asked(&api, &tenant, &token).await, times);
                tenant.clock().advance(REST);
            }
            let log = log.lines(Level::TRACE).join("\n");
            assert!(log.contains("the introspection cache failed"), "{answer:?}: {log}");
            assert!(login.is_empty() || log.contains(told), "{told}: {log}");
            assert!(!log.contains("pa55word"), "{log}");
            assert!(!log.contains(&address.to_string()), "{log}");
        }
    }
}

#[tokio::test]
async fn a_forged_or_foreign_value_is_a_miss_and_replaced() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &redis.url()), Log::capture());
    let mut commands = redis.commands();
    asked(&api, &tenant, &tenant.opaque_token().groups(["admin"]).mint()).await;
    let [of_another_key] = <[String; 1]>::try_from(redis.keys()).unwrap();
    let of_another: Vec<u8> = commands.get(&of_another_key).unwrap();
    commands.del::<_, ()>(of_another_key).unwrap();

    let token = tenant.opaque_token().mint();
    let mut times = asked(&api, &tenant, &token).await;
    let [key] = <[String; 1]>::try_from(redis.keys()).unwrap();
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
            assert_eq!(asked(&api, &tenant, &token).await, times, "{} bytes", value.len());
        }
    }
    for foreign in ["LPUSH", "SADD"] {
        commands.del::<_, ()>(&key).unwrap();
        redis::cmd(foreign).arg(&key).arg("x").exec(&mut commands).unwrap();
        times += 1;
        for _ in 0..2 {
            assert_eq!(asked(&api, &tenant, &token).await, times, "{foreign}");
        }
    }
    assert_eq!(warnings(&log), "");
}

#[tokio::test]
async fn a_password_is_sent_and_a_wrong_one_harms_nobody() {
    let Some(redis) = Redis::start(&["--requirepass", "pa55 word"]) else { return };
    let _still = hold_time();
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
        assert_eq!(asked(&api, &tenant, &token).await, 1);
        tenant.clock().advance(REST);
        assert_eq!(asked(&api, &tenant, &token).await, if is_right { 1 } else { 2 }, "{login}");
        let warned = warnings(&log);
        assert_eq!(warned.is_empty(), is_right, "{warned}");
        assert!(!warned.contains("pa55"), "{warned}");
    }
}

/// In time that runs: a Redis may well wait for the rest of what it takes for a command.
#[tokio::test]
async fn tls_to_a_plain_port_harms_nobody() {
    let Some(redis) = Redis::start(&[]) else { return };
    let tenant = frozen_tenant().await;
    let url = format!("rediss://:pa55word@localhost:{}", redis.port);
    let (api, log) = (served(&tenant, &url), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    assert_eq!(asked(&api, &tenant, &token).await, 2);
    assert_eq!(redis.keys(), [""; 0]);
    assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
    assert!(!warnings(&log).contains("pa55word"), "{}", warnings(&log));
}

/// The system's roots are found by a variable, and so in a process of its own.
#[tokio::test]
async fn tls_takes_a_certificate_of_the_systems_authorities_and_no_other() {
    const PORT: &str = "TEST_TLS_REDIS_PORT";
    if let Ok(port) = env::var(PORT) {
        return with_trusted_authority(&port).await;
    }
    let folder = TempDir::new().unwrap();
    let [authority, certificate, key] = ["ca.pem", "cert.pem", "key.pem"]
        .map(|name| folder.path().join(name).display().to_string());
    certify(&authority, &certificate, &key);
    let tls_port = free_port().to_string();
    let options =
        ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let options = [&options[..], &["--tls-auth-clients", "no"]].concat();
    let Some(redis) = Redis::start(&options) else { return };

    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tls_takes_a_certificate_of_the_systems_authorities_and_no_other"])
        .envs([(PORT, &tls_port), ("SSL_CERT_FILE", &authority)])
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(redis.keys().len(), 1, "the child kept a verdict");

    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &format!("rediss://localhost:{tls_port}")), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    assert_eq!(asked(&api, &tenant, &token).await, 2);
    assert!(warnings(&log).contains("an authority that is not trusted"), "{}", warnings(&log));
}

async fn with_trusted_authority(port: &str) {
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &format!("rediss://localhost:{port}")), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    assert_eq!(asked(&api, &tenant, &token).await, 1);
    let wrong_name = served(&tenant, &format!("rediss://127.0.0.1:{port}"));
    assert_eq!(asked(&wrong_name, &tenant, &token).await, 2);
    assert!(warnings(&log).contains("for another name"), "{}", warnings(&log));
    assert!(!warnings(&log).contains("127.0.0.1"), "{}", warnings(&log));
}

/// Writes an authority, and a certificate of its for `localhost`.
fn certify(authority: &str, certificate: &str, key: &str) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let own_key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = params.signed_by(&own_key, &issuer).unwrap();
    fs::write(authority, issuer.pem()).unwrap();
    fs::write(certificate, own.pem()).unwrap();
    fs::write(key, own_key.serialize_pem()).unwrap();
}

#[test]
fn a_cache_in_redis_shows_its_url_nowhere() {
    for url in ["redis://:pa55word@cache", "rediss://me:pa55word@cache:6380/7"] {
        let cache = RedisCache::new(url).unwrap();
        assert_eq!(format!("{cache:?}"), "RedisCache { .. }");
    }
    for url in ["pa55word", "http://:pa55word@cache", "redis://:pa55word@cache#x", "redis:pa55word"]
    {
        let error = RedisCache::new(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("pa55word"), "{error:?}");
    }
}

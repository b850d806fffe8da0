//! Real servers: `redis-server`, as one server, a sentinel or a node of a cluster.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use redis::{Commands, FromRedisValue};
use tempfile::TempDir;

/// A Redis on loopback that belongs to one test.
pub(crate) struct Redis {
    process: Child,
    pub(crate) port: u16,
    options: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// `None`, with a message, if `redis-server` is not installed and not required.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        Self::start_in(TempDir::new, options)
    }

    /// A sentinel with this configuration.
    pub(crate) fn sentinel(configuration: &str, options: &[&str]) -> Option<Self> {
        let folder = || {
            let folder = TempDir::new()?;
            fs::write(folder.path().join(SENTINEL), configuration)?;
            Ok(folder)
        };
        Self::start_in(folder, options)
    }

    fn start_in(folder: impl Fn() -> io::Result<TempDir>, options: &[&str]) -> Option<Self> {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        loop {
            let (port, folder) = (free_port(), folder().unwrap());
            let process = match spawn(port, &options, &folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    skip();
                    return None;
                }
                process => process.unwrap(),
            };
            let mut redis = Self { process, port, options: options.clone(), folder };
            // Another process may have taken the port first.
            if redis.is_ready() {
                return Some(redis);
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        fs::remove_file(self.folder.path().join("redis.log")).unwrap();
        self.process = spawn(self.port, &self.options, &self.folder).unwrap();
        assert!(self.is_ready(), "Redis starts again on its port");
    }

    /// A connection for the test itself.
    pub(crate) fn commands(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Runs a command of several words.
    pub(crate) fn run<T: FromRedisValue>(&self, command: &str) -> T {
        let words = command.split(' ').collect::<Vec<_>>();
        redis::Cmd::new().arg(words).query(&mut self.commands()).unwrap()
    }

    /// The value of an option that it was started with.
    pub(crate) fn option(&self, name: &str) -> &str {
        let value = self.options.iter().skip_while(|it| *it != name).nth(1);
        value.expect("the option was given")
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.commands().keys("*").unwrap()
    }

    /// Waits until this process listens on its port and answers, or has ended.
    fn is_ready(&mut self) -> bool {
        let log = self.folder.path().join("redis.log");
        let mut has_ended = false;
        wait_until("redis-server answers", || {
            let has_port = fs::read_to_string(&log)
                .is_ok_and(|log| log.contains("Ready to accept") || log.contains("Sentinel ID is"));
            has_ended = self.process.try_wait().unwrap().is_some();
            has_ended || has_port && answers_ping(self.port)
        });
        !has_ended
    }
}

/// Waits for other processes, whose clocks no test can move.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if condition() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("not so after half a minute: {what}")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn skip() {
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "redis-server is not installed in CI");
    // Written directly, as the test harness hides the output of a test that passes.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let mut stderr = io::stderr();
    writeln!(stderr, "SKIPPED, redis-server is not installed: {name}").unwrap();
}

/// Any answer counts, as the server may require a password first.
fn answers_ping(port: u16) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

/// The configuration of a sentinel, which rewrites it.
const SENTINEL: &str = "sentinel.conf";

fn spawn(port: u16, options: &[String], folder: &TempDir) -> io::Result<Child> {
    let mut command = Command::new("redis-server");
    let sentinel = folder.path().join(SENTINEL);
    if sentinel.exists() {
        command.arg(sentinel).arg("--sentinel");
    } else {
        command.args(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
    }
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--logfile"])
        .arg(folder.path().join("redis.log"))
        .args(options)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

//! ChromeDriver, and the Chromium that it starts.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

const OPTIONS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1024",
];

/// A process, and its browser, that belong to one test.
pub(crate) struct Driver {
    process: Child,
    port: u16,
    profile: TempDir,
    /// Open, as the process ends if it cannot write.
    _output: BufReader<ChildStdout>,
}

impl Driver {
    /// `None`, with a message, if there is no browser and none is required.
    pub(crate) fn start() -> Option<Self> {
        let started = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut process = match started {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                skip();
                return None;
            }
            started => started.unwrap(),
        };
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let port = port(&mut output);
        Some(Self { process, port, profile: TempDir::new().unwrap(), _output: output })
    }

    /// Opens the browser, which is closed with the process.
    pub(crate) async fn browser(&self) -> Client {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let options: Vec<_> = OPTIONS.into_iter().chain([&*profile]).collect();
        let mut chromium = Capabilities::new();
        chromium.insert("goog:chromeOptions".to_owned(), json!({ "args": options }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let driver = format!("http://127.0.0.1:{}", self.port);
        builder.capabilities(chromium).connect(&driver).await.unwrap()
    }

    /// Has the process close its browser, which would survive it otherwise.
    fn shut_down(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream
            .write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

/// Also after a failed assertion.
impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.shut_down();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// "ChromeDriver was started successfully on port 40305."
fn port(output: &mut BufReader<ChildStdout>) -> u16 {
    let mut lines = output.lines().map(Result::unwrap);
    let port = lines.find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    port.expect("chromedriver says its port")
}

fn skip() {
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "chromedriver is not installed in CI");
    // Written directly, as the test harness hides the output of a test that passes.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let mut stderr = io::stderr();
    writeln!(stderr, "SKIPPED, chromedriver is not installed: {name}").unwrap();
}

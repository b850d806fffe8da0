//! ChromeDriver, and the Chromium that it starts.

use std::{
    env,
    future::Future,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use fantoccini::{Client, ClientBuilder, error::CmdError, wd::Capabilities};
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

/// A process that belongs to one test.
pub(crate) struct Driver {
    process: Child,
    url: String,
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
        let url = format!("http://127.0.0.1:{}", port(&mut output));
        Some(Self { process, url, _output: output })
    }

    /// Opens a browser with a fresh profile, and closes it after the visit.
    pub(crate) async fn visit<F>(&self, visit: impl FnOnce(Client) -> F)
    where
        F: Future<Output = Result<(), CmdError>>,
    {
        let profile = TempDir::new().unwrap();
        let profile = format!("--user-data-dir={}", profile.path().display());
        let options: Vec<_> = OPTIONS.into_iter().chain([&*profile]).collect();
        let mut chromium = Capabilities::new();
        chromium.insert("goog:chromeOptions".to_owned(), json!({ "args": options }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let browser = builder.capabilities(chromium).connect(&self.url).await.unwrap();
        let visited = visit(browser.clone()).await;
        browser.close().await.unwrap();
        visited.unwrap();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
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

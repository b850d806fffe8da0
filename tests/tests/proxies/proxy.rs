//! Real proxies, each with its configuration from the manual.

use std::{
    env,
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use monocloud_testkit::Certificate;
use tempfile::TempDir;
use tokio::net::TcpStream;

const PAGE: &str = include_str!("../../../src/manual/proxies.md");

/// How a proxy is started.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// The name of the program and of its Debian package.
    name: &'static str,
    /// The language of the code block that configures it in the manual.
    language: &'static str,
    /// Arguments; `{folder}` stands for a temporary directory, which has the configuration
    /// in `config`.
    arguments: &'static [&'static str],
    /// The address to listen on, as the manual and as the test writes it.
    listen: (&'static str, &'static str),
    /// Configuration around that of the manual: no daemon, no other port, no file outside the
    /// directory.
    around: &'static str,
}

pub(crate) const NGINX: Program = Program {
    name: "nginx",
    language: "nginx",
    arguments: &["-p", "{folder}", "-c", "{folder}/config", "-e", "{folder}/log"],
    listen: ("listen 443 ssl;", "listen {address} ssl;"),
    around: r"
        daemon off;
        master_process off;
        pid {folder}/pid;
        events {}
        http {
            access_log off;
            ssl_protocols TLSv1.2 TLSv1.3;
            client_body_temp_path {folder}/body;
            proxy_temp_path       {folder}/proxy;
            fastcgi_temp_path     {folder}/fastcgi;
            uwsgi_temp_path       {folder}/uwsgi;
            scgi_temp_path        {folder}/scgi;
            {page}
        }
    ",
};

pub(crate) const HAPROXY: Program = Program {
    name: "haproxy",
    language: "haproxy",
    arguments: &["-db", "-f", "{folder}/config"],
    listen: ("bind :443 ssl", "bind {address} ssl"),
    around: "
defaults
    timeout connect 1m
    timeout client 1m
    timeout server 1m

{page}
",
};

pub(crate) const APACHE: Program = Program {
    name: "apache2",
    language: "apache",
    arguments: &["-X", "-f", "{folder}/config", "-E", "{folder}/log"],
    listen: ("<VirtualHost *:443>", "<VirtualHost {address}>"),
    around: "
        LoadModule mpm_event_module  /usr/lib/apache2/modules/mod_mpm_event.so
        LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
        LoadModule headers_module    /usr/lib/apache2/modules/mod_headers.so
        LoadModule proxy_module      /usr/lib/apache2/modules/mod_proxy.so
        LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
        LoadModule ssl_module        /usr/lib/apache2/modules/mod_ssl.so
        Listen {address}
        ServerName localhost
        ServerRoot {folder}
        DefaultRuntimeDir {folder}
        PidFile {folder}/pid
        ErrorLog {folder}/log
        User www-data
        Group www-data
        {page}
    ",
};

pub(crate) const CADDY: Program = Program {
    name: "caddy",
    language: "caddy",
    arguments: &["run", "--adapter", "caddyfile", "--config", "{folder}/config"],
    listen: ("api.example.com {", "https://localhost:{port} {"),
    around: "
        {
            admin off
            auto_https disable_redirects
            default_bind 127.0.0.1
        }
        {page}
    ",
};

/// A proxy that runs until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    process: Child,
    folder: TempDir,
}

impl Proxy {
    /// Starts a proxy before the API and waits until it accepts connections.
    pub(crate) async fn start(program: Program, api: SocketAddr, server: &Certificate) -> Self {
        loop {
            let mut proxy = Self::spawn(program, free_address(), api, server);
            match proxy.wait_until_ready().await {
                Ok(()) => return proxy,
                // Another process was faster.
                Err(log) if log.to_lowercase().contains("address already in use") => {}
                Err(log) => panic!("{} has ended: {log}", program.name),
            }
        }
    }

    fn spawn(program: Program, address: SocketAddr, api: SocketAddr, server: &Certificate) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        let in_folder = |text: &str| text.replace("{folder}", path.to_str().unwrap());
        let page = configured(program, address, api, path, server);
        let config = in_folder(program.around)
            .replace("{address}", &address.to_string())
            .replace("{page}", &page);
        fs::write(path.join("config"), config).unwrap();
        let output = fs::File::create(path.join("output")).unwrap();
        let process = Command::new(program.name)
            .args(program.arguments.iter().map(|argument| in_folder(argument)))
            .current_dir(path)
            .env("PATH", search_path())
            .env("HOME", path)
            .env("XDG_CONFIG_HOME", path)
            .env("XDG_DATA_HOME", path)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn();
        let process = process.unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                panic!("{0} is not installed: install the Debian package {0}", program.name)
            }
            _ => panic!("{} cannot be started: {error}", program.name),
        });
        Self { address, process, folder }
    }

    /// Fails with the log of the process if it ends.
    async fn wait_until_ready(&mut self) -> Result<(), String> {
        for _ in 0..10_000 {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if self.process.try_wait().unwrap().is_some() {
                return Err(self.log());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the proxy does not accept connections: {}", self.log());
    }

    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("output") + &read("log")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The manual's configuration, with the test's addresses and files in place of its own.
fn configured(
    program: Program,
    address: SocketAddr,
    api: SocketAddr,
    folder: &Path,
    server: &Certificate,
) -> String {
    let file = |name: &str, content: String| {
        fs::write(folder.join(name), content).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let (written, listen) = program.listen;
    let listen = listen
        .replace("{address}", &address.to_string())
        .replace("{port}", &address.port().to_string());
    let (certificate, key) = (server.chain_pem(), server.key_pem());
    let block = code_block(program.language);
    assert!(block.contains(written), "the manual's {} block has no `{written}`", program.language);
    assert!(block.contains("127.0.0.1:3000"), "the address of the API in the manual's examples");
    block
        .replace(written, &listen)
        .replace("127.0.0.1:3000", &api.to_string())
        .replace("/etc/ssl/api-and-key.pem", &file("both.pem", format!("{certificate}{key}")))
        .replace("/etc/ssl/api.pem", &file("certificate.pem", certificate))
        .replace("/etc/ssl/api-key.pem", &file("key.pem", key))
}

/// The one code block of the page in this language.
fn code_block(language: &str) -> &'static str {
    let fence = format!("\n```{language}\n");
    let mut blocks = PAGE.split(&fence).skip(1);
    let block = blocks.next().and_then(|text| text.split("\n```\n").next());
    assert!(blocks.next().is_none(), "the manual has several {language} blocks");
    block.unwrap_or_else(|| panic!("the manual has no {language} block"))
}

/// Debian installs servers in directories that a user's search path does not have.
fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(Into::into);
    env::join_paths(env::split_paths(&path).chain(servers)).unwrap()
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

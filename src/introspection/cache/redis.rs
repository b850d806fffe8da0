//! A store in Redis, which a fleet shares.
//!
//! One connection for all, made when it is first needed and again when it was lost. Whatever fails
//! costs the connection: the next operation makes a new one, and so looks the host up anew, as it
//! must after a fail-over.
//!
//! The TLS is ours. That of the `redis` crate takes the process's crypto provider, and installs one
//! where there is none.

use std::{
    error::Error as StdError,
    fmt::{self, Write as _},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, RedisConnectionInfo, RedisError, aio::MultiplexedConnection,
};
use rustls::{
    CertificateError,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    certificate::key_pair,
    config::ConfigError,
    introspection::cache::store::{CacheFuture, CacheKey, IntrospectionCache},
    tenant::{
        connector::{tls_config, trusted_roots},
        shared_task::SharedTask,
    },
};

/// What names a value, before its key in hexadecimal digits.
const PREFIX: &str = "monocloud-backend:introspection:";

/// How long an answer is waited for: less than the caller waits, so that it is seen here that a
/// connection has gone silent. A caller that leaves earlier says nothing about the connection.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(80);

/// How long a connection may take. Callers do not wait for that; the ones after them find it made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A longer value was not written by this library, in bytes.
const MAX_VALUE: usize = 2 * 1024 * 1024;

/// Keeps introspection verdicts in Redis, so that a fleet asks the tenant once.
///
/// This is what the variable `MONOCLOUD_BACKEND_INTROSPECTION_CACHE` makes of a URL. Values are
/// sealed before they get here, and expire by themselves. The commands are `GETRANGE`, `SET` and
/// `EVAL`, on keys that begin with `monocloud-backend:introspection:`; they go to the server that the
/// URL names, which must be the primary. A fail-over may lose what was written last, a tombstone for
/// a forgotten token included.
///
/// Nothing is connected before the first request with an opaque token, so the API starts while Redis
/// is down. While it is down the tenant is asked.
///
/// ```no_run
/// use monocloud_backend::{cache::RedisCache, ConfigError, ProtectApi};
///
/// # fn main() -> Result<(), ConfigError> {
/// let protect = ProtectApi::builder()
///     .env() // with MONOCLOUD_BACKEND_FLEET_KEY
///     .introspection_cache(RedisCache::new("rediss://:password@cache.internal:6380/1")?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct RedisCache {
    server: Arc<Server>,
    link: Mutex<Link>,
}

impl RedisCache {
    /// A cache at `redis://` or, over TLS, `rediss://`
    /// `[[user]:password@]host[:port][/database]`, what is special in user and password
    /// percent-encoded. Over TLS the system's roots are trusted, or Mozilla's where there are none.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the URL is invalid. The error does not show it.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::trusting(url, &[])
    }

    /// As [`new`](Self::new), and over TLS the certificates in `pem` are trusted too.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the URL is invalid, or `pem` holds no certificate or a broken one.
    pub fn with_ca_certificates(url: &str, pem: &[u8]) -> Result<Self, ConfigError> {
        let certificates = key_pair::certificates(pem);
        let refused = |mistake| ConfigError::of("RedisCache", format!("the PEM text {mistake}"));
        Self::trusting(url, &certificates.map_err(refused)?)
    }

    /// A cache that trusts these certificates in addition to the system's roots.
    pub(crate) fn trusting(
        url: &str,
        ca_certificates: &[CertificateDer<'static>],
    ) -> Result<Self, ConfigError> {
        let refused = |rule: &str| ConfigError::of("RedisCache", rule);
        let Address { host, port, tls_name, login } = Address::parse(url).map_err(refused)?;
        let tls = match tls_name {
            None => None,
            Some(name) => {
                let connector = tls_connector(ca_certificates);
                Some((connector.map_err(|error| refused(&error.to_string()))?, name))
            }
        };
        let server = Arc::new(Server { host, port, tls, login });
        Ok(Self { server, link: Mutex::default() })
    }

    /// The rule that a URL breaks.
    pub(crate) fn check(url: &str) -> Result<(), &'static str> {
        Address::parse(url).map(drop)
    }

    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let (number, mut connection) = self.connection().await?;
        let answer = command.query_async(&mut connection.commands);
        let failure = match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::from(&error),
            Err(_) => Failure::Silent,
        };
        // A value of another type is another's, and the connection is as good as before.
        if !failure.is_foreign_value() {
            self.link().discard(number);
        }
        Err(failure)
    }

    /// The connection that there is, or a new one.
    async fn connection(&self) -> Result<(u64, Connection), Failure> {
        let mut failure = Failure::Closed;
        for _ in 0..2 {
            let (number, task) =
                self.link().join(|| SharedTask::start(connect(self.server.clone())));
            let is_old = !task.is_running();
            match task.outcome().await.unwrap_or(Err(Failure::Interrupted)) {
                Ok(connection) if connection.is_open() => return Ok((number, connection)),
                Ok(_) => failure = Failure::Closed,
                Err(reason) => failure = reason,
            }
            self.link().discard(number);
            // An idle connection that was closed, or an attempt that failed after its callers had
            // left, says nothing about Redis as it is now.
            if !is_old {
                break;
            }
        }
        Err(failure)
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IntrospectionCache for RedisCache {
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            // A large value in the store must not exhaust this process.
            let command = Cmd::getrange(name(key), 0, MAX_VALUE as isize);
            match self.run::<Vec<u8>>(&command).await {
                Ok(value) => Ok(Some(value).filter(|it| !it.is_empty() && it.len() <= MAX_VALUE)),
                Err(failure) if failure.is_foreign_value() => Ok(None),
                Err(failure) => Err(failure.into()),
            }
        })
    }

    fn set(&self, key: CacheKey, value: Vec<u8>, lifetime: Duration) -> CacheFuture<'_, ()> {
        Box::pin(async move {
            if value.len() > MAX_VALUE {
                return Ok(());
            }
            let mut command = ::redis::cmd("SET");
            command.arg(name(key)).arg(value).arg("PX").arg(milliseconds(lifetime));
            Ok(self.run(&command).await?)
        })
    }

    fn compare_and_set(
        &self,
        key: CacheKey,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        lifetime: Duration,
    ) -> CacheFuture<'_, bool> {
        Box::pin(async move {
            if value.len() > MAX_VALUE {
                return Ok(false);
            }
            let mut command = ::redis::cmd("EVAL");
            command.arg(COMPARE_AND_SET).arg(1).arg(name(key));
            command.arg(MAX_VALUE).arg(expected.unwrap_or_default()).arg(value);
            command.arg(milliseconds(lifetime));
            Ok(self.run(&command).await?)
        })
    }
}

/// Reads a value as `get` does, and writes another if it is the expected one. Redis runs a script as
/// one step.
const COMPARE_AND_SET: &str = "
local longest = tonumber(ARGV[1])
local held = redis.pcall('GETRANGE', KEYS[1], 0, longest)
if type(held) == 'table' then
    if string.sub(held.err or '', 1, 9) ~= 'WRONGTYPE' then return held end
    held = ''
end
if #held > longest then held = '' end
if held ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
";

fn milliseconds(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").finish_non_exhaustive()
    }
}

fn name(key: CacheKey) -> String {
    key.as_bytes().iter().fold(PREFIX.to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// What a URL says.
struct Address {
    host: String,
    port: u16,
    /// The name in the certificate, where there is to be one.
    tls_name: Option<ServerName<'static>>,
    login: RedisConnectionInfo,
}

impl Address {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let url = Url::parse(text).map_err(|_| "must be a URL")?;
        let (is_secure, rest) = match (text.strip_prefix("redis:"), text.strip_prefix("rediss:")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("must be a URL that starts with redis:// or rediss://"),
        };
        // TLS without verification is not supported.
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must be a URL that has no query and no fragment");
        }
        let database = url.path().trim_matches('/');
        if !database.is_empty() && database.parse::<u16>().is_err() {
            return Err("must be a URL whose path is a number at most, that of a database");
        }
        // Percent-encoding is the crate's affair, and TLS is not.
        let info: ConnectionInfo = format!("redis:{rest}")
            .into_connection_info()
            .map_err(|_| "must be valid as a URL of Redis: a host, and a password in UTF-8")?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Err("must name a host");
        };
        let tls_name = match is_secure {
            false => None,
            true => Some(ServerName::try_from(host.clone()).map_err(|_| "must name a host")?),
        };
        let login = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self { host: host.clone(), port: *port, tls_name, login })
    }
}

/// Where Redis is, and how to get in.
struct Server {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    login: RedisConnectionInfo,
}

fn tls_connector(
    ca_certificates: &[CertificateDer<'static>],
) -> Result<TlsConnector, rustls::Error> {
    Ok(TlsConnector::from(Arc::new(tls_config(trusted_roots(ca_certificates)?)?)))
}

/// The connection, or the one that is being made. Each has a number, so that one that failed
/// long ago takes no new one with it.
#[derive(Default)]
struct Link {
    task: Option<SharedTask<Result<Connection, Failure>>>,
    number: u64,
}

impl Link {
    fn join(
        &mut self,
        start: impl FnOnce() -> SharedTask<Result<Connection, Failure>>,
    ) -> (u64, SharedTask<Result<Connection, Failure>>) {
        let task = self.task.get_or_insert_with(|| {
            self.number += 1;
            start()
        });
        (self.number, task.clone())
    }

    fn discard(&mut self, number: u64) {
        if self.number == number {
            self.task = None;
        }
    }
}

/// Clones share one connection, which is closed with the last of them.
#[derive(Clone)]
struct Connection {
    commands: MultiplexedConnection,
    driver: Arc<Driver>,
}

impl Connection {
    fn is_open(&self) -> bool {
        !self.driver.0.is_finished()
    }
}

/// The task that reads and writes.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn connect(server: Arc<Server>) -> Result<Connection, Failure> {
    let connection = async {
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
        stream.set_nodelay(true)?;
        match &server.tls {
            None => log_in(&server.login, stream).await,
            Some((tls, name)) => {
                log_in(&server.login, tls.connect(name.clone(), stream).await?).await
            }
        }
    };
    tokio::time::timeout(CONNECT_TIMEOUT, connection).await.unwrap_or(Err(Failure::Silent))
}

async fn log_in(
    login: &RedisConnectionInfo,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Connection, Failure> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let connection = MultiplexedConnection::new_with_config(login, stream, config).await;
    let (commands, driver) = connection.map_err(|error| Failure::from(&error))?;
    Ok(Connection { commands, driver: Arc::new(Driver(tokio::spawn(driver))) })
}

/// What went wrong, in words of our own: a server may repeat the password in its error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Unreachable(io::ErrorKind),
    Tls(&'static str),
    Silent,
    Closed,
    Interrupted,
    LoginRefused,
    Garbage,
    /// An error of Redis, by its code if it is a known one.
    Error(Option<&'static str>),
}

impl Failure {
    fn is_foreign_value(self) -> bool {
        matches!(self, Self::Error(Some("WRONGTYPE")))
    }
}

impl From<&RedisError> for Failure {
    fn from(error: &RedisError) -> Self {
        const CODES: [&str; 12] = [
            "ERR",
            "BUSY",
            "CLUSTERDOWN",
            "LOADING",
            "MASTERDOWN",
            "MISCONF",
            "MOVED",
            "NOAUTH",
            "NOPERM",
            "OOM",
            "READONLY",
            "WRONGTYPE",
        ];
        match error.kind() {
            ErrorKind::Io => match error.source().and_then(|source| source.downcast_ref()) {
                Some(error) => Self::of_io(error),
                None => Self::Closed,
            },
            ErrorKind::AuthenticationFailed => Self::LoginRefused,
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::Garbage,
            _ => Self::Error(CODES.into_iter().find(|code| error.code() == Some(code))),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::of_io(&error)
    }
}

impl Failure {
    fn of_io(error: &io::Error) -> Self {
        use CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
        };
        match error.get_ref().and_then(|cause| cause.downcast_ref()) {
            None => Self::Unreachable(error.kind()),
            Some(rustls::Error::InvalidCertificate(reason)) => Self::Tls(match reason {
                UnknownIssuer => "its certificate is of an authority that is not trusted",
                Expired | ExpiredContext { .. } => "its certificate has expired",
                NotValidForName | NotValidForNameContext { .. } => {
                    "its certificate is for another name"
                }
                _ => "its certificate is not valid",
            }),
            Some(_) => Self::Tls("the handshake failed"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(kind) => write!(f, "Redis cannot be reached: {kind}"),
            Self::Tls(reason) => write!(f, "no TLS with Redis: {reason}"),
            Self::Silent => f.write_str("Redis does not answer"),
            Self::Closed => f.write_str("Redis closed the connection"),
            Self::Interrupted => f.write_str("the runtime of the connection has ended"),
            Self::LoginRefused => f.write_str("Redis refused the user or the password"),
            Self::Garbage => f.write_str("what answered is not Redis"),
            Self::Error(Some(code)) => write!(f, "Redis answered with the error {code}"),
            Self::Error(None) => f.write_str("Redis answered with an error"),
        }
    }
}

impl StdError for Failure {}

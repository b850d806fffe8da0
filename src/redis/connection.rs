//! Connections to single servers, and the link that makes a new one when one was lost.
//!
//! The TLS is ours. That of the `redis` crate takes the process's crypto provider, and installs one
//! where there is none.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError,
    aio::MultiplexedConnection, from_redis_value,
};
use rustls::pki_types::{CertificateDer, ServerName};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use crate::{
    config::{Address, RedisUrl},
    tenant::{
        connector::{tls_config, trusted_roots},
        shared_task::SharedTask,
    },
};

/// How long an answer is waited for: less than the caller waits, so that it is seen here that a
/// connection has gone silent. A caller that leaves earlier says nothing about the connection.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(80);

/// How long a connection may take. Callers do not wait for that; the ones after them find it made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How to get into a server, wherever it is.
pub(super) struct Access {
    tls: Option<TlsConnector>,
    login: RedisConnectionInfo,
}

impl Access {
    pub(super) fn new(
        url: &RedisUrl,
        ca_certificates: &[CertificateDer<'static>],
    ) -> Result<Self, rustls::Error> {
        let tls = match url.is_tls {
            false => None,
            true => {
                Some(TlsConnector::from(Arc::new(tls_config(trusted_roots(ca_certificates)?)?)))
            }
        };
        let mut login = anonymous().set_db(i64::from(url.database));
        if let Some(user) = &url.user {
            login = login.set_username(user);
        }
        if let Some(password) = &url.password {
            login = login.set_password(password.expose_secret());
        }
        Ok(Self { tls, login })
    }

    /// The same without user, password and database.
    pub(super) fn without_login(&self) -> Self {
        Self { tls: self.tls.clone(), login: anonymous() }
    }

    pub(super) async fn connect(&self, server: &Address) -> Result<Connection, Failure> {
        let host = server.host.as_str();
        let stream = TcpStream::connect((host, server.port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.log_in(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned());
                let name = name.map_err(|_| Failure::Tls("no certificate can have its name"))?;
                self.log_in(tls.connect(name, stream).await?).await
            }
        }
    }

    async fn log_in(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Connection, Failure> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let connection = MultiplexedConnection::new_with_config(&self.login, stream, config).await;
        let (commands, driver) = connection.map_err(|error| Failure::from(&error))?;
        let driver = Arc::new(Task(tokio::spawn(driver)));
        Ok(Connection { commands, driver, watch: None })
    }
}

fn anonymous() -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_skip_set_lib_name()
}

/// Clones share one connection, which is closed with the last of them.
#[derive(Clone)]
pub(super) struct Connection {
    commands: MultiplexedConnection,
    /// What reads and writes.
    driver: Arc<Task>,
    watch: Option<Arc<Task>>,
}

impl Connection {
    /// The connection, which is not used for further commands once `watch` has ended.
    pub(super) fn until(self, watch: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { watch: Some(Arc::new(Task(tokio::spawn(watch)))), ..self }
    }

    fn is_open(&self) -> bool {
        let is_running = |task: &Arc<Task>| !task.0.is_finished();
        is_running(&self.driver) && self.watch.as_ref().is_none_or(is_running)
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut commands = self.commands.clone();
        answered(command.query_async(&mut commands)).await
    }

    /// Sends a command to the node that a slot of the cluster migrates to.
    async fn query_migrating<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut commands = self.commands.clone();
        // Both at once, so that no other command on this connection comes between them.
        let mut pipeline = ::redis::pipe();
        pipeline.cmd("ASKING").add_command(command.clone());
        answered(async {
            let answers = commands.send_packed_commands(&pipeline, 1, 1).await?;
            let answer = answers.into_iter().next().unwrap_or_default();
            Ok(from_redis_value(answer.extract_error()?)?)
        })
        .await
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Failure> {
    match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(|error| Failure::from(&error)),
        Err(_) => Err(Failure::Silent),
    }
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a link connects to.
pub(super) trait Connect: Send + Sync + 'static {
    fn connect(&self) -> impl Future<Output = Result<Connection, Failure>> + Send;
}

/// One connection for all, made when it is first needed and again when it was lost. Whatever fails
/// costs the connection: the next operation makes a new one, and so looks for the server anew, as it
/// must after a fail-over.
pub(super) struct Link<C> {
    target: Arc<C>,
    current: Mutex<Current>,
}

impl<C: Connect> Link<C> {
    pub(super) fn new(target: C) -> Self {
        Self { target: Arc::new(target), current: Mutex::default() }
    }

    pub(super) fn target(&self) -> &C {
        &self.target
    }

    /// Connects, unless there is a connection.
    pub(super) fn prepare(&self) {
        self.current().join(|| self.connect());
    }

    /// Runs a command, on a new connection if the server turns out to be a replica.
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        match self.attempt(command, false).await {
            Err(failure) if failure.is_of_replica() => self.attempt(command, false).await,
            outcome => outcome,
        }
    }

    /// Runs a command whose slot migrates to this node.
    pub(super) async fn run_migrating<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, Failure> {
        self.attempt(command, true).await
    }

    async fn attempt<T: FromRedisValue>(
        &self,
        command: &Cmd,
        is_migrating: bool,
    ) -> Result<T, Failure> {
        let (number, connection) = self.connection().await?;
        let outcome = match is_migrating {
            false => connection.query(command).await,
            true => connection.query_migrating(command).await,
        };
        if outcome.as_ref().is_err_and(|failure| !failure.keeps_connection()) {
            self.current().discard(number);
        }
        outcome
    }

    /// The connection that there is, or a new one.
    async fn connection(&self) -> Result<(u64, Connection), Failure> {
        let mut failure = Failure::Closed;
        for _ in 0..2 {
            let (number, task) = self.current().join(|| self.connect());
            let is_old = !task.is_running();
            match task.outcome().await.unwrap_or(Err(Failure::Interrupted)) {
                Ok(connection) if connection.is_open() => return Ok((number, connection)),
                Ok(_) => failure = Failure::Closed,
                Err(reason) => failure = reason,
            }
            self.current().discard(number);
            // An idle connection that was closed, or an attempt that failed after its callers had
            // left, says nothing about Redis as it is now.
            if !is_old {
                break;
            }
        }
        Err(failure)
    }

    fn connect(&self) -> SharedTask<Result<Connection, Failure>> {
        let target = Arc::clone(&self.target);
        SharedTask::start(async move {
            let connection = tokio::time::timeout(CONNECT_TIMEOUT, target.connect()).await;
            connection.unwrap_or(Err(Failure::Silent))
        })
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection, or the one that is being made. Each has a number, so that one that failed
/// long ago takes no new one with it.
#[derive(Default)]
struct Current {
    task: Option<SharedTask<Result<Connection, Failure>>>,
    number: u64,
}

impl Current {
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

/// A server at a known address.
pub(super) struct Server {
    pub(super) access: Arc<Access>,
    pub(super) address: Address,
}

impl Connect for Server {
    async fn connect(&self) -> Result<Connection, Failure> {
        self.access.connect(&self.address).await
    }
}

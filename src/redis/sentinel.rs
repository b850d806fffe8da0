//! The primary that sentinels name.
//!
//! The `sentinel` feature of the `redis` crate is not used: its clients connect by themselves, over
//! TLS of the crate's own.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;

use super::{
    connection::{Access, Connect, Connection},
    failure::Failure,
};
use crate::config::Address;

/// How often a sentinel is asked whether the primary is still the same. A primary that was replaced
/// closes its connections, unless it could not be told.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long connecting to a primary may take, so that an outdated answer leaves time for another.
const PRIMARY_TIMEOUT: Duration = Duration::from_secs(1);

/// The primary of a service, whichever server that is.
pub(super) struct Primary {
    access: Access,
    sentinels: Arc<Sentinels>,
}

impl Primary {
    /// The sentinels are asked without user and password, which are those of the servers.
    pub(super) fn new(access: Access, addresses: Vec<Address>, service: String) -> Self {
        let sentinels = Sentinels { access: access.without_login(), addresses, service };
        Self { access, sentinels: Arc::new(sentinels) }
    }

    async fn connect_to(&self, server: &Address) -> Result<Connection, Failure> {
        let connection = self.access.connect(server).await?;
        // Just after a fail-over a sentinel may name the former primary.
        let role: Vec<::redis::Value> = connection.query(&::redis::cmd("ROLE")).await?;
        match role.first() {
            Some(::redis::Value::BulkString(role)) if role == b"master" => Ok(connection),
            _ => Err(Failure::NotPrimary),
        }
    }
}

impl Connect for Primary {
    async fn connect(&self) -> Result<Connection, Failure> {
        let mut failure = Failure::UnknownService;
        let mut answers = Sentinels::ask_all(&self.sentinels);
        while let Some(answer) = answers.join_next().await {
            let (sentinel, server) = match answer.unwrap_or(Err(Failure::Interrupted)) {
                Ok(answer) => answer,
                Err(reason) => {
                    failure = reason;
                    continue;
                }
            };
            let connection = tokio::time::timeout(PRIMARY_TIMEOUT, self.connect_to(&server)).await;
            match connection.unwrap_or(Err(Failure::Silent)) {
                Ok(connection) => {
                    let sentinels = Arc::clone(&self.sentinels);
                    return Ok(connection.until(sentinels.name_another(server, sentinel)));
                }
                Err(reason) => failure = reason,
            }
        }
        Err(failure)
    }
}

struct Sentinels {
    access: Access,
    addresses: Vec<Address>,
    service: String,
}

impl Sentinels {
    /// Asks all at once, as one that is down may not even refuse the connection. Each answer comes
    /// with the connection to its sentinel.
    fn ask_all(self: &Arc<Self>) -> JoinSet<Result<(Connection, Address), Failure>> {
        let ask = |number| {
            let sentinels = Arc::clone(self);
            async move {
                let address = sentinels.addresses.get(number).ok_or(Failure::UnknownService)?;
                let sentinel = sentinels.access.connect(address).await?;
                let primary = sentinels.ask(&sentinel).await?;
                Ok((sentinel, primary))
            }
        };
        (0..self.addresses.len()).map(ask).collect()
    }

    async fn ask(&self, sentinel: &Connection) -> Result<Address, Failure> {
        let mut command = ::redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let answer: Option<(String, u16)> = sentinel.query(&command).await?;
        let (host, port) = answer.ok_or(Failure::UnknownService)?;
        Ok(Address { host, port })
    }

    /// Ends once a sentinel names another primary.
    async fn name_another(self: Arc<Self>, primary: Address, mut sentinel: Connection) {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            let named = match self.ask(&sentinel).await {
                Ok(named) => named,
                Err(_) => match self.first_answer().await {
                    Some((another, named)) => {
                        sentinel = another;
                        named
                    }
                    // Without sentinels the primary stays what it is.
                    None => continue,
                },
            };
            if named != primary {
                return;
            }
        }
    }

    async fn first_answer(self: &Arc<Self>) -> Option<(Connection, Address)> {
        let mut answers = self.ask_all();
        while let Some(answer) = answers.join_next().await {
            if let Ok(Ok(answer)) = answer {
                return Some(answer);
            }
        }
        None
    }
}

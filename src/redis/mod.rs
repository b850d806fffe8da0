//! Redis, which a fleet shares: one server, Sentinel or Cluster.
//!
//! - `connection`: a link to a server, over TLS of our own
//! - `sentinel`: finds the primary
//! - `cluster`: finds the node of a key
//! - `failure`: what went wrong, in our own words

mod cluster;
mod connection;
mod failure;
mod sentinel;

use std::{
    fmt::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use ::redis::{Cmd, FromRedisValue};
use rustls::pki_types::CertificateDer;

use self::{
    cluster::Cluster,
    connection::{Access, Link, Server},
    failure::Failure,
    sentinel::Primary,
};
use crate::{
    certificate::key_pair,
    config::{ConfigError, Deployment, RedisUrl},
};

/// A Redis that the instances of an API share: for the results of introspection, so that a fleet asks
/// the tenant once, and for the DPoP proofs that were used.
///
/// This is what the variables `MONOCLOUD_BACKEND_INTROSPECTION_CACHE` and
/// `MONOCLOUD_BACKEND_DPOP_REPLAY_CACHE` make of a URL. Results are sealed before they get here, and
/// all values expire by themselves. The commands are `GETRANGE`, `SET` and `EVAL`, on keys that begin
/// with `monocloud-backend:introspection:` or `monocloud-backend:dpop:`.
///
/// Nothing is connected before the first request that needs it, so the API starts while Redis is down.
/// While it is down the tenant is asked, and requests with proofs are rejected.
///
/// # One server
///
/// `redis://[[user]:password@]host[:port][/database]`. The server must be the primary. The port is
/// 6379 unless given. After a fail-over the host is looked up anew.
///
/// # Sentinel
///
/// `redis+sentinel://[[user]:password@]host[:port],host[:port]/service[/database]`, where the hosts
/// are sentinels, with port 26379 unless given. They say which server is the primary, which must confirm
/// it: the user needs the permission for `ROLE`. User and password are those of the servers; the
/// sentinels are asked without. One of them is asked every second whether the primary is still the
/// same.
///
/// # Cluster
///
/// `redis+cluster://[[user]:password@]host[:port],host[:port]`. The hosts are some of the nodes, with
/// port 6379 unless given, and are asked where keys are: the user needs the permission for `CLUSTER
/// SLOTS` and, while slots migrate, `ASKING`. All nodes have the same user and password.
///
/// # TLS
///
/// Each form has one over TLS: `rediss://`, `rediss+sentinel://` for sentinels and servers alike, and
/// `rediss+cluster://`. A certificate must be for the host in the URL, and for the host that a
/// sentinel or node names the server by, which is an IP address unless they are configured to announce
/// host names (`resolve-hostnames` and `announce-hostnames` of Sentinel, `cluster-announce-hostname`
/// and `cluster-preferred-endpoint-type` of a cluster). The system's roots are trusted, or Mozilla's
/// where there are none.
///
/// # Fail-over
///
/// The first command after a fail-over may fail; those after it find the new primary. A fail-over may
/// lose what was written last: a tombstone for a forgotten token, or the record of a proof.
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
    servers: Servers,
}

enum Servers {
    One(Link<Server>),
    Sentinel(Link<Primary>),
    Cluster(Cluster),
}

impl RedisCache {
    /// A cache at a URL of one of the forms [above](Self), what is special in user and password
    /// percent-encoded.
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
        let url = RedisUrl::parse(url).map_err(refused)?;
        let access = Access::new(&url, ca_certificates);
        let access = access.map_err(|error| refused(&error.to_string()))?;
        let servers = match url.deployment {
            Deployment::Server(address) => {
                Servers::One(Link::new(Server { access: Arc::new(access), address }))
            }
            Deployment::Sentinel { sentinels, service } => {
                Servers::Sentinel(Link::new(Primary::new(access, sentinels, service)))
            }
            Deployment::Cluster(seeds) => Servers::Cluster(Cluster::new(access, seeds)),
        };
        Ok(Self { servers })
    }

    /// Runs a command on the primary that has its key, the only one.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        match &self.servers {
            Servers::One(server) => server.run(command).await,
            Servers::Sentinel(primary) => primary.run(command).await,
            Servers::Cluster(cluster) => cluster.run(command).await,
        }
    }
}

/// The name of a value: a prefix, and the value's key in hexadecimal digits.
pub(crate) fn name(prefix: &str, key: &[u8; 32]) -> String {
    key.iter().fold(prefix.to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// A lifetime as `PX` takes it, which is not zero.
pub(crate) fn milliseconds(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").finish_non_exhaustive()
    }
}

//! What went wrong, in words of our own: a server may repeat the password in its error.

use std::{error::Error as StdError, fmt, io};

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use rustls::CertificateError;

use crate::config::Address;

/// Why a command has no result.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Unreachable(io::ErrorKind),
    Tls(&'static str),
    Silent,
    Closed,
    Interrupted,
    LoginRefused,
    Garbage,
    /// Another node of the cluster has the key.
    Redirected(Redirection),
    /// No node of the cluster has the key.
    Unassigned,
    /// No sentinel knows the service.
    UnknownService,
    /// The server that the sentinels name is a replica.
    NotPrimary,
    /// An error of Redis, by its code if it is a known one.
    Error(Option<&'static str>),
}

/// Where a cluster sends a command.
#[derive(Clone, Debug)]
pub(crate) struct Redirection {
    pub(super) slot: u16,
    /// Without a host, where the node does not know its own: that of the node that answered.
    pub(super) node: Address,
    /// While the slot migrates; the next command for it goes where this one went at first.
    pub(super) is_once: bool,
}

impl Failure {
    /// The value is of another type, and so another program's.
    pub(crate) fn is_foreign_value(&self) -> bool {
        matches!(self, Self::Error(Some("WRONGTYPE")))
    }

    /// The server is a replica since a fail-over, and has not executed the command.
    pub(super) fn is_of_replica(&self) -> bool {
        matches!(self, Self::Error(Some("READONLY")))
    }

    /// The connection is as good as before.
    pub(super) fn keeps_connection(&self) -> bool {
        self.is_foreign_value() || matches!(self, Self::Redirected(_))
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
        if let Some(redirection) = Redirection::of(error) {
            return Self::Redirected(redirection);
        }
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

impl Redirection {
    fn of(error: &RedisError) -> Option<Self> {
        let (node, slot) = error.redirect_node()?;
        let (host, port) = node.rsplit_once(':')?;
        Some(Self {
            slot,
            node: Address { host: host.to_owned(), port: port.parse().ok()? },
            is_once: error.kind() == ErrorKind::Server(ServerErrorKind::Ask),
        })
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
            Self::Redirected(_) => f.write_str("another node of the cluster has the key"),
            Self::Unassigned => f.write_str("no node of the cluster has the key"),
            Self::UnknownService => f.write_str("Sentinel does not know the service"),
            Self::NotPrimary => f.write_str("the server that Sentinel names is not a primary"),
            Self::Error(Some(code)) => write!(f, "Redis answered with the error {code}"),
            Self::Error(None) => f.write_str("Redis answered with an error"),
        }
    }
}

impl StdError for Failure {}

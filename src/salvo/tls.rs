//! salvo's own rustls listener, which lets a request see the certificate of its connection.

use std::{
    future::{Ready, ready},
    io,
};

use ::salvo_core::conn::{IntoConfigStream, rustls::ServerConfig};
use futures_util::stream::{Once, once};

use crate::certificate::ServerTls;

/// `TcpListener::new("0.0.0.0:8443").rustls(tls)` serves with it, and its requests know the
/// certificate of their caller.
impl IntoConfigStream<Self> for ServerTls {
    type Stream = Once<Ready<Self>>;

    fn into_stream(self) -> Self::Stream {
        once(ready(self))
    }
}

/// # Errors
///
/// A file of the [`ServerTls`] that is of no use, by name.
impl TryFrom<ServerTls> for ServerConfig {
    type Error = io::Error;

    fn try_from(tls: ServerTls) -> io::Result<Self> {
        tls.config()
    }
}

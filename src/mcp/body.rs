//! Reads the body of a request, on any host.

use std::{future::poll_fn, pin::pin};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BodyError {
    /// It ended too early.
    Incomplete,
    /// It is larger than the [limit](super::McpGuard::body_limit).
    TooLarge,
}

/// Reads a body to its end, unless it has more bytes than `limit`.
#[allow(dead_code, reason = "hosts use it")]
pub(crate) async fn read_body<S, B, E>(stream: S, limit: usize) -> Result<Bytes, BodyError>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
{
    let (mut stream, mut body) = (pin!(stream), BytesMut::new());
    while let Some(chunk) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|_| BodyError::Incomplete)?;
        if body.len() + chunk.as_ref().len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(chunk.as_ref());
    }
    Ok(body.freeze())
}

//! The proofs that were used, in Redis.

use std::time::Duration;

use super::store::{ReplayFuture, ReplayKey, ReplayStore};
use crate::redis::{RedisCache, milliseconds, name};

/// What names a proof, before its key in hexadecimal digits.
const PREFIX: &str = "monocloud-backend:dpop:";

/// By one command, `SET … 1 NX PX …`, on keys that begin with `monocloud-backend:dpop:`. A fail-over
/// may lose the proofs that were recorded last.
impl ReplayStore for RedisCache {
    fn record(&self, key: ReplayKey, lifetime: Duration) -> ReplayFuture<'_> {
        Box::pin(async move {
            let mut command = ::redis::cmd("SET");
            command.arg(name(PREFIX, key.as_bytes())).arg(1);
            command.arg("NX").arg("PX").arg(milliseconds(lifetime));
            let written: Option<String> = self.run(&command).await?;
            Ok(written.is_some())
        })
    }
}

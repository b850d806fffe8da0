//! The proofs that were used, in Redis.

use std::{fmt::Write as _, time::Duration};

use super::store::{ReplayFuture, ReplayKey, ReplayStore};
use crate::redis::RedisCache;

/// What names a proof, before its key in hexadecimal digits.
const PREFIX: &str = "monocloud-backend:dpop:";

/// By one command, `SET … 1 NX PX …`, on keys that begin with `monocloud-backend:dpop:`. A fail-over
/// may lose the proofs that were recorded last.
impl ReplayStore for RedisCache {
    fn record(&self, key: ReplayKey, lifetime: Duration) -> ReplayFuture<'_> {
        Box::pin(async move {
            let mut command = ::redis::cmd("SET");
            let milliseconds = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            command.arg(name(key)).arg(1).arg("NX").arg("PX").arg(milliseconds.max(1));
            let written: Option<String> = self.run(&command).await?;
            Ok(written.is_some())
        })
    }
}

fn name(key: ReplayKey) -> String {
    key.as_bytes().iter().fold(PREFIX.to_owned(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

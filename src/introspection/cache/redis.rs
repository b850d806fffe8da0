//! Introspection results in Redis.

use std::time::Duration;

use ::redis::Cmd;

use crate::{
    introspection::cache::store::{CacheFuture, CacheKey, IntrospectionCache},
    redis::{self, RedisCache, milliseconds},
};

/// What names a value, before its key in hexadecimal digits.
const PREFIX: &str = "monocloud-backend:introspection:";

/// A longer value was not written by this library, in bytes.
const MAX_VALUE: usize = 2 * 1024 * 1024;

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

fn name(key: CacheKey) -> String {
    redis::name(PREFIX, key.as_bytes())
}

//! Tokens: an `Authorization` header of any bytes, a JWT of any segments, and one that the tenant
//! signed whatever it holds.

#![no_main]

use http::{HeaderMap, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;
use world::{WORLD, compact, segments, value};

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let [header, payload, _] = segments(data);
    let credentials = match mode % 3 {
        0 => data.to_vec(),
        1 => format!("Bearer {}", compact(segments(data))).into_bytes(),
        _ => {
            let token = WORLD.tenant.token().raw_payload(payload);
            let token = match std::str::from_utf8(header) {
                Ok(header) if !header.is_empty() => token.raw_header(header),
                _ => token,
            };
            format!("Bearer {}", token.mint()).into_bytes()
        }
    };
    let Some(credentials) = value(credentials) else { return };
    let headers: HeaderMap = [(AUTHORIZATION, credentials)].into_iter().collect();
    // Only a signature of the tenant's is accepted.
    assert!(mode % 3 == 2 || !WORLD.is_accepted(&headers));
    if mode % 3 == 2 {
        WORLD.is_accepted(&headers);
    }
});

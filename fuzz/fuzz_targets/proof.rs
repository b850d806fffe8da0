//! DPoP proofs beside a valid token: a `DPoP` header of any bytes, a JWT of any segments, and one that
//! the client's key signed whatever it holds.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;
use world::{URL, WORLD, compact, segments, value};

static TOKEN: LazyLock<String> =
    LazyLock::new(|| WORLD.tenant.token().bound_to_key(&WORLD.key).mint());

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let [header, payload, _] = segments(data);
    let proof = match mode % 3 {
        0 => data.to_vec(),
        1 => compact(segments(data)).into_bytes(),
        _ => {
            let proof = WORLD.tenant.proof(&WORLD.key, "GET", URL).for_token(&TOKEN);
            let proof = if payload.is_empty() { proof } else { proof.raw_payload(payload) };
            match std::str::from_utf8(header) {
                Ok(header) if !header.is_empty() => proof.raw_header(header),
                _ => proof,
            }
            .mint()
            .into_bytes()
        }
    };
    let Some(proof) = value(proof) else { return };
    let mut headers = HeaderMap::new();
    headers.extend(value(format!("DPoP {}", *TOKEN)).map(|value| (AUTHORIZATION, value)));
    headers.insert("dpop", proof);
    let is_accepted = WORLD.is_accepted(&headers);
    // Only a signature of the client's is accepted, and once.
    assert!(mode % 3 == 2 || !is_accepted);
    assert!(!is_accepted || !WORLD.is_accepted(&headers));
});

//! What an attacker can write to a shared store without knowing the fleet key.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};
use monocloud_testkit::MockTenant;
use serde_json::json;

/// Values that would make the made-up `token` an administrator's. Each is sealed for the entry
/// `key` in another way: as this and an older version seal, with keys derived from public values.
pub fn forged(tenant: &MockTenant, token: &str, key: &[u8; 32]) -> Vec<Vec<u8>> {
    const PURPOSES: [&[u8]; 2] = [
        b"monocloud-backend introspection cache, version 1",
        b"monocloud-backend introspection cache, version 2",
    ];
    let claims = json!({
        "iss": tenant.issuer(), "aud": tenant.audience(), "sub": "mallory", "groups": ["admin"],
        "scope": "posts:read posts:write",
    });
    let now = tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let time = u64::try_from(now.as_millis()).unwrap().to_be_bytes();
    let until = now.as_secs() + 1_000_000_000;
    let plains = [
        json!({"until": until, "claims": claims}).to_string().into_bytes(),
        [&time[..], &time, claims.to_string().as_bytes()].concat(),
    ];
    let salts = [vec![], key.to_vec(), expand(&Salt::new(HKDF_SHA256, &[]).extract(&[]), b"")];
    let purposes = PURPOSES
        .map(|purpose| expand(&Salt::new(HKDF_SHA256, &[]).extract(token.as_bytes()), purpose));
    let mut values = Vec::new();
    for salt in salts.iter().chain(&purposes) {
        let secret = Salt::new(HKDF_SHA256, salt).extract(token.as_bytes());
        for info in [PURPOSES[0], PURPOSES[1], b"seal", b""] {
            let cipher = RandomizedNonceKey::new(&AES_256_GCM, &expand(&secret, info)).unwrap();
            for plain in &plains {
                let mut value = plain.clone();
                let nonce = cipher.seal_in_place_append_tag(Aad::from(key), &mut value).unwrap();
                values.push([nonce.as_ref().as_slice(), &value].concat());
            }
        }
    }
    values
}

fn expand(key: &Prk, info: &[u8]) -> Vec<u8> {
    struct Length;

    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }

    let mut expanded = vec![0; 32];
    key.expand(&[info], Length).unwrap().fill(&mut expanded).unwrap();
    expanded
}

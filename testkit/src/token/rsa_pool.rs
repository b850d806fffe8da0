//! RSA keys from files: generating one takes a tenth of a second, parsing one less than a
//! millisecond. Each is parsed once per process.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{rsa::KeySize, signature::RsaKeyPair};

type PooledKey = LazyLock<Arc<RsaKeyPair>>;

static TENANT_KEYS: [PooledKey; 16] = [
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-01.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-02.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-03.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-04.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-05.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-06.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-07.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-08.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-09.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-10.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-11.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-12.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-13.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-14.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-15.pkcs8.der"))),
    LazyLock::new(|| parse(include_bytes!("../../keys/tenant-16.pkcs8.der"))),
];

static ATTACKER_KEY: PooledKey =
    LazyLock::new(|| parse(include_bytes!("../../keys/attacker.pkcs8.der")));

/// A key that the tenant does not have `in_use`; a generated one if all of them are.
pub(crate) fn tenant_key(in_use: impl Fn(&Arc<RsaKeyPair>) -> bool) -> Arc<RsaKeyPair> {
    // Each search starts with the next key, so that consecutive tenants differ.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let first = NEXT.fetch_add(1, Ordering::Relaxed) % TENANT_KEYS.len();

    let mut candidates = TENANT_KEYS.iter().cycle().skip(first).take(TENANT_KEYS.len());
    match candidates.find(|key| !in_use(key)) {
        Some(key) => Arc::clone(key),
        None => generate(),
    }
}

pub(crate) fn generate() -> Arc<RsaKeyPair> {
    Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be created"))
}

/// The attacker's key, which no tenant uses.
pub(crate) fn attacker_key() -> Arc<RsaKeyPair> {
    Arc::clone(&ATTACKER_KEY)
}

fn parse(pkcs8: &[u8]) -> Arc<RsaKeyPair> {
    Arc::new(RsaKeyPair::from_pkcs8(pkcs8).expect("an embedded key parses"))
}

//! What the fuzz targets have in common: a tenant with a stopped clock, an API that it protects, and
//! how the fuzzer's bytes become the text of a JWT.

use std::sync::LazyLock;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use monocloud_backend::{Guard, Policy, ProtectApi, RequestHead, dpop::DpopMode};
use monocloud_testkit::{Algorithm, Clock, DpopKey, MockTenant};
use tokio::runtime::Runtime;

/// Separates the segments of a JWT in the fuzzer's bytes. It is in no UTF-8.
const SEPARATOR: u8 = 0xff;

/// The URL of every request, as the client knows it.
pub const URL: &str = "https://api.example.com/posts";

/// A tenant, an API and a client with a key.
pub struct World {
    runtime: Runtime,
    pub tenant: MockTenant,
    guard: Guard,
    pub key: DpopKey,
}

pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("there are threads");
    let tenant = MockTenant::builder().algorithm(Algorithm::EdDsa).clock(Clock::frozen());
    let tenant = runtime.block_on(tenant.start());
    let builder = ProtectApi::builder().vars(tenant.vars()).clock(tenant.clock().reading());
    let protect = builder.dpop(DpopMode::Allowed).build().expect("it is valid");
    runtime.block_on(protect.warm_up()).expect("the tenant answers");
    World { runtime, tenant, guard: protect.require(Policy::ANY_TOKEN), key: DpopKey::generate() }
});

impl World {
    /// Checks a request, and that its response is one that HTTP allows. Whether it was accepted.
    pub fn is_accepted(&self, headers: &HeaderMap) -> bool {
        let uri = Uri::from_static("/posts");
        let head = RequestHead::new(&Method::GET, &uri, headers);
        match self.runtime.block_on(self.guard.check(head)) {
            Ok(_) => true,
            Err(refusal) => {
                let status = refusal.response().status();
                // After a million proofs, the record is full.
                if status != StatusCode::SERVICE_UNAVAILABLE {
                    assert!(status.is_client_error(), "{refusal:?}");
                    assert_eq!(refusal.challenges().count(), 2, "{refusal:?}");
                }
                false
            }
        }
    }
}

/// The segments in the fuzzer's bytes: header, payload and signature, before they are encoded.
pub fn segments(data: &[u8]) -> [&[u8]; 3] {
    let mut segments = data.splitn(3, |byte| *byte == SEPARATOR);
    std::array::from_fn(|_| segments.next().unwrap_or_default())
}

/// JWS compact serialisation of segments.
pub fn compact(segments: [&[u8]; 3]) -> String {
    segments.map(|segment| BASE64_URL_SAFE_NO_PAD.encode(segment)).join(".")
}

/// The opposite of [`compact`], for the seeds.
pub fn bytes(jwt: &str) -> Option<Vec<u8>> {
    let segments = jwt.split('.').map(|segment| BASE64_URL_SAFE_NO_PAD.decode(segment));
    let segments: Vec<Vec<u8>> = segments.collect::<Result<_, _>>().ok()?;
    Some(segments.join(&SEPARATOR))
}

/// A header's value, if HTTP allows it.
pub fn value(bytes: impl AsRef<[u8]>) -> Option<HeaderValue> {
    HeaderValue::from_bytes(bytes.as_ref()).ok()
}

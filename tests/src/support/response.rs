//! Responses in place of the tenant's own.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use monocloud_testkit::{Endpoint, MockTenant};
use wiremock::{Mock, ResponseTemplate, matchers::path};

/// A mock of one of the tenant's endpoints.
pub fn mock(tenant: &MockTenant, endpoint: Endpoint, response: ResponseTemplate) -> Mock {
    Mock::given(path(&tenant.url(endpoint)[tenant.issuer().len()..])).respond_with(response)
}

/// A response with status 200 and this body.
pub fn body(body: impl Into<Vec<u8>>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_bytes(body)
}

/// The same with a content coding (RFC 9110 §8.4).
pub fn coded(coding: &str, content: impl Into<Vec<u8>>) -> ResponseTemplate {
    body(content).insert_header("content-encoding", coding)
}

/// Appends spaces up to this length.
pub fn padded(text: &str, length: usize) -> String {
    text.to_owned() + &" ".repeat(length - text.len())
}

/// Compresses content as a proxy does (RFC 1952).
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

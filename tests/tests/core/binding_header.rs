//! Tokens bound to a certificate that a proxy passes in a header.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::support::{
    Call, Expected, frozen_tenant, get, introspecting, invalid_token, ok, serve,
};
use monocloud_backend::{ProtectApiBuilder, certificate::CertificateBinding, error::InvalidToken};
use monocloud_testkit::{Certificate, MockTenant};
use reqwest::header::HeaderName;

const XFCC: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

fn behind_proxy(tenant: &MockTenant, header: &str) -> ProtectApiBuilder {
    introspecting(tenant).client_certificate_header(header)
}

fn base64(certificate: &Certificate) -> String {
    BASE64_STANDARD.encode(certificate.der())
}

/// As nginx writes it: `$ssl_client_escaped_cert`.
fn escaped(certificate: &Certificate) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    certificate.certificate_pem().bytes().map(escape).collect()
}

/// As an AWS load balancer writes it: `+`, `=` and `/` are not escaped.
fn escaped_except_plus(certificate: &Certificate) -> String {
    let escaped = escaped(certificate);
    escaped.replace("%2B", "+").replace("%3D", "=").replace("%2F", "/")
}

fn with_spaces(certificate: &Certificate) -> String {
    certificate.certificate_pem().replace("\r\n", " ").replace('\n', " ").trim().to_owned()
}

fn xfcc(certificate: &Certificate) -> String {
    let certificate = escaped(certificate);
    format!(r#"By=spiffe://mesh/api;Hash=00;Cert="{certificate}";Subject="CN=a,O=\"b;c\"";URI="#)
}

/// The name of the case, the headers beside the token, and the expected answer.
type Case<'c> = (&'c str, &'c [(HeaderName, String)], Expected);

/// Makes calls with a JWT and with an opaque token, both bound to `own`.
async fn assert_calls(header: &str, own: &Certificate, cases: &[Case<'_>]) {
    assert_calls_where(|tenant| behind_proxy(tenant, header), own, cases).await;
}

async fn assert_calls_where(
    protect: impl Fn(&MockTenant) -> ProtectApiBuilder,
    own: &Certificate,
    cases: &[Case<'_>],
) {
    let tenant = frozen_tenant().await;
    let api = serve(&protect(&tenant).build().unwrap());
    for token in [tenant.token(), tenant.opaque_token()] {
        let token = token.bound_to(own).mint();
        for (case, headers, expected) in cases {
            let add =
                |call: Call, (name, value): &(HeaderName, String)| call.header(name.clone(), value);
            let call = headers.iter().fold(get("/any").bearer(&token), add);
            api.check(case, call, expected).await;
        }
    }
}

#[tokio::test]
async fn a_certificate_is_read_in_each_format_and_must_match() {
    let (own, other) = (Certificate::self_signed("own"), Certificate::self_signed("other"));
    let name = HeaderName::from_static("client-cert");
    let binding = || invalid_token(InvalidToken::Binding);
    for (form, write) in [
        ("escaped PEM", escaped as fn(&Certificate) -> String),
        ("escaped PEM with a plain plus", escaped_except_plus),
        ("PEM with spaces", with_spaces),
        ("DER in base64", base64),
        ("a byte sequence", |certificate| format!(":{}:", base64(certificate))),
    ] {
        let cases = [
            (form, &[(name.clone(), write(&own))][..], ok()),
            (form, &[(name.clone(), write(&other))], binding()),
            (form, &[], binding()),
        ];
        assert_calls("Client-Cert", &own, &cases).await;
    }
}

#[tokio::test]
async fn a_forwarded_list_must_have_one_element_unless_the_last_one_counts() {
    let (own, other) = (Certificate::self_signed("own"), Certificate::self_signed("other"));
    let unusable = || invalid_token(InvalidToken::Certificate);
    let binding = || invalid_token(InvalidToken::Binding);
    let line = |value: String| [(XFCC, value)];
    let (own_last, other_last) = (
        line(format!("{},{}", xfcc(&other), xfcc(&own))),
        line(format!("{},{}", xfcc(&own), xfcc(&other))),
    );
    let two_lines = [(XFCC, xfcc(&other)), (XFCC, xfcc(&own))];
    let without_cert = line(format!("{},By=spiffe://mesh/sidecar;URI=", xfcc(&own)));
    // The caller adds a quote, so that its certificate's subject could be read as an element.
    let names_own = format!(r#"CN=x\,Cert={}\;y\""#, escaped(&own));
    let with_subject = format!(r#"By=a;Hash=00;Cert="{}";Subject="{names_own}""#, escaped(&other));
    let shifted = line(format!(r#"By="x,{with_subject}"#));
    let shifted_lines = [(XFCC, r#"By="x"#.to_owned()), (XFCC, with_subject.clone())];
    let with_name = line(format!("{};URI=spiffe://x,Cert={}", xfcc(&other), escaped(&own)));
    let twice = line(format!(r#"{};Cert="{}""#, xfcc(&other), escaped(&own)));

    let cases = [
        ("one element", &line(xfcc(&own))[..], ok()),
        ("one element of another", &line(xfcc(&other)), binding()),
        ("two elements", &own_last, unusable()),
        ("two lines", &two_lines, unusable()),
        ("a sidecar's element", &without_cert, unusable()),
        ("a shifted quote", &shifted, unusable()),
        ("a shifted quote in a line before", &shifted_lines, unusable()),
        ("a name with a comma", &with_name, unusable()),
        ("two certificates", &twice, unusable()),
    ];
    assert_calls("x-forwarded-client-cert", &own, &cases).await;

    let cases = [
        ("one element", &line(xfcc(&own))[..], ok()),
        ("own last", &own_last, ok()),
        ("own last, in two lines", &two_lines, ok()),
        ("another's last", &other_last, binding()),
        ("a sidecar's element", &without_cert, unusable()),
        ("a shifted quote", &shifted, binding()),
        ("a shifted quote in a line before", &shifted_lines, binding()),
        ("two certificates", &twice, unusable()),
    ];
    let last_counts = |tenant: &MockTenant| {
        behind_proxy(tenant, "x-forwarded-client-cert").last_forwarded_certificate_counts()
    };
    assert_calls_where(last_counts, &own, &cases).await;
}

#[tokio::test]
async fn a_header_without_exactly_one_certificate_is_rejected() {
    let own = Certificate::self_signed("own");
    let name = HeaderName::from_static("client-cert");
    let header = |value: &str| [(name.clone(), value.to_owned())];
    let unusable = || invalid_token(InvalidToken::Certificate);
    let (own_base64, twice) =
        (base64(&own), [header(&base64(&own)), header(&base64(&own))].concat());
    let cases = [
        ("the same header twice", &twice[..], unusable()),
        ("twice in one header", &header(&format!("{own_base64}, {own_base64}")), unusable()),
        ("a chain of bare base64", &header(&format!("{own_base64},{own_base64}")), unusable()),
        ("text after the certificate", &header(&format!("{}%00", escaped(&own))), unusable()),
        ("another in PEM after a comma", &header(&format!("{0},{0}", escaped(&own))), unusable()),
        ("nothing", &header(""), unusable()),
        ("text", &header("let me in"), unusable()),
        ("not X.509", &header("AQIDBAUGBwg="), unusable()),
        ("a part of a certificate", &header(&own_base64[..own_base64.len() - 8]), unusable()),
        ("a thumbprint", &header(&own.thumbprint()), unusable()),
        ("XFCC elsewhere", &header(&xfcc(&own)), unusable()),
        ("another header", &[(XFCC, xfcc(&own))], invalid_token(InvalidToken::Binding)),
    ];
    assert_calls("client-cert", &own, &cases).await;
}

#[tokio::test]
async fn the_header_is_read_only_for_bound_tokens() {
    let own = Certificate::self_signed("own");
    let tenant = frozen_tenant().await;
    let protect = |mode| behind_proxy(&tenant, "client-cert").certificate_binding(mode);
    let serve = |mode| serve(&protect(mode).build().unwrap());
    let (bound, unbound) = (tenant.token().bound_to(&own).mint(), tenant.token().mint());
    let plain = |token: &str| get("/any").bearer(token);
    let garbage = |token: &str| plain(token).header("client-cert", "garbage");
    let certified = |token: &str| plain(token).header("client-cert", base64(&own));

    let api = serve(CertificateBinding::WhenPresent);
    api.check("unbound", garbage(&unbound), &ok()).await;

    let api = serve(CertificateBinding::DangerouslyIgnore);
    api.check("ignored", garbage(&bound), &ok()).await;

    let api = serve(CertificateBinding::Required);
    api.check("bound", certified(&bound), &ok()).await;
    let unbound_is_rejected = invalid_token(InvalidToken::Unbound);
    api.check("unbound", certified(&unbound), &unbound_is_rejected).await;
}

//! The client certificate in a header: what a proxy that ends TLS says of its caller.
//!
//! Whoever else can send that header can pretend to be anybody, so none is read unless the
//! configuration names it.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use crate::{certificate::PeerCertificate, error::InvalidToken};

/// Envoy's header, a list to which every proxy on the way adds an element.
const XFCC: &str = "x-forwarded-client-cert";

/// Proxies differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The one certificate that the header `name` holds, if it is there at all.
///
/// Twice the same header is one too many, since the caller may have sent the other.
pub(crate) fn certificate_in(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<Option<PeerCertificate>, InvalidToken> {
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        values.push(value.to_str().map_err(|_| InvalidToken::Certificate)?);
    }
    let certificate = match values.as_slice() {
        [] => return Ok(None),
        lines if name == XFCC => last_element(&lines.join(",")).and_then(decode),
        [value] => decode(value),
        [..] => None,
    };
    certificate.ok_or(InvalidToken::Certificate).map(Some)
}

/// A certificate as proxies write it: as a byte sequence (RFC 9440 §2.2), as PEM (RFC 7468 §5),
/// percent-encoded or with blanks for its line ends, or as DER in base64.
fn decode(value: &str) -> Option<PeerCertificate> {
    let value = value.trim();
    let base64 = match value.strip_prefix(':') {
        Some(sequence) => sequence.strip_suffix(':')?.to_owned(),
        None => {
            let text = percent_decode_str(value).decode_utf8().ok()?;
            let base64 = match text.trim_start().strip_prefix("-----BEGIN CERTIFICATE-----") {
                // What follows are the certificates that vouch for the first.
                Some(pem) => pem.split_once("-----END CERTIFICATE-----")?.0,
                None => &text,
            };
            base64.split_ascii_whitespace().collect()
        }
    };
    let der = BASE64.decode(base64).ok()?;
    PeerCertificate::from_der(der).ok()
}

/// The `Cert` of the last element: the proxy next to us wrote that one, and callers the others.
fn last_element(list: &str) -> Option<&str> {
    let element = *split_outside_quotes(list, ',')?.last()?;
    let mut certificates = split_outside_quotes(element, ';')?.into_iter().filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case("cert").then_some(value.trim())
    });
    let certificate = certificates.next()?;
    if certificates.next().is_some() {
        return None;
    }
    match certificate.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(certificate),
    }
}

/// Nothing if a quote stays open: what a caller began, no proxy must seem to end.
fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text
        .split(|character| {
            let is_literal = std::mem::take(&mut is_escaped);
            match character {
                '\\' => is_escaped = is_quoted && !is_literal,
                '"' if !is_literal => is_quoted = !is_quoted,
                _ => {}
            }
            character == separator && !is_quoted
        })
        .collect();
    (!is_quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use http::HeaderValue;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    struct Sample {
        certificate: PeerCertificate,
        pem: String,
    }

    impl Sample {
        fn new(name: &str) -> Self {
            let params = CertificateParams::new([name.to_owned()]).unwrap();
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            Self {
                certificate: PeerCertificate::from_der(certificate.der().to_vec()).unwrap(),
                pem: certificate.pem(),
            }
        }

        fn base64(&self) -> String {
            BASE64_STANDARD.encode(self.certificate.der())
        }

        fn encoded(&self) -> String {
            utf8_percent_encode(&self.pem, NON_ALPHANUMERIC).to_string()
        }

        fn blank_pem(&self) -> String {
            self.pem.replace("\r\n", " ").replace('\n', " ")
        }
    }

    fn read(name: &'static str, values: &[&str]) -> Result<Option<PeerCertificate>, InvalidToken> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        certificate_in(&headers, &HeaderName::from_static(name))
    }

    #[test]
    fn a_certificate_is_read_in_every_form_that_proxies_write() {
        let sample = Sample::new("client");
        let base64 = sample.base64();
        let safe_plus = sample.pem.replace('\n', "%0A").replace(' ', "%20");
        let chain = sample.encoded() + &Sample::new("authority").encoded();
        for value in [
            &sample.encoded(),
            &safe_plus,
            &chain,
            &sample.blank_pem(),
            &sample
                .blank_pem()
                .replace(' ', "\t")
                .replace("BEGIN\t", "BEGIN ")
                .replace("END\t", "END "),
            &base64,
            &base64.replace('+', "%2B"),
            base64.trim_end_matches('='),
            &format!(":{base64}:"),
            &format!(" :{base64}: "),
            &format!("%0A%20{}", sample.encoded()),
        ] {
            let read = read("client-cert", &[value]);
            assert_eq!(read, Ok(Some(sample.certificate.clone())), "{value}");
        }
        assert_eq!(read("client-cert", &[]), Ok(None));
    }

    #[test]
    fn anything_else_in_the_header_is_refused() {
        let sample = Sample::new("client");
        let base64 = sample.base64();
        let key = KeyPair::generate().unwrap();
        for value in [
            "",
            ":",
            "::",
            "not a certificate",
            &format!(":{base64}"),
            &format!(":{}:", &base64[1..]),
            &format!("{base64},{base64}"),
            &format!("before {}", sample.blank_pem()),
            &sample.encoded().replace("END", "FIN"),
            &sample.encoded().replace("CERTIFICATE", "TRUSTED%20CERTIFICATE"),
            &base64.replace('+', " "),
            &utf8_percent_encode(&key.serialize_pem(), NON_ALPHANUMERIC).to_string(),
            "%ff%fe",
        ] {
            // Without a plus in it, a certificate survives its loss.
            if value == base64 {
                continue;
            }
            assert_eq!(read("client-cert", &[value]), Err(InvalidToken::Certificate), "{value}");
        }
        let twice = [base64.as_str(), &base64];
        assert_eq!(read("client-cert", &twice), Err(InvalidToken::Certificate));
    }

    #[test]
    fn of_a_list_of_proxies_the_last_one_is_believed() {
        let (near, far) = (Sample::new("near"), Sample::new("far"));
        let element = |sample: &Sample| {
            format!(r#"By=spiffe://a;Hash=ab;Cert="{}";Subject="CN=a,O=\"b;c\"""#, sample.encoded())
        };
        let (near_element, far_element) = (element(&near), element(&far));
        let certificate = Ok(Some(near.certificate.clone()));
        for values in [
            &[near_element.as_str()][..],
            &[&format!("{far_element},{near_element}")],
            &[&format!("{far_element} , {near_element}")],
            &[&far_element, &near_element],
            &[&format!("cert={}", near.encoded())],
            &[&format!(r#"Hash=ab; Cert = "{}" ;By=a"#, near.encoded())],
            &[&format!(r#"Cert="{}";Subject="CN=\"a,b\"""#, near.encoded())],
            &[&format!(r#"Subject="CN=a\\";Cert="{}""#, near.encoded())],
        ] {
            assert_eq!(read(XFCC, values), certificate, "{values:?}");
        }
        for values in [
            &[format!("{near_element},By=spiffe://a")][..],
            &[format!("{near_element},")],
            &[format!(r#"By=",{near_element}"#)],
            &[format!(r#"By="\,{near_element}"#)],
            &[format!("{near_element};{far_element}")],
            &[format!(r#"Cert={};Subject="CN=a"#, near.encoded())],
            &[format!(r#"Cert="{}"""#, near.encoded())],
            &[format!(r#"Cert="{}"x"#, near.encoded())],
            &[near.encoded()],
            &[String::new()],
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            assert_eq!(read(XFCC, &values), Err(InvalidToken::Certificate), "{values:?}");
        }
    }
}

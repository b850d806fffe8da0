//! The client certificate in a header that a TLS-terminating proxy sets.
//!
//! Anyone else who can set that header can impersonate any client, so no header is read unless the
//! configuration names one.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::binding::PeerCertificate;
use crate::error::InvalidToken;

/// Envoy's header: a list of elements, one per proxy on the way.
const XFCC: &str = "x-forwarded-client-cert";

const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const PEM_END: &str = "-----END CERTIFICATE-----";

/// Proxies differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The header that carries the client certificate, and how it is read.
#[derive(Clone, Debug)]
pub(crate) struct CertificateHeader {
    name: HeaderName,
    last_element_counts: bool,
}

impl CertificateHeader {
    /// A header with exactly one certificate. With `last_element_counts` an
    /// `X-Forwarded-Client-Cert` may have several elements, of which only the last is read.
    pub(crate) const fn new(name: HeaderName, last_element_counts: bool) -> Self {
        Self { name, last_element_counts }
    }

    /// Whether the header `name` is a list of elements.
    pub(crate) fn is_list(name: &HeaderName) -> bool {
        name == XFCC
    }

    pub(crate) const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The certificate in a request's headers, if the header is present at all.
    pub(crate) fn certificate_in(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<PeerCertificate>, InvalidToken> {
        self.read(headers).map_err(|reason| {
            tracing::debug!(
                name: "token.certificate",
                header = %self.name,
                reason,
                "the client certificate in the header is unusable"
            );
            InvalidToken::Certificate
        })
    }

    fn read(&self, headers: &HeaderMap) -> Result<Option<PeerCertificate>, &'static str> {
        let mut lines = headers.get_all(&self.name).iter();
        let Some(last) = lines.next_back() else {
            return Ok(None);
        };
        let is_list = Self::is_list(&self.name);
        let text = match (is_list && self.last_element_counts, lines.next()) {
            (true, _) => last_element(last.as_bytes()),
            (false, None) => last.as_bytes(),
            // The caller may have sent the other one.
            (false, Some(_)) => return Err("the header is repeated"),
        };
        let text = std::str::from_utf8(text).map_err(|_| "the header is not ASCII")?;
        let certificate = if is_list { cert_of_element(text)? } else { text };
        decode(certificate).map(Some)
    }
}

/// Decodes a certificate as proxies write it: as a byte sequence (RFC 9440 §2.2), as PEM (RFC 7468
/// §5), percent-encoded or with spaces for its line ends, or as DER in base64.
///
/// A list of base64 certificates separated by commas, as Traefik writes a chain, is rejected: any
/// intermediary may join two lines of a header by a comma (RFC 9110 §5.3), and the first of them is
/// then the caller's. Checking that each certificate signed the one before does not help, since a
/// caller can have an authority's name and public key cross-certified by a key of its own.
fn decode(value: &str) -> Result<PeerCertificate, &'static str> {
    let value = value.trim();
    if let Some(sequence) = value.strip_prefix(':') {
        return from_base64(sequence.strip_suffix(':').ok_or("the byte sequence has no end")?);
    }
    let text = percent_decode_str(value).decode_utf8().map_err(|_| "the value is not UTF-8")?;
    let text = text.trim();
    if text.starts_with(PEM_BEGIN) { from_pem(text) } else { from_base64(text) }
}

/// The first certificate of a PEM text that consists of certificates only. The others are those of
/// its chain, which a TLS client may send in any order (RFC 8446 §4.4.2).
fn from_pem(mut text: &str) -> Result<PeerCertificate, &'static str> {
    let mut first = None;
    while !text.is_empty() {
        let certificate = text.strip_prefix(PEM_BEGIN).and_then(|text| text.split_once(PEM_END));
        let (base64, rest) = certificate.ok_or("the PEM text has more than certificates in it")?;
        let certificate = from_base64(base64)?;
        first.get_or_insert(certificate);
        text = rest.trim_start();
    }
    first.ok_or("the PEM text has no certificate in it")
}

fn from_base64(text: &str) -> Result<PeerCertificate, &'static str> {
    let base64: String = text.split_ascii_whitespace().collect();
    let der = BASE64.decode(base64).map_err(|_| "the certificate is not valid base64")?;
    PeerCertificate::from_der(der).map_err(|_| "the certificate is not valid X.509")
}

/// The value of the only `Cert` in a list of one element: `By=…;Hash=…;Cert="…";Subject="…"`.
///
/// A value is either quoted from its first character to its last, with backslash escapes, or has no
/// quote in it at all, so that no part of one value can pass for another.
fn cert_of_element(element: &str) -> Result<&str, &'static str> {
    let mut cert = None;
    let mut has_alternative_names = false;
    let mut rest = element;
    loop {
        let (key, value, after) = split_pair(rest).ok_or("the element is malformed")?;
        if key.eq_ignore_ascii_case("cert") {
            // Envoy writes subject alternative names after the certificate, and unquoted, so that
            // what follows them may be a part of such a name.
            if has_alternative_names {
                return Err("the element has a Cert after a URI or DNS name");
            }
            if cert.replace(value).is_some() {
                return Err("the element has several Cert values");
            }
        }
        has_alternative_names |= ["uri", "dns"].iter().any(|name| key.eq_ignore_ascii_case(name));
        match after.as_bytes().first() {
            None => return cert.ok_or("the element has no Cert"),
            Some(b';') => rest = after.get(1..).unwrap_or_default(),
            Some(_) => return Err("the header has several elements"),
        }
    }
}

/// Splits a pair off: its key, its value, and what follows, which is empty or begins with `;` or
/// `,`.
fn split_pair(text: &str) -> Option<(&str, &str, &str)> {
    let (key, text) = text.split_once('=')?;
    let key = key.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let text = text.trim_start();
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            let mut is_escaped = false;
            let end = quoted.bytes().position(|byte| {
                let is_literal = std::mem::take(&mut is_escaped);
                is_escaped = byte == b'\\' && !is_literal;
                byte == b'"' && !is_literal
            })?;
            let (value, rest) = quoted.split_at_checked(end)?;
            (value, rest.strip_prefix('"')?)
        }
        None => {
            let (value, rest) = text.split_at(text.find([';', ',']).unwrap_or(text.len()));
            (!value.contains('"')).then_some((value.trim_end(), rest))?
        }
    };
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with([';', ','])).then_some((key, value, rest))
}

/// What follows the last comma outside the quotes of the last element.
///
/// The line is read from its end, because the proxy next to this API wrote that, quotes in pairs: a
/// quote that a caller has opened before it then encloses nothing of it.
fn last_element(line: &[u8]) -> &[u8] {
    let mut is_quoted = false;
    let mut start = line.len();
    for (at, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if !is_escaped(line, at) => is_quoted = !is_quoted,
            b',' if !is_quoted => break,
            _ => {}
        }
        start = at;
    }
    line.get(start..).unwrap_or_default()
}

/// Whether the byte follows an odd number of backslashes.
fn is_escaped(line: &[u8], at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use base64::prelude::BASE64_STANDARD;
    use http::HeaderValue;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::{collection::vec, prelude::*, sample::select};
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

    fn read_as(
        header: &CertificateHeader,
        lines: &[&[u8]],
    ) -> Result<Option<PeerCertificate>, InvalidToken> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header.name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        header.certificate_in(&headers)
    }

    fn read(name: &'static str, lines: &[&str]) -> Result<Option<PeerCertificate>, InvalidToken> {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        read_as(&CertificateHeader::new(HeaderName::from_static(name), false), &lines)
    }

    /// What the last element of the lines holds, where the last one counts.
    fn read_last(lines: &[&[u8]]) -> Result<Option<PeerCertificate>, InvalidToken> {
        read_as(&CertificateHeader::new(HeaderName::from_static(XFCC), true), lines)
    }

    /// An element as Envoy writes it, with a subject of the caller's choice.
    fn element(sample: &Sample, subject: &str) -> String {
        format!(r#"By=spiffe://a;Hash=ab;Cert="{}";Subject="{subject}""#, sample.encoded())
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
            &format!("{base64}, {base64}"),
            &format!("{base64} {base64}"),
            &format!(":{base64}:, :{base64}:"),
            &format!(":{base64}:;v=1"),
            &format!("before {}", sample.blank_pem()),
            &format!("{} after", sample.blank_pem()),
            &format!("{0},{0}", sample.encoded()),
            &format!("{0}%3B{0}", sample.encoded()),
            &format!("{}%00", sample.encoded()),
            &format!("{}{PEM_BEGIN}AAAA{PEM_END}", sample.blank_pem()),
            &format!("{}{PEM_BEGIN}", sample.blank_pem()),
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
    fn a_list_has_one_element_with_one_certificate() {
        let (near, far) = (Sample::new("near"), Sample::new("far"));
        let certificate = Ok(Some(near.certificate.clone()));
        for value in [
            element(&near, r#"CN=a\,O=\"b\;c\""#),
            format!("cert={}", near.encoded()),
            format!(r#"Hash=ab; Cert = "{}" ;By=a"#, near.encoded()),
            format!(r#"Cert="{}";Subject="CN=\"a,b\"""#, near.encoded()),
            format!(r#"Subject="CN=a\\";Cert="{}""#, near.encoded()),
            format!(r#"Cert="{0}{1}";Chain="{0}{1}""#, near.encoded(), far.encoded()),
            format!(r#"Cert="{}";Subject="";URI=spiffe://a?b=c;DNS="#, near.encoded()),
        ] {
            assert_eq!(read(XFCC, &[&value]), certificate, "{value}");
            assert_eq!(read_last(&[value.as_bytes()]), certificate, "{value}");
        }
        let (near_element, far_element) = (element(&near, "CN=near"), element(&far, "CN=far"));
        let (near, far) = (near.encoded(), far.encoded());
        for lines in [
            vec![near_element.clone(), near_element.clone()],
            vec![far_element.clone(), near_element.clone()],
            vec![String::new(), near_element.clone()],
            vec![format!("{far_element},{near_element}")],
            vec![format!("{near_element},By=spiffe://a")],
            vec![format!("{near_element},")],
            vec![format!(",{near_element}")],
            // A quote that a caller opens, for the proxy's own to close.
            vec![format!(r#"By="x,{near_element}"#)],
            vec![r#"By="x"#.to_owned(), near_element.clone()],
            vec![format!(r#"By="\,{near_element}"#)],
            // A name of the subject's that does not end where Envoy thinks it does.
            vec![format!("{far_element};URI=spiffe://x,Cert={near}")],
            vec![format!("By=a;URI=spiffe://x;Cert={near}")],
            vec![format!(r#"By=a;DNS=x;Cert="{near}""#)],
            vec![format!("{near_element};{far_element}")],
            vec![format!("Cert={near};cert={far}")],
            vec![format!("Cert={near};Cert={near}")],
            vec![format!(r#"Cert={near};Subject="CN=a"#)],
            vec![format!(r#"Cert="{near}"""#)],
            vec![format!(r#"Cert="{near}"x"#)],
            vec![format!(r#"Cert=x"{near}""#)],
            vec![format!(r#"Cert="{near} {near_element}""#)],
            vec![format!("Cert={near};")],
            vec![format!("Cert={near};;By=a")],
            vec![format!("Cert={near};By")],
            vec![format!("=a;Cert={near}")],
            vec![format!(r#"Chain="{near}""#)],
            vec![near],
            vec![String::new()],
        ] {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            assert_eq!(read(XFCC, &lines), Err(InvalidToken::Certificate), "{lines:?}");
        }
    }

    #[test]
    fn where_the_last_element_counts_nothing_before_it_does() {
        let (near, far) = (Sample::new("near"), Sample::new("far"));
        let certificate = Ok(Some(near.certificate.clone()));
        let (own, callers) = (element(&near, r#"CN=a\,\"b\\"#), element(&far, "CN=far"));
        for prefix in [&callers, "", "\\", "\"", "\\\"", "\\\\\"", r#"By="x"#, "\"\\", "a,\",b"] {
            let joined = format!("{prefix},{own}");
            assert_eq!(read_last(&[joined.as_bytes()]), certificate, "{prefix}");
            let joined = format!("{prefix} , {own} ");
            assert_eq!(read_last(&[joined.as_bytes()]), certificate, "{prefix}");
            let lines = [prefix.as_bytes(), own.as_bytes()];
            assert_eq!(read_last(&lines), certificate, "{prefix}");
        }
        for last in ["By=spiffe://a", "", " ", "\"", r#"Cert="#, &format!("Cert={callers}")] {
            for lines in [vec![format!("{own},{last}")], vec![own.clone(), last.to_owned()]] {
                let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
                assert_eq!(read_last(&lines), Err(InvalidToken::Certificate), "{last}");
            }
        }
        assert_eq!(read_last(&[]), Ok(None));
    }

    #[test]
    fn a_quote_of_the_callers_moves_nothing_of_the_proxys_element() {
        let (victim, own) = (Sample::new("victim"), Sample::new("own"));
        let subject = format!(r#"CN=x\,Cert={}\;y\""#, victim.encoded());
        let proxys = element(&own, &subject);
        let certificate = Ok(Some(own.certificate));
        let joined = format!(r#"By="x,{proxys}"#);
        assert_eq!(read_last(&[joined.as_bytes()]), certificate);
        assert_eq!(read_last(&[br#"By="x"#, proxys.as_bytes()]), certificate);
        assert_eq!(read(XFCC, &[&joined]), Err(InvalidToken::Certificate));
    }

    proptest! {
        #[test]
        fn no_prefix_changes_what_the_last_element_says(
            earlier in vec(hostile_text(), 0..3),
            prefix in hostile_text(),
            subject in vec(select(vec!["a", "\\\\", "\\\"", "\\,", "\\;", ",", ";", "=", "Cert="]), 0..12),
        ) {
            static SAMPLE: LazyLock<Sample> = LazyLock::new(|| Sample::new("own"));
            let own = element(&SAMPLE, &subject.concat()).into_bytes();
            let last = [prefix.as_slice(), b",", &own].concat();
            let certificate = Ok(Some(SAMPLE.certificate.clone()));
            for last in [last, own] {
                let lines: Vec<_> = earlier.iter().map(Vec::as_slice).chain([last.as_slice()]).collect();
                prop_assert_eq!(read_last(&lines), certificate.clone());
            }
        }
    }

    /// Bytes that a header may have, most of them of those that a list gives a meaning to.
    fn hostile_text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![select(b"\"\\,;= ".to_vec()), 0x20_u8..0x7f, 0x80_u8..];
        vec(byte, 0..40)
    }
}

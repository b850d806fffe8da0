//! The content of a response, without the codings and the mark that may surround it.
//!
//! Every request asks for `identity`, and some proxies compress nevertheless.

use std::{borrow::Cow, io, io::Read as _};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, Response, header::CONTENT_ENCODING};

/// The byte order mark, which a reader of JSON may ignore (RFC 8259 §8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How much of the name of a coding is shown, in characters.
const SHOWN_NAME: usize = 32;

/// Decodes the body of a response (RFC 9110 §8.4) and drops a byte order mark.
///
/// # Errors
///
/// What is wrong with the body: more than `max_body` bytes, counted once they are decoded, a coding
/// that is not supported, or data that does not decode.
pub(super) fn decode(
    response: Response<Bytes>,
    max_body: usize,
) -> Result<Response<Bytes>, Cow<'static, str>> {
    let (parts, body) = response.into_parts();
    let codings = codings(&parts.headers);
    let body = match codings.as_slice() {
        [] => body,
        [gzip] if gzip == "gzip" || gzip == "x-gzip" => gunzip(&body, max_body)
            .map_err(|error| format!("its gzip coding cannot be decoded: {error}"))?
            .into(),
        [..] => {
            let name: String = codings.join(", ").chars().take(SHOWN_NAME).collect();
            return Err(format!(
                "it has the content coding {name:?}, although \"identity\" was requested; send it \
                 without a coding"
            )
            .into());
        }
    };
    if body.len() > max_body {
        return Err(format!("it has more than {max_body} bytes").into());
    }
    let mark = if body.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    Ok(Response::from_parts(parts, body.slice(mark..)))
}

/// The codings in lower case, in the order in which they were applied.
fn codings(headers: &HeaderMap) -> Vec<String> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let names = value.split(',').map(str::trim);
        codings.extend(names.filter(|name| !matches!(*name, "" | "identity")).map(str::to_owned));
    }
    codings
}

/// Decodes up to one byte more than `max_body`, so that the caller notices an excess.
fn gunzip(body: &[u8], max_body: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(max_body).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoded = Vec::new();
    MultiGzDecoder::new(body).take(limit).read_to_end(&mut decoded)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(codings: &[&str], body: impl Into<Bytes>, max_body: usize) -> Result<Bytes, String> {
        let mut response = Response::new(body.into());
        for coding in codings {
            response.headers_mut().append(CONTENT_ENCODING, coding.parse().unwrap());
        }
        decode(response, max_body).map(Response::into_body).map_err(Cow::into_owned)
    }

    #[test]
    fn gzip_is_decoded_and_identity_is_the_body_as_it_is() {
        for codings in [
            &["gzip"][..],
            &["x-gzip"],
            &["GZip"],
            &["identity, gzip"],
            &["identity", " gzip ", ""],
        ] {
            assert_eq!(decoded(codings, gzip(b"{}"), 2).unwrap(), "{}", "{codings:?}");
        }
        for codings in [&[][..], &["identity"], &[""], &["identity, identity"]] {
            assert_eq!(decoded(codings, "{}", 2).unwrap(), "{}", "{codings:?}");
        }
        let members = [gzip(b"{"), gzip(b"}")].concat();
        assert_eq!(decoded(&["gzip"], members, 2).unwrap(), "{}");
    }

    #[test]
    fn the_limit_counts_decoded_bytes() {
        let blanks = gzip(&[b' '; 1000]);
        assert!(blanks.len() < 100);
        assert_eq!(decoded(&["gzip"], blanks.clone(), 1000).unwrap().len(), 1000);
        let excess = "it has more than 999 bytes".to_owned();
        assert_eq!(decoded(&["gzip"], blanks, 999), Err(excess.clone()));
        assert_eq!(decoded(&[], vec![b' '; 1000], 999), Err(excess));
        let bomb = gzip(&vec![0; 64 << 20]);
        assert_eq!(decoded(&["gzip"], bomb, 10), Err("it has more than 10 bytes".to_owned()));
    }

    #[test]
    fn other_codings_are_named_and_damaged_ones_rejected() {
        for (codings, name) in [
            (&["br"][..], "\"br\""),
            (&["deflate"], "\"deflate\""),
            (&["gzip, gzip"], "\"gzip, gzip\""),
            (&["zstd", "gzip"], "\"zstd, gzip\""),
            (&["a\tb"], "\"a\\tb\""),
            (&["x-a-name-that-has-no-end-in-sight-at-all"], "\"x-a-name-that-has-no-end-in-sigh\""),
        ] {
            let error = decoded(codings, gzip(b"{}"), 100).unwrap_err();
            assert!(error.contains(&format!("the content coding {name},")), "{error}");
        }
        let whole = gzip(b"{}");
        for damaged in [b"{}".to_vec(), whole[..whole.len() - 1].to_vec(), vec![0x1f, 0x8b]] {
            let error = decoded(&["gzip"], damaged, 100).unwrap_err();
            assert!(error.contains("cannot be decoded"), "{error}");
        }
    }

    #[test]
    fn one_byte_order_mark_at_the_beginning_is_dropped() {
        assert_eq!(decoded(&[], "\u{feff}{}", 5).unwrap(), "{}");
        assert_eq!(decoded(&["gzip"], gzip("\u{feff}{}".as_bytes()), 5).unwrap(), "{}");
        assert_eq!(decoded(&[], "\u{feff}\u{feff}{}", 8).unwrap(), "\u{feff}{}");
        assert_eq!(decoded(&[], " \u{feff}{}", 6).unwrap(), " \u{feff}{}");
    }
}

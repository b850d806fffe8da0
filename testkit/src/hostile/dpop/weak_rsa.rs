//! Signatures by RSA keys that are too weak for aws-lc-rs to sign with.

use aws_lc_rs::digest::{SHA256, digest};
use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use serde_json::{Value, json};

use crate::token::base64url;

/// A key of 1024 bits.
const KEY: &[u8] = include_bytes!("../../../keys/weak.pkcs8.der");

/// 1024 bits, the least significant first.
type Number = [u64; 16];

/// The public key of 1024 bits.
pub(super) fn jwk() -> Value {
    let RsaPrivateKeyRef { modulus, public_exponent, .. } = key();
    let [n, e] = [modulus, public_exponent].map(|number| base64url(number.as_bytes()));
    json!({ "kty": "RSA", "n": n, "e": e })
}

/// The RS256 signature by the key of 1024 bits (RFC 8017 §8.2.1).
pub(super) fn sign(input: &[u8]) -> Vec<u8> {
    let key = key();
    let [message, modulus] = [&padded(input, 128), key.modulus.as_bytes()].map(number);
    let signature = power(&message, key.private_exponent.as_bytes(), &modulus);
    signature.iter().rev().flat_map(|digit| digit.to_be_bytes()).collect()
}

/// The padded SHA-256 hash of `input` as this many bytes, EMSA-PKCS1-v1_5 (RFC 8017 §9.2). It is
/// also the signature by a key with the exponent 1.
pub(super) fn padded(input: &[u8], length: usize) -> Vec<u8> {
    /// What precedes the hash in a `DigestInfo`.
    const SHA_256: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let info = [SHA_256.as_slice(), digest(&SHA256, input).as_ref()].concat();
    let padding = vec![0xFF; length - info.len() - 3];
    [&[0, 1], padding.as_slice(), &[0], info.as_slice()].concat()
}

fn key() -> RsaPrivateKeyRef<'static> {
    let info = PrivateKeyInfoRef::try_from(KEY).expect("PKCS#8");
    RsaPrivateKeyRef::try_from(info.private_key.as_bytes()).expect("an RSAPrivateKey")
}

fn number(big_endian: &[u8]) -> Number {
    let mut number = Number::default();
    for (digit, bytes) in number.iter_mut().zip(big_endian.rchunks(8)) {
        *digit = bytes.iter().fold(0, |digit, byte| digit << 8 | u64::from(*byte));
    }
    number
}

/// `base` to the power of `exponent` (big-endian), modulo an odd `modulus` of 1024 bits.
fn power(base: &Number, exponent: &[u8], modulus: &Number) -> Number {
    let mut one = Number::default();
    one[0] = 1;
    // Numbers are multiplied in Montgomery's form: times 2^1024, modulo `modulus`.
    let montgomery = |number: &Number| (0..1024).fold(*number, |it, _| doubled(&it, modulus));
    let inverse = negative_inverse(modulus[0]);
    let times = |a: &Number, b: &Number| product(a, b, modulus, inverse);

    let base = montgomery(base);
    let bits = exponent.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let result = bits.fold(montgomery(&one), |result, bit| {
        let square = times(&result, &result);
        if bit == 1 { times(&square, &base) } else { square }
    });
    times(&result, &one)
}

/// `a * b / 2^1024` modulo `modulus`: P. L. Montgomery, "Modular multiplication without trial
/// division", 1985.
fn product(a: &Number, b: &Number, modulus: &Number, inverse: u64) -> Number {
    let mut sum = [0; 17];
    for digit in b {
        let carry = add_product(&mut sum, a, *digit);
        let factor = sum[0].wrapping_mul(inverse);
        // The lowest digit becomes zero and is shifted out.
        let carry = carry + add_product(&mut sum, modulus, factor);
        sum.copy_within(1.., 0);
        sum[16] = carry;
    }
    let (top, digits) = (sum[16], &sum[..16]);
    let number = Number::try_from(digits).expect("sixteen digits");
    reduced(&number, top > 0, modulus)
}

/// Adds `number * factor` and returns the carry.
fn add_product(sum: &mut [u64; 17], number: &Number, factor: u64) -> u64 {
    let mut carry = 0;
    for (index, digit) in sum.iter_mut().enumerate() {
        let other = number.get(index).copied().unwrap_or_default();
        let wide = u128::from(other) * u128::from(factor) + u128::from(*digit) + carry;
        *digit = wide as u64;
        carry = wide >> 64;
    }
    carry as u64
}

fn doubled(number: &Number, modulus: &Number) -> Number {
    let mut carry = 0;
    let double = number.map(|digit| {
        let double = digit << 1 | carry;
        carry = digit >> 63;
        double
    });
    reduced(&double, carry > 0, modulus)
}

/// A number below twice the modulus, modulo the latter; `overflows` is its bit 1024.
fn reduced(number: &Number, overflows: bool, modulus: &Number) -> Number {
    if !overflows && number.iter().rev().lt(modulus.iter().rev()) {
        return *number;
    }
    let mut borrow = false;
    let mut difference = *number;
    for (digit, other) in difference.iter_mut().zip(modulus) {
        let (first, is_less) = digit.overflowing_sub(*other);
        let (second, is_still_less) = first.overflowing_sub(borrow.into());
        *digit = second;
        borrow = is_less || is_still_less;
    }
    difference
}

/// The number that times an odd `digit` is -1 modulo 2^64, by Newton's method.
const fn negative_inverse(digit: u64) -> u64 {
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(digit.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents,
    };

    use super::*;

    #[test]
    fn signatures_verify_where_weak_keys_are_allowed() {
        let key = key();
        let public =
            RsaPublicKeyComponents { n: key.modulus.as_bytes(), e: key.public_exponent.as_bytes() };
        assert_eq!(public.n.len(), 128);
        for input in ["", "a", "header.payload"].map(str::as_bytes) {
            let verified = |signature: &[u8]| {
                let allowed = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
                public.verify(allowed, input, signature).is_ok()
            };
            let mut signature = sign(input);
            assert!(verified(&signature));
            signature[0] ^= 1;
            assert!(!verified(&signature));
        }
    }
}

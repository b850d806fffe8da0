//! Each value under its rule.

use super::*;

#[test]
fn an_audience_is_taken_byte_for_byte() {
    let config = config(&[("AUDIENCE", " urn:My Api ")]);
    assert_eq!(config.audience, " urn:My Api ");
    assert!(config.resource.is_none());
}

#[test]
fn numbers_are_whole_decimal_digits_within_their_range() {
    for (text, seconds) in [("0123", 123), (" 60\n", 60), ("3600", 3600), ("0", 0)] {
        assert_eq!(config(&[("CLOCK_SKEW", text)]).clock_skew.as_secs(), seconds, "{text:?}");
    }
    for text in ["+5", "-5", "5s", "1e3", "0x10", "3.9", "5 0", "٣", "3601", &"9".repeat(30)] {
        let rule = "CLOCK_SKEW: must be whole decimal digits, from 0 to 3600 seconds, not";
        assert_eq!(mistakes(&[("CLOCK_SKEW", text)]), [format!("{rule} {text:?}")]);
    }
    for (name, least, most) in [
        ("CLOCK_TOLERANCE", 0, 3600),
        ("JWKS_CACHE_DURATION", 1, 2_592_000),
        ("METADATA_CACHE_DURATION", 1, 2_592_000),
        ("KEYS_OUTAGE_TOLERANCE", 0, 2_592_000),
        ("INTROSPECTION_CACHE_DURATION", 0, 2_592_000),
        ("RESPONSE_TIMEOUT", 1000, 60_000),
    ] {
        for right in [least, most] {
            assert!(mistakes(&[(name, &right.to_string())]).is_empty(), "{name} {right}");
        }
        for wrong in [least - 1, most + 1] {
            let [mistake] =
                <[String; 1]>::try_from(mistakes(&[(name, &wrong.to_string())])).unwrap();
            assert!(mistake.contains(&format!("from {least} to {most} ")), "{mistake}");
        }
    }
}

#[test]
fn booleans_are_true_or_false_in_any_case_and_nothing_else() {
    for (text, flag) in [("true", true), (" TRUE ", true), ("False", false), ("fAlSe", false)] {
        assert_eq!(config(&[("GROUPS_MATCH_ALL", text)]).groups_match_all, flag, "{text:?}");
    }
    for text in ["1", "0", "yes", "on", "t", "truee"] {
        for name in ["GROUPS_MATCH_ALL", "INTROSPECT_JWT_TOKENS"] {
            let mistake = format!("{name}: must be `true` or `false`, not {text:?}");
            assert_eq!(mistakes(&[(name, text)]), [mistake]);
        }
    }
}

#[test]
fn a_fixed_word_is_exact_and_a_wrong_one_gets_the_nearest() {
    let ignore = config(&[("VALIDATE_CERTIFICATE_BINDING", " dangerously_ignore ")]);
    assert_eq!(ignore.certificate_binding, CertificateBinding::DangerouslyIgnore);
    for (word, nearest) in [("Required", "required"), ("ignore", "dangerously_ignore")] {
        let mistake = format!(
            "VALIDATE_CERTIFICATE_BINDING: must be one of when_present, required, \
             dangerously_ignore, not {word:?}; the nearest is {nearest}"
        );
        assert_eq!(mistakes(&[("VALIDATE_CERTIFICATE_BINDING", word)]), [mistake]);
    }
}

#[test]
fn ca_certificates_are_read_and_parsed() {
    let files = Files::new();
    let bundle = certificate().cert.pem() + &certificate().cert.pem();
    let bundle = files.write("bundle.pem", bundle);
    assert_eq!(config(&[("CA_CERTIFICATE_FILE", &bundle)]).ca_certificates.len(), 2);

    let der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, mistake) in [
        ("", "which is empty"),
        ("text", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "is broken PEM"),
        (der, "holds a certificate that is not valid X.509"),
    ] {
        let path = files.write("ca.pem", content);
        let mistakes = mistakes(&[("CA_CERTIFICATE_FILE", &path)]);
        assert!(mistakes[0].starts_with("CA_CERTIFICATE_FILE: "), "{mistakes:?}");
        assert!(mistakes[0].contains(mistake) && mistakes[0].contains(&path), "{mistakes:?}");
    }
}

#[test]
fn plain_http_is_a_dangerous_choice_that_only_code_can_make() {
    let tenant = [("TENANT_DOMAIN", "http://idp.internal"), ("DANGEROUSLY_ALLOW_HTTP", "true")];
    assert_eq!(mistakes(&tenant).len(), 1);
    let mut allowed = sources(&tenant);
    allowed.set(Key::DangerouslyAllowHttp, true);
    let (config, _) = allowed.resolve().unwrap();
    assert_eq!(config.tenant.issuer(), "http://idp.internal");
}

#[test]
fn a_resource_is_an_absolute_https_url_without_a_fragment() {
    for text in ["/api", "api.example.com", "http://api.example.com", "https://api.example.com/#x"]
    {
        let mistake = format!(
            "RESOURCE: {text:?} must be an absolute https:// URL without user information and fragment"
        );
        assert_eq!(mistakes(&[("RESOURCE", text)]), [mistake]);
    }
    for audience in ["https://me@api.example.com", "https://api.example.com/#x", "http://localhost"]
    {
        assert!(config(&[("AUDIENCE", audience)]).resource.is_none(), "{audience}");
    }
}

#[test]
fn a_realm_can_be_quoted_in_a_header() {
    let mut right = sources(&[]);
    right.set(Key::Realm, "the posts API");
    assert_eq!(right.resolve().unwrap().0.realm.unwrap(), "the posts API");
    let mut wrong = sources(&[]);
    wrong.set(Key::Realm, "a\r\nb");
    assert_eq!(mistakes_of(wrong), [r#"builder: realm: "a\r\nb" must be printable ASCII"#]);
}

//! Each value under its rule.

use super::*;

#[test]
fn an_audience_is_taken_byte_for_byte() {
    let config = config(&[("AUDIENCE", "urn:My Api/")]);
    assert_eq!(config.audience, "urn:My Api/");
    assert!(config.resource.is_none());
}

#[test]
fn an_audience_that_was_copied_with_more_than_itself_is_refused_from_every_source() {
    let files = Files::new();
    let placeholder =
        "is a placeholder; write this API's own audience, as the MonoCloud dashboard shows it";
    let white_space = "has white space or a control character at an end; write it without";
    for (audience, rule) in [
        ("https://<your-api-audience>", placeholder),
        ("https://api.example.com\n", white_space),
        ("https://api.example.com\r\n", white_space),
        (" https://api.example.com", white_space),
        ("https://api.example.com\"", "has a quote at an end; write it without"),
    ] {
        let message = format!("{audience:?} {rule}");
        assert_eq!(mistakes(&[("AUDIENCE", audience)]), [format!("AUDIENCE: {message}")]);
        let mut built = sources(&[]);
        built.set(Key::Audience, audience);
        assert_eq!(mistakes_of(built), [format!("builder: audience: {message}")]);
        let mut filed = Sources::new();
        filed.set(Key::TenantDomain, "acme.us.monocloud.com");
        let path = files.write("audience.toml", format!("audience = {audience:?}"));
        filed.file(&path);
        assert_eq!(mistakes_of(filed), [format!("{path}: audience: {message}")]);
    }
}

#[test]
fn a_bare_tenant_name_is_told_the_full_form() {
    let mistake = r#"TENANT_DOMAIN: "acme" is not a full domain; write one such as acme.us.monocloud.com, or https://acme if that is the whole host name"#;
    assert_eq!(mistakes(&[("TENANT_DOMAIN", "acme")]), [mistake]);
    assert_eq!(config(&[("TENANT_DOMAIN", "https://acme")]).tenant.issuer(), "https://acme");
}

#[test]
fn the_last_forwarded_certificate_counts_in_one_header_alone() {
    let counts = |header: Option<&str>| {
        let mut sources = sources(&[]);
        sources.set(Key::LastForwardedCertificate, true);
        if let Some(header) = header {
            sources.set(Key::ClientCertificateHeader, header);
        }
        mistakes_of(sources)
    };
    assert_eq!(counts(Some("X-Forwarded-Client-CERT")), [""; 0]);
    for other in [None, Some("X-Client-Cert")] {
        let rule = "needs CLIENT_CERTIFICATE_HEADER to be X-Forwarded-Client-Cert, the only list";
        assert_eq!(counts(other), [format!("builder: last_forwarded_certificate_counts: {rule}")]);
    }
    assert_eq!(counts(Some("X Cert")).len(), 1);
}

#[test]
fn the_name_of_the_scheme_is_that_of_a_component() {
    let mut right = sources(&[]);
    right.set(Key::SchemeName, "My.Scheme_1-2");
    assert_eq!(right.resolve().unwrap().scheme_name, "My.Scheme_1-2");
    let mut wrong = sources(&[("CLOCK_SKEW", "x")]);
    wrong.set(Key::SchemeName, "My Scheme");
    let rule = "must consist of letters, digits, `.`, `_` and `-`";
    let mistakes = mistakes_of(wrong);
    assert_eq!(mistakes[0], format!("builder: scheme_name: \"My Scheme\" {rule}"));
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
}

#[test]
fn numbers_are_whole_decimal_digits_within_their_range() {
    for (text, seconds) in [("0123", 123), (" 60\n", 60), ("3600", 3600), ("0", 0)] {
        assert_eq!(config(&[("CLOCK_SKEW", text)]).clock_skew.as_secs(), seconds, "{text:?}");
    }
    for text in ["+5", "-5", "5s", "1e3", "0x10", "3.9", "5 0", "٣", "3601", &"9".repeat(30)] {
        let rule = "CLOCK_SKEW: must be a whole number of seconds from 0 to 3600, not";
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
            assert!(mistake.contains(&format!("from {least} to {most}, not")), "{mistake}");
        }
    }
}

#[test]
fn the_memory_for_verified_tokens_is_a_number_of_bytes_up_to_a_gibibyte() {
    for right in [0, 1, 1_073_741_824] {
        assert_eq!(config(&[("JWT_CACHE", &right.to_string())]).jwt_cache, right);
    }
    for wrong in ["1073741825", "-1", "8 MiB", "8m", "1.5"] {
        let rule = "JWT_CACHE: must be a whole number of bytes from 0 to 1073741824, not";
        assert_eq!(mistakes(&[("JWT_CACHE", wrong)]), [format!("{rule} {wrong:?}")]);
    }
}

#[test]
fn booleans_are_true_or_false_in_any_case_and_nothing_else() {
    for (text, flag) in [("true", true), (" TRUE ", true), ("False", false), ("fAlSe", false)] {
        assert_eq!(config(&[("GROUPS_MATCH_ALL", text)]).groups_match_all, flag, "{text:?}");
    }
    for text in ["1", "0", "yes", "on", "t", "truee"] {
        for name in ["GROUPS_MATCH_ALL", "INTROSPECT_JWT_TOKENS"] {
            let mistake = format!("{name}: must be true or false, not {text:?}");
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
             dangerously_ignore, not {word:?}; did you mean {nearest}?"
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
    let config = allowed.resolve().unwrap();
    assert_eq!(config.tenant.issuer(), "http://idp.internal");
}

#[test]
fn a_resource_is_an_absolute_https_url_without_a_fragment() {
    for text in ["/api", "api.example.com", "http://api.example.com", "https://api.example.com/#x"]
    {
        let mistake = format!(
            "RESOURCE: {text:?} must be a URL such as https://api.example.com, without user information and fragment"
        );
        assert_eq!(mistakes(&[("RESOURCE", text)]), [mistake]);
    }
    for audience in ["https://me@api.example.com", "https://api.example.com/#x", "http://localhost"]
    {
        assert!(config(&[("AUDIENCE", audience)]).resource.is_none(), "{audience}");
    }
}

#[test]
fn the_page_about_a_resource_has_a_public_url() {
    let documentation = |url: &str| {
        let mut sources = sources(&[]);
        sources.set(Key::ResourceDocumentation, url);
        sources
    };
    for url in ["https://docs.example.com/api?lang=en#start", "http://localhost:3000/docs"] {
        let resource = documentation(url).resolve().unwrap().resource.unwrap();
        assert_eq!(resource.documentation.as_deref(), Some(url));
    }
    for url in ["docs", "/docs", "http://docs.example.com", "ftp://docs.example.com"] {
        let rule = "must be a URL such as https://docs.example.com, without user information";
        let mistake = format!("builder: resource_documentation: {url:?} {rule}");
        assert_eq!(mistakes_of(documentation(url)), [mistake]);
    }
    assert_eq!(mistakes_of(documentation("https://me:hunter2@docs.example.com")).len(), 1);
}

#[test]
fn a_realm_can_be_quoted_in_a_header() {
    let mut right = sources(&[]);
    right.set(Key::Realm, "the posts API");
    assert_eq!(right.resolve().unwrap().realm.unwrap(), "the posts API");
    let mut wrong = sources(&[]);
    wrong.set(Key::Realm, "a\r\nb");
    assert_eq!(mistakes_of(wrong), [r#"builder: realm: "a\r\nb" must be printable ASCII"#]);
}

//! One defect at a time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use monocloud_testkit::{Audit, Class, Clock, Grade, Hostile, MockTenant, Report, Rule, Verdict};

use crate::{
    OPENAPI,
    api::{Api, Setup},
    defect::Defect,
};

async fn audited(defect: Defect) -> Report {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, defect).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).allow_unsafe().rate(10_000);
    audit.key_refresh(Duration::ZERO).run(&tenant).await
}

/// The ids of the findings, without those of advice.
pub(crate) fn ids(report: &Report) -> BTreeSet<&str> {
    let findings = report.findings.iter().filter(|finding| finding.grade == Grade::Finding);
    findings.map(|finding| finding.rule.id).collect()
}

#[tokio::test]
async fn a_right_api_is_cleared() {
    let report = audited(Defect::None).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
    let advice: BTreeSet<_> = report.findings.iter().map(|finding| finding.rule.id).collect();
    // Its parser takes the last of two members.
    assert_eq!(advice, BTreeSet::from(["json"]), "{report}");
}

#[tokio::test]
async fn an_outage_lasts_until_the_api_notices_it() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::AcceptsAllInOutageAfterPause).await;
    let report = Audit::of(OPENAPI).against(&*api.url).only(["keys"]).run(&tenant).await;
    assert_eq!(ids(&report), BTreeSet::from(["key-outage-open"]), "{report}");
}

#[tokio::test]
async fn progress_ends_near_what_was_planned() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::None).await;
    let last = Arc::new(Mutex::new((0, 0)));
    let told = Arc::clone(&last);
    let audit = Audit::of(OPENAPI).against(&*api.url).allow_unsafe().rate(10_000);
    let audit = audit.only(["no-token", "issuer", "override", "opaque"]);
    let audit = audit.on_progress(move |sent, all| *told.lock().unwrap() = (sent, all));
    let report = audit.run(&tenant).await;
    let (sent, all) = *last.lock().unwrap();
    assert_eq!(sent, report.requests);
    assert!((sent..=sent + sent / 10).contains(&all), "{sent} of {all}");
}

/// The first operation, which was to be sent it, does not accept the right token.
#[tokio::test]
async fn some_operation_is_sent_the_whole_catalogue() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::NeedsMoreThanDocumented).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["kid-injection"]);
    let report = audit.run(&tenant).await;
    let catalogue = Hostile::of(&tenant, Class::KidInjection).len();
    // Every operation is called a few times besides.
    assert!(report.requests > catalogue + 20, "{report}");
}

/// The tenant, which alone can sign such a token, does not.
#[tokio::test]
async fn a_crash_that_only_the_tenant_can_cause_is_advice() {
    let report = audited(Defect::CrashesOnSubject).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
    assert!(report.findings.iter().any(|finding| finding.rule.id == "crash"), "{report}");
}

macro_rules! planted {
    ($($name:ident: $defect:ident is $($id:literal)+;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let report = audited(Defect::$defect).await;
                assert_eq!(ids(&report), BTreeSet::from([$($id),+]), "{report}");
            }
        )+
    };
}

planted! {
    one_operation_without_a_guard: ForgotOneOperation is "no-token";
    any_text_is_a_token: AcceptsAnyText is "token-not-validated";
    a_public_operation_that_needs_a_token: RefusesPublic is "public-refused";
    an_undocumented_scope: NeedsMoreThanDocumented is "over-strict";
    an_undocumented_method: OpensAnotherMethod is "undocumented-method";
    an_undocumented_unsafe_method: OpensUnsafeMethod is "undocumented-method";
    a_guard_that_compares_with_case: GuardsExactCaseOnly is "path-spelling";
    a_guard_that_does_not_merge_slashes: GuardsSingleSlashesOnly is "path-spelling";
    a_guard_that_does_not_decode: GuardsDecodedLettersOnly is "path-spelling";
    a_guard_that_sees_a_slash_at_the_end: GuardsWithoutSlashAtEnd is "path-spelling";
    a_guard_for_get_alone: GuardsGetOnly is "head-unprotected";
    a_method_override: BelievesMethodOverride is "method-override";
    an_override_of_a_weaker_method: OverridesMethodAfterGuard is "method-override";
    an_override_of_an_unknown_method: OverridesMethodByParameter is "method-override";
    a_url_override: BelievesOriginalUrl is "url-override";
    a_token_in_the_query: ReadsTokenFromQuery is "token-in-query";
    a_token_in_the_body: ReadsTokenFromBody is "token-in-body";
    a_token_in_a_cookie: ReadsTokenFromCookie is "token-in-cookie";

    no_verification: DecodesWithoutVerifying is "signature-not-verified";
    alg_none: AcceptsNone is "alg-none";
    the_public_key_as_a_secret: UsesPublicKeyAsSecret is "key-confusion";
    any_alg: IgnoresAlg is "alg-swap";
    an_embedded_key: TrustsEmbeddedKey is "embedded-key";
    a_fetched_key: FetchesKeyUrl is "key-url-fetched";
    critical_extensions: IgnoresCrit is "crit";

    any_issuer: IgnoresIssuer is "issuer";
    the_start_of_an_issuer: ComparesStartOfIssuer is "issuer";
    no_issuer: AcceptsMissingIssuer is "issuer";
    any_audience: IgnoresAudience is "audience";
    a_part_of_an_audience: SearchesAudience is "audience";
    a_token_for_its_client: AcceptsTokensForItsClient is "audience";
    any_tenant: TrustsAnyTenant is "issuer" "key-url-fetched";
    any_expiry: IgnoresExpiry is "expired";
    no_expiry: AcceptsMissingExpiry is "expired";
    any_start: IgnoresNotBefore is "not-before";
    any_type: IgnoresType is "token-type";

    any_scope: IgnoresScope is "scope-not-enforced";
    a_part_of_a_scope: SearchesScope is "scope-not-enforced";
    the_start_of_a_scope: ComparesStartOfScope is "scope-not-enforced";
    one_scope_of_several: NeedsAnyScope is "scope-not-enforced";
    any_group: IgnoresGroups is "group-not-enforced";
    any_acr: IgnoresAcr is "acr-not-enforced";
    no_auth_time: AcceptsMissingAuthTime is "max-age-not-enforced";
    any_age: IgnoresMaxAge is "max-age-not-enforced";
    any_claim: IgnoresClaim is "claim-not-enforced";

    no_challenge: ForgetsChallenge is "challenge-missing";
    no_challenge_when_forbidden: ForgetsChallengeOfForbidden is "challenge-missing";
    another_scope_in_the_challenge: NamesAnotherScope is "challenge-scope";
    another_acr_in_the_challenge: NamesAnotherAcr is "step-up-parameters";
    a_longer_age_in_the_challenge: NamesLongerAge is "step-up-parameters";
    a_broken_challenge: WritesBrokenChallenge is "challenge-malformed";
    an_attribute_twice: RepeatsAttribute is "challenge-repeated-attribute";
    a_wrong_error: NamesWrongError is "challenge-wrong-error";
    forbidden_without_a_token: ForbidsWithoutToken is "status-without-token";
    forbidden_with_an_invalid_token: ForbidsInvalidToken is "status-invalid-token";
    a_bad_request_with_an_invalid_token: CallsInvalidTokenBadRequest is "status-invalid-token";
    forbidden_after_a_weak_login: ForbidsWeakLogin is "step-up-challenge";
    another_resource: MisnamesResource is "resource-metadata";
    another_authorization_server: NamesAnotherTenant is "resource-metadata";
    a_crash: CrashesOnPayload is "crash";
    a_hang_up: HangsUpOnPayload is "crash";
    a_stack_trace: ShowsTrace is "stack-trace";
    a_crash_with_a_stack_trace: CrashesWithTrace is "crash" "stack-trace";
    an_exception: ShowsException is "error-details";
    an_echoed_kid: EchoesKid is "header-injection";

    the_body_first: ReadsBodyFirst is "order-body";
    a_parameter_first: ReadsParameterFirst is "order-parameter";
    the_media_type_first: ReadsMediaTypeFirst is "order-media-type";

    keys_fetched_once: NeverRefreshesKeys is "key-rotation";
    keys_lost_in_an_outage: ForgetsKeysInOutage is "key-outage";
    open_in_an_outage: AcceptsAllInOutage is "key-outage-open";
    a_request_for_every_kid: FetchesForEveryKid is "key-flood";

    inactive_tokens: IgnoresActive is "opaque-inactive";
    opaque_tokens_for_others: IgnoresAudienceOfOpaque is "opaque-audience";
    verdicts_kept_too_long: CachesBeyondExpiry is "opaque-expired";
    introspection_that_fails_open: AcceptsWithoutIntrospection is "opaque-fail-open";
}

/// Other cases send unknown kids, too.
#[tokio::test]
async fn locked_by_unknown_kids() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::LocksAfterUnknownKids).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["flood"]);
    let report = audit.run(&tenant).await;
    assert_eq!(ids(&report), BTreeSet::from(["key-flood-lockout"]), "{report}");
}

#[tokio::test]
async fn a_withdrawn_key_is_tested_where_the_cache_is_known() {
    for (defect, expected) in [
        (Defect::None, BTreeSet::new()),
        (Defect::KeepsWithdrawnKeys, BTreeSet::from(["key-withdrawal"])),
    ] {
        let tenant = MockTenant::start().await;
        let api = Api::start_as(&tenant, Setup { reloads: true, ..Setup::of(defect) }).await;
        let audit = Audit::of(OPENAPI).against(&*api.url).only(["withdrawal"]);
        let report = audit.key_cache(Duration::ZERO).run(&tenant).await;
        assert_eq!(ids(&report), expected, "{report}");
    }
}

#[tokio::test]
async fn proofs_of_possession_are_checked_where_they_are_taken() {
    // It has no nonces, and refuses nothing.
    let is_about_proofs =
        |id: &&str| id.starts_with("dpop-") && !matches!(*id, "dpop-nonce" | "dpop-challenge");
    for (defect, expected) in [
        (Defect::None, BTreeSet::new()),
        (
            Defect::IgnoresProofs,
            Rule::ALL.iter().map(|rule| rule.id).filter(is_about_proofs).collect(),
        ),
    ] {
        let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
        let api = Api::start(&tenant, defect).await;
        let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).dpop().only(["dpop"]);
        let report = audit.run(&tenant).await;
        assert_eq!(ids(&report), expected, "{report}");
        // An API that takes no proofs is not cleared of what it does with them.
        assert_eq!(report.verdict() == Verdict::Inconclusive, defect == Defect::None, "{report}");
    }
}

/// As where a second router has a guard of its own.
#[tokio::test]
async fn a_mistake_of_one_operation_is_found_there() {
    for (defect, id) in [
        (Defect::DecodesWithoutVerifying, "signature-not-verified"),
        (Defect::AcceptsNone, "alg-none"),
        (Defect::UsesPublicKeyAsSecret, "key-confusion"),
        (Defect::IgnoresAlg, "alg-swap"),
        (Defect::TrustsEmbeddedKey, "embedded-key"),
        (Defect::FetchesKeyUrl, "key-url-fetched"),
        (Defect::IgnoresCrit, "crit"),
        (Defect::IgnoresIssuer, "issuer"),
        (Defect::ComparesStartOfIssuer, "issuer"),
        (Defect::AcceptsMissingIssuer, "issuer"),
        (Defect::IgnoresAudience, "audience"),
        (Defect::SearchesAudience, "audience"),
        (Defect::IgnoresExpiry, "expired"),
        (Defect::AcceptsMissingExpiry, "expired"),
        (Defect::IgnoresNotBefore, "not-before"),
        (Defect::IgnoresType, "token-type"),
        (Defect::CrashesOnPayload, "crash"),
    ] {
        let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
        let setup = Setup { only_at: Some("/plan"), ..Setup::of(defect) };
        let api = Api::start_as(&tenant, setup).await;
        let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["hostile"]);
        let report = audit.run(&tenant).await;
        assert_eq!(ids(&report), BTreeSet::from([id]), "{defect:?}: {report}");
        let mut places = report.findings.iter().filter(|it| it.grade == Grade::Finding);
        assert!(places.all(|it| it.operation == "GET /plan"), "{defect:?}: {report}");
    }
}

/// What a standard only recommends passes, and is said.
#[tokio::test]
async fn advice_names_what_could_be_better() {
    for (defect, id) in [
        (Defect::OmitsScope, "challenge-scope"),
        (Defect::OmitsStepUpParameters, "step-up-parameters"),
        (Defect::ComparesSchemeWithCase, "scheme-case"),
        (Defect::NamesMetadataElsewhere, "resource-metadata"),
    ] {
        let report = audited(defect).await;
        assert_eq!(report.verdict(), Verdict::Passed, "{defect:?}: {report}");
        let advice: BTreeSet<_> = report.findings.iter().map(|finding| finding.rule.id).collect();
        assert_eq!(advice, BTreeSet::from(["json", id]), "{defect:?}: {report}");
    }
}

/// It is not called, as it could succeed where the path cannot name something else.
#[tokio::test]
async fn an_unsafe_method_that_the_api_names_itself_is_advice() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::AllowsUnsafeMethod).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["methods"]);
    let report = audit.run(&tenant).await;
    assert_eq!(report.verdict(), Verdict::Passed, "{report}");
    let posts = report.findings.iter().find(|it| it.operation == "GET /posts").unwrap();
    assert!(posts.detail.starts_with("OPTIONS names DELETE, which"), "{report}");
}

#[tokio::test]
async fn a_scope_that_one_operation_ignores_is_found_there() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let only_at = Some("/posts/1/publish");
    let setup = Setup { only_at, ..Setup::of(Defect::IgnoresScope) };
    let api = Api::start_as(&tenant, setup).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).allow_unsafe().only(["scope"]);
    let report = audit.run(&tenant).await;
    let [finding] = report.findings.as_slice() else { panic!("{report}") };
    assert_eq!(finding.key(), "scope-not-enforced POST /posts/{id}/publish");
}

/// The audit has no credentials for it, and can still see that it needs none.
#[tokio::test]
async fn an_operation_for_api_keys_that_is_open() {
    let openapi = OPENAPI.replace(
        "  /me:\n    get: {",
        "  /health:\n    get: { security: [{ key: [] }], responses: {} }\n  /me:\n    get: {",
    );
    let openapi = openapi.replacen(
        "  /health:\n    get: { security: [], responses: { \"200\": { description: OK } } }\n",
        "",
        1,
    );
    let openapi = openapi.replace(
        "  securitySchemes:\n",
        "  securitySchemes:\n    key: { type: apiKey, in: header, name: X-Key }\n",
    );
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::None).await;
    let audit = Audit::of(openapi).against(&*api.url).rate(10_000).only(["no-token"]);
    let report = audit.run(&tenant).await;
    let [finding] = report.findings.as_slice() else { panic!("{report}") };
    assert_eq!(finding.key(), "no-token GET /health");
}

#[tokio::test]
async fn opaque_tokens_are_checked_at_the_operation_that_takes_them() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let setup = Setup {
        only_at: Some("/plan"),
        introspects_there: true,
        ..Setup::of(Defect::IgnoresAudienceOfOpaque)
    };
    let api = Api::start_as(&tenant, setup).await;
    let report = Audit::of(OPENAPI).against(&*api.url).only(["opaque"]).run(&tenant).await;
    assert_eq!(ids(&report), BTreeSet::from(["opaque-audience"]), "{report}");
    assert_eq!(report.findings[0].operation, "GET /plan", "{report}");
}

/// The request that ends the API is named, and nothing is said of what was not sent.
#[tokio::test]
async fn an_api_that_a_request_ends() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::EndsOnPayload).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["json"]);
    let report = audit.run(&tenant).await;
    assert_eq!(ids(&report), BTreeSet::from(["crash"]), "{report}");
    assert!(report.findings[0].curl.contains("--hostile payload-"), "{report}");
    let [inconclusive] = report.inconclusive.as_slice() else { panic!("{report}") };
    assert!(inconclusive.reason.contains("is no longer reachable, so that the rest"), "{report}");
}

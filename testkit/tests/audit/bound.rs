//! Tokens that are bound to a key or a certificate, and those that are optional.

use std::collections::BTreeSet;

use monocloud_testkit::{Audit, Clock, MockTenant, Report, Verdict};

use crate::{
    BOUND,
    api::{Api, Setup},
    defect::Defect,
    planted::ids,
};

async fn audited(setup: Setup, prepare: impl FnOnce(Audit) -> Audit) -> Report {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start_as(&tenant, setup).await;
    let audit = Audit::of(BOUND).against(&*api.url).rate(10_000);
    prepare(audit).run(&tenant).await
}

const fn with_dpop(defect: Defect) -> Setup {
    Setup { dpop: true, ..Setup::of(defect) }
}

#[tokio::test]
async fn a_right_api_with_proofs_is_cleared() {
    for nonces in [false, true] {
        for is_lenient in [false, true] {
            let setup = Setup { nonces, is_lenient, ..with_dpop(Defect::None) };
            let report = audited(setup, Audit::dpop).await;
            assert_eq!(report.verdict(), Verdict::Passed, "{report}");
            let advice: BTreeSet<_> =
                report.findings.iter().map(|finding| finding.rule.id).collect();
            // Its parser takes the last of two members.
            assert_eq!(advice, BTreeSet::from(["dpop-proof", "json"]), "{report}");
        }
    }
}

macro_rules! planted {
    ($($name:ident: $defect:ident is $($id:literal)+;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let setup = Setup { nonces: true, ..with_dpop(Defect::$defect) };
                let report = audited(setup, |audit| audit.dpop().only(["dpop"])).await;
                assert_eq!(ids(&report), BTreeSet::from([$($id),+]), "{report}");
            }
        )+
    };
}

planted! {
    no_proof: NeedsNoProof is "dpop-missing";
    two_proofs: AcceptsTwoProofs is "dpop-repeated";
    another_type: IgnoresProofType is "dpop-type";
    a_secret_in_the_proof: AcceptsSecretOfProof is "dpop-alg";
    a_private_key: AcceptsPrivateKeyOfProof is "dpop-key";
    any_signature: IgnoresSignatureOfProof is "dpop-signature";
    any_method: IgnoresMethodOfProof is "dpop-method";
    any_url: IgnoresUrlOfProof is "dpop-url";
    any_token: IgnoresTokenOfProof is "dpop-token-hash";
    an_old_proof: AcceptsOldProofs is "dpop-time";
    a_proof_twice: AcceptsProofTwice is "dpop-replay";
    no_nonce: ForgetsNonce is "dpop-nonce";
    any_thumbprint: IgnoresThumbprint is "dpop-binding";
    no_thumbprint: AcceptsUnboundWithProof is "dpop-binding";
    a_bound_token_as_bearer: AcceptsBoundAsBearer is "dpop-downgrade";
    an_error_in_another_challenge: MisplacesProofError is "dpop-challenge";
}

#[tokio::test]
async fn proofs_that_are_refused_without_a_challenge_for_them() {
    let setup = with_dpop(Defect::ForgetsProofChallenge);
    let report = audited(setup, |audit| audit.dpop().only(["dpop"])).await;
    assert_eq!(ids(&report), BTreeSet::from(["dpop-challenge"]), "{report}");
}

/// Where operations have what: the ids of the findings, and their operations.
async fn found(setup: Setup) -> BTreeSet<(String, String)> {
    let report = audited(setup, |audit| audit).await;
    let ids = ids(&report);
    let all = report.findings.iter().filter(|it| ids.contains(it.rule.id));
    all.map(|it| (it.rule.id.to_owned(), it.operation.clone())).collect()
}

/// Each rule at each operation.
fn at(rules: &[&str], operations: &[&str]) -> BTreeSet<(String, String)> {
    let pair = |rule: &&str| {
        let rule = (*rule).to_owned();
        operations.iter().map(move |operation| (rule.clone(), format!("GET {operation}")))
    };
    rules.iter().flat_map(pair).collect()
}

#[tokio::test]
async fn an_operation_for_bound_tokens_is_checked_without_the_profile_too() {
    for (defect, expected) in [
        (Defect::None, BTreeSet::new()),
        (Defect::AcceptsUnboundAsBearer, at(&["binding"], &["/vault"])),
        (Defect::AcceptsUnboundWithProof, at(&["dpop-binding"], &["/vault"])),
        (Defect::AcceptsNone, at(&["alg-none"], &["/me", "/feed", "/vault"])),
        (Defect::IgnoresScope, at(&["scope-not-enforced"], &["/vault"])),
        (Defect::IgnoresCertificate, at(&["binding"], &["/me", "/feed"])),
        (
            Defect::AcceptsBoundAsBearer,
            &at(&["binding"], &["/me", "/feed"]) | &at(&["dpop-downgrade"], &["/vault"]),
        ),
    ] {
        assert_eq!(found(with_dpop(defect)).await, expected, "{defect:?}");
    }
}

#[tokio::test]
async fn an_operation_for_certificates_is_inconclusive_and_not_open() {
    let report = audited(Setup::of(Defect::None), |audit| audit).await;
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{report}");
    let [inconclusive] = report.inconclusive.as_slice() else { panic!("{report}") };
    assert_eq!(inconclusive.operation.as_deref(), Some("GET /vault"));
    assert!(inconclusive.reason.ends_with("has no client certificate"), "{report}");
    let found = found(Setup::of(Defect::AcceptsUnboundAsBearer)).await;
    assert_eq!(found, at(&["binding"], &["/vault"]));
}

#[tokio::test]
async fn where_a_token_is_optional_none_is_accepted_and_an_invalid_one_is_not() {
    for (defect, expected) in [
        (Defect::RefusesAnonymous, at(&["public-refused"], &["/feed"])),
        (Defect::DecodesWithoutVerifying, at(&["signature-not-verified"], &["/feed"])),
        (Defect::AcceptsNone, at(&["alg-none"], &["/feed"])),
        (Defect::IgnoresAudience, at(&["audience"], &["/feed"])),
        (Defect::CrashesOnPayload, at(&["crash"], &["/feed"])),
    ] {
        for is_lenient in [false, true] {
            let only_at = Some("/feed");
            let setup = Setup { only_at, is_lenient, ..with_dpop(defect) };
            assert_eq!(found(setup).await, expected, "{defect:?}");
        }
    }
}

//! Requests with proofs of possession (RFC 9449).

use crate::{
    DpopKey, DpopRequest, HostileProof, ProofClass,
    audit::{
        call::{Call, Shown},
        challenge::{Challenge, challenges},
        check::{Violation, faults, violation},
        control::Control,
        extent::Extent,
        hostile::proof_rule_of,
        plan::Planned,
        rule::Grade,
        run::{Run, call_of},
        wire::{NoReply, Reply},
    },
};

/// A client's key, and the nonce that the API has supplied.
#[derive(Clone, Debug)]
pub(super) struct Possession {
    key: DpopKey,
    nonce: Option<String>,
}

impl Possession {
    pub(super) fn new() -> Self {
        Self { key: DpopKey::generate(), nonce: None }
    }

    pub(super) fn thumbprint(&self) -> String {
        self.key.thumbprint()
    }

    /// The request with a token, and a proof for both.
    pub(super) fn present(&self, run: &Run<'_>, call: &Call, token: &str) -> Call {
        let proof = run.tenant.proof(&self.key, call.method.as_str(), url(run, call));
        let proof = proof.for_token(token);
        let proof = match &self.nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        };
        call.clone()
            .header("Authorization", Shown::shortened(format!("DPoP {token}")))
            .header("DPoP", Shown::shortened(proof.mint()))
    }

    /// Sends the request with a token, again with the nonce that the API demands.
    pub(super) async fn send(
        &mut self,
        run: &Run<'_>,
        call: &Call,
        token: &str,
    ) -> (Call, Result<Reply, NoReply>) {
        let first = self.present(run, call, token);
        let answer = run.send(&first).await;
        let Some(nonce) = answer.as_ref().ok().and_then(demanded_nonce) else {
            return (first, answer);
        };
        self.nonce = Some(nonce);
        let second = self.present(run, call, token);
        let answer = run.send(&second).await;
        (second, answer)
    }
}

/// The hostile requests of a class.
pub(super) async fn hostile(
    run: &mut Run<'_>,
    class: ProofClass,
    extent: Extent,
    planned: &Planned<'_>,
    control: &Control,
) {
    let base = call_of(planned);
    let token = control.unbound().token(run.tenant);
    let request = DpopRequest::new(token, base.method.as_str(), url(run, &base));
    let Ok(reply) = run.send(&with_headers(&base, &request.headers())).await else { return };
    let nonce = nonce_of(&reply);
    // Nothing is shown by an operation that takes no proofs.
    if demanded_nonce(&reply).is_none() && !control.right_answer.accepts(&reply) {
        let reason = format!("a DPoP request is answered with {}", reply.status);
        run.record_inconclusive(&planned.subject.name, reason);
        return;
    }
    // Once there are nonces, proofs without one are refused (RFC 9449 §11.3).
    let request = nonce.into_iter().fold(request, DpopRequest::nonce);
    let all = HostileProof::of(&request, class).into_iter().enumerate();
    for (_, hostile) in all.filter(|(place, hostile)| extent.has(hostile.name, *place)) {
        if let Some(first) = &hostile.first
            && run.send(&with_headers(&base, first)).await.is_err()
        {
            continue;
        }
        let call = with_headers(&base, &hostile.headers);
        let Ok(reply) = run.send(&call).await else { continue };
        let what = format!("the DPoP request {} ({})", hostile.name, hostile.reference);
        let (rule, grade) = proof_rule_of(&hostile);
        let mut violations = faults(&what, &reply);
        if control.right_answer.accepts(&reply) {
            let detail = format!("{what} is answered with {}", reply.status);
            violations.extend(violation(rule, grade, detail));
        } else if reply.status < 429 {
            violations.extend(refusal(&hostile, &what, grade, &reply));
        }
        run.record(&planned.subject.name, &call, violations);
    }
}

/// How a DPoP request is refused (RFC 9449 §7.1).
fn refusal(hostile: &HostileProof, what: &str, grade: Grade, reply: &Reply) -> Vec<Violation> {
    const RULE: &str = "dpop-challenge";
    let challenges = challenges(&reply.headers).unwrap_or_default();
    let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
    let error_of = |it: Option<&Challenge>| it?.parameter("error").map(str::to_owned);
    let status = reply.status;
    let says = |text: &str| format!("{what} is answered with {status} {text}");
    let Some(dpop) = of("dpop") else {
        // A request that repeats a header may be refused before any scheme is known.
        let grade = if hostile.class == ProofClass::Repeated { Grade::Advice } else { grade };
        return violation(RULE, grade, says("and no challenge for DPoP"));
    };
    let mut all = Vec::new();
    let is_dpop = hostile.headers.iter().any(|(name, value)| {
        name == "authorization" && value.as_bytes().to_ascii_lowercase().starts_with(b"dpop ")
    });
    let is_clear = hostile.class != ProofClass::Repeated;
    let elsewhere = error_of(of("bearer"));
    if let Some(error) = elsewhere.filter(|_| is_dpop && is_clear) {
        let detail = says(&format!("and the error {error:?} in the challenge for Bearer"));
        all.extend(violation(RULE, grade, detail));
    }
    if dpop.parameter("algs").is_none() {
        all.extend(violation(RULE, Grade::Advice, says("and a challenge without `algs`")));
    }
    let has_error = challenges.iter().any(|it| it.parameter("error") == Some(hostile.error));
    if status != hostile.status || !has_error {
        let detail = says(&format!("instead of {} and {:?}", hostile.status, hostile.error));
        all.extend(violation(RULE, Grade::Advice, detail));
    }
    all
}

/// Without query and fragment (RFC 9449 §4.2).
fn url(run: &Run<'_>, call: &Call) -> String {
    let path = call.target.split('?').next().unwrap_or_default();
    format!("{}{path}", run.wire.base.origin())
}

fn with_headers(call: &Call, headers: &[(http::HeaderName, http::HeaderValue)]) -> Call {
    headers.iter().fold(call.clone(), |call, (name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        call.header(name.as_str(), Shown::shortened(value))
    })
}

fn nonce_of(reply: &Reply) -> Option<String> {
    Some(reply.headers.get("dpop-nonce")?.to_str().ok()?.to_owned())
}

fn demanded_nonce(reply: &Reply) -> Option<String> {
    let demands = challenges(&reply.headers).is_ok_and(|all| {
        all.iter().any(|challenge| challenge.parameter("error") == Some("use_dpop_nonce"))
    });
    nonce_of(reply).filter(|_| demands)
}

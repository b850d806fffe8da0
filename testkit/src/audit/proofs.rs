//! Requests with proofs of possession (RFC 9449).

use crate::{
    DpopRequest, HostileProof, ProofClass,
    audit::{
        call::{Call, Shown},
        challenge::challenges,
        check::{faults, violation},
        control::Control,
        extent::Extent,
        grant::Grant,
        hostile::proof_rule_of,
        plan::Chapter,
        rule::Grade,
        run::{Run, call_of},
        wire::{Reply, Silence},
    },
};

/// The right request with a proof, again with the nonce that the API demands.
pub(super) async fn good(
    run: &Run<'_>,
    call: &Call,
    grant: &Grant,
) -> (Call, Result<Reply, Silence>) {
    let request = request(run, call, grant, None);
    let first = with_headers(call, &request.headers());
    let answer = run.send(&first).await;
    match answer.as_ref().ok().and_then(nonce_of) {
        None => (first, answer),
        Some(nonce) => {
            let second = with_headers(call, &request.nonce(nonce).headers());
            let answer = run.send(&second).await;
            (second, answer)
        }
    }
}

/// The hostile requests of a class.
pub(super) async fn hostile(
    run: &mut Run<'_>,
    class: ProofClass,
    extent: Extent,
    chapter: &Chapter<'_>,
    control: &Control,
) {
    let base = call_of(chapter);
    let plain = request(run, &base, &control.grant, None);
    let Ok(reply) = run.send(&with_headers(&base, &plain.headers())).await else { return };
    let nonce = nonce_of(&reply);
    // Nothing is shown by an operation that takes no proofs.
    if nonce.is_none() && !control.standing.accepts(&reply) {
        let reason = format!("a DPoP request is answered with {}", reply.status);
        run.record_inconclusive(&chapter.subject.name, reason);
        return;
    }
    let name = chapter.subject.name.clone();
    let request = request(run, &base, &control.grant, nonce);
    let all = HostileProof::of(&request, class).into_iter().enumerate();
    for (_, hostile) in all.filter(|(place, hostile)| extent.has(hostile.name, *place)) {
        let what = format!("the DPoP request {} ({})", hostile.name, hostile.reference);
        if let Some(first) = &hostile.first
            && run.send(&with_headers(&base, first)).await.is_err()
        {
            continue;
        }
        let call = with_headers(&base, &hostile.headers);
        let Ok(reply) = run.send(&call).await else { continue };
        run.record(&name, &call, faults(&what, &reply));
        let (rule, grade) = proof_rule_of(&hostile);
        if control.standing.accepts(&reply) {
            let detail = format!("{what} is answered with {}", reply.status);
            run.record(&name, &call, violation(rule, grade, detail));
        } else if reply.status < 429 && !is_right(&hostile, &reply) {
            let detail = format!(
                "{what} is answered with {} instead of {} and {:?}",
                reply.status, hostile.status, hostile.error
            );
            run.record(&name, &call, violation("dpop-challenge", grade.max(Grade::Advice), detail));
        }
    }
}

fn is_right(hostile: &HostileProof, reply: &Reply) -> bool {
    let has_error = challenges(&reply.headers).is_ok_and(|all| {
        all.iter().any(|challenge| challenge.parameter("error") == Some(hostile.error))
    });
    reply.status == hostile.status && has_error
}

fn request<'r>(
    run: &Run<'r>,
    call: &Call,
    grant: &Grant,
    nonce: Option<String>,
) -> DpopRequest<'r> {
    let path = call.target.split('?').next().unwrap_or_default();
    let url = format!("{}{path}", run.wire.base.origin());
    let request = DpopRequest::new(grant.token(run.tenant), call.method.as_str(), url);
    match nonce {
        Some(nonce) => request.nonce(nonce),
        None => request,
    }
}

fn with_headers(call: &Call, headers: &[(http::HeaderName, http::HeaderValue)]) -> Call {
    headers.iter().fold(call.clone(), |call, (name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        call.header(name.as_str(), Shown::shortened(value))
    })
}

fn nonce_of(reply: &Reply) -> Option<String> {
    let demands = challenges(&reply.headers).is_ok_and(|all| {
        all.iter().any(|challenge| challenge.parameter("error") == Some("use_dpop_nonce"))
    });
    let nonce = reply.headers.get("dpop-nonce")?.to_str().ok()?;
    demands.then(|| nonce.to_owned())
}

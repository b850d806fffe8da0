//! Why an audit is inconclusive, and what to do.

use crate::{
    Endpoint,
    audit::{base::Base, run::Run, wire::NoReply},
};

/// The API does not answer at all.
pub(super) fn no_reply(no_reply: NoReply, base: &Base) -> String {
    match no_reply {
        NoReply::Unreachable => format!(
            "no API answers at {base}: start it with the audit's tenant as its issuer, or name its \
             address with --base-url"
        ),
        NoReply::Untrusted => format!(
            "the certificate of {base} is not trusted: name a file with it, or with its authority, by \
             --ca-file"
        ),
        NoReply::Late => format!("{base} does not answer in time: is it waiting for its tenant?"),
        NoReply::Closed | NoReply::Unwritable => {
            format!("{base} closes its connections without an answer: is it an HTTP server?")
        }
    }
}

/// No operation accepts the token that its document asks for.
pub(super) fn all_refused(run: &Run<'_>) -> String {
    let (tenant, base) = (run.tenant, &run.wire.base);
    let asked = [Endpoint::Discovery, Endpoint::AuthorizationServer, Endpoint::Jwks];
    let requests: usize = asked.iter().map(|endpoint| tenant.requests(*endpoint)).sum();
    let first = run
        .inconclusive
        .iter()
        .find_map(|inconclusive| inconclusive.operation.as_ref().map(|_| inconclusive));
    let first = first.map(|inconclusive| format!(" ({inconclusive})")).unwrap_or_default();
    if requests == 0 {
        return format!(
            "no operation accepts the right token{first}, and {base} never asked the audit's tenant \
             for its keys: set its issuer to {} and its audience to {}, and start it again",
            tenant.issuer(),
            tenant.audience()
        );
    }
    format!(
        "no operation accepts the right token{first}, although {base} has asked the audit's tenant for \
         its metadata or keys: is its audience {}, and its issuer {}?",
        tenant.audience(),
        tenant.issuer()
    )
}

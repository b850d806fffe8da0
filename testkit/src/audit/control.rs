//! Positive controls: nothing is cleared that does not accept the right token.

use serde_json::json;

use crate::{
    audit::{
        call::{Call, Shown},
        case::Case,
        check::{RightAnswer, faults, violation},
        grant::Grant,
        plan::{CallMode, Planned},
        proofs::Possession,
        rule::Grade,
        run::{Run, call_of},
        wire::Reply,
    },
    document::Requirement,
};

/// What the positive control of an operation has shown.
#[derive(Clone, Debug)]
pub(super) struct Control {
    /// What the accepted token grants.
    pub(super) grant: Grant,
    pub(super) right_answer: RightAnswer,
    /// By which it was accepted, if it is bound to a key.
    pub(super) possession: Option<Possession>,
}

impl Control {
    fn new(requirement: &Requirement) -> Self {
        let mut grant = Grant::of(requirement);
        let possession = requirement.sender_constrained.then(Possession::new);
        if let Some(possession) = &possession {
            grant.claims.insert("cnf".to_owned(), json!({ "jkt": possession.thumbprint() }));
        }
        Self { grant, right_answer: RightAnswer::default(), possession }
    }

    /// Of an operation that no token is known to be accepted by. What it answers with success is.
    pub(super) fn unproven(requirement: &Requirement) -> Self {
        Self { possession: None, ..Self::new(requirement) }
    }

    /// What the token grants, without its binding.
    pub(super) fn unbound(&self) -> Grant {
        let mut grant = self.grant.clone();
        grant.claims.remove("cnf");
        grant
    }

    /// The request with a token as the right one is presented, which this command mints.
    pub(super) fn present(&self, run: &Run<'_>, call: Call, token: &str, command: &str) -> Call {
        match &self.possession {
            None => call.header("Authorization", Shown::minted("Bearer", token, command)),
            Some(possession) => possession.present(run, &call, token),
        }
    }

    /// The request with a token that grants this, and is bound as the right one.
    pub(super) fn with(&self, run: &Run<'_>, call: Call, grant: &Grant) -> Call {
        let mut grant = grant.clone();
        if let Some(cnf) = self.grant.claims.get("cnf") {
            grant.claims.insert("cnf".to_owned(), cnf.clone());
        }
        let token = grant.token(run.tenant).mint();
        self.present(run, call, &token, &grant.command(run.tenant))
    }

    /// The request with the right token.
    pub(super) fn right(&self, run: &Run<'_>, call: Call) -> Call {
        self.with(run, call, &self.grant)
    }
}

impl Run<'_> {
    /// Sends the right token, for each alternative, and returns how the operation answers it.
    pub(super) async fn control(&mut self, planned: &Planned<'_>) -> Option<Control> {
        let subject = planned.subject;
        if let CallMode::Not(why) = planned.mode {
            self.record_inconclusive(&subject.name, why);
            return None;
        }
        let mut accepted: Option<Control> = None;
        let mut refused = Vec::new();
        for (place, requirement) in subject.requirements().iter().enumerate() {
            let mut control = Control::new(requirement);
            let call = call_of(planned);
            let (call, answer) = match &mut control.possession {
                Some(possession) => {
                    let token = control.grant.token(self.tenant).mint();
                    possession.send(self, &call, &token).await
                }
                None => {
                    let call = control.right(self, call);
                    let answer = self.send(&call).await;
                    (call, answer)
                }
            };
            let what = Case::Documented(place).to_string();
            match answer {
                Err(no_reply) => self.record_no_reply(&subject.name, &what, &call, no_reply),
                Ok(reply) if matches!(reply.status, 401 | 403) => {
                    refused.push((control, call, reply.status))
                }
                Ok(reply) if reply.status == 429 || reply.status >= 500 => {
                    self.record(&subject.name, &call, faults(&what, &reply));
                    let status = reply.status;
                    let reason = format!("the right token is answered with {status}");
                    self.record_inconclusive(&subject.name, reason);
                }
                Ok(reply) => {
                    self.record(&subject.name, &call, faults(&what, &reply));
                    if self.is_told_apart(planned, &reply).await {
                        let is_invalid = matches!(planned.mode, CallMode::Invalid(_));
                        let right_answer =
                            RightAnswer { status: reply.status, body: reply.body, is_invalid };
                        accepted = accepted.or(Some(Control { right_answer, ..control }));
                    }
                }
            }
        }
        for (control, call, status) in refused {
            if control.possession.is_none() {
                self.over_strict(planned, &control.grant, &call, status, accepted.is_some()).await;
            } else if accepted.is_none() {
                let reason = format!(
                    "it answers a token that is bound to a key, and its proof, with {status}; the audit \
                     has no client certificate"
                );
                self.record_inconclusive(&subject.name, reason);
            }
        }
        accepted
    }

    /// Whether the operation answers a request without a token otherwise, where the answer to the
    /// right token is not a success.
    async fn is_told_apart(&mut self, planned: &Planned<'_>, reply: &Reply) -> bool {
        let status = reply.status;
        if (200..300).contains(&status) {
            return true;
        }
        let name = &planned.subject.name;
        let call = call_of(planned);
        let without = self.send(&call).await.map(|reply| reply.status).unwrap_or_default();
        let what = "a request without a token";
        match without {
            401 | 403 => return true,
            200..300 => return true,
            400 | 415 | 422 => {
                let detail = format!("{what} is answered with {without}, as one with a token");
                let rule =
                    if planned.subject.has_body() { "order-body" } else { "order-parameter" };
                self.record(name, &call, violation(rule, Grade::Finding, detail));
            }
            _ => {
                let help = match &planned.mode {
                    CallMode::Invalid(_) => "run with --allow-unsafe",
                    _ => {
                        "give its parameters examples that exist, and check the path of the base URL"
                    }
                };
                let reason = format!(
                    "the right token is answered with {status}, and {what} with {without}: {help}"
                );
                self.record_inconclusive(name, reason);
            }
        }
        false
    }

    /// The operation refused what its document asks for.
    async fn over_strict(
        &mut self,
        planned: &Planned<'_>,
        grant: &Grant,
        call: &Call,
        status: u16,
        accepts_others: bool,
    ) {
        let name = &planned.subject.name;
        let generous = self.with_token(call_of(planned), &grant.generous(self.document));
        let more = self.send(&generous).await.map(|reply| reply.status).unwrap_or_default();
        let is_accepted = !matches!(more, 0 | 401 | 403 | 429 | 500..);
        if is_accepted || accepts_others {
            let detail =
                format!("a token with exactly what is documented is answered with {status}");
            self.record(name, call, violation("over-strict", Grade::Finding, detail));
        } else {
            let reason = format!(
                "it answers a token with exactly what is documented with {status}, and one with \
                 everything that the document mentions with {more}"
            );
            self.record_inconclusive(name, reason);
        }
    }
}

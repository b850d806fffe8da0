//! The cases of one operation.

use crate::{
    Class, Endpoint, Signer,
    audit::{
        call::Call,
        case::Case,
        check::{Expected, RightAnswer, Violation, Weakness, crash, faults, refusal, violation},
        control::Control,
        extent::Extent,
        grant::Grant,
        plan::Planned,
        proofs::{self, Possession},
        rule::Grade,
        run::{Run, call_of, with_garbage},
        subject::Access,
        wire::{NoReply, Reply},
    },
};

/// What makes further cases of an operation pointless.
#[derive(Default)]
struct Seen {
    is_open: bool,
    takes_any_text: bool,
    takes_any_signature: bool,
}

impl Run<'_> {
    pub(super) async fn planned(&mut self, planned: &Planned<'_>, control: Option<&Control>) {
        // Of an operation whose clients have certificates, nothing shows that it accepts anything.
        let requirement = planned.subject.requirements().first();
        let unproven = requirement.filter(|it| it.sender_constrained).map(Control::unproven);
        let control = control.or(unproven.as_ref());
        let mut seen = Seen::default();
        let canary = self.tenant.requests(Endpoint::Canary);
        for case in &planned.cases {
            if seen.is_open {
                break;
            }
            self.case(case, planned, control, &mut seen).await;
        }
        if self.tenant.requests(Endpoint::Canary) > canary {
            let call = call_of(planned);
            let detail = "the URL in the jku or x5u header of a token was fetched";
            self.record(
                &planned.subject.name,
                &call,
                violation("key-url-fetched", Grade::Finding, detail),
            );
        }
    }

    async fn case(
        &mut self,
        case: &Case,
        planned: &Planned<'_>,
        control: Option<&Control>,
        seen: &mut Seen,
    ) {
        let right_answer = control.map(|control| control.right_answer.clone()).unwrap_or_default();
        match case {
            Case::Documented(_) => {}
            Case::Public => self.public(planned).await,
            Case::NoToken => seen.is_open = self.no_token(planned, &right_answer).await,
            Case::Order(invalid) => self.order(planned, invalid).await,
            Case::OrderMediaType => self.order_media_type(planned).await,
            Case::Head | Case::Method(_) | Case::Spelling(..) | Case::MethodOverride(_) => {
                self.other_way(case, planned, &right_answer).await;
            }
            Case::MethodOnNothing(method, path) => {
                self.method_on_nothing(planned, method, path).await
            }
            Case::Allow => self.allowed_methods(planned).await,
            Case::OverrideFrom(method, grant) => {
                self.override_from(planned, method, grant.as_ref(), &right_answer).await
            }
            Case::UrlOverride(name, path) => {
                self.url_override(planned, name, path, &right_answer).await
            }
            _ => {
                if let Some(control) = control {
                    self.token_case(case, planned, control, seen).await;
                }
            }
        }
    }

    async fn token_case(
        &mut self,
        case: &Case,
        planned: &Planned<'_>,
        control: &Control,
        seen: &mut Seen,
    ) {
        let right_answer = &control.right_answer;
        match case {
            Case::LowerCaseScheme => self.lower_case_scheme(planned, control).await,
            Case::Unbound => {
                let call = self.with_token(call_of(planned), &control.unbound());
                self.invalid_token("binding", case, planned, &call, right_answer).await;
            }
            Case::UnboundWithProof => {
                let possession = control.possession.clone().unwrap_or_else(Possession::new);
                let token = control.unbound().token(self.tenant).mint();
                let call = possession.present(self, &call_of(planned), &token);
                self.invalid_token("dpop-binding", case, planned, &call, right_answer).await;
            }
            Case::BoundAsBearer => {
                let call = self.with_token(call_of(planned), &control.grant);
                self.invalid_token("dpop-downgrade", case, planned, &call, right_answer).await;
            }
            Case::Garbage => {
                let call = with_garbage(call_of(planned));
                seen.takes_any_text = self
                    .invalid_token("token-not-validated", case, planned, &call, right_answer)
                    .await;
            }
            Case::Mcp => self.mcp(planned, control).await,
            Case::Proofs(class, extent) => {
                proofs::hostile(self, *class, *extent, planned, control).await
            }
            Case::TokenInQuery => self.token_in_query(planned, control).await,
            Case::TokenInBody => self.token_in_body(planned, control).await,
            Case::TokenInCookie => self.token_in_cookie(planned, control).await,
            _ if seen.takes_any_text => {}
            Case::Forged => {
                let grant = &control.grant;
                let token = grant.token(self.tenant).signed_by(Signer::Foreign).mint();
                let command =
                    format!("{} --hostile signature-by-foreign-key", grant.command(self.tenant));
                let call = control.present(self, call_of(planned), &token, &command);
                seen.takes_any_signature = self
                    .invalid_token("signature-not-verified", case, planned, &call, right_answer)
                    .await;
            }
            Case::Hostile(class, _) if seen.takes_any_signature && is_about_signatures(*class) => {}
            Case::Hostile(class, extent) => {
                let is_whole = self.whole.as_ref() == Some(&planned.subject.name);
                let extent = if is_whole { Extent::All } else { *extent };
                self.hostile(*class, extent, planned, control).await;
            }
            Case::Lacks(lack) => {
                let call = control.with(self, call_of(planned), &lack.grant);
                let rule = (lack.rule, Grade::Finding);
                if let [requirement] = planned.subject.requirements() {
                    let needed = Grant::of(requirement).scopes;
                    let expected = match lack.rule {
                        "scope-not-enforced" => {
                            Expected::Scope { needed: &needed, held: &lack.grant.scopes }
                        }
                        "acr-not-enforced" => Expected::StepUp(requirement, Weakness::Acr),
                        "max-age-not-enforced" => Expected::StepUp(requirement, Weakness::Age),
                        _ => Expected::Permission,
                    };
                    self.expect_refusal(rule, &lack.what, expected, planned, &call, right_answer)
                        .await;
                } else {
                    // Which of the alternatives the refusal names is the API's choice.
                    self.expect_no_success(rule, &lack.what, planned, &call, right_answer).await;
                }
            }
            _ => {}
        }
    }

    /// Sends an invalid token, and returns whether it was accepted.
    async fn invalid_token(
        &mut self,
        rule: &'static str,
        case: &Case,
        planned: &Planned<'_>,
        call: &Call,
        right_answer: &RightAnswer,
    ) -> bool {
        let (rule, what) = ((rule, Grade::Finding), case.to_string());
        self.expect_refusal(rule, &what, Expected::Invalid, planned, call, right_answer).await
    }

    /// Sends a request that must be refused, and returns whether it was accepted.
    pub(super) async fn expect_refusal(
        &mut self,
        (rule, grade): (&'static str, Grade),
        what: &str,
        expected: Expected<'_>,
        planned: &Planned<'_>,
        call: &Call,
        right_answer: &RightAnswer,
    ) -> bool {
        let name = &planned.subject.name;
        let reply = match self.send(call).await {
            Ok(reply) => reply,
            Err(NoReply::Closed) => {
                let violations = crash(what);
                self.record_faults(name, what, call, violations, grade).await;
                return false;
            }
            Err(no_reply) => {
                self.record_no_reply(name, what, call, no_reply);
                return false;
            }
        };
        if matches!(planned.subject.access, Access::Optional(_)) {
            self.record_faults(name, what, call, faults(what, &reply), grade).await;
            return self
                .expect_anonymous((rule, grade), what, planned, call, &reply, right_answer)
                .await;
        }
        let mut violations = refusal(rule, grade, what, expected, &reply, right_answer);
        // How a token is refused that may be accepted is not a finding either.
        for violation in &mut violations {
            violation.grade = violation.grade.max(grade);
        }
        self.record(name, call, violations);
        self.record_faults(name, what, call, faults(what, &reply), grade).await;
        right_answer.accepts(&reply)
    }

    /// Where a token is optional, an invalid one may be refused or ignored. It was accepted if the
    /// response is that to the right token, and not that to a request without one.
    async fn expect_anonymous(
        &mut self,
        (rule, grade): (&'static str, Grade),
        what: &str,
        planned: &Planned<'_>,
        call: &Call,
        reply: &Reply,
        right_answer: &RightAnswer,
    ) -> bool {
        let is_alike = (reply.status, &reply.body) == (right_answer.status, &right_answer.body);
        if !is_alike {
            return false;
        }
        let without = self.send(&call_of(planned)).await;
        let is_told_apart = without.is_ok_and(|without| {
            (200..300).contains(&without.status) && without.body != reply.body
        });
        if is_told_apart {
            let detail = format!("{what} is answered as the right token, with {}", reply.status);
            self.record(&planned.subject.name, call, violation(rule, grade, detail));
        }
        is_told_apart
    }

    /// Records faults, as advice if the token is one that may be accepted and that the tenant alone
    /// can sign.
    async fn record_faults(
        &mut self,
        name: &str,
        what: &str,
        call: &Call,
        mut found: Vec<Violation>,
        grade: Grade,
    ) {
        if grade == Grade::Advice && !found.is_empty() {
            let again = match self.send(&call.with_damaged_signature()).await {
                Ok(reply) => faults(what, &reply),
                Err(NoReply::Closed) => crash(what),
                Err(_) => Vec::new(),
            };
            let is_gone = |fault: &Violation| again.iter().all(|it| it.rule != fault.rule);
            for fault in found.iter_mut().filter(|fault| is_gone(fault)) {
                fault.grade = Grade::Advice;
            }
        }
        self.record(name, call, found);
    }

    pub(super) async fn expect_no_success(
        &mut self,
        (rule, grade): (&'static str, Grade),
        what: &str,
        planned: &Planned<'_>,
        call: &Call,
        right_answer: &RightAnswer,
    ) {
        let name = &planned.subject.name;
        // What is too long for a server may also end the connection.
        let Ok(reply) = self.send(call).await else { return };
        let mut violations = faults(what, &reply);
        for violation in &mut violations {
            violation.grade = violation.grade.max(grade);
        }
        self.record(name, call, violations);
        if matches!(planned.subject.access, Access::Optional(_)) {
            self.expect_anonymous((rule, grade), what, planned, call, &reply, right_answer).await;
        } else if right_answer.accepts(&reply) {
            let detail = format!("{what} is answered with {}", reply.status);
            self.record(name, call, violation(rule, grade, detail));
        }
    }
}

/// Classes whose tokens are accepted wherever signatures are not verified.
const fn is_about_signatures(class: Class) -> bool {
    matches!(
        class,
        Class::AlgNone
            | Class::KeyConfusion
            | Class::AlgSwap
            | Class::BadSignature
            | Class::EcdsaEdge
            | Class::EmbeddedKey
            | Class::KidInjection
            | Class::RetiredKey
    )
}

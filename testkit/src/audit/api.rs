//! The cases of the API as a whole: its keys, opaque tokens and metadata.

use std::time::Duration;

use crate::{
    Certificate, DpopKey, Endpoint, Fault, MockTenant, Signer,
    audit::{
        call::{Call, Shown},
        case::Case,
        check::violation,
        control::Control,
        hostile::Bindings,
        plan::Planned,
        report::Inconclusive,
        rule::Grade,
        run::{Run, call_of},
    },
};

/// How many invented `kid`s are sent, and how many of them may cost a request.
const INVENTED: usize = 30;
const TOLERATED: usize = 10;

/// How many seconds an outage lasts at least, unless the API fetches keys before.
pub(super) const OUTAGE: u64 = 5;

impl Run<'_> {
    pub(super) async fn api_case(&mut self, case: &Case, planned: &Planned<'_>, control: &Control) {
        match case {
            Case::OtherTenant => self.other_tenant(planned, control).await,
            Case::Rotation => self.rotation(planned, control).await,
            Case::Opaque => self.opaque(planned, control).await,
            Case::Outage => self.outage(planned, control).await,
            Case::Flood => self.flood(planned, control).await,
            Case::Withdrawal => self.withdrawal(planned, control).await,
            _ => {}
        }
    }

    pub(super) fn record_inconclusive(&mut self, operation: &str, reason: impl Into<String>) {
        let inconclusive = Inconclusive::operation(operation, reason);
        if !self.inconclusive.contains(&inconclusive) {
            self.inconclusive.push(inconclusive);
        }
    }

    /// A token that is right but for its tenant, whose keys can be found by its `iss`.
    async fn other_tenant(&mut self, planned: &Planned<'_>, control: &Control) {
        let builder = MockTenant::builder().audience(self.tenant.audience());
        let Ok(other) = builder.clock(self.tenant.clock().clone()).try_start().await else {
            return;
        };
        let token = control.grant.token(&other).mint();
        let command = control.grant.command(&other);
        let call = control.present(self, call_of(planned), &token, &command);
        self.expect_refused("issuer", planned, &call, "a token of another tenant", control).await;
        let asked = [Endpoint::Discovery, Endpoint::AuthorizationServer, Endpoint::Jwks];
        if asked.iter().any(|endpoint| other.requests(*endpoint) > 0) {
            let detail = "the keys of the tenant that a token names were fetched";
            let violations = violation("key-url-fetched", Grade::Finding, detail);
            self.record(&planned.subject.name, &call, violations);
        }
    }

    /// A new key is used from now on, if the API accepts it.
    async fn rotation(&mut self, planned: &Planned<'_>, control: &Control) {
        self.tenant.rotate_keys();
        let taken = self.accepted_after(planned, control).await;
        self.outage_seconds = taken.map_or(0, |seconds| seconds.max(OUTAGE) + 1);
        if taken.is_some() {
            return;
        }
        let call = control.right(self, call_of(planned));
        let seconds = self.options.key_refresh.as_secs();
        let detail =
            format!("a token by the tenant's new key is refused for {seconds} s after a rotation");
        self.record(
            &planned.subject.name,
            &call,
            violation("key-rotation", Grade::Finding, detail),
        );
        self.tenant.revert_rotation();
    }

    /// After how many seconds the API accepts the right token; `None` if it has not when it must have
    /// fetched new keys.
    async fn accepted_after(&self, planned: &Planned<'_>, control: &Control) -> Option<u64> {
        for second in 0..=self.options.key_refresh.as_secs() {
            if second > 0 {
                self.pause(Duration::from_secs(1)).await;
            }
            let call = control.right(self, call_of(planned));
            if self.send(&call).await.is_ok_and(|reply| control.right_answer.accepts(&reply)) {
                return Some(second);
            }
        }
        None
    }

    async fn outage(&mut self, planned: &Planned<'_>, control: &Control) {
        let (name, grant, right_answer) =
            (&planned.subject.name, &control.grant, &control.right_answer);
        let failing = [Endpoint::Discovery, Endpoint::AuthorizationServer, Endpoint::Jwks];
        // One that is accepted at any time shows nothing about an outage.
        let usual = grant.token(self.tenant).signed_by(Signer::Foreign).mint();
        let command = format!("{} --hostile signature-by-foreign-key", grant.command(self.tenant));
        let usual = control.present(self, call_of(planned), &usual, &command);
        let is_unverified = self.send(&usual).await.is_ok_and(|reply| right_answer.accepts(&reply));
        let faults = failing.map(|endpoint| self.tenant.fault(endpoint, Fault::Status(503)));
        if !is_unverified {
            let forged = || grant.token(self.tenant).signed_by(Signer::Foreign);
            let asked =
                || failing.iter().map(|endpoint| self.tenant.requests(*endpoint)).sum::<usize>();
            let before = asked();
            let mut accepted = None;
            // An API that bounds its fetches may not notice the outage at once.
            let seconds = if before == 0 { 0 } else { self.outage_seconds };
            for second in 0..=seconds {
                if second > 0 {
                    self.pause(Duration::from_secs(1)).await;
                }
                let unknown = forged().header("kid", format!("outage-{second}"));
                for (what, token) in
                    [("a token by an unknown key", unknown), ("a forged token", forged())]
                {
                    let call = control.present(self, call_of(planned), &token.mint(), &command);
                    let answer = self.send(&call).await;
                    if answer.is_ok_and(|reply| right_answer.accepts(&reply)) {
                        accepted = accepted.or(Some((what, call)));
                    }
                }
                if accepted.is_some() || asked() > before {
                    break;
                }
            }
            if let Some((what, call)) = accepted {
                let detail = format!("{what} is accepted while the keys cannot be fetched");
                self.record(name, &call, violation("key-outage-open", Grade::Finding, detail));
            }
        }
        let call = control.right(self, call_of(planned));
        if let Ok(reply) = self.send(&call).await
            && !right_answer.accepts(&reply)
        {
            let detail = format!(
                "the right token is answered with {} while the keys cannot be fetched, although its key \
                 was known before",
                reply.status
            );
            self.record(name, &call, violation("key-outage", Grade::Finding, detail));
        }
        drop(faults);
        if self.accepted_after(planned, control).await.is_none() {
            let seconds = self.options.key_refresh.as_secs();
            let reason = format!("it refuses the right token for {seconds} s after an outage");
            self.record_inconclusive(name, reason);
        }
    }

    async fn flood(&mut self, planned: &Planned<'_>, control: &Control) {
        let (name, grant, right_answer) =
            (&planned.subject.name, &control.grant, &control.right_answer);
        let before = self.tenant.requests(Endpoint::Jwks);
        let command = format!("{} --hostile kid-unknown", grant.command(self.tenant));
        let mut last = call_of(planned);
        for number in 0..INVENTED {
            let token = grant.token(self.tenant).header("kid", format!("invented-{number}")).mint();
            last = control.present(self, call_of(planned), &token, &command);
            // Other cases check what each is answered with.
            let _ = self.send(&last).await;
        }
        let fetched = self.tenant.requests(Endpoint::Jwks).saturating_sub(before);
        if fetched > TOLERATED {
            let detail = format!(
                "{INVENTED} tokens with invented kids cost {fetched} requests for the keys"
            );
            self.record(name, &last, violation("key-flood", Grade::Finding, detail));
        }
        let call = control.right(self, call_of(planned));
        if let Ok(reply) = self.send(&call).await
            && !right_answer.accepts(&reply)
        {
            let detail = format!(
                "after {INVENTED} invented kids the right token is answered with {}",
                reply.status
            );
            self.record(name, &call, violation("key-flood-lockout", Grade::Finding, detail));
        }
    }

    async fn withdrawal(&mut self, planned: &Planned<'_>, control: &Control) {
        let Some(cached) = self.options.key_cache else { return };
        let token = control.grant.token(self.tenant).mint();
        let command = control.grant.command(self.tenant);
        let call = |run: &Self| control.present(run, call_of(planned), &token, &command);
        // The API knows the key by then.
        let first = self.send(&call(self)).await;
        self.tenant.replace_keys();
        self.pause(cached).await;
        if first.is_ok_and(|reply| control.right_answer.accepts(&reply)) {
            let what = format!("a token {} s after its key was withdrawn", cached.as_secs());
            self.expect_refused("key-withdrawal", planned, &call(self), &what, control).await;
        }
    }

    async fn opaque(&mut self, planned: &Planned<'_>, control: &Control) {
        let (name, grant, right_answer) =
            (&planned.subject.name, &control.grant, &control.right_answer);
        let command = format!("{} --opaque", grant.command(self.tenant));
        let call =
            |run: &Self, token: &str| control.present(run, call_of(planned), token, &command);
        let token = || grant.opaque_token(self.tenant);
        let before = self.tenant.requests(Endpoint::Introspection);
        let answer = self.send(&call(self, &token().mint())).await;
        if !answer.is_ok_and(|reply| right_answer.accepts(&reply)) {
            // An API without introspection refuses every opaque token. One that asks was told that
            // this one is active.
            if self.tenant.requests(Endpoint::Introspection) > before {
                let refusal = self.tenant.introspections().pop().and_then(|it| it.refusal);
                let why = refusal.map(|why| format!(": its request is wrong, as {why}"));
                let why = why.unwrap_or_default();
                let reason = format!("it introspects, and refuses an active opaque token{why}");
                self.record_inconclusive(name, reason);
                self.skips_opaque = true;
            }
            return;
        }
        let inactive = token().mint();
        self.tenant.revoke(&inactive);
        let other = token().claim("aud", "https://other.example.com").mint();
        for (rule, token, what) in [
            ("opaque-inactive", inactive, "an inactive opaque token"),
            ("opaque-audience", other, "an opaque token for another audience"),
        ] {
            let call = call(self, &token);
            self.expect_refused(rule, planned, &call, what, control).await;
        }
        self.bound_opaque(planned, control).await;
        let down = self.tenant.fault(Endpoint::Introspection, Fault::Status(503));
        let what = "an opaque token while introspection fails";
        let unknown = call(self, &token().mint());
        self.expect_refused("opaque-fail-open", planned, &unknown, what, control).await;
        drop(down);
        if self.has_found("opaque-inactive") {
            self.skips_opaque = true;
            return;
        }
        // Long enough for two requests, and the second is past it.
        let short = token().expires_in(2).mint();
        if self.send(&call(self, &short)).await.is_ok_and(|reply| right_answer.accepts(&reply)) {
            self.pause(Duration::from_secs(3)).await;
            let what = "an opaque token a second after its expiry";
            let expired = call(self, &short);
            self.expect_refused("opaque-expired", planned, &expired, what, control).await;
        }
    }

    /// Opaque tokens that are bound to a certificate or a key, as bearer tokens.
    async fn bound_opaque(&mut self, planned: &Planned<'_>, control: &Control) {
        let bindings = Bindings::of(self.document);
        let token = || control.unbound().opaque_token(self.tenant);
        let certificate = token().bound_to(&Certificate::self_signed("audit"));
        for (name, token, what) in [
            ("cnf-certificate", certificate, "an opaque token that is bound to a certificate"),
            (
                "cnf-dpop-key",
                token().bound_to_key(&DpopKey::generate()),
                "an opaque token that is bound to a key",
            ),
        ] {
            let header = Shown::shortened(format!("Bearer {}", token.mint()));
            let call = call_of(planned).header("Authorization", header);
            let Ok(reply) = self.send(&call).await else { continue };
            if control.right_answer.accepts(&reply) {
                let must = bindings.are_broken_by(name);
                let grade = if must { Grade::Finding } else { Grade::Advice };
                let detail = format!("{what} is answered with {}", reply.status);
                self.record(&planned.subject.name, &call, violation("binding", grade, detail));
            }
        }
    }

    async fn expect_refused(
        &mut self,
        rule: &'static str,
        planned: &Planned<'_>,
        call: &Call,
        what: &str,
        control: &Control,
    ) {
        if let Ok(reply) = self.send(call).await
            && control.right_answer.accepts(&reply)
        {
            let detail = format!("{what} is answered with {}", reply.status);
            self.record(&planned.subject.name, call, violation(rule, Grade::Finding, detail));
        }
    }
}

//! The cases of one operation that send a token.

use std::cell::Cell;

use crate::{
    Class, Hostile,
    audit::{
        call::{Call, Shown},
        check::{Expected, violation},
        control::Control,
        extent::Extent,
        hostile::{Bindings, rule_of},
        plan::Planned,
        rule::Grade,
        run::{Run, call_of},
        subject::encoded,
        wire::Reply,
    },
};

impl Run<'_> {
    pub(super) async fn lower_case_scheme(&mut self, planned: &Planned<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let header = Shown::minted("bearer", &token, &control.grant.command(self.tenant));
        let call = call_of(planned).header("Authorization", header);
        if let Ok(reply) = self.send(&call).await
            && matches!(reply.status, 400 | 401 | 403)
            && !control.right_answer.accepts(&reply)
        {
            let detail = format!(
                "the right token under the scheme bearer is answered with {}",
                reply.status
            );
            self.record(
                &planned.subject.name,
                &call,
                violation("scheme-case", Grade::Advice, detail),
            );
        }
    }

    pub(super) async fn hostile(
        &mut self,
        class: Class,
        extent: Extent,
        planned: &Planned<'_>,
        control: &Control,
    ) {
        let grant = &control.grant;
        let claims = grant.all_claims(self.tenant);
        let tenant = self.tenant.with_defaults(None, Some(grant.scopes.join(" ")), claims);
        let bindings = Bindings::of(self.document);
        let place = Cell::new(0);
        let is_chosen = |name: &str| extent.has(name, place.replace(place.get() + 1));
        for hostile in Hostile::chosen(&tenant, class, &is_chosen) {
            if self.skips_opaque && hostile.token.matches('.').count() != 2 {
                continue;
            }
            let what = format!("the token {} ({})", hostile.name, hostile.reference);
            let command = format!("{} --hostile {}", grant.command(self.tenant), hostile.name);
            let call = control.present(self, call_of(planned), &hostile.token, &command);
            let (rule, grade) = rule_of(&hostile, bindings);
            let right_answer = &control.right_answer;
            // A parser may bound the depth too (RFC 8259 §9).
            if class == Class::Size || hostile.reference == "RFC 8259 §9" {
                self.expect_no_success((rule, grade), &what, planned, &call, right_answer).await;
            } else {
                let expected =
                    if is_malformed(class) { Expected::Malformed } else { Expected::Invalid };
                self.expect_refusal((rule, grade), &what, expected, planned, &call, right_answer)
                    .await;
            }
        }
    }

    pub(super) async fn token_in_query(&mut self, planned: &Planned<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let plain = call_of(planned);
        let with = |token: &str| {
            let mut call = plain.clone();
            for name in ["access_token", "token", "jwt"] {
                let mark = if call.target.contains('?') { '&' } else { '?' };
                call.target = format!("{}{mark}{name}={}", call.target, encoded(token));
            }
            call
        };
        let rule = ("token-in-query", "the right token in the query");
        self.token_elsewhere(rule, planned, &with(&token), &with("TOKEN"), control).await;
    }

    pub(super) async fn token_in_cookie(&mut self, planned: &Planned<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let with = |token: &str| {
            let names = ["access_token", "token", "jwt", "session", "auth"];
            let cookies = names.map(|name| format!("{name}={token}")).join("; ");
            call_of(planned).plain_header("Cookie", &cookies)
        };
        let rule = ("token-in-cookie", "the right token in a cookie");
        self.token_elsewhere(rule, planned, &with(&token), &with("TOKEN"), control).await;
    }

    /// A request whose token is elsewhere, which is reported as the other one.
    async fn token_elsewhere(
        &mut self,
        (rule, what): (&str, &str),
        planned: &Planned<'_>,
        call: &Call,
        shown: &Call,
        control: &Control,
    ) {
        if let Ok(reply) = self.send(call).await
            && control.right_answer.accepts(&reply)
        {
            let detail = format!("{what} is answered with {}", reply.status);
            self.record(&planned.subject.name, shown, violation(rule, Grade::Finding, detail));
        }
    }

    pub(super) async fn token_in_body(&mut self, planned: &Planned<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let form = |body: String| call_of(planned).body("application/x-www-form-urlencoded", body);
        let is_refusal = |reply: &Reply| matches!(reply.status, 401 | 403);
        let without = self.send(&form("audit=1".to_owned())).await;
        let call = form(format!("access_token={token}"));
        let (Ok(without), Ok(reply)) = (without, self.send(&call).await) else { return };
        if is_refusal(&without) && !is_refusal(&reply) && !matches!(reply.status, 429 | 500..) {
            let detail =
                format!("the right token as access_token is answered with {}", reply.status);
            let call = form("access_token=TOKEN".to_owned());
            self.record(
                &planned.subject.name,
                &call,
                violation("token-in-body", Grade::Finding, detail),
            );
        }
    }
}

/// Classes whose tokens are not JWTs, or have a header that cannot be one of an access token's.
const fn is_malformed(class: Class) -> bool {
    matches!(
        class,
        Class::AlgNone | Class::KidInjection | Class::Crit | Class::Structure | Class::Json
    )
}

//! The cases of one operation.

use http::Method;

use crate::{
    Class, Endpoint, Hostile,
    audit::{
        call::{Call, Shown},
        case::{Case, Extent},
        hostile::rule_of,
        judge::{Expected, Standing, faults, judgement, refusal},
        plan::Chapter,
        proofs,
        rule::Grade,
        run::{Control, Run, call_of, with_garbage},
        subject::{Invalid, encoded},
        wire::Reply,
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
    pub(super) async fn chapter(&mut self, chapter: &Chapter<'_>, control: Option<&Control>) {
        let mut seen = Seen::default();
        let canary = self.tenant.requests(Endpoint::Canary);
        for case in &chapter.cases {
            if seen.is_open {
                break;
            }
            self.case(case, chapter, control, &mut seen).await;
        }
        if self.tenant.requests(Endpoint::Canary) > canary {
            let call = call_of(chapter);
            let detail = "the URL in the jku or x5u header of a token was fetched";
            self.record(
                &chapter.subject.name,
                &call,
                judgement("key-url-fetched", Grade::Finding, detail),
            );
        }
    }

    async fn case(
        &mut self,
        case: &Case,
        chapter: &Chapter<'_>,
        control: Option<&Control>,
        seen: &mut Seen,
    ) {
        let standing = control.map(|control| control.standing.clone()).unwrap_or_default();
        match case {
            Case::Documented(_) => {}
            Case::Public => self.public(chapter).await,
            Case::NoToken => seen.is_open = self.no_token(chapter, &standing).await,
            Case::Order(invalid) => self.order(chapter, invalid).await,
            Case::OrderMediaType => self.order_media_type(chapter).await,
            Case::Head | Case::Method(_) | Case::Spelling(..) | Case::MethodOverride(..) => {
                self.other_way(case, chapter, &standing).await;
            }
            Case::UrlOverride(name, path) => {
                self.url_override(chapter, name, path, &standing).await
            }
            _ => {
                if let Some(control) = control {
                    self.token_case(case, chapter, control, seen).await;
                }
            }
        }
    }

    async fn token_case(
        &mut self,
        case: &Case,
        chapter: &Chapter<'_>,
        control: &Control,
        seen: &mut Seen,
    ) {
        let standing = &control.standing;
        match case {
            Case::LowerCaseScheme => self.lower_case_scheme(chapter, control).await,
            Case::Unbound => {
                let call = self.with_token(call_of(chapter), &control.grant);
                self.expect_refusal(
                    ("binding", Grade::Finding),
                    &case.to_string(),
                    Expected::Invalid,
                    chapter,
                    &call,
                    standing,
                )
                .await;
            }
            _ if control.is_bound && !matches!(case, Case::Proofs(..)) => {}
            Case::Garbage => {
                let call = with_garbage(call_of(chapter));
                let rule = ("token-not-validated", Grade::Finding);
                seen.takes_any_text = self
                    .expect_refusal(
                        rule,
                        &case.to_string(),
                        Expected::Invalid,
                        chapter,
                        &call,
                        standing,
                    )
                    .await;
            }
            Case::Proofs(class, extent) => {
                proofs::hostile(self, *class, *extent, chapter, control).await
            }
            Case::TokenInQuery => self.token_in_query(chapter, control).await,
            Case::TokenInBody => self.token_in_body(chapter, control).await,
            _ if seen.takes_any_text => {}
            Case::Forged => {
                let grant = &control.grant;
                let token = grant.token(self.tenant).signed_by(crate::Signer::Foreign).mint();
                let command =
                    format!("{} --hostile signature-by-foreign-key", grant.command(self.tenant));
                let header = Shown::minted("Bearer", &token, &command);
                let call = call_of(chapter).header("Authorization", header);
                let rule = ("signature-not-verified", Grade::Finding);
                seen.takes_any_signature = self
                    .expect_refusal(
                        rule,
                        &case.to_string(),
                        Expected::Invalid,
                        chapter,
                        &call,
                        standing,
                    )
                    .await;
            }
            Case::Hostile(class, _) if seen.takes_any_signature && is_about_signatures(*class) => {}
            Case::Hostile(class, extent) => self.hostile(*class, *extent, chapter, control).await,
            Case::Lacks(lack) => {
                let call = self.with_token(call_of(chapter), &lack.grant);
                let expected = match lack.rule {
                    "scope-not-enforced" => Expected::Scope,
                    "acr-not-enforced" | "max-age-not-enforced" => Expected::StepUp,
                    _ => Expected::Permission,
                };
                let rule = (lack.rule, Grade::Finding);
                if chapter.subject.requirements().len() == 1 {
                    self.expect_refusal(rule, &lack.what, expected, chapter, &call, standing).await;
                } else {
                    // Which of the alternatives the refusal names is the API's choice.
                    self.expect_no_success(rule, &lack.what, chapter, &call, standing).await;
                }
            }
            _ => {}
        }
    }

    /// Sends a request that must be refused, and returns whether it was accepted.
    async fn expect_refusal(
        &mut self,
        (rule, grade): (&'static str, Grade),
        what: &str,
        expected: Expected<'_>,
        chapter: &Chapter<'_>,
        call: &Call,
        standing: &Standing,
    ) -> bool {
        let name = &chapter.subject.name;
        let reply = match self.send(call).await {
            Ok(reply) => reply,
            Err(silence) => {
                self.silent(name, what, call, silence);
                return false;
            }
        };
        let mut judgements = refusal(rule, grade, what, expected, &reply, standing);
        // How a token is refused that may be accepted is not a finding either.
        for judgement in &mut judgements {
            judgement.grade = judgement.grade.max(grade);
        }
        judgements.extend(faults(what, &reply));
        self.record(name, call, judgements);
        standing.accepts(&reply)
    }

    async fn expect_no_success(
        &mut self,
        (rule, grade): (&'static str, Grade),
        what: &str,
        chapter: &Chapter<'_>,
        call: &Call,
        standing: &Standing,
    ) {
        let name = &chapter.subject.name;
        // What is too long for a server may also end the connection.
        let Ok(reply) = self.send(call).await else { return };
        self.record(name, call, faults(what, &reply));
        if standing.accepts(&reply) {
            let detail = format!("{what} is answered with {}", reply.status);
            self.record(name, call, judgement(rule, grade, detail));
        }
    }

    async fn public(&mut self, chapter: &Chapter<'_>) {
        let (name, call) = (&chapter.subject.name, call_of(chapter));
        let what = "a request without a token";
        match self.send(&call).await {
            Err(silence) => self.silent(name, what, &call, silence),
            Ok(reply) => {
                self.record(name, &call, faults(what, &reply));
                if matches!(reply.status, 401 | 403) {
                    let detail = format!("{what} is answered with {}", reply.status);
                    self.record(name, &call, judgement("public-refused", Grade::Finding, detail));
                }
            }
        }
    }

    async fn no_token(&mut self, chapter: &Chapter<'_>, standing: &Standing) -> bool {
        let call = call_of(chapter);
        let requirements = chapter.subject.requirements();
        let scopes =
            requirements.first().map(crate::audit::grant::Grant::of).unwrap_or_default().scopes;
        let expected = Expected::Missing { scopes: &scopes };
        let rule = ("no-token", Grade::Finding);
        let is_open = self
            .expect_refusal(rule, "a request without a token", expected, chapter, &call, standing)
            .await;
        if !is_open && let Ok(reply) = self.send(&call).await {
            self.resource_metadata(chapter, &call, &reply).await;
        }
        is_open
    }

    async fn lower_case_scheme(&mut self, chapter: &Chapter<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let header = Shown::minted("bearer", &token, &control.grant.command(self.tenant));
        let call = call_of(chapter).header("Authorization", header);
        if let Ok(reply) = self.send(&call).await
            && matches!(reply.status, 400 | 401 | 403)
            && !control.standing.accepts(&reply)
        {
            let detail = format!(
                "the right token under the scheme bearer is answered with {}",
                reply.status
            );
            self.record(
                &chapter.subject.name,
                &call,
                judgement("scheme-case", Grade::Advice, detail),
            );
        }
    }

    async fn hostile(
        &mut self,
        class: Class,
        extent: Extent,
        chapter: &Chapter<'_>,
        control: &Control,
    ) {
        let grant = &control.grant;
        let claims = grant.all_claims(self.tenant);
        let tenant = self.tenant.with_defaults(None, Some(grant.scopes.join(" ")), claims);
        let chosen = extent.chosen(Hostile::of(&tenant, class));
        for hostile in chosen {
            if self.skips_opaque && hostile.token.matches('.').count() != 2 {
                continue;
            }
            let what = format!("the token {} ({})", hostile.name, hostile.reference);
            let command = format!("{} --hostile {}", grant.command(self.tenant), hostile.name);
            let header = Shown::minted("Bearer", &hostile.token, &command);
            let call = call_of(chapter).header("Authorization", header);
            let (rule, grade) = rule_of(&hostile);
            let standing = &control.standing;
            if class == Class::Size {
                self.expect_no_success((rule, grade), &what, chapter, &call, standing).await;
            } else {
                self.expect_refusal(
                    (rule, grade),
                    &what,
                    Expected::Invalid,
                    chapter,
                    &call,
                    standing,
                )
                .await;
            }
        }
    }

    async fn order(&mut self, chapter: &Chapter<'_>, invalid: &Invalid) {
        let call = chapter.subject.invalid_call(invalid);
        let rule =
            if matches!(invalid, Invalid::Body(_)) { "order-body" } else { "order-parameter" };
        // A path of another form may be unknown.
        let is_unknown = |status| matches!(invalid, Invalid::Path(_)) && status == 404;
        if let Ok(reply) = self.send(&call).await
            && matches!(reply.status, 400 | 404 | 409 | 415 | 422)
            && !is_unknown(reply.status)
        {
            self.order_finding(rule, chapter, &call, &reply);
        }
    }

    async fn order_media_type(&mut self, chapter: &Chapter<'_>) {
        let call = chapter.subject.call().body("application/x-audit", "audit");
        if let Ok(reply) = self.send(&call).await
            && matches!(reply.status, 400 | 415 | 422)
        {
            self.order_finding("order-media-type", chapter, &call, &reply);
        }
    }

    fn order_finding(&mut self, rule: &str, chapter: &Chapter<'_>, call: &Call, reply: &Reply) {
        let what = "an invalid request without a token";
        let detail = format!("{what} is answered with {} instead of 401", reply.status);
        self.record(&chapter.subject.name, call, judgement(rule, Grade::Finding, detail));
    }

    /// Other ways to the handler, without a token.
    async fn other_way(&mut self, case: &Case, chapter: &Chapter<'_>, standing: &Standing) {
        let subject = chapter.subject;
        let mut call = call_of(chapter);
        let rule = match case {
            Case::Head => {
                call.method = Method::HEAD;
                "head-unprotected"
            }
            Case::Method(method) => {
                call = Call::new(method.clone(), call.target);
                if *method != Method::GET {
                    call = call.body("application/json", "{}");
                }
                "undocumented-method"
            }
            Case::Spelling(_, path) => {
                call = subject.call_at_path(path);
                "path-spelling"
            }
            Case::MethodOverride(name, value) => {
                call = call.plain_header(name, value);
                "method-override"
            }
            _ => return,
        };
        let what = case.to_string();
        let Ok(reply) = self.send(&call).await else { return };
        self.record(&subject.name, &call, faults(&what, &reply));
        // A page for every unknown path is not the handler.
        let is_page = (200..300).contains(&self.unknown.status) && reply.body != standing.body;
        if (200..300).contains(&reply.status) && !is_page {
            let detail = format!("{what} is answered with {}", reply.status);
            self.record(&subject.name, &call, judgement(rule, Grade::Finding, detail));
        }
    }

    async fn url_override(
        &mut self,
        chapter: &Chapter<'_>,
        name: &str,
        path: &str,
        standing: &Standing,
    ) {
        let plain = Call::new(Method::GET, path);
        let call = plain.clone().plain_header(name, &chapter.subject.path);
        let (Ok(usual), Ok(reply)) = (self.send(&plain).await, self.send(&call).await) else {
            return;
        };
        let is_handler = reply.body == standing.body && reply.status == standing.status;
        if is_handler && (200..300).contains(&reply.status) && reply.body != usual.body {
            let detail = format!("{path} with {name} is answered as {}", chapter.subject.path);
            self.record(
                &chapter.subject.name,
                &call,
                judgement("url-override", Grade::Finding, detail),
            );
        }
    }

    async fn token_in_query(&mut self, chapter: &Chapter<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let mut call = call_of(chapter);
        let mark = if call.target.contains('?') { '&' } else { '?' };
        call.target = format!("{}{mark}access_token={}", call.target, encoded(&token));
        if let Ok(reply) = self.send(&call).await
            && control.standing.accepts(&reply)
        {
            let detail =
                format!("the right token as access_token is answered with {}", reply.status);
            call.target = call.target.replace(&encoded(&token), "TOKEN");
            self.record(
                &chapter.subject.name,
                &call,
                judgement("token-in-query", Grade::Finding, detail),
            );
        }
    }

    async fn token_in_body(&mut self, chapter: &Chapter<'_>, control: &Control) {
        let token = control.grant.token(self.tenant).mint();
        let form = |body: String| call_of(chapter).body("application/x-www-form-urlencoded", body);
        let is_refusal = |reply: &Reply| matches!(reply.status, 401 | 403);
        let without = self.send(&form("audit=1".to_owned())).await;
        let call = form(format!("access_token={token}"));
        let (Ok(without), Ok(reply)) = (without, self.send(&call).await) else { return };
        if is_refusal(&without) && !is_refusal(&reply) && !matches!(reply.status, 429 | 500..) {
            let detail =
                format!("the right token as access_token is answered with {}", reply.status);
            let call = form("access_token=TOKEN".to_owned());
            self.record(
                &chapter.subject.name,
                &call,
                judgement("token-in-body", Grade::Finding, detail),
            );
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

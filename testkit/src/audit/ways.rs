//! The cases of one operation without a token: refusals, their order, and other ways to the handler.

use http::Method;

use crate::audit::{
    call::Call,
    case::Case,
    check::{Expected, Standing, faults, violation},
    grant::Grant,
    plan::Chapter,
    rule::Grade,
    run::{Run, call_of},
    subject::{Access, Invalid},
    wire::Reply,
};

impl Run<'_> {
    pub(super) async fn public(&mut self, chapter: &Chapter<'_>) {
        let (name, call) = (&chapter.subject.name, call_of(chapter));
        let what = "a request without a token";
        match self.send(&call).await {
            Err(silence) => self.silent(name, what, &call, silence),
            Ok(reply) => {
                self.record(name, &call, faults(what, &reply));
                if matches!(reply.status, 401 | 403) {
                    let detail = format!("{what} is answered with {}", reply.status);
                    self.record(name, &call, violation("public-refused", Grade::Finding, detail));
                }
            }
        }
    }

    pub(super) async fn no_token(&mut self, chapter: &Chapter<'_>, standing: &Standing) -> bool {
        let call = call_of(chapter);
        let requirements = chapter.subject.requirements();
        let scopes = requirements.first().map(Grant::of).unwrap_or_default().scopes;
        let expected = Expected::Missing { scopes: &scopes };
        let rule = ("no-token", Grade::Finding);
        if matches!(chapter.subject.access, Access::Other) {
            // How it is refused is another scheme's business.
            let what = "a request without credentials";
            self.expect_no_success(rule, what, chapter, &call, standing).await;
            return false;
        }
        let is_open = self
            .expect_refusal(rule, "a request without a token", expected, chapter, &call, standing)
            .await;
        if !is_open && let Ok(reply) = self.send(&call).await {
            self.resource_metadata(chapter, &call, &reply).await;
        }
        is_open
    }

    pub(super) async fn order(&mut self, chapter: &Chapter<'_>, invalid: &Invalid) {
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

    pub(super) async fn order_media_type(&mut self, chapter: &Chapter<'_>) {
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
        self.record(&chapter.subject.name, call, violation(rule, Grade::Finding, detail));
    }

    /// Other ways to the handler, without a token.
    pub(super) async fn other_way(
        &mut self,
        case: &Case,
        chapter: &Chapter<'_>,
        standing: &Standing,
    ) {
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
            self.record(&subject.name, &call, violation(rule, Grade::Finding, detail));
        }
    }

    pub(super) async fn url_override(
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
                violation("url-override", Grade::Finding, detail),
            );
        }
    }
}

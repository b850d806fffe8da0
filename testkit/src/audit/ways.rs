//! The cases of one operation without a token: refusals, their order, and other ways to the handler.

use http::{Method, header::ALLOW};

use crate::audit::{
    call::Call,
    case::Case,
    check::{Expected, RightAnswer, faults, violation},
    grant::Grant,
    plan::{CallMode, Planned},
    rule::Grade,
    run::{Run, call_of},
    subject::{Access, Invalid},
    wire::Reply,
};

impl Run<'_> {
    pub(super) async fn public(&mut self, planned: &Planned<'_>) {
        let (name, call) = (&planned.subject.name, call_of(planned));
        let what = "a request without a token";
        match self.send(&call).await {
            Err(no_reply) => self.record_no_reply(name, what, &call, no_reply),
            Ok(reply) => {
                self.record(name, &call, faults(what, &reply));
                if matches!(reply.status, 401 | 403) {
                    let detail = format!("{what} is answered with {}", reply.status);
                    self.record(name, &call, violation("public-refused", Grade::Finding, detail));
                }
            }
        }
    }

    pub(super) async fn no_token(
        &mut self,
        planned: &Planned<'_>,
        right_answer: &RightAnswer,
    ) -> bool {
        // A path that no router knows shows nothing about the operation.
        let has_path = !matches!(planned.mode, CallMode::Invalid(Invalid::Path(_)));
        if !has_path && right_answer.status == 0 {
            return false;
        }
        let call = call_of(planned);
        let requirements = planned.subject.requirements();
        let scopes = requirements.first().map(Grant::of).unwrap_or_default().scopes;
        let expected = Expected::Missing { scopes: &scopes };
        let rule = ("no-token", Grade::Finding);
        if matches!(planned.subject.access, Access::Other) {
            // How it is refused is another scheme's business.
            let what = "a request without credentials";
            self.expect_no_success(rule, what, planned, &call, right_answer).await;
            return false;
        }
        let is_open = self
            .expect_refusal(
                rule,
                "a request without a token",
                expected,
                planned,
                &call,
                right_answer,
            )
            .await;
        if !is_open && let Ok(reply) = self.send(&call).await {
            self.resource_metadata(planned, &call, &reply).await;
        }
        is_open
    }

    pub(super) async fn order(&mut self, planned: &Planned<'_>, invalid: &Invalid) {
        let call = planned.subject.invalid_call(invalid);
        let rule =
            if matches!(invalid, Invalid::Body(_)) { "order-body" } else { "order-parameter" };
        // A path of another form may be unknown.
        let is_unknown = |status| matches!(invalid, Invalid::Path(_)) && status == 404;
        if let Ok(reply) = self.send(&call).await
            && matches!(reply.status, 400 | 404 | 409 | 415 | 422)
            && !is_unknown(reply.status)
        {
            self.order_finding(rule, planned, &call, &reply);
        }
    }

    pub(super) async fn order_media_type(&mut self, planned: &Planned<'_>) {
        let call = planned.subject.call().body("application/x-audit", "audit");
        if let Ok(reply) = self.send(&call).await
            && matches!(reply.status, 400 | 415 | 422)
        {
            self.order_finding("order-media-type", planned, &call, &reply);
        }
    }

    fn order_finding(&mut self, rule: &str, planned: &Planned<'_>, call: &Call, reply: &Reply) {
        let what = "an invalid request without a token";
        let detail = format!("{what} is answered with {} instead of 401", reply.status);
        self.record(&planned.subject.name, call, violation(rule, Grade::Finding, detail));
    }

    /// Other ways to the handler, without a token.
    pub(super) async fn other_way(
        &mut self,
        case: &Case,
        planned: &Planned<'_>,
        right_answer: &RightAnswer,
    ) {
        let subject = planned.subject;
        let mut call = call_of(planned);
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
            Case::MethodOverride(method) => {
                call = overridden(call, method);
                "method-override"
            }
            _ => return,
        };
        let what = case.to_string();
        let Ok(reply) = self.send(&call).await else { return };
        self.record(&subject.name, &call, faults(&what, &reply));
        // A page for every unknown path is not the handler.
        let is_page = (200..300).contains(&self.unknown.status) && reply.body != right_answer.body;
        if (200..300).contains(&reply.status) && !is_page {
            let detail = format!("{what} is answered with {}", reply.status);
            self.record(&subject.name, &call, violation(rule, Grade::Finding, detail));
        }
    }

    /// A method that the document does not have, at a path that names nothing.
    pub(super) async fn method_on_nothing(
        &mut self,
        planned: &Planned<'_>,
        method: &Method,
        path: &str,
    ) {
        let with_body = |call: Call| match *method {
            Method::DELETE => call,
            _ => call.body("application/json", "{\"audit\": "),
        };
        let call = with_body(Call::new(method.clone(), path));
        let Ok(reply) = self.send(&call).await else { return };
        // A handler has read the request, unless whatever reads all requests has.
        let is_read = match reply.status {
            200..300 => !(200..300).contains(&self.unknown.status),
            400 | 409 | 415 | 422 => {
                let elsewhere = with_body(self.invented(method.clone()));
                let unusual = Call { method: unusual_method(), ..call.clone() };
                let mut differs = true;
                for other in [elsewhere, unusual] {
                    let answer = self.send(&other).await;
                    differs &= answer.is_ok_and(|other| other.status != reply.status);
                }
                differs
            }
            _ => false,
        };
        if is_read {
            let detail =
                format!("{method} {path} without a token is answered with {}", reply.status);
            let violations = violation("undocumented-method", Grade::Finding, detail);
            self.record(&planned.subject.name, &call, violations);
        }
    }

    /// The methods that the API names itself (RFC 9110 §10.2.1).
    pub(super) async fn allowed_methods(&mut self, planned: &Planned<'_>) {
        let subject = planned.subject;
        let call = Call::new(Method::OPTIONS, &*subject.path);
        let Ok(reply) = self.send(&call).await else { return };
        let documented = self.document.operations.iter().filter(|it| subject.is_at_path_of(it));
        let documented: Vec<_> = documented.map(|it| it.method.as_str()).collect();
        let allowed = reply.headers.get(ALLOW).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let is_hidden = |method: &&str| {
            matches!(*method, "POST" | "PUT" | "PATCH" | "DELETE") && !documented.contains(method)
        };
        let hidden: Vec<_> = allowed.split(',').map(str::trim).filter(is_hidden).collect();
        if !hidden.is_empty() {
            let detail = format!(
                "OPTIONS names {}, which the document does not have: run with --allow-unsafe to see \
                 whether it needs a token",
                hidden.join(", ")
            );
            let violations = violation("undocumented-method", Grade::Advice, detail);
            self.record(&subject.name, &call, violations);
        }
    }

    /// The operation by another method that is overridden.
    pub(super) async fn override_from(
        &mut self,
        planned: &Planned<'_>,
        carrier: &Method,
        grant: Option<&Grant>,
        right_answer: &RightAnswer,
    ) {
        let subject = planned.subject;
        let mut call = call_of(planned);
        call.method = carrier.clone();
        if let Some(grant) = grant {
            call = self.with_token(call, grant);
        }
        let with = |method: &Method| {
            let mut call = overridden(call.clone(), method);
            let mark = if call.target.contains('?') { '&' } else { '?' };
            call.target = format!("{}{mark}_method={method}", call.target);
            if *carrier == Method::POST && !subject.has_body() {
                let form = format!("_method={method}");
                call = call.body("application/x-www-form-urlencoded", form);
            }
            call
        };
        let call = with(&subject.method);
        let (Ok(usual), Ok(reply)) = (self.send(&with(carrier)).await, self.send(&call).await)
        else {
            return;
        };
        let is_alike = reply.body == right_answer.body;
        // What refuses an override may do so in the way of an invalid request.
        let is_reached = right_answer.accepts(&reply) && (is_alike || !right_answer.is_invalid);
        let differs = reply.status != usual.status || (is_alike && usual.body != reply.body);
        if is_reached && differs {
            let needed = if grant.is_some() { "a token for that alone" } else { "no token" };
            let detail = format!(
                "{carrier} with {needed}, overridden with {}, is answered with {}, and otherwise with {}",
                subject.method, reply.status, usual.status
            );
            let violations = violation("method-override", Grade::Finding, detail);
            self.record(&subject.name, &call, violations);
        }
    }

    pub(super) async fn url_override(
        &mut self,
        planned: &Planned<'_>,
        name: &str,
        path: &str,
        right_answer: &RightAnswer,
    ) {
        let plain = Call::new(Method::GET, path);
        let call = plain.clone().plain_header(name, &planned.subject.path);
        let (Ok(usual), Ok(reply)) = (self.send(&plain).await, self.send(&call).await) else {
            return;
        };
        let is_success = |reply: &Reply| (200..300).contains(&reply.status);
        if !is_success(&reply) || reply.body == usual.body {
            return;
        }
        // The path may have a body that changes. A header that is believed leads elsewhere too.
        let elsewhere = plain.plain_header(name, &self.invented(Method::GET).target);
        let elsewhere = self.send(&elsewhere).await;
        let is_believed = is_success(&usual) && elsewhere.is_ok_and(|other| !is_success(&other));
        if is_believed || reply.body == right_answer.body {
            let detail = format!("{path} with {name} is answered as {}", planned.subject.path);
            self.record(
                &planned.subject.name,
                &call,
                violation("url-override", Grade::Finding, detail),
            );
        }
    }
}

/// One that servers know, and APIs do not have.
fn unusual_method() -> Method {
    Method::from_bytes(b"PROPFIND").unwrap_or(Method::TRACE)
}

/// With headers that override the method.
fn overridden(call: Call, method: &Method) -> Call {
    let names = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];
    names.iter().fold(call, |call, name| call.plain_header(name, method.as_str()))
}

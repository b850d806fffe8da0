//! What the application's own decision is told of a request is what the client sent.

use std::sync::{Arc, Mutex};

use harness::{
    hosts::Host,
    support::{call, frozen_tenant, get, missing_group, missing_scope, post, protect, says},
};
use monocloud_backend::decision::{Decision, DecisionRequest};

on_every_host! {
    the_method_and_the_path_are_the_clients_also_where_the_api_is_nested,
    a_denial_is_403_and_the_handler_is_not_reached,
    authorization_and_the_decision_come_before_the_body_is_read,
}

async fn the_method_and_the_path_are_the_clients_also_where_the_api_is_nested(host: Host) {
    let tenant = frozen_tenant().await;
    let told = Arc::new(Mutex::new(Vec::<DecisionRequest>::new()));
    let hears = Arc::clone(&told);
    let builder = protect(&tenant).decide(move |request| {
        hears.lock().unwrap().push(request);
        async { Ok(Decision::Allow) }
    });
    let api = host.serve(&builder.build().unwrap());
    let token = tenant.token().scope("posts:read posts:write").subject("alice").mint();
    let has_document = host.name.contains("document") || host.name == "poem-openapi";
    for (method, path, template) in [
        ("GET", "/any", "/any"),
        ("GET", "/any?path=/other", "/any"),
        ("HEAD", "/read", "/read"),
        ("GET", "/branded/any", "/any"),
        ("GET", "/branded/read?a=b", "/read"),
        ("POST", "/branded/write", "/write"),
    ] {
        let case = format!("{method} {path} on {}", host.name);
        let call = match method {
            "POST" => post(path, r#"{"title":"hello"}"#),
            _ => call(method, path),
        };
        let answer = api.send(call.bearer(&token)).await;
        assert_eq!(answer.status, 200, "{case}: {answer:?}");
        let request = told.lock().unwrap().pop().expect(&case);
        assert!(told.lock().unwrap().is_empty(), "{case}: it is asked once");
        // poem turns HEAD into GET for a handler of GET, before a guard on the handler sees it.
        let is_get = method == "HEAD" && host.name == "poem";
        assert_eq!(request.method, if is_get { "GET" } else { method }, "{case}");
        assert_eq!(Some(&*request.path), path.split('?').next(), "{case}");
        assert_eq!(request.claims.subject(), Some("alice"), "{case}");
        let documented = request.operation.map(|operation| operation.path.to_string());
        assert_eq!(documented.as_deref(), has_document.then_some(template), "{case}");
    }
}

async fn a_denial_is_403_and_the_handler_is_not_reached(host: Host) {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).decide(|request| async move {
        let is_own = request.claims.subject() == Some("alice");
        Ok(if is_own { Decision::Allow } else { Decision::Deny })
    });
    let api = host.serve(&builder.build().unwrap());
    let token = |subject| tenant.token().scope("posts:read").subject(subject).mint();
    api.check("alice", get("/read").bearer(&token("alice")), &says("read")).await;
    for path in ["/read", "/any", "/optional"] {
        api.check(path, get(path).bearer(&token("bob")), &missing_group()).await;
    }
    api.check("anonymous", get("/optional"), &says("anonymous")).await;
    api.check("public", get("/health").bearer(&token("bob")), &says("up")).await;
}

async fn authorization_and_the_decision_come_before_the_body_is_read(host: Host) {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).decide(|_| async { Ok(Decision::Deny) });
    let api = host.serve(&builder.build().unwrap());
    let reader = tenant.token().scope("posts:read").mint();
    let writer = tenant.token().scope("posts:read posts:write").mint();
    let lacks = missing_scope("posts:read posts:write");
    api.check("a scope is missing", post("/write", "{").bearer(&reader), &lacks).await;
    api.check("denied", post("/write", "{").bearer(&writer), &missing_group()).await;
}

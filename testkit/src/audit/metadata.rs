//! The metadata of the API as a protected resource (RFC 9728).

use http::Method;
use serde_json::Value;

use crate::audit::{
    base::Base, call::Call, challenge::challenges, check::violation, plan::Planned, rule::Grade,
    run::Run, wire::Reply,
};

const RULE: &str = "resource-metadata";

impl Run<'_> {
    /// The metadata that a challenge names (RFC 9728 §5.1). No other host than that of the base URL is
    /// called, so that the metadata of one behind a proxy are looked for at the same path.
    pub(super) async fn resource_metadata(
        &mut self,
        planned: &Planned<'_>,
        call: &Call,
        reply: &Reply,
    ) {
        let challenges = challenges(&reply.headers).unwrap_or_default();
        let named =
            challenges.iter().find_map(|challenge| challenge.parameter("resource_metadata"));
        let Some(url) = named else { return };
        let name = &planned.subject.name;
        let Ok(place) = Base::parse(url) else {
            let detail = format!("resource_metadata is {url:?}, which is not a URL");
            self.record(name, call, violation(RULE, Grade::Finding, detail));
            return;
        };
        let fetch = Call::new(Method::GET, if place.path.is_empty() { "/" } else { &place.path });
        let Ok(reply) = self.send(&fetch).await else { return };
        let problem = problem(&reply, url, self.tenant.issuer());
        let is_here = place.origin() == self.wire.base.origin();
        let violations = match problem {
            None => return,
            Some(problem) if is_here || reply.status == 200 => {
                violation(RULE, Grade::Finding, format!("{url} {problem}"))
            }
            Some(_) => {
                let detail = format!(
                    "{url} is at another host, which the audit does not call, and {} has no such path",
                    self.wire.base.origin()
                );
                violation(RULE, Grade::Advice, detail)
            }
        };
        self.record(name, &fetch, violations);
    }
}

/// What is wrong with the metadata at a URL (RFC 9728 §3.3).
fn problem(reply: &Reply, url: &str, issuer: &str) -> Option<String> {
    let expected = url.replacen("/.well-known/oauth-protected-resource", "", 1);
    problem_of(reply, Some(&[expected]), issuer, false)
}

/// What is wrong with metadata that must be of one of these resources, if they are known.
pub(super) fn problem_of(
    reply: &Reply,
    resources: Option<&[String]>,
    issuer: &str,
    needs_servers: bool,
) -> Option<String> {
    let metadata: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let Some(metadata) = metadata.filter(|it| reply.status == 200 && it.is_object()) else {
        return Some(format!("is answered with {} and no metadata", reply.status));
    };
    let is_same =
        |text: &str, other: &str| text.trim_end_matches('/') == other.trim_end_matches('/');
    let resource = metadata.get("resource").and_then(Value::as_str);
    let is_one =
        |all: &[String]| all.iter().any(|it| resource.is_some_and(|text| is_same(text, it)));
    if resource.is_none() || !resources.is_none_or(is_one) {
        let expected = resources.unwrap_or_default().join(" or ");
        return Some(format!("has the resource {resource:?} instead of {expected}"));
    }
    let Some(servers) = metadata.get("authorization_servers") else {
        return needs_servers.then(|| "has no authorization servers".to_owned());
    };
    let mut named = servers.as_array().into_iter().flatten().filter_map(Value::as_str);
    let is_ours = named.any(|it| is_same(it, issuer));
    (!is_ours).then(|| format!("has the authorization servers {servers} without {issuer:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_name_their_resource_and_its_tenant() {
        let url = "https://api.example.com/.well-known/oauth-protected-resource/v1";
        let issuer = "https://login.example.com";
        let problem = |status, metadata: Value| {
            let body = metadata.to_string().into_bytes();
            problem(&Reply { status, body, ..Reply::default() }, url, issuer)
        };
        let resource = "https://api.example.com/v1";
        assert_eq!(problem(200, json!({ "resource": resource })), None);
        let servers = json!(["https://other.example.com", "https://login.example.com/"]);
        let right = json!({ "resource": resource, "authorization_servers": servers });
        assert_eq!(problem(200, right.clone()), None);
        assert!(problem(404, right).is_some());
        assert!(problem(200, json!([])).is_some());
        assert!(problem(200, json!({})).is_some());
        assert!(problem(200, json!({ "resource": "https://api.example.com" })).is_some());
        let others = json!({ "resource": resource, "authorization_servers": ["https://a"] });
        assert!(problem(200, others).is_some());
        let none = json!({ "resource": resource, "authorization_servers": [] });
        assert!(problem(200, none).is_some());
    }
}

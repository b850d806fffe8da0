use std::{error::Error, time::Duration};

use monocloud_backend::{
    ProtectApiBuilder,
    decision::{Decision, DecisionRequest},
};
use reqwest::{Client, header::CONTENT_TYPE, redirect};
use serde::Deserialize;
use serde_json::{Value, json};

/// A policy decision point that speaks OpenID's Authorization API 1.0.
#[derive(Clone, Debug)]
pub struct DecisionPoint {
    http: Client,
    evaluation: String,
}

/// Anything but a Boolean named `decision` is an error, and an error allows nothing.
#[derive(Deserialize)]
struct Evaluation {
    decision: bool,
}

impl DecisionPoint {
    pub fn at(base_url: &str) -> reqwest::Result<Self> {
        // What a redirect leads to is not the decision point.
        let http = Client::builder().redirect(redirect::Policy::none()).build()?;
        Ok(Self { http, evaluation: format!("{base_url}/access/v1/evaluation") })
    }

    /// Adds the decision point to the configuration of an API.
    pub fn decides_for(self, api: ProtectApiBuilder) -> ProtectApiBuilder {
        api.decision_timeout(Duration::from_secs(2)).decide(move |request| {
            let decision_point = self.clone();
            async move { decision_point.evaluate(&request).await }
        })
    }

    async fn evaluate(
        &self,
        request: &DecisionRequest,
    ) -> Result<Decision, Box<dyn Error + Send + Sync>> {
        let Some(question) = question(request) else { return Ok(Decision::Deny) };
        let response = self
            .http
            .post(&self.evaluation)
            .header(CONTENT_TYPE, "application/json")
            .body(question.to_string())
            .send()
            .await?
            .error_for_status()?;
        if response.status() != 200 {
            return Err(format!("the decision point answered {}", response.status()).into());
        }
        let Evaluation { decision } = serde_json::from_slice(&response.bytes().await?)?;
        Ok(if decision { Decision::Allow } else { Decision::Deny })
    }
}

/// Who does what to what; nothing for a token that names neither a user nor a client.
fn question(request: &DecisionRequest) -> Option<Value> {
    let claims = &request.claims;
    let (kind, id) = match claims.subject() {
        Some(user) => ("user", user),
        None => ("client", claims.client_id()?),
    };
    let operation = request.operation.as_ref();
    Some(json!({
        "subject": {
            "type": kind,
            "id": id,
            "properties": { "issuer": &*request.issuer, "client_id": claims.client_id() },
        },
        "action": { "name": request.method.as_str() },
        "resource": {
            "type": "path",
            "id": request.path,
            "properties": {
                "template": operation.map(|operation| &*operation.path),
                "operation": operation.and_then(|operation| operation.id.as_deref()),
            },
        },
    }))
}

//! The application's own decision about a request that is permitted otherwise.

use std::{error::Error as StdError, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::Method;

use super::{caller::Authenticated, request::RequestHead};
use crate::{
    clock::Clock,
    error::{Cause, Denial, Error, Internal},
    tenant::shared_task::catch_panic,
    token::claims::Claims,
};

/// What the application says of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Decision {
    /// The request may proceed.
    Allow,
    /// It is rejected with 403, as for a missing group.
    Deny,
}

/// What the application decides about: a request whose token permits the operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DecisionRequest {
    /// The claims of the token.
    pub claims: Arc<Claims>,
    /// The tenant that issued the token.
    pub issuer: Arc<str>,
    /// The method of the request. A guard on a handler of poem's is told of `GET` where that handler
    /// answers `HEAD`.
    pub method: Method,
    /// The path of the request, as the client sent it.
    pub path: String,
    /// The operation, where a document declares it, or a message to an MCP server asks for it. Of a
    /// request that asks for several, each is decided.
    pub operation: Option<Operation>,
}

/// An operation of a document, or of an MCP server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Operation {
    /// Its path as the document writes it, such as `/posts/{id}`; the method of a message, such as
    /// `tools/call`.
    pub path: Arc<str>,
    /// Its `operationId`, if it has one; the name of the tool or prompt, or the URI of the resource.
    pub id: Option<Arc<str>>,
}

type Outcome = Result<Decision, Box<dyn StdError + Send + Sync>>;

type Hook =
    Arc<dyn Fn(DecisionRequest) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// The application's hook, and how long it may take.
#[derive(Clone)]
pub(crate) struct DecisionHook {
    decide: Hook,
    limit: Duration,
}

impl DecisionHook {
    /// How long a hook may take unless the application says otherwise.
    pub(super) const DEFAULT_LIMIT: Duration = Duration::from_secs(5);

    pub(super) fn new<F, R>(decide: F) -> Self
    where
        F: Fn(DecisionRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let decide = move |request| -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
            Box::pin(decide(request))
        };
        Self { decide: Arc::new(decide), limit: Self::DEFAULT_LIMIT }
    }

    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Asks the application, and logs its decision. An error, a panic and an answer that takes too
    /// long are the API's fault, and the request is rejected.
    pub(super) async fn ask(
        &self,
        clock: &Clock,
        head: RequestHead<'_>,
        caller: &Authenticated,
        operation: Option<&Operation>,
    ) -> Result<(), Error> {
        let request = DecisionRequest {
            claims: caller.shared_claims(),
            issuer: caller.claims().issuer().unwrap_or_default().into(),
            method: head.method.clone(),
            path: head.uri.path().to_owned(),
            operation: operation.cloned(),
        };
        match self.decision(clock, request.clone()).await {
            Ok(decision) => {
                request.log(decision);
                match decision {
                    Decision::Allow => Ok(()),
                    Decision::Deny => Err(Error::InsufficientScope(Denial::Application)),
                }
            }
            Err(failure) => {
                let DecisionRequest { method, path, .. } = request;
                tracing::error!(
                    name: "decision.failed",
                    error = %failure,
                    %method,
                    path,
                    "the decision hook failed"
                );
                Err(Error::Internal(Internal::Decision(failure)))
            }
        }
    }

    async fn decision(&self, clock: &Clock, request: DecisionRequest) -> Result<Decision, Cause> {
        // The hook itself may panic too, before there is a future.
        let decided = catch_panic(async { (self.decide)(request).await });
        match clock.timeout(self.limit, decided).await {
            Some(Some(Ok(decision))) => Ok(decision),
            Some(Some(Err(error))) => Err(Cause::new(error)),
            Some(None) => Err(Cause::new("it panicked")),
            None => Err(Cause::new(format!("it took longer than {:?}", self.limit))),
        }
    }
}

impl DecisionRequest {
    /// One event per decision, so that an audit log is a subscriber.
    fn log(&self, decision: Decision) {
        let Self { claims, issuer, method, path, operation } = self;
        let (issuer, subject, client_id) = (&**issuer, claims.subject(), claims.client_id());
        let template = operation.as_ref().map(|operation| &*operation.path);
        let operation = operation.as_ref().and_then(|operation| operation.id.as_deref());
        match decision {
            Decision::Allow => tracing::info!(
                name: "decision.allowed",
                issuer, subject, client_id, %method, path, template, operation,
                "the application allowed a request"
            ),
            Decision::Deny => tracing::info!(
                name: "decision.denied",
                issuer, subject, client_id, %method, path, template, operation,
                "the application denied a request"
            ),
        }
    }
}

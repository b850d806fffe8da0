//! What a host can get wrong: how it passes a request to a guard and an answer to the caller. Every
//! case is a test for every host, over real HTTP.

/// Makes a test for every host of functions that take one: `manners::a_case::poem` runs
/// `manners::a_case(POEM)`.
macro_rules! on_every_host {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            on_every_host! { $case:
                axum AXUM,
                axum_by_document AXUM_DOCUMENT,
                poem POEM,
                poem_by_document POEM_DOCUMENT,
                poem_openapi POEM_OPENAPI,
                salvo SALVO,
                salvo_by_document SALVO_DOCUMENT,
            }
        }
    )+};
    ($case:ident: $($name:ident $host:ident,)+) => {$(
        #[tokio::test]
        async fn $name() {
            super::$case(harness::hosts::$host).await;
        }
    )+};
}

mod answers;
mod axum_tls;
mod bearer;
mod binding_header;
mod binding_tls;
mod decision;
mod document_endpoint;
mod dpop;
mod error_body;
mod hostile;
mod manners;
mod mcp;
mod middleware;
mod openapi;
mod permissions;
mod poem_tls;
mod resource;
mod salvo_tls;
mod typed_claims;

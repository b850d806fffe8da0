//! The page at the root of the tenant: what it is, what it was asked, and forms that mint and decode
//! tokens.
//!
//! It reveals and does what the control API does, so it exists where that exists. Its forms need no
//! script. A page of another site could make a browser submit them as well, so the tenant accepts
//! them from its own page alone.

mod decoding;
mod minting;
mod overview;
mod requests;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::REFERRER_POLICY,
};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use maud::html;

use crate::{
    control::{Control, LARGEST, mistake::Mistake},
    site::{
        answer::Answer,
        body::ResponseBody,
        oauth::Params,
        pages::{Page, is_foreign},
    },
    token::Decoded,
};

/// Shows requests as they arrive. Everything else works without it.
const SCRIPT: &str = include_str!("start_page.js");

/// What the user has entered, and what came of it.
#[derive(Debug, Default)]
struct Entered {
    params: Params,
    /// The minted token.
    minted: Option<Result<String, Mistake>>,
    /// The entered token, or the minted one.
    decoded: Option<Result<Decoded, String>>,
}

impl Control {
    /// Answers a request for the page, or of one of its forms.
    pub(crate) async fn show_start_page(
        &self,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let answer = match self.entered(request).await {
            Ok(entered) => self.page(&entered),
            Err(mistake) => mistake.page(),
        };
        answer.map(ResponseBody::from)
    }

    async fn entered(&self, request: Request<Incoming>) -> Result<Entered, Mistake> {
        let (head, body) = request.into_parts();
        match head.method {
            Method::GET | Method::HEAD => return Ok(Entered::default()),
            Method::POST => {}
            _ => return Err(Mistake::wrong_method(&["GET", "HEAD", "POST"])),
        }
        self.check_sender(&head.headers)?;
        let body = Limited::new(body, LARGEST).collect().await.map_err(|_| Mistake::too_large())?;
        let params = Params::parse(&body.to_bytes());
        params.check().map_err(Mistake::new)?;
        if params.get("form") == Some("decode") {
            let decoded = Decoded::parse(params.get("token").unwrap_or_default());
            return Ok(Entered { decoded: Some(decoded), params, minted: None });
        }
        let minted = minting::mint(&self.tenant, &params);
        let decoded = minted.as_ref().ok().and_then(|token| Decoded::parse(token).ok());
        Ok(Entered { params, minted: Some(minted), decoded: decoded.map(Ok) })
    }

    fn check_sender(&self, headers: &HeaderMap) -> Result<(), Mistake> {
        if is_foreign(headers) {
            Err(Mistake::foreign_origin())
        } else {
            self.check_origin(headers)
        }
    }

    fn page(&self, entered: &Entered) -> Answer {
        let tenant = &self.tenant;
        let minted = entered.minted.as_ref().and_then(|minted| minted.as_ref().ok());
        let has_failed =
            matches!(entered.minted, Some(Err(_))) || matches!(entered.decoded, Some(Err(_)));
        let main = html! {
            (overview::issuer(tenant))
            div class="columns" {
                (minting::section(tenant, entered))
                (decoding::section(tenant, entered, minted.map(String::as_str)))
            }
            (requests::section(&tenant.site.log))
            (overview::users(&tenant.site.oauth.config))
            (overview::clients(&tenant.site.oauth.config))
            (overview::apis(&tenant.site.oauth.config))
        };
        let status = if has_failed { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let page = Page::new("Mock tenant", main);
        let mut answer = Page { status, is_wide: true, script: Some(SCRIPT), ..page }.answer();
        // With `no-referrer`, browsers send `Origin: null` with forms.
        let referrer = HeaderValue::from_static("same-origin");
        answer.headers_mut().insert(REFERRER_POLICY, referrer);
        answer
    }
}

//! The API under audit: a small server with its own validation, and one switch per defect.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{HeaderMap, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use monocloud_testkit::{ClientAuth, Endpoint, MockTenant};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::{
    defect::Defect,
    keys::Keys,
    proof::{NONCE, Proofs},
    token::{Failure, Validator},
};

/// The API, which serves until this value is dropped.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) url: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug)]
pub(crate) struct State {
    /// How many requests have changed something.
    changes: AtomicUsize,
    /// Told when the API must end.
    ended: Notify,
    setup: Setup,
    pub(crate) defect: Defect,
    pub(crate) base: String,
    validator: Validator,
    /// Of the operations that have no defect.
    right: Validator,
    proofs: Proofs,
}

/// What the API is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) defect: Defect,
    /// The path whose tokens are validated by the defect; all if there is none.
    pub(crate) only_at: Option<&'static str>,
    /// Whether no other path introspects.
    pub(crate) introspects_there: bool,
    /// Whether it fetches the keys for each request.
    pub(crate) reloads: bool,
    /// Whether it knows tokens that are bound to a key.
    pub(crate) dpop: bool,
    /// Whether proofs need a nonce.
    pub(crate) nonces: bool,
    /// Whether an invalid token, where it is optional, is the same as none.
    pub(crate) is_lenient: bool,
}

impl Setup {
    pub(crate) const fn of(defect: Defect) -> Self {
        Self {
            defect,
            only_at: None,
            introspects_there: false,
            reloads: false,
            dpop: false,
            nonces: false,
            is_lenient: false,
        }
    }
}

/// What an operation needs.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    pub(crate) scopes: &'static [&'static str],
    pub(crate) is_mcp: bool,
    pub(crate) group: Option<&'static str>,
    pub(crate) step_up: bool,
    pub(crate) plan: bool,
    pub(crate) binding: bool,
    pub(crate) is_optional: bool,
}

impl Needs {
    pub(crate) const NONE: Self = Self {
        scopes: &[],
        is_mcp: false,
        group: None,
        step_up: false,
        plan: false,
        binding: false,
        is_optional: false,
    };
}

/// Why a request is refused.
pub(crate) struct Why {
    error: &'static str,
    needs: Needs,
    is_dpop: bool,
}

pub(crate) enum Refusal {
    Status(u16, Option<Why>),
    /// JSON-RPC's code.
    Rpc(u16, i64),
    HangUp,
}

impl Api {
    pub(crate) async fn start(tenant: &MockTenant, defect: Defect) -> Self {
        Self::start_as(tenant, Setup::of(defect)).await
    }

    pub(crate) async fn start_as(tenant: &MockTenant, setup: Setup) -> Self {
        let vars = tenant.vars_for(ClientAuth::SecretPost);
        let setting = |name: &str| {
            let found = vars.iter().find(|(other, _)| other.ends_with(name));
            found.map(|(_, value)| value.clone()).unwrap()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let validator = |defect| Validator {
            keys: Keys::new(
                tenant.url(Endpoint::Jwks),
                defect,
                setup.reloads,
                tenant.clock().clone(),
            ),
            defect,
            issuer: setting("TENANT_DOMAIN"),
            audience: match defect {
                Defect::TrustsAnotherAudience => "https://other.example.com".to_owned(),
                _ => setting("AUDIENCE"),
            },
            introspection: tenant.url(Endpoint::Introspection),
            client: (setting("CLIENT_ID"), setting("CLIENT_SECRET")),
            clock: tenant.clock().clone(),
            cache: Mutex::new(HashMap::new()),
        };
        let state = Arc::new(State {
            changes: AtomicUsize::new(0),
            ended: Notify::new(),
            setup,
            defect: setup.defect,
            base: url.clone(),
            validator: validator(setup.defect),
            right: validator(Defect::None),
            proofs: Proofs {
                defect: setup.defect,
                needs_nonce: setup.nonces,
                clock: tenant.clock().clone(),
                seen: Mutex::default(),
            },
        });
        let served = Arc::clone(&state);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap(),
                    () = served.ended.notified() => break,
                };
                let state = Arc::clone(&served);
                let service = service_fn(move |request| respond(Arc::clone(&state), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, state, server }
    }

    /// How many requests have changed something.
    pub(crate) fn changes(&self) -> usize {
        self.state.changes.load(Ordering::Relaxed)
    }
}

async fn respond(
    state: Arc<State>,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let kid = kid_of(request.headers());
    let answered = state.answer(request).await;
    let mut response = match answered {
        Ok(body) => {
            let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
            response.headers_mut().insert("content-type", "application/json".parse().unwrap());
            response
        }
        Err(Refusal::HangUp) => return Err(io::ErrorKind::ConnectionAborted.into()),
        Err(Refusal::Rpc(status, code)) => {
            let body = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code } });
            let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        }
        Err(Refusal::Status(status, why)) => state.refused(status, why.as_ref()),
    };
    if state.setup.nonces {
        response.headers_mut().insert("dpop-nonce", NONCE.parse().unwrap());
    }
    if state.defect == Defect::EchoesKid && kid.contains("\r\nX-Injected: 1\r\n") {
        response.headers_mut().insert("x-injected", "1".parse().unwrap());
    }
    Ok(response)
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Value, Refusal> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let original = head.headers.get("x-original-url").and_then(|it| it.to_str().ok());
        let original = original.filter(|_| self.defect == Defect::BelievesOriginalUrl);
        let sent = original.unwrap_or(head.uri.path());
        let (path, is_guarded) = self.routed(sent);
        let method = if head.method == Method::HEAD { Method::GET } else { head.method.clone() };
        if path == "/health" && method == Method::GET {
            if self.defect == Defect::RefusesPublic {
                self.authenticate(&head, &body, Needs::NONE).await?;
            }
            return Ok(json!({ "status": "up" }));
        }
        if let Some(resource) = path.strip_prefix("/.well-known/oauth-protected-resource")
            && matches!(resource, "" | "/mcp")
            && self.defect != Defect::HasNoMetadata
        {
            let other = match self.defect {
                Defect::MisnamesResource => "/other",
                _ => resource,
            };
            let tenant = match self.defect {
                Defect::NamesAnotherTenant => "https://other.example.com",
                _ => &self.validator.issuer,
            };
            let resource = format!("{}{other}", self.base);
            return Ok(json!({ "resource": resource, "authorization_servers": [tenant] }));
        }
        if path == "/mcp" {
            return self.mcp(&head, &body).await;
        }
        if self.defect == Defect::RoutesByParameter && path.contains("not-valid") {
            return Err(Refusal::Status(404, None));
        }
        let overriding = self.overriding(&head);
        let is_override = overriding.is_some();
        let needs = match (&overriding, self.defect) {
            (Some(method), Defect::OverridesMethodByParameter) => self.needs(method, &path)?,
            _ => self.needs(&method, &path)?,
        };
        let method = overriding.unwrap_or(method);
        self.read_early(&head.headers, &head.uri, &path, &body)?;
        let is_options =
            head.headers.get("x-http-method-override").is_some_and(|it| it == "OPTIONS");
        let is_skipped = original.is_some()
            || !is_guarded
            || (self.defect == Defect::GuardsGetOnly && head.method == Method::HEAD)
            || (self.defect == Defect::BelievesMethodOverride && is_options)
            || (self.defect == Defect::OverridesMethodByParameter && is_override)
            || (self.defect == Defect::ForgotOneOperation && path == "/me")
            || (self.defect == Defect::OpensUnsafeMethod && method == Method::PUT)
            || (self.defect == Defect::OpensAnotherMethod
                && path == "/posts/1"
                && method == Method::GET);
        let mut caller = Value::Null;
        if needs.is_optional {
            caller = self.optional(&head, &body, needs).await?;
        } else if !is_skipped {
            let claims = self.authenticate(&head, &body, needs).await?;
            self.authorize(&claims, needs, self.defect_at(&path))?;
        }
        let is_json = head.headers.get("content-type").is_some_and(|it| it == "application/json");
        let is_bad =
            path == "/posts" && method == Method::POST && !(is_json && is_json_object(&body));
        let is_bad = is_bad || bad_limit(&head.uri) || path.contains("not-valid");
        if is_bad {
            return Err(Refusal::Status(400, None));
        }
        if self.defect == Defect::BelievesOriginalUrl {
            // So that the handler's response without a token is another one.
            caller = head.headers.contains_key(header::AUTHORIZATION).into();
        }
        self.changes.fetch_add(usize::from(method != Method::GET), Ordering::Relaxed);
        Ok(json!({ "method": method.as_str(), "path": path, "caller": caller }))
    }

    /// Who called an operation that needs no token.
    async fn optional(&self, head: &Parts, body: &[u8], needs: Needs) -> Result<Value, Refusal> {
        let has_token = head.headers.contains_key(header::AUTHORIZATION);
        if !has_token && self.defect != Defect::RefusesAnonymous {
            return Ok(Value::Null);
        }
        match self.authenticate(head, body, needs).await {
            Ok(claims) => Ok(claims["sub"].clone()),
            Err(Refusal::Status(401, _)) if has_token && self.setup.is_lenient => Ok(Value::Null),
            Err(refusal) => Err(refusal),
        }
    }

    /// The method that the request names beside its own.
    fn overriding(&self, head: &Parts) -> Option<Method> {
        let name = match self.defect {
            Defect::OverridesMethodAfterGuard => {
                head.headers.get("x-http-method")?.to_str().ok()?
            }
            Defect::OverridesMethodByParameter if head.method == Method::POST => {
                head.uri.query()?.split_once("_method=")?.1
            }
            _ => return None,
        };
        name.parse().ok().filter(|method| *method != head.method)
    }

    /// The path as the router has it, and whether the guard takes it for the same.
    fn routed(&self, sent: &str) -> (String, bool) {
        let routed = match self.defect {
            Defect::GuardsExactCaseOnly => sent.to_ascii_lowercase(),
            Defect::GuardsSingleSlashesOnly => sent.replace("//", "/"),
            Defect::GuardsDecodedLettersOnly => sent.replace("%6D", "m").replace("%70", "p"),
            Defect::GuardsWithoutSlashAtEnd => sent.trim_end_matches('/').to_owned(),
            _ => sent.to_owned(),
        };
        let is_same = routed == sent;
        (routed, is_same)
    }

    fn needs(&self, method: &Method, path: &str) -> Result<Needs, Refusal> {
        let none = Needs::NONE;
        let segments: Vec<_> = path.split('/').skip(1).collect();
        Ok(match (method.as_str(), segments.as_slice()) {
            ("GET", ["me"]) if self.defect == Defect::NeedsMoreThanDocumented => {
                Needs { scopes: &["posts:read"], ..none }
            }
            ("GET", ["me"]) => none,
            ("GET", ["posts"]) => Needs { scopes: &["posts:read"], ..none },
            ("POST", ["posts"]) => Needs { scopes: &["posts:read", "posts:write"], ..none },
            ("DELETE", ["posts", _]) => Needs { group: Some("admin"), ..none },
            ("GET", ["posts", _]) if self.defect == Defect::OpensAnotherMethod => none,
            ("PUT", ["posts", _]) if self.defect == Defect::OpensUnsafeMethod => none,
            ("POST", ["posts", _, "publish"]) => {
                Needs { scopes: &["posts:write"], step_up: true, ..none }
            }
            ("GET", ["plan"]) => Needs { plan: true, ..none },
            ("GET", ["feed"]) => Needs { is_optional: true, ..none },
            ("GET", ["vault"]) => Needs { scopes: &["posts:read"], binding: true, ..none },
            (
                _,
                ["me" | "posts" | "plan" | "feed" | "vault"]
                | ["posts", _]
                | ["posts", _, "publish"],
            ) => {
                return Err(Refusal::Status(405, None));
            }
            _ => return Err(Refusal::Status(404, None)),
        })
    }

    /// What must wait for the token.
    fn read_early(
        &self,
        headers: &HeaderMap,
        uri: &http::Uri,
        path: &str,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let media_type = headers.get("content-type").and_then(|it| it.to_str().ok());
        let is_bad = match self.defect {
            Defect::ReadsMediaTypeFirst => media_type.is_some_and(|it| it == "application/x-audit"),
            Defect::ReadsBodyFirst => {
                media_type == Some("application/json") && !is_json_object(body)
            }
            Defect::ReadsParameterFirst => bad_limit(uri) || path.contains("not-valid"),
            _ => false,
        };
        if is_bad { Err(Refusal::Status(400, None)) } else { Ok(()) }
    }

    pub(crate) async fn authenticate(
        &self,
        head: &Parts,
        body: &[u8],
        needs: Needs,
    ) -> Result<Value, Refusal> {
        let (headers, uri) = (&head.headers, &head.uri);
        let all = |name: &str| -> Vec<&str> {
            let values = headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap_or_default()).collect()
        };
        let knows_dpop = self.setup.dpop || self.defect == Defect::IgnoresProofs;
        let (credentials, proofs) = (all("authorization"), all("dpop"));
        let is_repeated = credentials.len() > 1 || proofs.len() > 1;
        let bears_it = matches!(self.defect, Defect::AcceptsTwoProofs | Defect::IgnoresProofs);
        let is_list = credentials.first().is_some_and(|it| it.matches([' ', ',']).count() > 1);
        if (is_repeated || is_list) && !bears_it {
            return Err(Refusal::Status(400, Some(why("invalid_request", needs, knows_dpop))));
        }
        let credentials = credentials.first().and_then(|it| it.split_once(' '));
        let is_dpop = credentials.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"));
        let is_bearer = |scheme: &str| match self.defect {
            Defect::ComparesSchemeWithCase => scheme == "Bearer",
            _ => scheme.eq_ignore_ascii_case("bearer"),
        };
        let token = credentials.filter(|(scheme, _)| is_bearer(scheme) || (is_dpop && knows_dpop));
        let token = token.map(|(_, token)| token.trim().to_owned());
        let parameter = |text: &[u8]| {
            form_urlencoded::parse(text)
                .find(|(name, _)| name == "access_token")
                .map(|(_, it)| it.into_owned())
        };
        let token = match self.defect {
            Defect::ReadsTokenFromQuery => {
                token.or_else(|| parameter(uri.query().unwrap_or_default().as_bytes()))
            }
            Defect::ReadsTokenFromBody => token.or_else(|| parameter(body)),
            Defect::ReadsTokenFromCookie => {
                let mut cookies = all("cookie").into_iter().flat_map(|it| it.split("; "));
                let cookie = cookies.find_map(|it| it.strip_prefix("session="));
                token.or_else(|| cookie.map(str::to_owned))
            }
            _ => token,
        };
        let Some(token) = token else {
            let status = if self.defect == Defect::ForbidsWithoutToken { 403 } else { 401 };
            return Err(Refusal::Status(status, Some(why("", needs, false))));
        };
        let has_defect = self.setup.only_at.is_none_or(|path| path == uri.path());
        let validator = if has_defect { &self.validator } else { &self.right };
        let is_refused =
            self.setup.introspects_there && !has_defect && token.matches('.').count() != 2;
        let claims =
            if is_refused { Err(Failure::Invalid) } else { validator.claims(&token).await };
        let claims = claims.map_err(|failure| match failure {
            Failure::Invalid if self.defect == Defect::ForbidsInvalidToken => {
                Refusal::Status(403, None)
            }
            Failure::Invalid if self.defect == Defect::CallsInvalidTokenBadRequest => {
                refusal(400, "invalid_request", needs)
            }
            Failure::Invalid => Refusal::Status(401, Some(why("invalid_token", needs, is_dpop))),
            Failure::Crash => Refusal::Status(500, None),
            Failure::HangUp => Refusal::HangUp,
            Failure::End => {
                self.ended.notify_one();
                Refusal::HangUp
            }
            Failure::Unavailable => Refusal::Status(503, None),
        })?;
        let checked = if is_dpop {
            let url = format!("{}{}", self.base, uri.path());
            let proof = proofs.first().copied();
            self.proofs.check(proof, head.method.as_str(), &url, &token, &claims)
        } else {
            self.check_bearer(&claims, needs)
        };
        match checked {
            Ok(()) => Ok(claims),
            Err(error) => Err(Refusal::Status(401, Some(why(error, needs, is_dpop)))),
        }
    }

    /// What a token under Bearer is bound to.
    fn check_bearer(&self, claims: &Value, needs: Needs) -> Result<(), &'static str> {
        let cnf = &claims["cnf"];
        let is_ignored = match self.defect {
            Defect::IgnoresProofs => true,
            Defect::AcceptsBoundAsBearer => cnf["jkt"].is_string(),
            Defect::IgnoresCertificate => cnf["x5t#S256"].is_string(),
            _ => false,
        };
        let is_missing = needs.binding && self.defect != Defect::AcceptsUnboundAsBearer;
        let is_right = if cnf.is_null() { !is_missing } else { is_ignored };
        if is_right { Ok(()) } else { Err("invalid_token") }
    }

    fn defect_at(&self, path: &str) -> Defect {
        match self.setup.only_at {
            Some(other) if other != path => Defect::None,
            _ => self.defect,
        }
    }

    pub(crate) fn authorize(
        &self,
        claims: &Value,
        needs: Needs,
        defect: Defect,
    ) -> Result<(), Refusal> {
        if needs.step_up {
            let now = self
                .validator
                .clock
                .now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs_f64();
            let is_strong = defect == Defect::IgnoresAcr || claims["acr"] == "urn:example:mfa";
            let is_recent = match claims["auth_time"].as_f64() {
                None => matches!(defect, Defect::AcceptsMissingAuthTime | Defect::IgnoresMaxAge),
                Some(time) => defect == Defect::IgnoresMaxAge || now - time <= 360.0,
            };
            if !is_strong || !is_recent {
                let status = if defect == Defect::ForbidsWeakLogin { 403 } else { 401 };
                return Err(refusal(status, "insufficient_user_authentication", needs));
            }
        }
        let scope = claims["scope"].as_str().unwrap_or_default();
        let held: Vec<_> = scope.split(' ').collect();
        let mut scopes = needs.scopes.iter().map(|needed| match defect {
            Defect::IgnoresScope => true,
            Defect::SearchesScope => scope.contains(needed),
            Defect::ComparesStartOfScope => held.iter().any(|it| it.starts_with(needed)),
            _ => held.contains(needed),
        });
        let has_scopes = match defect {
            Defect::NeedsAnyScope => needs.scopes.is_empty() || scopes.any(|held| held),
            _ => scopes.all(|held| held),
        };
        if !has_scopes {
            return Err(refusal(403, "insufficient_scope", needs));
        }
        let has_group = needs.group.is_none_or(|group| {
            defect == Defect::IgnoresGroups
                || claims["groups"].as_array().is_some_and(|it| it.contains(&json!(group)))
        });
        let has_plan = !needs.plan || defect == Defect::IgnoresClaim || claims["plan"] == "pro";
        if has_group && has_plan { Ok(()) } else { Err(refusal(403, "insufficient_scope", needs)) }
    }

    fn refused(&self, status: u16, why: Option<&Why>) -> Response<Full<Bytes>> {
        let trace = "Traceback (most recent call last):\n  File \"api.py\", line 1\n";
        let is_invalid = status == 401 && why.is_some_and(|why| why.error == "invalid_token");
        let (status, body) = match self.defect {
            Defect::ShowsTrace if status == 401 => (status, trace),
            Defect::CrashesWithTrace if is_invalid => (500, trace),
            Defect::ShowsException if is_invalid => {
                (status, "jwt.exceptions.InvalidTokenError: not valid")
            }
            _ => (status, "{\"message\":\"refused\"}"),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if status == 405 && self.defect == Defect::AllowsUnsafeMethod {
            response.headers_mut().insert(header::ALLOW, "GET, POST, DELETE".parse().unwrap());
        }
        let challenges = why.map(|why| self.challenges(why));
        let is_given = match self.defect {
            Defect::ForgetsChallenge => false,
            Defect::ForgetsChallengeOfForbidden => status != 403,
            _ => true,
        };
        for challenge in challenges.into_iter().flatten().filter(|_| is_given) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
        }
        response
    }

    /// One for each scheme; the one that was used has the error.
    fn challenges(&self, why: &Why) -> Vec<String> {
        let defect = self.defect;
        let is_in_dpop = why.is_dpop && defect != Defect::MisplacesProofError;
        let of_bearer = if is_in_dpop { "" } else { why.error };
        let bearer = self.challenge(of_bearer, why.needs);
        if !self.setup.dpop || defect == Defect::ForgetsProofChallenge {
            return vec![bearer];
        }
        let mut dpop = "DPoP algs=\"ES256\"".to_owned();
        if is_in_dpop && !why.error.is_empty() {
            dpop.push_str(&format!(", error=\"{}\"", why.error));
        }
        vec![bearer, dpop]
    }

    fn challenge(&self, error: &str, needs: Needs) -> String {
        let host = match self.defect {
            Defect::NamesMetadataElsewhere => "https://api.example.com/v1",
            _ => &self.base,
        };
        let path = if needs.is_mcp { "/mcp" } else { "" };
        let metadata = format!("{host}/.well-known/oauth-protected-resource{path}");
        let mut text = "Bearer realm=\"posts\"".to_owned();
        if self.defect != Defect::HasNoMetadata {
            text.push_str(&format!(", resource_metadata=\"{metadata}\""));
        }
        if !needs.scopes.is_empty() {
            let scopes = needs.scopes.join(" ");
            let scopes = match self.defect {
                Defect::NamesAnotherScope if !error.is_empty() => "posts:other",
                _ => &scopes,
            };
            if self.defect != Defect::OmitsScope {
                text.push_str(&format!(", scope=\"{scopes}\""));
            }
        }
        let is_weak = error == "insufficient_user_authentication";
        if is_weak && self.defect != Defect::OmitsStepUpParameters {
            let acr = match self.defect {
                Defect::NamesAnotherAcr => "urn:example:other",
                _ => "urn:example:mfa",
            };
            let age = if self.defect == Defect::NamesLongerAge { 3600 } else { 300 };
            text.push_str(&format!(", acr_values=\"{acr}\", max_age=\"{age}\""));
        }
        let error = match (self.defect, error) {
            (Defect::NamesWrongError, "invalid_token") => "invalid_grant",
            (_, error) => error,
        };
        if !error.is_empty() {
            text.push_str(&format!(", error=\"{error}\""));
        }
        match self.defect {
            Defect::WritesBrokenChallenge => text.push_str(" error_description=\"no comma"),
            Defect::RepeatsAttribute => text.push_str(", realm=\"again\""),
            _ => {}
        }
        text
    }
}

const fn why(error: &'static str, needs: Needs, is_dpop: bool) -> Why {
    Why { error, needs, is_dpop }
}

const fn refusal(status: u16, error: &'static str, needs: Needs) -> Refusal {
    Refusal::Status(status, Some(why(error, needs, false)))
}

fn is_json_object(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["title"].is_string())
}

fn bad_limit(uri: &http::Uri) -> bool {
    uri.query().unwrap_or_default().contains("limit=not-valid")
}

/// The `kid` of the request's token.
fn kid_of(headers: &HeaderMap) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let token = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()?.split_once(' '));
    let header = token.and_then(|(_, token)| URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok());
    let header: Value = header.and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default();
    header["kid"].as_str().unwrap_or_default().to_owned()
}

//! Building access tokens.

use serde::Serialize;
use serde_json::json;

use crate::{
    Algorithm, Certificate, DpopKey, MockTenant, Signer, User,
    clock::unix_seconds,
    site::oauth::all_claims_of,
    token::{Edits, Members, SigningKey, Unsigned, members, random_id, to_json},
};

/// Builds an access token: a valid JWT (RFC 9068) by default, or an
/// [opaque](MockTenant::opaque_token) token with the same claims.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let tenant = monocloud_testkit::MockTenant::start().await;
/// let token = tenant
///     .token()
///     .subject("alice")
///     .scope("posts:read posts:write")
///     .groups(["admin"])
///     .without("client_id")
///     .mint();
/// assert_eq!(token.split('.').count(), 3);
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the token is created by `mint`"]
pub struct TokenBuilder<'a> {
    tenant: &'a MockTenant,
    is_opaque: bool,
    algorithm: Algorithm,
    signer: Signer,
    expires_in: i64,
    scopes: Vec<String>,
    edits: Edits,
}

/// Tokens.
impl MockTenant {
    /// Starts building an access token, with the scopes, groups and claims that the tenant was
    /// built with.
    pub fn token(&self) -> TokenBuilder<'_> {
        let token = TokenBuilder::new(self, self.algorithm).scope(&self.scope);
        self.claims.iter().fold(token, |token, (name, value)| token.claim(name, value))
    }

    /// Starts building an opaque token: random characters whose claims only introspection reveals.
    ///
    /// Its claims are those of a [`token`](Self::token). Settings for headers and keys have no
    /// effect on it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let tenant = monocloud_testkit::MockTenant::start().await;
    /// let token = tenant.opaque_token().subject("alice").scope("posts:read").mint();
    /// assert!(!token.contains('.'));
    /// tenant.revoke(&token);
    /// # }
    /// ```
    pub fn opaque_token(&self) -> TokenBuilder<'_> {
        self.token().opaque()
    }

    /// Revokes a token, opaque or JWT: introspection reports it as inactive from now on. A JWT
    /// itself does not change.
    pub fn revoke(&self, token: &str) {
        self.introspector().revoke(token);
    }
}

impl<'a> TokenBuilder<'a> {
    pub(crate) fn new(tenant: &'a MockTenant, algorithm: Algorithm) -> Self {
        Self {
            tenant,
            is_opaque: false,
            algorithm,
            signer: Signer::Active,
            expires_in: 3600,
            scopes: Vec::new(),
            edits: Edits::default(),
        }
    }

    pub(crate) const fn opaque(mut self) -> Self {
        self.is_opaque = true;
        self
    }

    /// Adds scopes to the `scope` claim: one, or several separated by spaces (RFC 8693 §4.2).
    /// Without any, the token has no `scope` claim.
    pub fn scope(mut self, scopes: &str) -> Self {
        self.scopes.extend(scopes.split_whitespace().map(str::to_owned));
        self
    }

    /// Sets the `sub` claim.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Sets the claims of a user: `sub`, `groups` and those of the user's own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let tenant = monocloud_testkit::MockTenant::start().await;
    /// use monocloud_testkit::User;
    ///
    /// let token = tenant.token().user(&User::new("admin").group("admin")).mint();
    /// # let _ = token;
    /// # }
    /// ```
    pub fn user(self, user: &User) -> Self {
        let claims = all_claims_of(user);
        claims.iter().fold(self, |token, (name, value)| token.claim(name, value))
    }

    /// Sets the `groups` claim to an array of names.
    pub fn groups(self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        self.claim("groups", groups)
    }

    /// Sets the `groups` claim to an array of objects with `(id, name)`, as MonoCloud writes it.
    pub fn group_objects(
        self,
        groups: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        let groups = groups.into_iter().map(|(id, name)| {
            let (id, name): (String, String) = (id.into(), name.into());
            json!({ "id": id, "name": name })
        });
        self.claim("groups", groups.collect::<Vec<_>>())
    }

    /// Sets the `acr` claim: how the user authenticated (RFC 9068 §2.2.1).
    pub fn acr(self, acr: &str) -> Self {
        self.claim("acr", acr)
    }

    /// Sets the `auth_time` claim to this many seconds before the tenant's time (RFC 9068 §2.2.1).
    /// With a negative number, the user authenticates in the future.
    pub fn authenticated_ago(self, seconds: i64) -> Self {
        let auth_time = self.now() - seconds;
        self.claim("auth_time", auth_time)
    }

    /// Binds the token to a client's certificate (RFC 8705 §3.1), also beside a
    /// [key](Self::bound_to_key).
    pub fn bound_to(mut self, certificate: &Certificate) -> Self {
        self.edits.confirm("x5t#S256", certificate.thumbprint());
        self
    }

    /// Binds the token to a client's key (RFC 9449 §6.1). Introspection of an opaque token also
    /// reports the `token_type` `DPoP` (§6.2).
    pub fn bound_to_key(self, key: &DpopKey) -> Self {
        self.bound_to_thumbprint(&key.thumbprint())
    }

    /// Binds the token to the key with this thumbprint.
    pub(crate) fn bound_to_thumbprint(mut self, thumbprint: &str) -> Self {
        self.edits.confirm("jkt", thumbprint);
        if self.is_opaque { self.claim("token_type", "DPoP") } else { self }
    }

    /// Sets a claim, also in place of a default one.
    ///
    /// # Panics
    ///
    /// If `value` cannot be serialized as JSON.
    #[track_caller]
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.edits.set_claim(name, to_json(value));
        self
    }

    /// Removes a claim, also a default one.
    pub fn without(mut self, name: &str) -> Self {
        self.edits.remove_claim(name);
        self
    }

    /// Sets a JOSE header parameter, also `alg`, `kid` and `typ`. The key and the algorithm that
    /// sign the token stay the same.
    ///
    /// # Panics
    ///
    /// If `value` cannot be serialized as JSON.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl Serialize) -> Self {
        self.edits.set_header(name, to_json(value));
        self
    }

    /// Removes a JOSE header parameter.
    pub fn without_header(mut self, name: &str) -> Self {
        self.edits.remove_header(name);
        self
    }

    /// Sets `exp` to this many seconds from the tenant's time, 3600 by default. With a negative
    /// number, the token has expired.
    pub const fn expires_in(mut self, seconds: i64) -> Self {
        self.expires_in = seconds;
        self
    }

    /// Signs with another algorithm than the tenant's. The tenant publishes a key for it as well.
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Signs with another key than the active one.
    pub const fn signed_by(mut self, signer: Signer) -> Self {
        self.signer = signer;
        self
    }

    /// Makes the header exactly this text, and signs that.
    pub fn raw_header(mut self, header: impl Into<String>) -> Self {
        self.edits.replace_header(header.into());
        self
    }

    /// Makes the payload exactly these bytes, and signs those.
    pub fn raw_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.edits.replace_payload(payload.into());
        self
    }

    /// The token: signed, in JWS compact form (RFC 7515 §7.1), or opaque.
    ///
    /// Introspection reports it as active until it expires or is [revoked](MockTenant::revoke), or
    /// the tenant has minted 50,000 more. A JWT is inactive if the active key did not sign it, or
    /// if its payload is not a JSON object.
    ///
    /// # Panics
    ///
    /// If the payload of an opaque token is not a JSON object.
    #[must_use]
    #[track_caller]
    pub fn mint(self) -> String {
        let (tenant, is_opaque, signer) = (self.tenant, self.is_opaque, self.signer);
        let unsigned = self.unsigned();
        let is_object = serde_json::from_slice::<Members>(&unsigned.payload).is_ok();
        assert!(is_object || !is_opaque, "an opaque token's payload must be a JSON object");

        let token = if is_opaque { random_id() + &random_id() } else { unsigned.sign() };
        if is_object && (is_opaque || signer == Signer::Active) {
            tenant.introspector().issue(&token, unsigned.payload);
        }
        token
    }

    /// The token before it is signed.
    pub(crate) fn unsigned(self) -> Unsigned {
        let key = self.tenant.key(self.signer, self.algorithm);
        let (header, claims) = (default_header(&key), self.default_claims());
        self.edits.apply(header, claims, key)
    }

    pub(crate) const fn tenant(&self) -> &'a MockTenant {
        self.tenant
    }

    /// The tenant's time.
    pub(crate) fn now(&self) -> i64 {
        unix_seconds(self.tenant.clock().now())
    }

    /// RFC 9068 §2.2.
    fn default_claims(&self) -> Members {
        let now = self.now();
        let mut claims = members([
            ("iss", self.tenant.issuer().into()),
            ("aud", self.tenant.audience().into()),
            ("sub", "test-user".into()),
            ("client_id", "test-client".into()),
            ("iat", now.into()),
            ("nbf", now.into()),
            ("exp", (now + self.expires_in).into()),
            ("jti", random_id().into()),
        ]);
        if !self.scopes.is_empty() {
            claims.insert("scope".to_owned(), self.scopes.join(" ").into());
        }
        claims
    }
}

/// RFC 9068 §2.1.
fn default_header(key: &SigningKey) -> Members {
    members([
        ("alg", key.algorithm.as_str().into()),
        ("kid", key.kid.as_str().into()),
        ("typ", "at+jwt".into()),
    ])
}

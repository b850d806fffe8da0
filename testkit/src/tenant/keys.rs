//! The key set that a tenant publishes.

use serde_json::{Value, json};

use crate::{
    Algorithm, MockTenant, Signer,
    token::{KeyRing, SigningKey},
};

/// A way in which a JWK Set (RFC 7517 §5) can be wrong; see [`MockTenant::publish_keys_as`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeySetState {
    /// No key at all.
    Empty,
    /// Before the tenant's own keys, another key of the same type for each active one, under the
    /// same `kid` (contrary to RFC 7517 §4.5).
    DuplicateKid,
    /// No key has a `kid`.
    WithoutKid,
    /// Every key has the `use` for encryption (RFC 7517 §4.2).
    WrongUse,
    /// Every key has the `alg` of another algorithm (RFC 7517 §4.4), of the same key type if there
    /// is one.
    WrongAlg,
    /// Another key in place of each active one, under its `kid`: that of [`Signer::Foreign`], as if
    /// an attacker had put it there. The tenant still signs with its own keys, so its tokens no
    /// longer verify, and the attacker's do.
    SameKidNewKey,
    /// The active keys with their private members (RFC 7518 §6.2.2 and §6.3.2).
    PrivateLeaked,
    /// This many keys. The tenant's own are the last ones; the others are well-formed RS256 keys,
    /// each with its own `kid`.
    Huge(usize),
    /// This text, which need not be JSON.
    Raw(String),
}

/// Keys.
impl MockTenant {
    /// Publishes the next key beside the others without signing with it: the first half of an
    /// announced rotation. It is the key of [`Signer::Unpublished`].
    ///
    /// ```
    /// use monocloud_testkit::MockTenant;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    /// tenant.announce_key();
    /// // An API that fetches the keys now has the next one in time.
    /// tenant.rotate_keys();
    /// // Tokens signed with the former key are valid until it is withdrawn.
    /// tenant.withdraw_former_keys();
    /// # }
    /// ```
    pub fn announce_key(&self) {
        self.change_keys(KeyRing::announce);
    }

    /// Rotates the keys and keeps the old ones published. The new active key is the one that was
    /// [announced](Self::announce_key), if any.
    pub fn rotate_keys(&self) {
        self.change_keys(KeyRing::rotate);
    }

    /// Takes the last [rotation](Self::rotate_keys) back, for an API that does not accept its key.
    #[cfg(feature = "audit")]
    pub(crate) fn revert_rotation(&self) {
        self.change_keys(KeyRing::revert);
    }

    /// Rotates the keys and withdraws the old ones at once.
    pub fn replace_keys(&self) {
        self.change_keys(KeyRing::replace);
    }

    /// Withdraws all keys that were active before, which ends a [rotation](Self::rotate_keys).
    pub fn withdraw_former_keys(&self) {
        self.change_keys(KeyRing::withdraw_former);
    }

    /// Withdraws this key, which was active before or is announced.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    #[track_caller]
    pub fn withdraw_key(&self, kid: &str) {
        let mut was_there = false;
        self.change_keys(|keys| was_there = keys.withdraw(kid));
        assert!(was_there, "no former or announced key has the kid {kid:?}");
    }

    /// Serves exactly this JWK Set until the keys are rotated, announced, replaced, withdrawn or
    /// [published](Self::publish_keys) again.
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` there")]
    pub fn publish(&self, jwks: Value) {
        self.site.documents().jwks = Some(jwks.to_string());
    }

    /// Serves the tenant's current keys in this state, for as long as a [published](Self::publish)
    /// set.
    ///
    /// ```
    /// use monocloud_testkit::{KeySetState, MockTenant};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    /// tenant.publish_keys_as(KeySetState::DuplicateKid);
    /// tenant.publish_keys();
    /// # }
    /// ```
    pub fn publish_keys_as(&self, state: KeySetState) {
        let mut documents = self.site.documents();
        documents.jwks = Some(state.document(&mut documents.keys));
    }

    /// Serves the tenant's own keys again.
    pub fn publish_keys(&self) {
        self.site.documents().jwks = None;
    }

    /// The tenant's own JWK Set, from which a test can derive another one to
    /// [`publish`](Self::publish).
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.site.documents().keys.jwks()
    }

    pub(crate) fn key(&self, signer: Signer, algorithm: Algorithm) -> SigningKey {
        self.site.documents().keys.key(signer, algorithm)
    }

    fn change_keys(&self, change: impl FnOnce(&mut KeyRing)) {
        let mut documents = self.site.documents();
        change(&mut documents.keys);
        documents.jwks = None;
    }
}

impl KeySetState {
    fn document(self, keys: &mut KeyRing) -> String {
        let active: Vec<_> = keys.active().cloned().collect();
        let mut foreign = |key: &SigningKey| keys.key(Signer::Foreign, key.algorithm).jwk();
        let foreign: Vec<_> = active.iter().map(&mut foreign).collect();
        let published: Vec<_> = keys.published().cloned().collect();
        let own = published.iter().map(SigningKey::jwk);
        // Replaces the active keys and keeps the others.
        let replaced = |jwk: Value, by: &dyn Fn(usize) -> Value| {
            let place = active.iter().position(|key| jwk["kid"] == key.kid);
            place.map_or(jwk, by)
        };
        let set: Vec<_> = match self {
            Self::Raw(text) => return text,
            Self::Empty => Vec::new(),
            Self::DuplicateKid => foreign.into_iter().chain(own).collect(),
            Self::WithoutKid => own.map(without_kid).collect(),
            Self::WrongUse => own.map(|jwk| with(jwk, "use", "enc")).collect(),
            Self::WrongAlg => {
                let wrong =
                    |key: &SigningKey| with(key.jwk(), "alg", another(key.algorithm).as_str());
                published.iter().map(wrong).collect()
            }
            Self::SameKidNewKey => {
                own.map(|jwk| replaced(jwk, &|place| foreign[place].clone())).collect()
            }
            Self::PrivateLeaked => {
                own.map(|jwk| replaced(jwk, &|place| active[place].private_jwk())).collect()
            }
            Self::Huge(count) => {
                let other = SigningKey::foreign(Algorithm::Rs256, String::new()).jwk();
                let others = 0..count.saturating_sub(published.len());
                let others = others.map(|n| with(other.clone(), "kid", &format!("other-{n}")));
                others.chain(own).collect()
            }
        };
        json!({ "keys": set }).to_string()
    }
}

fn with(mut jwk: Value, name: &str, value: &str) -> Value {
    jwk[name] = value.into();
    jwk
}

fn without_kid(mut jwk: Value) -> Value {
    if let Some(members) = jwk.as_object_mut() {
        members.remove("kid");
    }
    jwk
}

const fn another(algorithm: Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rs256 => Algorithm::Ps256,
        Algorithm::Rs384 => Algorithm::Ps384,
        Algorithm::Rs512 => Algorithm::Ps512,
        Algorithm::Ps256 => Algorithm::Rs256,
        Algorithm::Ps384 => Algorithm::Rs384,
        Algorithm::Ps512 => Algorithm::Rs512,
        Algorithm::Es256 => Algorithm::Es384,
        Algorithm::Es384 => Algorithm::Es512,
        Algorithm::Es512 | Algorithm::EdDsa => Algorithm::Es256,
    }
}

use crate::Algorithm;
use crate::signing_key::SigningKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whose key signs a token.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Signer {
    /// The tenant's present key, which it publishes.
    #[default]
    Active,
    /// A key that the tenant no longer publishes: the one that
    /// [`replace_keys`](crate::MockTenant::replace_keys) withdrew last, or one
    /// from before the test.
    Retired,
    /// The tenant's next key, which it does not publish before the next rotation.
    Unpublished,
    /// An attacker's key, under the active key's `kid`.
    Foreign,
}

/// All keys of one tenant: a line of them for each algorithm in use.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    lines: BTreeMap<Algorithm, KeyLine>,
}

/// The keys of one algorithm through their lives, from `next` to `withdrawn`.
#[derive(Debug, Default)]
struct KeyLine {
    next: Option<SigningKey>,
    active: Option<SigningKey>,
    /// Rotated out, and published still.
    former: Vec<SigningKey>,
    withdrawn: Option<SigningKey>,
}

impl KeyRing {
    /// The key that `signer` signs with. A key that is asked for the first time
    /// is made, and if it is an active one, published.
    pub(crate) fn key(&mut self, signer: Signer, algorithm: Algorithm) -> SigningKey {
        match signer {
            Signer::Active => self.ensure(algorithm, |line| &mut line.active),
            Signer::Retired => self.ensure(algorithm, |line| &mut line.withdrawn),
            Signer::Unpublished => self.ensure(algorithm, |line| &mut line.next),
            Signer::Foreign => {
                let active = self.key(Signer::Active, algorithm);
                SigningKey::foreign(algorithm, active.kid)
            }
        }
    }

    /// Puts the next keys in force; the present ones stay published.
    pub(crate) fn rotate(&mut self) {
        for algorithm in self.algorithms_in_force() {
            let next = self.key(Signer::Unpublished, algorithm);
            let line = self.lines.entry(algorithm).or_default();
            line.next = None;
            line.former.extend(line.active.replace(next));
        }
    }

    /// Puts the next keys in force and withdraws all others.
    pub(crate) fn replace(&mut self) {
        self.rotate();
        for line in self.lines.values_mut() {
            if let Some(newest) = line.former.drain(..).next_back() {
                line.withdrawn = Some(newest);
            }
        }
    }

    /// The keys in force.
    pub(crate) fn active(&self) -> impl Iterator<Item = &SigningKey> {
        self.lines.values().filter_map(|line| line.active.as_ref())
    }

    /// The JWK Set that publishes the keys in force (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Value {
        let published = |line: &KeyLine| -> Vec<Value> {
            let newest_first = line.active.iter().chain(line.former.iter().rev());
            newest_first.map(SigningKey::jwk).collect()
        };
        json!({ "keys": self.lines.values().flat_map(published).collect::<Vec<_>>() })
    }

    fn ensure(
        &mut self,
        algorithm: Algorithm,
        place: impl Fn(&mut KeyLine) -> &mut Option<SigningKey>,
    ) -> SigningKey {
        let line = self.lines.entry(algorithm).or_default();
        if let Some(key) = place(line) {
            return key.clone();
        }
        let in_use: Vec<_> = self.lines.values().flat_map(KeyLine::keys).collect();
        let key = SigningKey::fresh(algorithm, &in_use);
        let line = self.lines.entry(algorithm).or_default();
        place(line).insert(key).clone()
    }

    fn algorithms_in_force(&self) -> Vec<Algorithm> {
        let in_force = |(_, line): &(&Algorithm, &KeyLine)| line.active.is_some();
        let lines = self.lines.iter().filter(in_force);
        lines.map(|(algorithm, _)| *algorithm).collect()
    }
}

impl KeyLine {
    fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        let single = [&self.next, &self.active, &self.withdrawn];
        single.into_iter().flatten().chain(&self.former)
    }
}

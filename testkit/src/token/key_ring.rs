//! The keys of a tenant.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::token::{algorithm::Algorithm, signing_key::SigningKey};

/// The key that signs a token.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Signer {
    /// The tenant's active key, which it publishes.
    #[default]
    Active,
    /// A key that the tenant no longer publishes: the last one that was withdrawn, for example by
    /// [`replace_keys`](crate::MockTenant::replace_keys), or one from before the test.
    Retired,
    /// The tenant's next key, which it publishes at the next rotation, or when it
    /// [announces](crate::MockTenant::announce_key) it.
    Unpublished,
    /// An attacker's key, under the active key's `kid`.
    Foreign,
}

/// All keys of one tenant, by algorithm.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    lines: BTreeMap<Algorithm, KeyLine>,
}

/// The keys of one algorithm, from `next` to `withdrawn`.
#[derive(Debug, Default)]
struct KeyLine {
    next: Option<SigningKey>,
    /// Published, but not yet used to sign.
    announced: Option<SigningKey>,
    active: Option<SigningKey>,
    /// Published before it signs a token, when it becomes the active key: an API that has fetched
    /// the keys has one for every algorithm.
    reserve: Option<SigningKey>,
    /// Rotated out, but still published.
    former: Vec<SigningKey>,
    withdrawn: Option<SigningKey>,
    /// The attacker's.
    foreign: Option<SigningKey>,
}

impl KeyRing {
    /// The key that `signer` signs with, which is generated when it is first needed. The active key
    /// is the one in reserve, if any.
    pub(crate) fn key(&mut self, signer: Signer, algorithm: Algorithm) -> SigningKey {
        match signer {
            Signer::Active => {
                let line = self.lines.entry(algorithm).or_default();
                line.active = line.active.take().or_else(|| line.reserve.take());
                self.ensure(algorithm, |line| &mut line.active)
            }
            Signer::Retired => self.ensure(algorithm, |line| &mut line.withdrawn),
            Signer::Unpublished => self.ensure(algorithm, |line| &mut line.next),
            Signer::Foreign => {
                let kid = self.key(Signer::Active, algorithm).kid;
                let foreign = &mut self.lines.entry(algorithm).or_default().foreign;
                let foreign =
                    foreign.get_or_insert_with(|| SigningKey::foreign(algorithm, String::new()));
                foreign.clone().known_as(kid)
            }
        }
    }

    /// Publishes a key for each algorithm that has no active one.
    pub(crate) fn publish_all_algorithms(&mut self) {
        for algorithm in Algorithm::ALL {
            if self.lines.get(&algorithm).is_none_or(|line| line.active.is_none()) {
                self.ensure(algorithm, |line| &mut line.reserve);
            }
        }
    }

    /// Publishes the next keys, unless they are announced already.
    pub(crate) fn announce(&mut self) {
        for algorithm in self.algorithms_in_force() {
            let next = self.key(Signer::Unpublished, algorithm);
            let line = self.lines.entry(algorithm).or_default();
            if line.announced.is_none() {
                line.announced = Some(next);
                line.next = None;
            }
        }
    }

    /// Makes the next keys active. The current ones stay published.
    pub(crate) fn rotate(&mut self) {
        self.announce();
        for line in self.lines.values_mut() {
            if let Some(next) = line.announced.take() {
                line.former.extend(line.active.replace(next));
            }
        }
    }

    /// Takes the last rotation back: the former keys are active again, and those that replaced them
    /// are withdrawn.
    #[cfg(feature = "audit")]
    pub(crate) fn revert(&mut self) {
        for line in self.lines.values_mut() {
            if let Some(former) = line.former.pop() {
                line.withdrawn = line.active.replace(former);
            }
        }
    }

    /// Makes the next keys active and withdraws all others.
    pub(crate) fn replace(&mut self) {
        self.rotate();
        self.withdraw_former();
    }

    /// Withdraws the former keys.
    pub(crate) fn withdraw_former(&mut self) {
        for line in self.lines.values_mut() {
            if let Some(newest) = line.former.drain(..).next_back() {
                line.withdrawn = Some(newest);
            }
        }
    }

    /// Withdraws the former or announced key with this `kid`, and returns whether there is one.
    pub(crate) fn withdraw(&mut self, kid: &str) -> bool {
        self.lines.values_mut().any(|line| {
            let is_it = |key: &mut SigningKey| key.kid == kid;
            let former = line.former.extract_if(.., is_it).next();
            let key = former.or_else(|| line.announced.take_if(is_it));
            let is_there = key.is_some();
            line.withdrawn = key.or_else(|| line.withdrawn.take());
            is_there
        })
    }

    /// The active keys.
    pub(crate) fn active(&self) -> impl Iterator<Item = &SigningKey> {
        self.lines.values().filter_map(|line| line.active.as_ref())
    }

    /// The `kid`s that can be [withdrawn](Self::withdraw).
    pub(crate) fn withdrawable(&self) -> impl Iterator<Item = &str> {
        let keys = self.lines.values().flat_map(|line| line.announced.iter().chain(&line.former));
        keys.map(|key| key.kid.as_str())
    }

    /// By algorithm, the active keys, the announced ones and the former ones; then those in
    /// reserve.
    pub(crate) fn published(&self) -> impl Iterator<Item = &SigningKey> {
        let used = self.lines.values().flat_map(|line| {
            line.active.iter().chain(&line.announced).chain(line.former.iter().rev())
        });
        used.chain(self.lines.values().filter_map(|line| line.reserve.as_ref()))
    }

    /// The JWK Set that publishes them (RFC 7517 §5).
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.published().map(SigningKey::jwk).collect::<Vec<_>>() })
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
        let single = [&self.next, &self.announced, &self.active, &self.reserve, &self.withdrawn];
        single.into_iter().flatten().chain(&self.former)
    }
}

//! A cluster: each command goes to the node that has the slot of its key.
//!
//! The cluster client of the `redis` crate is not used. It makes its connections itself, by
//! `Connect::connect_with_config`, which has an address for an argument and no receiver: TLS of our
//! own would have to reach it by a table of the whole process. Commands with one key need little:
//! the owners of the slots, and to follow redirections.

use std::{
    collections::HashMap,
    future::Future,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::redis::{Arg, Cmd, FromRedisValue, Value, from_redis_value};
use tokio::task::JoinSet;

use super::{
    connection::{Access, CONNECT_TIMEOUT, Link, Server},
    failure::{Failure, Redirection},
};
use crate::{config::Address, tenant::shared_task::SharedTask};

/// A cluster has this many slots (Redis cluster specification, key distribution model).
const SLOTS: u16 = 16_384;

/// How often a command is sent before the cluster counts as in disorder.
const MAX_ATTEMPTS: u32 = 4;

type Node = Arc<Link<Server>>;

pub(super) struct Cluster(Arc<Shared>);

struct Shared {
    access: Arc<Access>,
    /// The nodes that the configuration names.
    seeds: Vec<Address>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    owners: Owners,
    /// Counts how often the owners were read; zero before the first time.
    version: u64,
    /// The owners must be read again, as one of them failed.
    is_outdated: bool,
    reading: Option<SharedTask<Result<(), Failure>>>,
}

impl Cluster {
    pub(super) fn new(access: Access, seeds: Vec<Address>) -> Self {
        Self(Arc::new(Shared { access: Arc::new(access), seeds, state: Mutex::default() }))
    }

    /// Runs a command, whose first key decides where.
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let slot = slot(key(command).ok_or(Failure::Unassigned)?);
        let (version, mut node) = self.0.owner(slot).await?;
        let mut is_migrating = false;
        for _ in 0..MAX_ATTEMPTS {
            let outcome = match is_migrating {
                false => node.run(command).await,
                true => node.run_migrating(command).await,
            };
            match outcome {
                Err(Failure::Redirected(redirection)) => {
                    node = self.0.follow(&redirection, &node);
                    is_migrating = redirection.is_once;
                }
                Err(failure) if !failure.is_foreign_value() => {
                    self.0.distrust(version);
                    return Err(failure);
                }
                outcome => return outcome,
            }
        }
        self.0.distrust(version);
        Err(Failure::Unassigned)
    }
}

impl Shared {
    /// The node that has a slot, and the version of the owners that says so.
    async fn owner(self: &Arc<Self>, slot: u16) -> Result<(u64, Node), Failure> {
        if let Some(reading) = self.reading() {
            reading.outcome().await.unwrap_or(Err(Failure::Interrupted))?;
        }
        let mut state = self.state();
        let owner = state.owners.of(slot);
        state.is_outdated |= owner.is_none();
        owner.map(|node| (state.version, node)).ok_or(Failure::Unassigned)
    }

    /// The task that reads the owners, if they must be read.
    fn reading(self: &Arc<Self>) -> Option<SharedTask<Result<(), Failure>>> {
        let mut state = self.state();
        if state.version > 0 && !state.is_outdated {
            return None;
        }
        // One that ended without a trace was on a runtime that has ended.
        if state.reading.as_ref().is_none_or(|reading| !reading.is_running()) {
            state.reading = Some(SharedTask::start(Arc::clone(self).read_owners()));
        }
        state.reading.clone()
    }

    async fn read_owners(self: Arc<Self>) -> Result<(), Failure> {
        let ranges = self.ranges().await;
        let mut state = self.state();
        state.reading = None;
        let mut owners = Owners::default();
        for (slots, address) in ranges? {
            // The connections of before are kept.
            let known = owners.find(&address).or_else(|| state.owners.find(&address));
            owners.assign(slots, known.unwrap_or_else(|| self.node(address)));
        }
        // Connecting may take longer than the caller of a command waits.
        owners.nodes.iter().for_each(|node| node.prepare());
        state.owners = owners;
        state.version += 1;
        state.is_outdated = false;
        Ok(())
    }

    /// The ranges of slots, according to the first node that answers: one that the configuration
    /// names, or else one that was known before.
    async fn ranges(&self) -> Result<Vec<Range>, Failure> {
        let failure = match self.first_answer(self.seeds.clone()).await {
            Err(failure) => failure,
            ranges => return ranges,
        };
        let known =
            self.state().owners.nodes.iter().map(|node| node.target().address.clone()).collect();
        self.first_answer(known).await.map_err(|_| failure)
    }

    fn first_answer(
        &self,
        addresses: Vec<Address>,
    ) -> impl Future<Output = Result<Vec<Range>, Failure>> + use<> {
        let ask = |address| ask(Arc::clone(&self.access), address);
        let mut answers: JoinSet<_> = addresses.into_iter().map(ask).collect();
        async move {
            let mut failure = Failure::Unassigned;
            while let Some(answer) = answers.join_next().await {
                match answer.unwrap_or(Err(Failure::Interrupted)) {
                    Ok(ranges) => return Ok(ranges),
                    Err(reason) => failure = reason,
                }
            }
            Err(failure)
        }
    }

    /// The node that a command is sent to by `from`.
    fn follow(&self, redirection: &Redirection, from: &Node) -> Node {
        let mut address = redirection.node.clone();
        if address.host.is_empty() {
            address.host.clone_from(&from.target().address.host);
        }
        let mut state = self.state();
        let node = state.owners.find(&address).unwrap_or_else(|| self.node(address));
        if !redirection.is_once {
            state.owners.assign(redirection.slot..=redirection.slot, Arc::clone(&node));
        }
        node
    }

    /// Has the owners read again before the next command.
    fn distrust(&self, version: u64) {
        let mut state = self.state();
        state.is_outdated |= state.version == version;
    }

    fn node(&self, address: Address) -> Node {
        Arc::new(Link::new(Server { access: Arc::clone(&self.access), address }))
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Range = (RangeInclusive<u16>, Address);

async fn ask(access: Arc<Access>, address: Address) -> Result<Vec<Range>, Failure> {
    let mut command = ::redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = async { access.connect(&address).await?.query::<Vec<Value>>(&command).await };
    let answer = tokio::time::timeout(CONNECT_TIMEOUT, answer).await;
    let answer = answer.unwrap_or(Err(Failure::Silent))?;
    let ranges: Vec<_> = answer.into_iter().filter_map(|it| range(it, &address.host)).collect();
    // A node that has met no other yet.
    if ranges.is_empty() { Err(Failure::Unassigned) } else { Ok(ranges) }
}

/// Reads one range of the answer to `CLUSTER SLOTS`: its slots and its primary, and the replicas,
/// which do not matter here.
fn range(value: Value, asked_host: &str) -> Option<Range> {
    let mut fields = from_redis_value::<Vec<Value>>(value).ok()?.into_iter();
    let first = from_redis_value(fields.next()?).ok()?;
    let last = from_redis_value(fields.next()?).ok()?;
    let mut primary = from_redis_value::<Vec<Value>>(fields.next()?).ok()?.into_iter();
    let host: Option<String> = from_redis_value(primary.next()?).ok()?;
    let port = from_redis_value(primary.next()?).ok()?;
    // A node that does not know its own host has that by which it was asked.
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked_host.to_owned());
    Some((first..=last, Address { host, port }))
}

/// Which node has which slot.
#[derive(Default)]
struct Owners {
    nodes: Vec<Node>,
    /// Positions in `nodes`, by slot.
    slots: HashMap<u16, usize>,
}

impl Owners {
    fn of(&self, slot: u16) -> Option<Node> {
        self.nodes.get(*self.slots.get(&slot)?).cloned()
    }

    fn assign(&mut self, slots: RangeInclusive<u16>, node: Node) {
        let known = self.nodes.iter().position(|it| Arc::ptr_eq(it, &node));
        let position = known.unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        self.slots.extend(slots.map(|slot| (slot, position)));
    }

    fn find(&self, address: &Address) -> Option<Node> {
        self.nodes.iter().find(|node| node.target().address == *address).cloned()
    }
}

/// The first key of a command: after the number of keys, where a script precedes them.
fn key(command: &Cmd) -> Option<&[u8]> {
    let mut arguments = command.args_iter().map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => &[],
    });
    let skipped = if arguments.next()? == b"EVAL" { 2 } else { 0 };
    arguments.nth(skipped)
}

/// The slot of a key: the CRC16/XMODEM of what is in its first braces, or of all of it. That of the
/// `redis` crate cannot be read.
fn slot(key: &[u8]) -> u16 {
    let braced = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        rest.get(..rest.iter().position(|&byte| byte == b'}')?)
    });
    let hashed = braced.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = hashed.iter().fold(0_u16, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // By `CLUSTER KEYSLOT`.
        for (key, expected) in [
            ("", 0),
            ("123456789", 12_739),
            ("monocloud-backend:introspection:00", 6865),
            ("{user1000}.following", 3443),
            ("user1000", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
            ("foo{bar", 15_278),
            ("foo}bar{", 11_073),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_command_goes_where_its_first_key_is() {
        let command = |words: &str| {
            let mut command = Cmd::new();
            command.arg(words.split(' ').collect::<Vec<_>>());
            command
        };
        for words in ["SET k v PX 1", "GETRANGE k 0 9", "EVAL script 1 k v", "SET k EVAL"] {
            assert_eq!(key(&command(words)), Some(&b"k"[..]), "{words}");
        }
        for words in ["PING", "EVAL script 0"] {
            assert_eq!(key(&command(words)), None, "{words}");
        }
    }
}

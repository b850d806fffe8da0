//! What each operation of an MCP server needs.

use std::collections::BTreeMap;

use super::operation::{Kind, Operation};
use crate::protect::Guard;

/// The guards of what is listed, and of everything else.
#[derive(Clone, Debug)]
pub(super) struct Policies {
    tools: BTreeMap<String, Guard>,
    resources: BTreeMap<String, Guard>,
    prompts: BTreeMap<String, Guard>,
    methods: BTreeMap<String, Guard>,
    default: Option<Guard>,
    any_token: Guard,
}

impl Policies {
    /// Nothing is listed.
    pub(super) const fn new(any_token: Guard) -> Self {
        Self {
            tools: BTreeMap::new(),
            resources: BTreeMap::new(),
            prompts: BTreeMap::new(),
            methods: BTreeMap::new(),
            default: None,
            any_token,
        }
    }

    pub(super) fn list(&mut self, kind: Kind, name: String, guard: Guard) {
        match kind {
            Kind::Tool => &mut self.tools,
            Kind::Resource => &mut self.resources,
            Kind::Prompt => &mut self.prompts,
        }
        .insert(name, guard);
    }

    pub(super) fn list_method(&mut self, method: String, guard: Guard) {
        self.methods.insert(method, guard);
    }

    pub(super) fn set_default(&mut self, guard: Guard) {
        self.default = Some(guard);
    }

    /// Of a message that is about nothing in particular, and of a request without a message.
    pub(super) fn by_default(&self) -> &Guard {
        self.default.as_ref().unwrap_or(&self.any_token)
    }

    /// Every guard that an operation must pass; nothing if it is about something that is not listed
    /// while there is no default.
    pub(super) fn of(&self, operation: &Operation) -> Option<Vec<&Guard>> {
        let of_method = operation.method.as_ref().and_then(|method| self.methods.get(method));
        if operation.subjects.is_empty() {
            return Some(vec![of_method.unwrap_or_else(|| self.by_default())]);
        }
        let otherwise = of_method.or(self.default.as_ref());
        let subjects = operation.subjects.iter();
        subjects.map(|it| self.of_subject(it.kind, &it.name).or(otherwise)).collect()
    }

    fn of_subject(&self, kind: Kind, name: &str) -> Option<&Guard> {
        match kind {
            Kind::Tool => &self.tools,
            Kind::Resource => &self.resources,
            Kind::Prompt => &self.prompts,
        }
        .get(name)
    }
}

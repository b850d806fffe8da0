//! What a message to an MCP server asks for.

/// A method, and the tools, resources and prompts that it is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Operation {
    /// None in a client's response to a request of the server, which older revisions have.
    pub(super) method: Option<String>,
    pub(super) subjects: Vec<Subject>,
}

/// A tool, a resource or a prompt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    /// Its name, or the URI of a resource, compared byte for byte.
    pub(super) name: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Tool,
    Resource,
    Prompt,
}

impl Kind {
    /// The member of the parameters that names it.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource => "uri",
        }
    }

    /// What a method is about, if that is exactly one thing: `Mcp-Name` repeats its name.
    pub(super) fn of_method(method: &str) -> Option<Self> {
        match method {
            "tools/call" => Some(Self::Tool),
            "prompts/get" => Some(Self::Prompt),
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => {
                Some(Self::Resource)
            }
            _ => None,
        }
    }

    pub(super) fn named(self, name: &str) -> Subject {
        Subject { kind: self, name: name.to_owned() }
    }
}

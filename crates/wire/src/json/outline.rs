//! Where the members of an object are.

use std::ops::Range;

use bourse_vocab::PromptFacts;
use bytes::Bytes;

use super::prompt::{Addresses, Prompt};
use super::{Features, Kind};

/// One member of the outermost object. Offsets count from the beginning
/// of the whole text, across its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name with its quotes.
    pub key: Range<usize>,
    /// The value with its quotes or brackets.
    pub value: Range<usize>,
    /// What sort of value it is.
    pub kind: Kind,
    /// Where the name is in [`Outline::names`].
    pub(super) name: Range<usize>,
}

/// The members of the outermost object, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    pub(super) members: Vec<Member>,
    /// All names, one after the other: one allocation, not one each.
    pub(super) names: String,
    pub(super) features: Features,
    /// Boxed, because whatever holds an outline is handed from phase to phase.
    pub(super) prompt: Box<Prompt>,
    pub(super) open: usize,
    pub(super) len: usize,
}

impl Outline {
    /// The members, in order.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A member's name. Names cannot contain escapes here.
    #[must_use]
    pub fn name(&self, member: &Member) -> &str {
        self.names.get(member.name.clone()).unwrap_or("")
    }

    /// Members with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members
            .iter()
            .map(|member| (self.name(member), member))
    }

    /// Finds a member by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Member> {
        self.members.get(self.position(name)?)
    }

    /// Where a member is among the members.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.members
            .iter()
            .position(|member| self.name(member) == name)
    }

    /// What was noted in passing.
    #[must_use]
    pub const fn features(&self) -> Features {
        self.features
    }

    /// Whether some tool on offer does not plainly say that it is a function
    /// or a custom one, which the client runs.
    #[must_use]
    pub fn has_other_tools(&self) -> bool {
        self.prompt.has_other_tools()
    }

    /// What the prompt contains, in numbers. `written` is how many bytes
    /// those members have together that a model may read; `segments` are
    /// the scanned pieces, in which the sizes of pictures are looked up.
    #[must_use]
    pub fn facts(&self, written: u64, segments: &[Bytes]) -> PromptFacts {
        self.prompt.facts(written, segments)
    }

    /// Where the addresses of media are that are elsewhere.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.prompt.addresses
    }

    /// Offset just behind the opening brace.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Length of the whole text in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the object has no members.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

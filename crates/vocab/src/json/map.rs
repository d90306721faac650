//! Objects whose members stay in their order.

use std::collections::HashMap;

use super::Value;

/// Up to here a member is found by looking at each, which is faster than
/// hashing; beyond, an index is kept, or a hostile object would cost the
/// square of its length.
const UNINDEXED_MAX: usize = 48;

/// The members of an object, in order. Two objects with the same members in
/// another order are equal, as JSON has it.
#[derive(Debug, Clone, Default)]
pub struct Map {
    members: Vec<(String, Value)>,
    /// Where each name is, once there are many.
    index: Option<HashMap<String, usize>>,
}

impl Map {
    /// No members.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: Vec::new(),
            index: None,
        }
    }

    /// How many members there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn position(&self, name: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(name).copied(),
            None => self.members.iter().position(|(other, _)| other == name),
        }
    }

    /// A member's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members
            .get(self.position(name)?)
            .map(|(_, value)| value)
    }

    /// A member's value, to be changed.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.position(name)?;
        self.members.get_mut(at).map(|(_, value)| value)
    }

    /// Whether there is such a member.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Sets a member: in its place if it is there, else at the end. Returns
    /// what was there.
    pub fn insert(&mut self, name: String, value: Value) -> Option<Value> {
        if let Some(slot) = self.get_mut(&name) {
            return Some(std::mem::replace(slot, value));
        }
        if let Some(index) = &mut self.index {
            index.insert(name.clone(), self.members.len());
        }
        self.members.push((name, value));
        if self.index.is_none() && self.members.len() > UNINDEXED_MAX {
            self.reindex();
        }
        None
    }

    /// The value of a member, which is made as `null` at the end if it is not
    /// there.
    pub(super) fn slot(&mut self, name: &str) -> &mut Value {
        if !self.contains_key(name) {
            self.insert(name.to_owned(), Value::Null);
        }
        let at = self.position(name).unwrap_or(0);
        #[allow(clippy::indexing_slicing)] // It is there since the line above.
        &mut self.members[at].1
    }

    /// Takes a member out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.position(name)?;
        let (_, value) = self.members.remove(at);
        if let Some(index) = &mut self.index {
            index.remove(name);
            for position in index.values_mut().filter(|position| **position > at) {
                *position = position.saturating_sub(1);
            }
        }
        Some(value)
    }

    /// Keeps the members for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&String, &mut Value) -> bool) {
        self.members.retain_mut(|(name, value)| keep(name, value));
        self.reindex();
    }

    /// Moves the members of `other` to the end, or over those that are here.
    pub fn append(&mut self, other: &mut Self) {
        self.extend(std::mem::take(other));
    }

    fn reindex(&mut self) {
        self.index = (self.members.len() > UNINDEXED_MAX).then(|| {
            let names = self.members.iter().map(|(name, _)| name.clone());
            names.zip(0..).collect()
        });
    }

    /// The members, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&String, &Value)> {
        self.members.iter().map(|(name, value)| (name, value))
    }

    /// The members, in order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Value)> {
        self.members.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.members.iter().map(|(name, _)| name)
    }

    /// The values, in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.members.iter().map(|(_, value)| value)
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for Map {}

impl Extend<(String, Value)> for Map {
    fn extend<I: IntoIterator<Item = (String, Value)>>(&mut self, members: I) {
        for (name, value) in members {
            self.insert(name, value);
        }
    }
}

impl FromIterator<(String, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        let mut map = Self::new();
        map.extend(members);
        map
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a String, &'a Value);
    type IntoIter = std::iter::Map<
        std::slice::Iter<'a, (String, Value)>,
        fn(&'a (String, Value)) -> (&'a String, &'a Value),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.members.iter().map(|(name, value)| (name, value))
    }
}

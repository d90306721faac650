//! Small members of a scanned request, of the operations that are no chat.

use std::ops::RangeInclusive;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bytes::Bytes;

use crate::dialect::members;
use crate::json::{self, Kind, Member, Outline};

/// Bytes of a number, a name or a word that are read.
pub(crate) const SMALL_BYTES_MAX: usize = 1_024;

/// The members of a body.
pub(crate) struct Members<'a>(pub(crate) &'a Outline, pub(crate) &'a [Bytes]);

impl<'a> Members<'a> {
    /// One that is there and not `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Member> {
        let member = self.0.get(name)?;
        (member.kind != Kind::Null).then_some(member)
    }

    /// Whether it is `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|member| member.kind == Kind::True)
    }

    /// Whether it is `false`.
    pub(crate) fn is_false(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|member| member.kind == Kind::False)
    }

    /// A name or a word.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        self.long_text(name, SMALL_BYTES_MAX)
    }

    /// A text of at most so many bytes, as it is written.
    pub(crate) fn long_text(&self, name: &str, max: usize) -> Result<Option<String>, Failure> {
        let Some(member) = self.get(name) else {
            return Ok(None);
        };
        let raw = json::short(self.1, &member.value, max);
        match raw.as_deref().and_then(json::text::string) {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(Failure::invalid(format!(
                "{name}: must be a text of at most {max} bytes"
            ))),
        }
    }

    /// One of some words.
    pub(crate) fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Failure> {
        match self.text(name)? {
            Some(word) if !words.contains(&word.as_str()) => Err(Failure::invalid(format!(
                "{name}: must be one of {}",
                words.join(", ")
            ))),
            word => Ok(word),
        }
    }

    /// A whole number within a range.
    pub(crate) fn whole(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Failure> {
        let Some(member) = self.get(name) else {
            return Ok(None);
        };
        let raw = json::short(self.1, &member.value, SMALL_BYTES_MAX);
        let number = raw.as_deref().and_then(json::text::u64);
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::invalid(format!(
                "{name}: must be a whole number from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// The members that are not `known`, of which nobody is told. What would
    /// make somebody spend money, and what a lenient parser takes for another
    /// name, is refused.
    pub(crate) fn unknown(&self, known: &[&[&str]], what: &str) -> Result<Vec<Loss>, Failure> {
        let mut unknown = Vec::new();
        for (name, member) in self.0.iter() {
            if known.iter().any(|names| names.contains(&name)) {
                continue;
            }
            members::check(name, || {
                json::short(self.1, &member.value, members::NOTHING_BYTES_MAX)
            })?;
            if member.kind != Kind::Null {
                unknown.push(Loss::new(name, format!("is no parameter of {what}")));
            }
        }
        Ok(unknown)
    }
}

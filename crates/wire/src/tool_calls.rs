//! Whether the tool calls of an answer are as the caller's tools want them.
//!
//! OpenRouter's words for what is wrong (openrouter.ai/docs, Auto Exacto, as of
//! October 2026): the arguments do not parse, nobody offered a tool of that
//! name, or the arguments do not fit its schema. What cannot be told within
//! the bounds here is not judged, and never judged wrong.

mod made;
mod offered;
mod schema;

pub use made::Made;

use serde::de::IgnoredAny;

use crate::dialect::calls::NO_ARGUMENTS;
use offered::{Found, Offered};
use schema::Judge;

/// The longest list of tools that calls are judged by, in bytes. Coding
/// agents send 60 KB; a stream keeps it until its end.
pub const OFFERED_BYTES_MAX: usize = 128 << 10;

/// How much of tools, schemas and arguments is looked at for all calls of one
/// answer, in bytes, what is looked at twice counted twice: one or two
/// milliseconds, where two calls of an agent take some 50,000.
const LOOKED_AT_BYTES_MAX: usize = 2 << 20;

/// What came of looking at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong with it.
    Fits,
    /// Its arguments are no JSON.
    InvalidJson,
    /// No tool of its name was offered.
    UnknownName,
    /// Its arguments are not as the schema of its tool has them.
    SchemaMismatch,
    /// It was too much to be looked at, or is of a tool that is not known.
    Unjudged,
}

/// How many calls of an answer got each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally([u32; Verdict::ALL.len()]);

// === impl Verdict ===

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 5] = [
        Self::Fits,
        Self::InvalidJson,
        Self::UnknownName,
        Self::SchemaMismatch,
        Self::Unjudged,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::InvalidJson => "invalid_json",
            Self::UnknownName => "unknown_name",
            Self::SchemaMismatch => "schema_mismatch",
            Self::Unjudged => "unjudged",
        }
    }

    /// Whether something is wrong with the call.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(
            self,
            Self::InvalidJson | Self::UnknownName | Self::SchemaMismatch
        )
    }
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, verdict: Verdict, number: u32) {
        if let Some(count) = self.0.get_mut(verdict as usize) {
            *count = count.saturating_add(number);
        }
    }

    /// How many calls got a verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> u32 {
        self.0.get(verdict as usize).copied().unwrap_or(0)
    }

    /// How many calls there are.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.0.iter().fold(0, |sum, one| sum.saturating_add(*one))
    }

    /// How many of them something is wrong with.
    #[must_use]
    pub fn bad(&self) -> u32 {
        let bad = Verdict::ALL.into_iter().filter(|one| one.is_bad());
        bad.fold(0, |sum, one| sum.saturating_add(self.of(one)))
    }

    /// Whether any call was judged.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.of(Verdict::Unjudged) < self.calls()
    }
}

/// Judges the calls of an answer by the tools that were offered: the `tools`
/// member of a request as it was scanned, in whichever format; none if it was
/// not kept.
#[must_use]
pub fn judge(made: &Made, tools: Option<&[u8]>) -> Tally {
    let mut tally = Tally::default();
    let mut judge = Judge::with(LOOKED_AT_BYTES_MAX);
    let offered = tools.filter(|tools| tools.len() <= OFFERED_BYTES_MAX);
    for call in made.calls() {
        let verdict = match offered {
            Some(tools) => judge_one(&mut judge, Offered(tools), &call),
            None => None,
        };
        tally.add(verdict.unwrap_or(Verdict::Unjudged), 1);
    }
    tally.add(Verdict::Unjudged, made.left_out());
    tally
}

fn judge_one(judge: &mut Judge, offered: Offered<'_>, call: &made::Call<'_>) -> Option<Verdict> {
    judge.look_at(offered.0.len())?;
    let schema = match offered.find(call.name) {
        Found::Schema(schema) => Some(schema),
        Found::Plain => None,
        Found::Text => return Some(Verdict::Fits),
        Found::Nothing => return Some(Verdict::UnknownName),
        Found::Unsure => return None,
    };
    let text = call.arguments()?;
    // What vendors leave empty, clients are told as an object without members,
    // and so it is judged: see `Calls::silent`.
    let text = match text.trim_ascii() {
        b"" => NO_ARGUMENTS.as_bytes(),
        text => text,
    };
    judge.look_at(text.len())?;
    // What a client's parser takes, and no less: names twice, any depth.
    if serde_json::from_slice::<IgnoredAny>(text).is_err() {
        return Some(Verdict::InvalidJson);
    }
    let fits = match schema {
        Some(schema) => judge.fits(schema, text)?,
        None => true,
    };
    Some(if fits {
        Verdict::Fits
    } else {
        Verdict::SchemaMismatch
    })
}

#[cfg(test)]
mod tests;

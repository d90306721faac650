//! What a request asks for, without what was said.

use std::borrow::Cow;

use bourse_vocab::chat::{Loss, Request};
use bourse_vocab::facts::Detail;
use bourse_vocab::json::{Value, parse};
use bourse_vocab::{Failure, PromptFacts};
use bytes::Bytes;
use memchr::memmem;

use super::super::request::{camel, twice};
use super::super::seal;
use super::config::Config;
use super::members::{self, Fate, Known};
use super::tools;
use crate::dialect::members::NOTHING_BYTES_MAX;
use crate::fields::Path;
use crate::json::{self, Kind, Member, Outline, text};

/// The most tokens that a closer look adds to a picture: those that are cut out
/// of one (ai.google.dev, "Media resolution", 2026; `catalog`'s rule for crops).
const CLOSE_LOOK_TOKENS: u64 = 2_304;
/// What every spelling of the member has that asks for a closer look at one
/// part.
const RESOLUTION: &[u8] = b"esolution";

/// A request's members, checked; its conversation stays unread.
#[derive(Debug)]
pub struct Envelope {
    pub(super) outline: Outline,
    /// Which member each of the outline is.
    pub(super) known: Vec<Option<&'static Known>>,
    /// What the prompt contains, in numbers.
    pub facts: Box<PromptFacts>,
    /// What is asked of the answer.
    pub config: Config,
    /// What no provider is told.
    pub losses: Vec<Loss>,
    /// The conversation holds thoughts of another vendor, which Google refuses.
    pub has_foreign_thoughts: bool,
}

impl Envelope {
    /// Reads the members of a request that was scanned. `segments` are the
    /// scanned pieces.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: &[Bytes]) -> Result<Self, Failure> {
        let mut known: Vec<Option<&'static Known>> = Vec::with_capacity(outline.members().len());
        let mut losses = Vec::new();
        let mut written = 0_usize;
        for (name, member) in outline.iter() {
            let found = members::known(name);
            let short = || json::short(segments, &member.value, NOTHING_BYTES_MAX);
            match found {
                Some(found) if known.contains(&Some(found)) => {
                    return Err(twice(&Path::Root, found.name));
                }
                Some(_) if member.kind == Kind::Null => {}
                Some(found) => {
                    found.check(member.kind, short)?;
                    if matches!(found.fate, Fate::Prompt | Fate::Rewritten) {
                        written = written.saturating_add(member.value.len());
                    }
                }
                None => {
                    members::check_unknown(name, short)?;
                    if member.kind != Kind::Null {
                        losses.push(Loss::new(name, "no provider is told it"));
                    }
                }
            }
            known.push(found);
        }
        let mut envelope = Self {
            facts: Box::new(outline.facts(written as u64, segments)),
            outline,
            known,
            config: Config::default(),
            losses,
            has_foreign_thoughts: false,
        };
        envelope.fill(segments)?;
        Ok(envelope)
    }

    /// Where the members are.
    #[must_use]
    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        let of_name = |known: &Option<&Known>| known.is_some_and(|known| known.name == name);
        let at = self.known.iter().position(of_name)?;
        let member = self.outline.members().get(at)?;
        (member.kind != Kind::Null).then_some(member)
    }

    /// Whether a member is there and not `null`. Names are in Google's style.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// A member's JSON text; `None` if it is absent or `null`.
    #[must_use]
    pub fn raw<'a>(&self, name: &str, segments: &'a [Bytes]) -> Option<Cow<'a, [u8]>> {
        Some(json::raw(segments, &self.member(name)?.value))
    }

    /// A member that is a text; `None` if it is absent or something else.
    #[must_use]
    pub fn text(&self, name: &str, segments: &[Bytes]) -> Option<String> {
        text::string(&self.raw(name, segments)?).map(Cow::into_owned)
    }

    /// Leaves of a request that was parsed what a provider of this format may
    /// be told.
    pub fn prune(&self, request: &mut Request) {
        request
            .extras
            .members
            .retain(|path, _| members::is_told(path));
    }

    fn fill(&mut self, segments: &[Bytes]) -> Result<(), Failure> {
        let Some(contents) = self.member("contents") else {
            return Err(Failure::invalid("contents: is required"));
        };
        let inside = contents.value.start.saturating_add(1)..contents.value.end;
        if contents.kind == Kind::Array && json::first_byte(segments, &inside) == Some(b']') {
            return Err(Failure::invalid(
                "contents: at least one content is required",
            ));
        }
        let said = json::raw(segments, &contents.value);
        self.has_foreign_thoughts = memmem::find(&said, seal::BEGINNING).is_some();
        let looks_closely = memmem::find(&said, RESOLUTION).is_some();
        self.config = Config::read(
            self.value("generationConfig", segments)?,
            self.value("toolConfig", segments)?,
            &mut self.losses,
        )?;
        if let Some(list) = self.raw("tools", segments) {
            self.facts.tools = tools::check_list(&list)?;
        }
        let pictures = self.facts.images.count();
        if pictures > 0 && (looks_closely || self.config.looks_closely) {
            self.facts.images.look(Detail::Original);
            let more = CLOSE_LOOK_TOKENS.saturating_mul(pictures.into());
            // A token has a byte at least, so that the hold covers them.
            self.facts.text_bytes = self.facts.text_bytes.saturating_add(more);
        }
        Ok(())
    }

    fn value(&self, name: &str, segments: &[Bytes]) -> Result<Option<Value>, Failure> {
        let raw = self.raw(name, segments);
        let value = raw.map(|raw| parse(&raw)).transpose();
        value.map_err(|error| Failure::invalid(format!("{}: {error}", camel(name))))
    }
}

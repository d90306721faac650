//! What a request asks for whose operation is no chat and whose answer comes
//! whole: the members that all such endpoints share.

use std::borrow::Cow;

use bourse_catalog::{Modalities, Modality, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::{Failure, PromptFacts, TierWish, Units};
use bourse_wire::json::{self, Kind, Outline};
use bytes::Bytes;
use http::HeaderMap;

use super::not_offered::NotOffered;
use crate::ask::{self, Ask, Attribution, Labels, Options, Thinking};

/// Bytes of a name that is read.
const NAME_BYTES_MAX: usize = 1_024;

/// A request that was scanned.
pub(super) struct Body<'a> {
    pub outline: &'a Outline,
    pub segments: &'a [Bytes],
}

/// What is asked for, in numbers.
pub(super) struct Wanted {
    /// What the model reads.
    pub facts: PromptFacts,
    /// What goes in.
    pub input: Modalities,
    /// What comes out.
    pub output: Modality,
    /// Bytes of the longest text, which must fit the model's context.
    pub text_bytes: u64,
    /// How many answers.
    pub answers: u64,
    /// The most output tokens of each.
    pub max_output: u64,
    /// The most of what is no token.
    pub units: Units,
    /// What the answer is in.
    pub form: Form,
    /// Why it is asked of one model alone.
    pub one_model: &'static str,
    /// The model of a request that names none, where its clients expect one.
    pub usual_model: Option<&'static str>,
}

impl Body<'_> {
    fn raw(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let member = self.outline.get(name)?;
        (member.kind != Kind::Null).then(|| json::raw(self.segments, &member.value))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(member) = self.outline.get(name).filter(|m| m.kind != Kind::Null) else {
            return Ok(None);
        };
        let raw = json::short(self.segments, &member.value, NAME_BYTES_MAX);
        match raw.as_deref().and_then(json::text::string) {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(Failure::invalid(format!(
                "{name}: must be a text of at most {NAME_BYTES_MAX} bytes"
            ))),
        }
    }

    /// How many bytes of the body a member takes.
    pub(super) fn bytes_of(&self, name: &str) -> u64 {
        let member = self.outline.get(name);
        member.map_or(0, |member| member.value.len() as u64)
    }

    /// What the caller asks for.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub(super) fn ask(&self, headers: &HeaderMap, wanted: Wanted) -> Result<Box<Ask>, Failure> {
        if self.raw("models").is_some() {
            let why = wanted.one_model;
            return Err(Failure::invalid(format!("models: {why}")));
        }
        NotOffered {
            debug: self.raw("debug").as_deref(),
            preset: self.text("preset")?.as_deref(),
            plugins: self.raw("plugins").as_deref(),
            transforms: self.raw("transforms").as_deref(),
        }
        .refuse()?;
        let wishes = match self.raw("provider") {
            Some(json) => Preferences::read(std::str::from_utf8(&json).unwrap_or(""))?,
            None => Preferences::default(),
        };
        let mut attribution = Attribution::by_headers(headers);
        if let Some(session) = self.text("session_id")? {
            attribution.session_id = session;
        }
        attribution.user = self.text("user")?.unwrap_or_default();
        let usual_model = wanted.usual_model.map(str::to_owned);
        let labels = Labels {
            metadata: self.raw("metadata"),
            trace: self.raw("trace"),
        };
        attribution.labels = labels.write(headers)?;
        Ok(Box::new(Ask {
            models: ask::models(self.text("model")?.or(usual_model), &[])?,
            wishes,
            needs: Needs {
                input: wanted.input,
                output: Modalities::of(&[wanted.output]),
                parameters: Parameters::EMPTY,
                text_bytes: wanted.text_bytes,
                max_output: None,
            },
            stream: false,
            answers: wanted.answers,
            max_output: Some(wanted.max_output),
            units: wanted.units,
            form: wanted.form,
            thinking: Thinking::default(),
            tier: TierWish::default(),
            search: None,
            facts: wanted.facts,
            options: Options::by_headers(headers, 1)?,
            opener: None,
            attribution,
        }))
    }
}

//! A client's request for vectors: OpenAI's, with what OpenRouter adds to it
//! (openrouter.ai/docs, API reference of embeddings, October 2026).

use std::sync::OnceLock;

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Encoding, Input, Part, Purpose};
use bourse_vocab::json::{Value, parse};
use bytes::Bytes;

use super::survey::{Kind, Survey};
use crate::json::{self, Outline};
use crate::small::Members;

/// Members that vendors are told of, each in its own way.
const VENDORS: [&str; 6] = [
    "model",
    "input",
    "dimensions",
    "encoding_format",
    "input_type",
    "user",
];
/// Members between client and gateway, which no vendor is sent.
const GATEWAYS: [&str; 6] = [
    "models",
    "provider",
    "session_id",
    "trace",
    "metadata",
    "debug",
];
/// The longest vector that may be asked for: several times the longest that
/// is on offer, which has 4,096 numbers (Qwen3 Embedding 8B, 2026).
const DIMENSIONS_MAX: u32 = 65_536;

/// A request that was scanned; its inputs are counted and not parsed.
#[derive(Debug)]
pub struct Asked {
    /// Where its members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
    /// What is in `input`.
    pub survey: Survey,
    /// How vectors are to be written.
    pub encoding: Encoding,
    /// How long they are to be.
    pub dimensions: Option<u32>,
    /// What they are for.
    pub purpose: Option<Purpose>,
    /// The name under which vendors are told of the user.
    pub user: Option<String>,
    /// What no vendor is told.
    pub unknown: Vec<Loss>,
    parsed: OnceLock<Vec<Input>>,
}

impl Asked {
    /// Reads a request, but for what its texts say.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: Vec<Bytes>) -> Result<Self, Failure> {
        let members = Members(&outline, &segments);
        let input = outline
            .get("input")
            .ok_or_else(|| Failure::invalid("input: is required"))?;
        let survey = Survey::of(&json::raw(&segments, &input.value))?;
        if members.is_true("stream") {
            return Err(Failure::invalid(
                "stream: vectors are not streamed; remove it",
            ));
        }
        let encoding = match members.text("encoding_format")? {
            None => Encoding::default(),
            Some(name) => Encoding::by_name(&name)
                .ok_or_else(|| Failure::invalid("encoding_format: must be `float` or `base64`"))?,
        };
        let dimensions = members.whole("dimensions", 1..=DIMENSIONS_MAX.into())?;
        let dimensions = dimensions.and_then(|count| u32::try_from(count).ok());
        let purpose = members.text("input_type")?;
        let unknown = members.unknown(&[&VENDORS, &GATEWAYS, &["stream"]], "embeddings")?;
        Ok(Self {
            survey,
            encoding,
            dimensions,
            purpose: purpose.as_deref().map(Purpose::by_name),
            user: None,
            unknown,
            parsed: OnceLock::new(),
            outline,
            segments,
        })
    }

    /// A small member that is a text, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        Members(&self.outline, &self.segments).text(name)
    }

    /// The inputs, parsed the first time that somebody needs them so.
    ///
    /// # Errors
    /// A part is not as it is documented.
    pub fn inputs(&self) -> Result<&[Input], Failure> {
        if let Some(inputs) = self.parsed.get() {
            return Ok(inputs);
        }
        let raw = self.outline.get("input");
        let raw = raw.map(|input| json::raw(&self.segments, &input.value));
        let value = parse(&raw.unwrap_or_default())
            .map_err(|error| Failure::invalid(format!("input: {error}")))?;
        let inputs = inputs(value)?;
        Ok(self.parsed.get_or_init(|| inputs))
    }
}

/// Names of members that no vendor is sent, whether known or not.
pub(super) fn is_for_vendors(name: &str) -> bool {
    VENDORS.contains(&name)
}

fn inputs(value: Value) -> Result<Vec<Input>, Failure> {
    match value {
        Value::String(text) => Ok(vec![Input::Text(text)]),
        Value::Array(items) if items.iter().all(|item| item.as_u64().is_some()) => {
            Ok(vec![Input::Tokens(tokens(&items))])
        }
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(at, item)| match item {
                Value::String(text) => Ok(Input::Text(text)),
                Value::Array(ids) => Ok(Input::Tokens(tokens(&ids))),
                item => parts(at, &item).map(Input::Parts),
            })
            .collect(),
        _ => Err(Failure::invalid("input: must be a text or an array")),
    }
}

/// The survey has seen to it that there is nothing else.
fn tokens(items: &[Value]) -> Vec<u32> {
    let ids = items.iter().filter_map(Value::as_u64);
    ids.filter_map(|id| u32::try_from(id).ok()).collect()
}

fn parts(at: usize, item: &Value) -> Result<Vec<Part>, Failure> {
    let wrong = |what: String| Failure::invalid(format!("input[{at}].content{what}"));
    let content = item.as_object().and_then(|members| members.get("content"));
    let Some(Value::Array(content)) = content else {
        return Err(wrong(": must be an array of parts".to_owned()));
    };
    if content.is_empty() {
        return Err(wrong(": must not be empty".to_owned()));
    }
    let part = |(number, part): (usize, &Value)| {
        let member = |name: &str| part.as_object()?.get(name);
        let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
        let kind = text(member("type"));
        let read = match kind.as_deref() {
            Some("text") => text(member("text"))
                .filter(|text| !text.is_empty())
                .map(Part::Text),
            Some("image_url") => {
                let image = member("image_url").and_then(Value::as_object);
                text(image.and_then(|image| image.get("url"))).map(Part::Image)
            }
            Some(other) => Some(Part::Other(other.to_owned())),
            None => None,
        };
        read.ok_or_else(|| {
            wrong(format!(
                "[{number}]: must be `{{\"type\":\"text\",\"text\":…}}` or `{{\"type\":\"image_url\",\"image_url\":{{\"url\":…}}}}`"
            ))
        })
    };
    content.iter().enumerate().map(part).collect()
}

/// What is said of tokens where a vendor takes texts only.
pub(super) fn takes_no_tokens(asked: &Asked) -> Result<(), Failure> {
    if asked.survey.kind == Kind::Tokens {
        return Err(Failure::invalid(
            "input: this provider takes texts and no tokens; send texts, or choose a provider that takes tokens",
        )
        .next(bourse_vocab::Next::TryAnother));
    }
    Ok(())
}

/// What is said where a vendor takes fewer inputs.
pub(super) fn takes_at_most(asked: &Asked, most: usize) -> Result<(), Failure> {
    if asked.survey.inputs > most {
        return Err(Failure::invalid(format!(
            "input: this provider takes at most {most} inputs in one request; send several, or choose another"
        ))
        .next(bourse_vocab::Next::TryAnother));
    }
    Ok(())
}

/// What is said of a part that a vendor does not take.
pub(super) fn takes_no(what: &str) -> Failure {
    Failure::invalid(format!(
        "input: {what} cannot be sent to this provider; remove it, or choose a model or provider that takes it"
    ))
    .next(bourse_vocab::Next::TryAnother)
}

//! A client's request for verdicts: OpenAI's (openai-python 2,
//! `moderation_create_params.py` and the input types beside it, November 2026).

use bourse_vocab::Failure;
use bourse_vocab::chat::Loss;
use bourse_vocab::json::{Value, parse};
use bourse_vocab::moderations::{Input, Part};
use bytes::Bytes;

use crate::json::{self, Outline};
use crate::small::Members;

/// The model of a request that names none (the same: "Defaults to
/// `omni-moderation-latest`").
pub const USUAL_MODEL: &str = "omni-moderation-latest";

/// Members that vendors are told of.
const VENDORS: &[&str] = &["model", "input", "stream"];
/// Members between client and gateway, which no vendor is sent.
const GATEWAYS: &[&str] = &[
    "models",
    "provider",
    "session_id",
    "trace",
    "metadata",
    "debug",
    "preset",
    "plugins",
    "transforms",
    "user",
];
/// The most texts, or parts, of one request. No vendor documents a limit; each
/// has a verdict of a dozen kinds, some 2 KB of the answer, and a hundred
/// times as many as this would outgrow any answer that is held in memory.
pub const INPUTS_MAX: usize = 1_000;

/// A request for verdicts.
#[derive(Debug)]
pub struct Asked {
    /// Where its members are.
    pub outline: Outline,
    /// The body, in the pieces in which it arrived.
    pub segments: Vec<Bytes>,
    /// What is judged.
    pub input: Input,
    /// What no vendor is told.
    pub unknown: Vec<Loss>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn read(outline: Outline, segments: Vec<Bytes>) -> Result<Self, Failure> {
        let members = Members(&outline, &segments);
        if members.is_true("stream") {
            return Err(Failure::invalid("stream: verdicts come whole; remove it"));
        }
        let input = members
            .get("input")
            .ok_or_else(|| Failure::invalid("input: is required"))?;
        let raw = json::raw(&segments, &input.value);
        let value = parse(&raw).map_err(|error| Failure::invalid(format!("input: {error}")))?;
        Ok(Self {
            input: input_of(value)?,
            unknown: members.unknown(&[VENDORS, GATEWAYS], "verdicts")?,
            outline,
            segments,
        })
    }

    /// Bytes of the longest text, which must fit the model's context; parts are
    /// read together.
    #[must_use]
    pub fn longest_bytes(&self) -> u64 {
        let longest = match &self.input {
            Input::Texts(texts) => texts.iter().map(String::len).max(),
            Input::Parts(parts) => Some(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.len(),
                        Part::Picture(_) => 0,
                    })
                    .sum(),
            ),
        };
        longest.unwrap_or(0) as u64
    }

    /// Whether anything is shown.
    #[must_use]
    pub fn has_pictures(&self) -> bool {
        match &self.input {
            Input::Texts(_) => false,
            Input::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Picture(_))),
        }
    }
}

fn input_of(value: Value) -> Result<Input, Failure> {
    let items = match value {
        Value::String(text) => return Ok(Input::Texts(vec![text])),
        Value::Array(items) => items,
        _ => {
            return Err(Failure::invalid(
                "input: must be a text, or an array of texts or of parts",
            ));
        }
    };
    if items.is_empty() || items.len() > INPUTS_MAX {
        return Err(Failure::invalid(format!(
            "input: must have 1 to {INPUTS_MAX} entries; send several requests"
        )));
    }
    let are_parts = items.first().is_some_and(|item| !item.is_string());
    let items = items.into_iter().enumerate();
    if are_parts {
        let parts = items.map(|(at, item)| part(at, &item));
        return parts.collect::<Result<_, _>>().map(Input::Parts);
    }
    let texts = items.map(|(at, item)| match item {
        Value::String(text) => Ok(text),
        _ => Err(Failure::invalid(format!(
            "input[{at}]: must be a text, as those before it"
        ))),
    });
    texts.collect::<Result<_, _>>().map(Input::Texts)
}

fn part(at: usize, item: &Value) -> Result<Part, Failure> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let part = match item.get("type").and_then(Value::as_str) {
        Some("text") => text(item.get("text")).map(Part::Text),
        Some("image_url") => {
            let url = item.get("image_url").and_then(|image| image.get("url"));
            text(url).filter(|url| !url.is_empty()).map(Part::Picture)
        }
        _ => None,
    };
    part.ok_or_else(|| {
        Failure::invalid(format!(
            "input[{at}]: must be {{\"type\": \"text\", \"text\": …}} or {{\"type\": \"image_url\", \"image_url\": {{\"url\": …}}}}"
        ))
    })
}

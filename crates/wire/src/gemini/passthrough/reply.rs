//! Passing a whole reply on, with whose it is and what it cost.

use std::borrow::Cow;

use bourse_vocab::json::{Value, parse};
use bourse_vocab::{Bill, Failure, Usage};
use bytes::Bytes;

use crate::codec::Stamp;
use crate::gemini::usage;
use crate::json::splice::Splice;
use crate::json::text::write_string;
use crate::json::{self, Outline, scan};
use crate::lossy;

/// A provider's reply, ready for the client but for its price.
#[derive(Debug, Clone)]
pub struct ReplyEdits {
    body: Vec<Bytes>,
    outline: Outline,
    marks: Marks,
}

/// What an answer carries of the call that it is of, as JSON texts.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    id: Vec<u8>,
    model: Vec<u8>,
    provider: Vec<u8>,
    metadata: Option<String>,
}

impl Marks {
    pub(super) fn of(stamp: &Stamp<'_>) -> Self {
        let quoted = |text: &str| {
            let mut out = Vec::with_capacity(text.len().saturating_add(2));
            write_string(text, &mut out);
            out
        };
        Self {
            id: quoted(stamp.id),
            model: quoted(stamp.model),
            provider: quoted(stamp.provider),
            metadata: stamp.metadata.map(str::to_owned),
        }
    }

    /// Sets what every response says.
    pub(super) fn set(&self, response: &mut Splice<'_>) {
        response.set("modelVersion", self.model.clone());
        response.set("responseId", self.id.clone());
    }

    /// Sets what the last one says besides.
    pub(super) fn set_last(&self, response: &mut Splice<'_>) {
        response.set("provider", self.provider.clone());
        if let Some(metadata) = &self.metadata {
            response.set("openrouter_metadata", metadata.clone());
        }
    }
}

/// Reads a reply whose members survive byte for byte but for its id, its model,
/// its usage and what is added to it.
///
/// # Errors
/// It is no JSON object, or can be read in two ways: another target may answer.
pub fn splice_reply(body: &Bytes, stamp: &Stamp<'_>) -> Result<ReplyEdits, Failure> {
    let body = match lossy::utf8(body) {
        Cow::Borrowed(_) => body.clone(),
        Cow::Owned(text) => Bytes::from(text),
    };
    let outline = scan(&body).map_err(|error| {
        Failure::unavailable("The provider's reply could not be read").inside(error.to_string())
    })?;
    Ok(ReplyEdits {
        body: vec![body],
        outline,
        marks: Marks::of(stamp),
    })
}

impl ReplyEdits {
    /// The client's reply, with its price.
    #[must_use]
    pub fn render(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        concluded(&self.outline, &self.body, &self.marks, usage, bill)
    }
}

/// The last response of an answer, with what it used and what that cost.
pub(super) fn concluded(
    outline: &Outline,
    body: &[Bytes],
    marks: &Marks,
    usage: &Usage,
    bill: &Bill,
) -> Vec<u8> {
    let mut splice = Splice::new(outline);
    let said = outline.get("usageMetadata").map(|member| &member.value);
    let said = said.map(|value| json::raw(body, value));
    splice.set("usageMetadata", priced(said.as_deref(), usage, bill));
    marks.set(&mut splice);
    marks.set_last(&mut splice);
    splice.write(body).concat()
}

/// The usage as the provider `said` it, and what it cost, where what it said is
/// what was billed; otherwise what was billed.
fn priced(said: Option<&[u8]>, billed: &Usage, bill: &Bill) -> Vec<u8> {
    let said = said.and_then(|said| parse(said).ok());
    let tier = said.as_ref().and_then(usage::tier);
    let is_billed = |said: &Value| {
        let report = usage::read(said);
        // Searches are counted elsewhere in the answer.
        let known = Usage {
            web_searches: billed.web_searches,
            ..Usage::default()
        };
        report.is_complete() && report.resolve(&known) == (*billed, false)
    };
    let told = match said {
        Some(Value::Object(mut said)) if is_billed(&Value::Object(said.clone())) => {
            for (name, value) in usage::costs(bill) {
                said.insert(name.to_owned(), value);
            }
            Value::Object(said)
        }
        _ => usage::write(billed, tier.as_deref(), Some(bill)),
    };
    told.to_string().into_bytes()
}

//! Passing a whole reply on, with whose it is and what it cost.

use std::borrow::Cow;

use bourse_vocab::{Bill, Failure, Usage};
use bytes::Bytes;

use crate::anthropic::usage;
use crate::codec::Stamp;
use crate::json::splice::Splice;
use crate::json::text::write_string;
use crate::json::{self, Outline, scan};
use crate::lossy;

/// A provider's reply, ready for the client but for its price.
#[derive(Debug, Clone)]
pub struct ReplyEdits {
    body: Vec<Bytes>,
    outline: Outline,
    stamp: Marks,
    metadata: Option<String>,
}

/// What an answer carries of the call that it is of.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    id: Vec<u8>,
    model: Vec<u8>,
    provider: Vec<u8>,
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
        }
    }

    /// Sets them in a message.
    pub(super) fn set(&self, message: &mut Splice<'_>) {
        message.set("id", self.id.clone());
        message.set("model", self.model.clone());
        message.set("provider", self.provider.clone());
    }
}

/// Reads a reply that is a message, whose members survive byte for byte but for
/// its id, its model and what is added to it.
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
        stamp: Marks::of(stamp),
        metadata: stamp.metadata.map(str::to_owned),
    })
}

impl ReplyEdits {
    /// The client's reply, with its price.
    #[must_use]
    pub fn render(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        let mut splice = Splice::new(&self.outline);
        self.stamp.set(&mut splice);
        let said = self.outline.get("usage").map(|member| &member.value);
        let said = said.map(|value| json::raw(&self.body, value));
        splice.set("usage", priced(said.as_deref(), usage, bill));
        if let Some(metadata) = self.metadata {
            splice.set("openrouter_metadata", metadata);
        }
        splice.write(&self.body).concat()
    }
}

/// The usage as the provider `said` it, and what it cost. Where there is
/// nothing to add that to, the usage that was counted here.
pub(super) fn priced(said: Option<&[u8]>, usage: &Usage, bill: &Bill) -> Vec<u8> {
    let outline = said.and_then(|said| scan(said).ok());
    let (Some(said), Some(outline)) = (said, outline) else {
        return usage::write(usage, Some(bill), None).into_bytes();
    };
    let mut splice = Splice::new(&outline);
    for (name, value) in usage::costs(bill) {
        splice.set(name, value);
    }
    splice.write(&[Bytes::copy_from_slice(said)]).concat()
}

/// A message, which is an object in an event, with the marks of its call.
pub(super) fn marked(message: &[u8], marks: &Marks) -> Option<Vec<u8>> {
    let outline = scan(message).ok()?;
    let mut splice = Splice::new(&outline);
    marks.set(&mut splice);
    Some(splice.write(&[Bytes::copy_from_slice(message)]).concat())
}

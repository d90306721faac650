//! The replies to clients: OpenAI's (openai-python 2, `ImagesResponse`,
//! November 2026) and OpenRouter's (its API document, October 2026).

use bourse_vocab::images::{Data, Reply};
use bourse_vocab::{Bill, Failure, Usage};

use super::read::broken;
use crate::codec::Stamp;
use crate::object::{Object, array, object};
use crate::openai_chat::usage::write_usage;

/// Whose reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// OpenAI's `POST /images/generations` and `/images/edits`.
    OpenAi,
    /// OpenRouter's `POST /images`: every picture is in the answer.
    OpenRouter,
}

/// The pictures of a reply as clients read them, complete but for usage and
/// bill.
#[derive(Debug)]
pub struct Begun {
    speech: Speech,
    out: Vec<u8>,
}

/// The kind of picture that base64 begins with, by the first bytes of each.
fn media_type(base64: &[u8]) -> Option<&'static str> {
    [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("UklGR", "image/webp"),
        ("R0lGOD", "image/gif"),
    ]
    .into_iter()
    .find(|(start, _)| base64.starts_with(start.as_bytes()))
    .map(|(_, kind)| kind)
}

/// Writes the pictures.
///
/// # Errors
/// One of them is not handed over as the client must have it.
pub fn begin(reply: &Reply, speech: Speech, stamp: &Stamp<'_>) -> Result<Begun, Failure> {
    let is_at_address = |data: &Data| matches!(data, Data::Url(_));
    let mut pictures = reply.pictures.iter();
    if speech == Speech::OpenRouter && pictures.any(|picture| is_at_address(&picture.data)) {
        return Err(broken("one of them is not in the answer"));
    }
    let bytes: usize = reply
        .pictures
        .iter()
        .map(|picture| size_of(&picture.data))
        .sum();
    // Members around the pictures, with usage.
    let mut out = Vec::with_capacity(bytes.saturating_add(2_048));
    let mut whole = Object::open(&mut out);
    whole.put("created", &stamp.created);
    whole.nested("data", |out| {
        array(out, &reply.pictures, |out, picture| {
            object(out, |item| {
                match &picture.data {
                    Data::Base64(text) => {
                        item.nested("b64_json", |out| {
                            // Base64 has nothing that JSON escapes.
                            out.push(b'"');
                            out.extend_from_slice(text);
                            out.push(b'"');
                        });
                        if speech == Speech::OpenRouter {
                            item.put_some("media_type", media_type(text).as_ref());
                        }
                    }
                    Data::Url(url) => {
                        item.put("url", url);
                    }
                }
                if speech == Speech::OpenAi {
                    item.put_some("revised_prompt", picture.revised_prompt.as_ref());
                }
            });
        });
    });
    if speech == Speech::OpenAi {
        for (name, word) in &reply.made {
            whole.put(name, word);
        }
    }
    if let Some(metadata) = stamp.metadata {
        whole.raw("openrouter_metadata", metadata);
    }
    Ok(Begun { speech, out })
}

fn size_of(data: &Data) -> usize {
    match data {
        Data::Base64(text) => text.len(),
        Data::Url(url) => url.len(),
    }
}

impl Begun {
    /// The whole reply, with what it used and what that costs.
    #[must_use]
    pub fn finish(self, usage: &Usage, bill: &Bill) -> Vec<u8> {
        let mut out = self.out;
        let mut rest = Object::resume(&mut out);
        rest.nested("usage", |out| match self.speech {
            Speech::OpenRouter => write_usage(usage, bill, out),
            Speech::OpenAi => openais_usage(usage, bill, out),
        });
        rest.close();
        out
    }
}

/// OpenAI's names, and what it costs.
pub(super) fn openais_usage(usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
    object(out, |told| {
        told.put("input_tokens", &usage.prompt)
            .put("output_tokens", &usage.completion)
            .put("total_tokens", &usage.total());
        told.nested("input_tokens_details", |out| {
            object(out, |parts| {
                parts
                    .put(
                        "text_tokens",
                        &usage.prompt.saturating_sub(usage.prompt_image),
                    )
                    .put("image_tokens", &usage.prompt_image);
            });
        });
        let pictures = usage.completion_image;
        told.nested("output_tokens_details", |out| {
            object(out, |parts| {
                parts
                    .put("image_tokens", &pictures)
                    .put("text_tokens", &usage.completion.saturating_sub(pictures));
            });
        });
        told.nested("cost", |out| {
            out.extend_from_slice(bill.total.decimal().as_bytes());
        });
        told.put("is_byok", &false);
    });
}

//! Reading a vendor's pictures. A picture is what is base64, or an address; a
//! reply without any is none, for its caller would pay for nothing.

use std::borrow::Cow;

use bourse_vocab::images::{Data, Picture, Reply};
use bourse_vocab::json::parse;
use bourse_vocab::{Failure, UsageReport};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::openai_chat::usage::read_usage_text;

/// Bytes of a report of usage that is read: known ones have some hundred.
const USAGE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an address at which a picture is.
const URL_BYTES_MAX: usize = 8_192;

/// OpenAI's reply, as far as it is read.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(default)]
    background: Option<String>,
    #[serde(default)]
    output_format: Option<String>,
    #[serde(default)]
    quality: Option<String>,
    #[serde(default)]
    size: Option<String>,
}

/// One of its pictures.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    b64_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
    #[serde(default)]
    revised_prompt: Option<String>,
}

/// Reads OpenAI's reply, and those that look like it.
pub(super) fn openai(body: &Bytes) -> Result<Reply, Failure> {
    let whole: Whole<'_> = from_json(body)?;
    let pictures = whole.data.into_iter().map(|item| {
        let data = match (item.b64_json, item.url) {
            (Some(text), _) if !text.is_empty() => base64(body, text)?,
            (_, Some(url)) if is_address(&url) => Data::Url(url.into_owned()),
            _ => return Err(broken("one of them is none")),
        };
        Ok(Picture {
            data,
            revised_prompt: item.revised_prompt,
        })
    });
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    let usage = usage(whole.usage);
    let made = [
        ("background", whole.background),
        ("output_format", whole.output_format),
        ("quality", whole.quality),
        ("size", whole.size),
    ];
    reply(
        pictures,
        made.into_iter()
            .filter_map(|(name, word)| Some((name, word?)))
            .collect(),
        usage,
    )
}

/// OpenAI's counts, if there are any: of what goes in, how much was text and how
/// much was pictures, too.
pub(super) fn usage(told: Option<&RawValue>) -> UsageReport {
    #[derive(Deserialize)]
    struct Counts<'a> {
        #[serde(borrow, default)]
        input_tokens_details: Option<&'a RawValue>,
    }
    let Some(text) = told.map(RawValue::get) else {
        return UsageReport::default();
    };
    if text.len() > USAGE_BYTES_MAX {
        return UsageReport::default();
    }
    let mut usage = read_usage_text(text);
    let counts: Option<Counts<'_>> = serde_json::from_str(text).ok();
    let details = counts.and_then(|counts| counts.input_tokens_details);
    let details = details.and_then(|details| parse(details.get().as_bytes()).ok());
    if let Some(count) = details.as_ref().and_then(|all| all.get("image_tokens")) {
        usage.prompt_image = usage.count(count);
    }
    // Where only the sum is told, all of it is what the pictures took: that is
    // the dearer of the two.
    if usage.completion_image.is_none() {
        usage.completion_image = usage.completion;
    }
    usage
}

/// The reply, with its pictures counted.
pub(super) fn reply(
    pictures: Vec<Picture>,
    made: Vec<(&'static str, String)>,
    mut usage: UsageReport,
) -> Result<Reply, Failure> {
    if pictures.is_empty() {
        return Err(broken("there is none"));
    }
    usage.units.pictures = Some(pictures.len() as u64);
    Ok(Reply {
        pictures,
        made,
        usage,
    })
}

/// Reads a reply's outline.
pub(super) fn from_json<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        broken("they are not in the documented shape")
            .inside(format!("a reply of pictures: {error}"))
    })
}

/// A picture in an answer, without a copy where it was written without escapes.
pub(super) fn base64(body: &Bytes, text: Cow<'_, str>) -> Result<Data, Failure> {
    let is_base64 = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    if !is_base64 {
        return Err(broken("one of them is no base64"));
    }
    Ok(Data::Base64(match text {
        Cow::Borrowed(text) => body.slice_ref(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    }))
}

/// Addresses that a client can be told of.
fn is_address(url: &str) -> bool {
    url.len() <= URL_BYTES_MAX && (url.starts_with("https://") || url.starts_with("http://"))
}

/// A reply that is none, for a reason.
pub(super) fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's pictures cannot be used: {why}"))
}

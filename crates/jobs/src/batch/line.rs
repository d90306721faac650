//! One line of a batch: an object with a name, a method, an address and a
//! request (platform.openai.com/docs/guides/batch, "Preparing your batch
//! file", November 2026).

use std::ops::Range;

use bourse_store::batch::LINE_BYTES_MAX;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of a line's name. Names are told with every answer.
pub const CUSTOM_ID_BYTES_MAX: usize = 512;

/// What is wrong with a line, apart from what its request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// It is not UTF-8.
    NotUtf8,
    /// It is not one JSON object, or a member is there twice.
    NotJson,
    /// It has no name.
    NoCustomId,
    /// Its name is empty or too long.
    BadCustomId,
    /// Another line before it has its name.
    Duplicate,
    /// Its method is not `POST`.
    Method,
    /// It is for another endpoint than its batch.
    Endpoint,
    /// It has no request.
    NoBody,
}

impl Fault {
    /// What programs know it by.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "line_too_long",
            Self::NotUtf8 => "invalid_utf8",
            Self::NotJson => "invalid_json_line",
            Self::NoCustomId => "missing_required_parameter",
            Self::BadCustomId => "invalid_custom_id",
            Self::Duplicate => "duplicate_custom_id",
            Self::Method => "invalid_method",
            Self::Endpoint => "invalid_url",
            Self::NoBody => "invalid_request",
        }
    }

    /// The member that is wrong, if it is one.
    #[must_use]
    pub const fn param(self) -> Option<&'static str> {
        match self {
            Self::TooLong | Self::NotUtf8 | Self::NotJson => None,
            Self::NoCustomId | Self::BadCustomId | Self::Duplicate => Some("custom_id"),
            Self::Method => Some("method"),
            Self::Endpoint => Some("url"),
            Self::NoBody => Some("body"),
        }
    }

    /// In a sentence, of the line with this number.
    #[must_use]
    pub fn sentence(self, number: u32, endpoint: &str) -> String {
        let what = match self {
            Self::TooLong => {
                return format!(
                    "Line {number} is longer than {LINE_BYTES_MAX} bytes; send what it contains by an address, or in a call of its own"
                );
            }
            Self::NotUtf8 => "is not UTF-8",
            Self::NotJson => "is not one JSON object, or has a member twice",
            Self::NoCustomId => "custom_id: must be a text, by which its answer is found",
            Self::BadCustomId => {
                return format!(
                    "Line {number}: custom_id: must have 1 to {CUSTOM_ID_BYTES_MAX} bytes"
                );
            }
            Self::Duplicate => "custom_id: a line before it has the same",
            Self::Method => "method: must be `POST`",
            Self::Endpoint => {
                return format!(
                    "Line {number}: url: must be {endpoint}, the endpoint of the batch"
                );
            }
            Self::NoBody => "body: must be an object, the request",
        };
        format!("Line {number}: {what}")
    }
}

/// A line that can be called.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub custom_id: String,
    /// Where its request is in it.
    pub body: Range<usize>,
}

/// The members. Others are left alone, as OpenAI does.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    custom_id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Reads a line of a batch for `endpoint`.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8], endpoint: &str) -> Result<Line, Fault> {
    let line = std::str::from_utf8(bytes).map_err(|_| Fault::NotUtf8)?;
    let members: Members<'_> = serde_json::from_str(line).map_err(|_| Fault::NotJson)?;
    let custom_id = members.custom_id.ok_or(Fault::NoCustomId)?;
    let custom_id = text(custom_id).ok_or(Fault::NoCustomId)?;
    if custom_id.is_empty() || custom_id.len() > CUSTOM_ID_BYTES_MAX {
        return Err(Fault::BadCustomId);
    }
    if members.method.and_then(text).as_deref() != Some("POST") {
        return Err(Fault::Method);
    }
    let url = members.url.and_then(text).ok_or(Fault::Endpoint)?;
    if url.strip_prefix("/api").unwrap_or(&url) != endpoint {
        return Err(Fault::Endpoint);
    }
    let body = members.body.map(RawValue::get).ok_or(Fault::NoBody)?;
    if !body.starts_with('{') {
        return Err(Fault::NoBody);
    }
    // A raw value is a part of the text that it was read from.
    let start = (body.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let range = start..start.saturating_add(body.len());
    match bytes.get(range.clone()) == Some(body.as_bytes()) {
        true => Ok(Line {
            custom_id,
            body: range,
        }),
        false => Err(Fault::NoBody),
    }
}

/// The name of a line that cannot be called, as far as it can be told.
#[must_use]
pub fn name(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Name {
        custom_id: Option<String>,
    }
    let name: Name = serde_json::from_slice(bytes).ok()?;
    name.custom_id
        .filter(|name| name.len() <= CUSTOM_ID_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "/v1/chat/completions";

    fn line(over: &str) -> String {
        format!(
            r#"{{"custom_id":"a","method":"POST","url":"{CHAT}","body":{{"model":"m"}}{over}}}"#
        )
    }

    #[test]
    fn a_line_is_read_and_its_request_is_found_where_it_was_written() {
        let text = line(r#","more":[1]"#);
        let read = read(text.as_bytes(), CHAT).unwrap();
        assert_eq!(read.custom_id, "a");
        assert_eq!(&text[read.body], r#"{"model":"m"}"#);
    }

    #[test]
    fn an_address_may_have_this_servers_prefix() {
        let text = line("").replace(CHAT, "/api/v1/chat/completions");
        assert!(read(text.as_bytes(), CHAT).is_ok());
    }

    #[test]
    fn whatever_is_wrong_has_a_code_the_number_of_its_line_and_a_remedy() {
        let good = line("");
        let long = "x".repeat(CUSTOM_ID_BYTES_MAX + 1);
        for (bad, fault) in [
            ("".to_owned(), Fault::NotJson),
            ("[]".to_owned(), Fault::NotJson),
            (format!("{good} {{}}"), Fault::NotJson),
            (line(r#","custom_id":"b""#), Fault::NotJson),
            (good.replace(r#""custom_id":"a","#, ""), Fault::NoCustomId),
            (good.replace(r#""a""#, "7"), Fault::NoCustomId),
            (good.replace(r#""a""#, "null"), Fault::NoCustomId),
            (good.replace(r#""a""#, r#""""#), Fault::BadCustomId),
            (
                good.replace(r#""a""#, &format!("\"{long}\"")),
                Fault::BadCustomId,
            ),
            (good.replace("POST", "GET"), Fault::Method),
            (good.replace("chat/", "chat/../"), Fault::Endpoint),
            (good.replace(CHAT, "/v1/embeddings"), Fault::Endpoint),
            (good.replace(r#"{"model":"m"}"#, "[]"), Fault::NoBody),
            (good.replace(r#"{"model":"m"}"#, "null"), Fault::NoBody),
        ] {
            assert_eq!(read(bad.as_bytes(), CHAT), Err(fault), "{bad}");
            let told = fault.sentence(17, CHAT);
            assert!(told.starts_with("Line 17"), "{told}");
        }
        assert_eq!(read(b"{\"custom_id\":\"\xff\"}", CHAT), Err(Fault::NotUtf8));
    }

    #[test]
    fn the_name_of_a_bad_line_is_told_where_it_has_one() {
        assert_eq!(name(br#"{"custom_id":"a","body":3}"#).as_deref(), Some("a"));
        assert_eq!(name(br#"{"custom_id":3}"#), None);
        assert_eq!(name(b"junk"), None);
    }
}

//! The requests of a body, one after the other as it comes: `{"requests": [{…},
//! …]}` becomes a line for each. The largest body has 200 MB, and one request
//! of it is in memory.

use std::collections::HashSet;

use bourse_store::batch::{LINE_BYTES_MAX, LINES_MAX};
use bourse_vocab::{Failure, FailureKind};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::ENDPOINT;
use crate::error::{Refused, Result, invalid};

/// Characters of a name (docs.anthropic.com, "Create a Message Batch",
/// `custom_id`, November 2026).
const CUSTOM_ID_CHARS_MAX: usize = 64;
/// Longest name of a member beside the requests that an error repeats.
const NAME_BYTES_MAX: usize = 100;
const REQUESTS: &[u8] = b"requests";

/// The body is too large.
pub(super) fn too_large(most: u64) -> Refused {
    Refused(Failure::new(
        FailureKind::PayloadTooLarge,
        format!("requests: the body is larger than {most} bytes; cut it into several batches"),
    ))
}

/// Where in the body the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the object.
    Beginning,
    /// Before the name of a member.
    Name,
    /// In a name.
    InName,
    /// Behind a name.
    Colon,
    /// Before the list.
    List,
    /// Before a request; a list may end here if it is empty.
    Request { is_first: bool },
    /// In a request: how deep, and whether in a text, and behind a backslash.
    InRequest {
        depth: u32,
        in_text: bool,
        is_escaped: bool,
    },
    /// Behind a request.
    Comma,
    /// Behind the list.
    Close,
    /// Behind the object.
    End,
}

/// How deep a request may be nested: more than any reader of JSON takes.
const DEPTH_MAX: u32 = 128;

/// Reads the requests of a body.
#[derive(Debug)]
pub(super) struct Requests {
    at: At,
    /// The name or the request that is being read.
    text: Vec<u8>,
    names: HashSet<String>,
    count: u64,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            at: At::Beginning,
            text: Vec::new(),
            names: HashSet::new(),
            count: 0,
        }
    }
}

/// One request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'a> {
    custom_id: String,
    #[serde(borrow)]
    params: &'a RawValue,
}

fn malformed() -> Refused {
    invalid(
        "The body must be an object with one member, `requests`, a list of objects with `custom_id` and `params`",
    )
}

impl Requests {
    /// Takes the next piece, and writes the requests that end in it as lines.
    ///
    /// # Errors
    /// It is no such body; the message names the request.
    pub(super) fn push(&mut self, piece: &[u8], lines: &mut Vec<u8>) -> Result<()> {
        for byte in piece {
            self.step(*byte, lines)?;
        }
        Ok(())
    }

    /// How many there were.
    ///
    /// # Errors
    /// The body ended early, or there were none.
    pub(super) fn finish(self) -> Result<u64> {
        match self.at {
            At::End if self.count == 0 => Err(invalid("requests: must have at least one request")),
            At::End => Ok(self.count),
            _ => Err(malformed()),
        }
    }

    fn step(&mut self, byte: u8, lines: &mut Vec<u8>) -> Result<()> {
        if let At::InRequest {
            depth,
            in_text,
            is_escaped,
        } = self.at
        {
            return self.in_request(byte, (depth, in_text, is_escaped), lines);
        }
        if self.at == At::InName {
            match byte {
                b'"' => {
                    self.end_name()?;
                    self.at = At::Colon;
                }
                _ if self.text.len() >= NAME_BYTES_MAX => return Err(malformed()),
                _ => self.text.push(byte),
            }
            return Ok(());
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        self.at = match (self.at, byte) {
            (At::Beginning, b'{') => At::Name,
            (At::Name, b'"') => At::InName,
            (At::Colon, b':') => At::List,
            (At::List, b'[') => At::Request { is_first: true },
            (At::Request { is_first: true }, b']') | (At::Comma, b']') => At::Close,
            (At::Request { .. }, b'{') => {
                self.text.push(byte);
                At::InRequest {
                    depth: 1,
                    in_text: false,
                    is_escaped: false,
                }
            }
            (At::Comma, b',') => At::Request { is_first: false },
            (At::Close, b'}') => At::End,
            (At::Close, b',') => At::Name,
            _ => return Err(malformed()),
        };
        Ok(())
    }

    fn end_name(&mut self) -> Result<()> {
        let name = std::mem::take(&mut self.text);
        if name == REQUESTS && self.count == 0 {
            return Ok(());
        }
        let name = String::from_utf8_lossy(&name).into_owned();
        Err(invalid(format!(
            "{name}: there is no such field, or it is there twice"
        )))
    }

    fn in_request(
        &mut self,
        byte: u8,
        (depth, in_text, is_escaped): (u32, bool, bool),
        lines: &mut Vec<u8>,
    ) -> Result<()> {
        if self.text.len() >= LINE_BYTES_MAX {
            return Err(self.wrong(&format!(
                "is longer than {LINE_BYTES_MAX} bytes; send it by itself"
            )));
        }
        // Between its values the end of a line is a blank; in a text there is
        // none, or it is no JSON.
        self.text.push(if byte == b'\n' || byte == b'\r' {
            b' '
        } else {
            byte
        });
        let (mut depth, mut now_in_text, mut now_escaped) = (depth, in_text, false);
        match byte {
            b'\n' | b'\r' if in_text => return Err(self.wrong("is not JSON")),
            _ if in_text && is_escaped => {}
            b'\\' if in_text => now_escaped = true,
            b'"' => now_in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(self.wrong("is nested too deeply"));
        }
        if depth == 0 {
            self.end_request(lines)?;
            self.at = At::Comma;
        } else {
            self.at = At::InRequest {
                depth,
                in_text: now_in_text,
                is_escaped: now_escaped,
            };
        }
        Ok(())
    }

    /// What is wrong with the request that is being read.
    fn wrong(&self, what: &str) -> Refused {
        invalid(format!("requests.{}: {what}", self.count))
    }

    fn end_request(&mut self, lines: &mut Vec<u8>) -> Result<()> {
        if self.count >= LINES_MAX as u64 {
            let failure = Failure::new(
                FailureKind::PayloadTooLarge,
                format!("requests: a batch has at most {LINES_MAX} requests; cut it into several"),
            );
            return Err(Refused(failure));
        }
        let text = std::mem::take(&mut self.text);
        let read: std::result::Result<Request<'_>, _> = serde_json::from_slice(&text);
        let request = read.map_err(|error| {
            self.wrong(&format!(
                "must be an object with `custom_id` and `params`: {error}"
            ))
        })?;
        let id = request.custom_id;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !(1..=CUSTOM_ID_CHARS_MAX).contains(&id.len()) || !id.chars().all(is_letter) {
            return Err(invalid(format!(
                "requests.{}.custom_id: must have 1 to {CUSTOM_ID_CHARS_MAX} letters, digits, `_` and `-`",
                self.count
            )));
        }
        if !request.params.get().starts_with('{') {
            return Err(invalid(format!(
                "requests.{}.params: must be an object, the request",
                self.count
            )));
        }
        let name = json!(id);
        lines.extend_from_slice(
            format!(
                r#"{{"custom_id":{name},"method":"POST","url":"{ENDPOINT}","body":{}}}"#,
                request.params.get()
            )
            .as_bytes(),
        );
        lines.push(b'\n');
        if !self.names.insert(id) {
            return Err(invalid(format!(
                "requests.{}.custom_id: a request before it has the same",
                self.count
            )));
        }
        self.count = self.count.saturating_add(1);
        // The buffer is used again.
        self.text = text;
        self.text.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body in pieces of so many bytes: its lines, or what is wrong.
    fn read(body: &[u8], at_once: usize) -> std::result::Result<(u64, String), String> {
        let mut requests = Requests::default();
        let mut lines = Vec::new();
        let read = body
            .chunks(at_once)
            .try_for_each(|piece| requests.push(piece, &mut lines))
            .and_then(|()| requests.finish());
        match read {
            Ok(count) => Ok((count, String::from_utf8(lines).unwrap())),
            Err(Refused(failure)) => Err(failure.message.into_owned()),
        }
    }

    #[test]
    fn each_request_is_a_line_however_the_body_is_cut_and_written() {
        let body = "{ \"requests\" : [\n{\"custom_id\":\"a\",\n \"params\":{\"x\":\"}]\\\"\\\\\",\r\n\"y\":[{}]}},\n{\"params\":{},\"custom_id\":\"b-_9\"}\n]\n}\n";
        for at_once in 1..body.len() {
            let (count, lines) = read(body.as_bytes(), at_once).unwrap();
            assert_eq!(count, 2);
            let lines: Vec<serde_json::Value> = lines
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(lines[0]["custom_id"], "a");
            assert_eq!(lines[0]["url"], ENDPOINT);
            assert_eq!(lines[0]["body"], json!({"x": "}]\"\\", "y": [{}]}));
            assert_eq!(lines[1]["custom_id"], "b-_9");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let one = r#"{"custom_id":"a","params":{}}"#;
        let long = "x".repeat(65);
        for (body, told) in [
            (String::new(), "must be an object"),
            ("[]".to_owned(), "must be an object"),
            (r#"{"requests":[]}"#.to_owned(), "at least one"),
            (format!(r#"{{"requests":[{one}]"#), "must be an object"),
            (format!(r#"{{"requests":[{one}]}} x"#), "must be an object"),
            (format!(r#"{{"requests":[{one},]}}"#), "must be an object"),
            (format!(r#"{{"requests":[{one}],"requests":[]}}"#), "twice"),
            (format!(r#"{{"more":1,"requests":[{one}]}}"#), "more: "),
            (
                format!(r#"{{"requests":[{one},{one}]}}"#),
                "requests.1.custom_id: a request before it",
            ),
            (
                format!(r#"{{"requests":[{one},{{"custom_id":"b"}}]}}"#),
                "requests.1: must be",
            ),
            (
                r#"{"requests":[{"custom_id":"a b","params":{}}]}"#.to_owned(),
                "requests.0.custom_id",
            ),
            (
                format!(r#"{{"requests":[{{"custom_id":"{long}","params":{{}}}}]}}"#),
                "requests.0.custom_id",
            ),
            (
                r#"{"requests":[{"custom_id":"a","params":[]}]}"#.to_owned(),
                "requests.0.params",
            ),
            (
                r#"{"requests":[{"custom_id":"a","params":{},"custom_id":"b"}]}"#.to_owned(),
                "duplicate field",
            ),
            (
                format!(r#"{{"requests":[{}"#, "{\"a\":[".repeat(100)),
                "nested too deeply",
            ),
        ] {
            let refused = read(body.as_bytes(), 7).unwrap_err();
            assert!(refused.contains(told), "{body}: {refused}");
        }
    }

    #[test]
    fn a_request_that_is_too_long_is_refused_before_all_of_it_has_come() {
        let mut requests = Requests::default();
        let mut lines = Vec::new();
        let head = br#"{"requests":[{"custom_id":"a","params":{"x":""#;
        requests.push(head, &mut lines).unwrap();
        let piece = vec![b'x'; 1 << 20];
        let refused = (0..9).find_map(|_| requests.push(&piece, &mut lines).err());
        let Refused(failure) = refused.unwrap();
        assert!(failure.message.contains("requests.0: is longer"));
    }
}

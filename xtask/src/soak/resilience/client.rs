//! One request at a time, read to its last byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::ground::Door;

/// Longest wait for a byte. A provider that stalls is given up by Bourse
/// after two minutes.
const PATIENCE: Duration = Duration::from_secs(130);

/// What came.
pub struct Answer {
    /// 0 if the connection ended before a head.
    pub status: u16,
    pub body: String,
    /// Whether the body ended as its framing promised.
    pub whole: bool,
}

impl Door {
    /// Sends one request on a connection of its own.
    pub fn ask(&self, body: &str) -> Result<Answer, String> {
        self.ask_with(body, "")
    }

    /// The same, with more lines in its head.
    pub fn ask_with(&self, body: &str, head: &str) -> Result<Answer, String> {
        let key = self.key.as_deref().unwrap_or_default();
        self.send(&format!("POST {}", self.path), key, (head, body))
    }

    /// Reads a page.
    pub fn get(&self, path: &str, key: &str) -> Result<Answer, String> {
        self.send(&format!("GET {path}"), key, ("", ""))
    }

    fn send(&self, what: &str, key: &str, (more, body): (&str, &str)) -> Result<Answer, String> {
        let say = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(self.addr).map_err(say)?;
        stream.set_nodelay(true).map_err(say)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(say)?;
        let request = format!(
            "{what} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(say)?;
        let mut bytes = Vec::new();
        // A reset ends it as well; what came before it counts.
        let _ = stream.read_to_end(&mut bytes);
        Ok(parsed(&bytes))
    }
}

fn parsed(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Answer {
            status: 0,
            body: String::new(),
            whole: false,
        };
    };
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.trim().parse::<usize>().ok());
    let (body, whole) = match length {
        Some(length) => (body.to_owned(), body.len() == length),
        None => dechunked(body),
    };
    Answer {
        status: status.unwrap_or(0),
        body,
        whole,
    }
}

/// The content of HTTP chunks, and whether the last one came.
fn dechunked(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            return (body, false);
        };
        if size == 0 {
            return (body, true);
        }
        let Some((chunk, after)) = after.split_at_checked(size) else {
            body.push_str(after);
            return (body, false);
        };
        body.push_str(chunk);
        rest = after.strip_prefix("\r\n").unwrap_or_default();
    }
    (body, false)
}

/// What an answer says: its text, why it ended, and whether it admits an
/// error.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    pub finish: Option<String>,
    pub error: bool,
    /// `[DONE]` came.
    pub done: bool,
    /// Something came after `[DONE]`, or something that is no JSON.
    pub after_end: bool,
}

impl Answer {
    /// Reads a chat completion, streamed or not.
    pub fn said(&self, streamed: bool) -> Said {
        let mut said = Said {
            error: self.status != 200,
            ..Said::default()
        };
        if !streamed || self.status != 200 {
            let value: Value = serde_json::from_str(&self.body).unwrap_or_default();
            said.take(&value, "/choices/0/message/content");
            return said;
        }
        for data in self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
        {
            said.after_end |= said.done;
            if data == "[DONE]" {
                said.done = true;
                continue;
            }
            match serde_json::from_str::<Value>(data) {
                Ok(value) => said.take(&value, "/choices/0/delta/content"),
                Err(_) => said.after_end = true,
            }
        }
        said
    }
}

impl Said {
    fn take(&mut self, value: &Value, content: &str) {
        self.error |= value.get("error").is_some_and(|error| !error.is_null());
        if let Some(text) = value.pointer(content).and_then(Value::as_str) {
            self.text.push_str(text);
        }
        let finish = value.pointer("/choices/0/finish_reason");
        if let Some(finish) = finish.and_then(Value::as_str) {
            self.finish = Some(finish.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_ends_early_is_not_whole() {
        let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let answer = parsed(whole);
        assert_eq!(
            (answer.status, answer.body.as_str(), answer.whole),
            (200, "abc", true)
        );
        for cut in 1..6 {
            assert!(
                !parsed(&whole[..whole.len() - cut - 4]).whole,
                "{cut} bytes less"
            );
        }
        assert!(!parsed(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc").whole);
    }

    #[test]
    fn an_end_after_an_error_is_seen() {
        let stream = |text: &str| {
            let answer = Answer {
                status: 200,
                body: text.to_owned(),
                whole: true,
            };
            answer.said(true)
        };
        let good = stream(
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        );
        assert_eq!(
            (good.text.as_str(), good.finish.as_deref(), good.after_end),
            ("a", Some("stop"), false)
        );
        let bad = stream("data: {\"error\":{\"code\":502}}\n\ndata: [DONE]\n\n");
        assert!(bad.error && bad.done && !bad.after_end);
        assert!(stream("data: [DONE]\n\ndata: {}\n\n").after_end);
        assert!(stream("data: {\"cho\n\n").after_end);
    }
}

//! What the answers of a batch look like, a line each.
//!
//! Of a batch that came as a file: OpenAI's lines (platform.openai.com,
//! "The request output object", openai-python 3.52, November 2026), answers in
//! one file and everything else in another. Of one that came in a body:
//! Anthropic's (docs.anthropic.com, "Retrieve Message Batch Results";
//! anthropic-sdk-python, `types/messages/message_batch_individual_response.py`,
//! November 2026), all in one.

use bourse_store::Shape;
use bourse_vocab::{Failure, FailureKind, GenerationId};
use serde_json::json;

use super::line::Fault;

/// Why a line was not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uncalled {
    /// Something is wrong with it: what, in a sentence.
    Fault(Fault, String),
    /// The time of its batch was up.
    Expired,
    /// Its batch was told to end.
    Cancelled,
    /// The answers of its batch have become too many.
    TooMuch,
    /// It was called, and paid for, and its answer is lost.
    Lost,
}

impl Uncalled {
    /// What programs know it by (the second is in OpenAI's guide; the third is
    /// what its API answers with).
    const fn code(&self) -> &'static str {
        match self {
            Self::Fault(fault, _) => fault.code(),
            Self::Expired => "batch_expired",
            Self::Cancelled => "batch_cancelled",
            Self::TooMuch => "results_too_large",
            Self::Lost => "answer_lost",
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Fault(_, sentence) => sentence,
            Self::Expired => {
                "This request could not be executed before the completion window expired."
            }
            Self::Cancelled => "This request was not executed, because its batch was cancelled.",
            Self::TooMuch => {
                "This request was not executed, because the results of its batch have become too large; send it in another batch."
            }
            Self::Lost => {
                "This request was executed and charged, and its answer was lost when the server stopped. It is not executed again, so that it is not charged again."
            }
        }
    }

    /// The same for an endpoint to word.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let message = self.message().to_owned();
        match self {
            Self::Lost => Failure::new(FailureKind::Server, message),
            _ => Failure::invalid(message),
        }
    }
}

/// How lines are told.
#[derive(Debug, Clone)]
pub struct Render {
    /// How the batch came.
    pub shape: Shape,
    /// The name of the line, as JSON; `null` if it has none.
    pub custom_id: String,
    /// What the line is called in its answer.
    pub id: String,
}

impl Render {
    /// Of a line with this name.
    #[must_use]
    pub fn new(shape: Shape, custom_id: Option<&str>, id: GenerationId) -> Self {
        Self {
            shape,
            custom_id: serde_json::Value::from(custom_id).to_string(),
            id: id.to_string(),
        }
    }

    /// An answer.
    #[must_use]
    pub fn answered(&self, body: &[u8]) -> Vec<u8> {
        match self.shape {
            Shape::File => self.response(200, body),
            Shape::Body => self.result("succeeded", "message", body),
        }
    }

    /// A call that failed, as its endpoint says it.
    #[must_use]
    pub fn failed(&self, status: u16, body: &[u8]) -> Vec<u8> {
        match self.shape {
            Shape::File => self.response(status, body),
            Shape::Body => self.result("errored", "error", body),
        }
    }

    /// A line that was not called; `worded` is what its endpoint says of it.
    #[must_use]
    pub fn uncalled(&self, why: &Uncalled, worded: &[u8]) -> Vec<u8> {
        match (self.shape, why) {
            (Shape::Body, Uncalled::Expired) => self.bare("expired"),
            (Shape::Body, Uncalled::Cancelled) => self.bare("canceled"),
            (Shape::Body, _) => self.result("errored", "error", worded),
            (Shape::File, _) => {
                let error = json!({"code": why.code(), "message": why.message()});
                format!(
                    r#"{{"id":"batch_req_{}","custom_id":{},"response":null,"error":{error}}}"#,
                    self.name(),
                    self.custom_id
                )
                .into_bytes()
            }
        }
    }

    /// The id without its prefix.
    fn name(&self) -> &str {
        self.id.strip_prefix("gen-").unwrap_or(&self.id)
    }

    fn response(&self, status: u16, body: &[u8]) -> Vec<u8> {
        let head = format!(
            r#"{{"id":"batch_req_{}","custom_id":{},"response":{{"status_code":{status},"request_id":"{}","body":"#,
            self.name(),
            self.custom_id,
            self.id
        );
        enclosed(&head, body, r#"},"error":null}"#)
    }

    fn result(&self, kind: &str, member: &str, body: &[u8]) -> Vec<u8> {
        let head = format!(
            r#"{{"custom_id":{},"result":{{"type":"{kind}","{member}":"#,
            self.custom_id
        );
        enclosed(&head, body, "}}")
    }

    fn bare(&self, kind: &str) -> Vec<u8> {
        format!(
            r#"{{"custom_id":{},"result":{{"type":"{kind}"}}}}"#,
            self.custom_id
        )
        .into_bytes()
    }
}

/// A document in a line: between its values the ends of lines are blanks, and
/// in its texts there are none (RFC 8259, sections 2 and 7).
fn enclosed(head: &str, body: &[u8], tail: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(head.len() + body.len() + tail.len());
    line.extend_from_slice(head.as_bytes());
    line.extend(body.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => *other,
    }));
    line.extend_from_slice(tail.as_bytes());
    line
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn render(shape: Shape) -> Render {
        Render::new(shape, Some("it's \"a\"\n"), GenerationId::new(7, 7))
    }

    fn read(line: &[u8]) -> Value {
        assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        serde_json::from_slice(line).unwrap()
    }

    #[test]
    fn an_answer_is_one_line_however_its_provider_wrote_it() {
        let pretty = b"{\n  \"a\": [1,\r\n 2]\n}\n";
        let line = read(&render(Shape::File).answered(pretty));
        assert_eq!(line["custom_id"], "it's \"a\"\n");
        assert_eq!(line["response"]["status_code"], 200);
        assert_eq!(line["response"]["body"], json!({"a": [1, 2]}));
        assert!(
            line["response"]["request_id"]
                .as_str()
                .unwrap()
                .starts_with("gen-")
        );
        assert!(line["id"].as_str().unwrap().starts_with("batch_req_"));
        assert_eq!(line["error"], Value::Null);
        let line = read(&render(Shape::Body).answered(pretty));
        let expected = json!({"type": "succeeded", "message": {"a": [1, 2]}});
        assert_eq!(
            line,
            json!({"custom_id": "it's \"a\"\n", "result": expected})
        );
    }

    #[test]
    fn what_went_wrong_has_the_shape_of_its_api() {
        let body = br#"{"error":{"code":400}}"#;
        let line = read(&render(Shape::File).failed(400, body));
        assert_eq!(line["response"]["status_code"], 400);
        assert_eq!(line["response"]["body"]["error"]["code"], 400);
        let line = read(&render(Shape::Body).failed(400, body));
        assert_eq!(line["result"]["type"], "errored");
        assert_eq!(line["result"]["error"]["error"]["code"], 400);
    }

    #[test]
    fn what_was_not_called_says_why() {
        for (why, code, kind) in [
            (Uncalled::Expired, "batch_expired", "expired"),
            (Uncalled::Cancelled, "batch_cancelled", "canceled"),
            (Uncalled::Lost, "answer_lost", "errored"),
            (Uncalled::TooMuch, "results_too_large", "errored"),
            (
                Uncalled::Fault(Fault::NotJson, "Line 3: bad".to_owned()),
                "invalid_json_line",
                "errored",
            ),
        ] {
            let line = read(&render(Shape::File).uncalled(&why, b"{}"));
            assert_eq!(line["response"], Value::Null);
            assert_eq!(line["error"]["code"], code);
            assert!(line["error"]["message"].as_str().unwrap().len() > 5);
            let line = read(&render(Shape::Body).uncalled(&why, b"{}"));
            assert_eq!(line["result"]["type"], kind);
        }
        let nameless = Render::new(Shape::File, None, GenerationId::new(7, 7));
        let line = read(&nameless.uncalled(&Uncalled::Expired, b""));
        assert_eq!(line["custom_id"], Value::Null);
    }
}

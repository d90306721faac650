//! Sending an answer, with whatever the script does to it.

use std::time::Duration;

use tokio::time::Instant;

use crate::ask::Format;
use crate::conn::{Conn, Gone};
use crate::log::Outcome;
use crate::reply::Events;
use crate::script::Script;

/// Longest stall; then the connection is closed.
pub const STALL_MAX: Duration = Duration::from_secs(600);

/// What has been sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Body bytes, before chunk framing.
    pub bytes: u64,
    /// Tokens in whole events.
    pub tokens: u64,
}

/// How a stream is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON array (Gemini without `alt=sse`).
    Array,
    /// Binary messages with checksums (Bedrock).
    Messages,
    /// A JSON text a line (Ollama).
    Lines,
}

/// Writes one response body.
pub struct BodyWriter<'a> {
    conn: &'a mut Conn,
    script: &'a Script,
    chunked: bool,
    /// What has been sent.
    pub sent: Sent,
}

/// The body's early end.
type Ended = Outcome;

impl From<Gone> for Outcome {
    fn from(_: Gone) -> Self {
        Self::ClientGone
    }
}

impl<'a> BodyWriter<'a> {
    /// A writer for a body whose head is out.
    #[must_use]
    pub fn new(conn: &'a mut Conn, script: &'a Script, chunked: bool) -> Self {
        Self {
            conn,
            script,
            chunked,
            sent: Sent::default(),
        }
    }

    /// Writes bytes, sliced and cut as the script says.
    async fn put(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let left = self
            .script
            .cut_after_bytes
            .map(|cut| cut.saturating_sub(self.sent.bytes));
        let allowed = left
            .and_then(|left| usize::try_from(left).ok())
            .unwrap_or(usize::MAX);
        let now = bytes.get(..bytes.len().min(allowed)).unwrap_or_default();
        let slice = self.script.slice_bytes.unwrap_or(usize::MAX).max(1);
        for piece in now.chunks(slice) {
            if self.chunked {
                let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
                framed.extend_from_slice(piece);
                framed.extend_from_slice(b"\r\n");
                self.conn.write(&framed).await?;
            } else {
                self.conn.write(piece).await?;
            }
            self.sent.bytes += piece.len() as u64;
            if self.script.slice_bytes.is_some() {
                // Lets the reader run, so that it sees the pieces apart.
                tokio::task::yield_now().await;
            }
        }
        // Also when the body has exactly this length: the end that would
        // follow (a last chunk) is what the cut takes away.
        if left.is_some_and(|left| left <= bytes.len() as u64) {
            return Err(Outcome::Cut);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Ended> {
        if self.chunked {
            self.conn.write(b"0\r\n\r\n").await?;
        }
        Ok(())
    }

    async fn stall(&mut self) -> Ended {
        match self.pause(STALL_MAX, false).await {
            Ok(()) => Outcome::Stalled,
            Err(ended) => ended,
        }
    }

    /// Waits; with comments in between when the script wants them.
    async fn pause(&mut self, duration: Duration, comments: bool) -> Result<(), Ended> {
        let end = Instant::now() + duration;
        if let Some(every) = self.script.keepalive_ms.filter(|_| comments) {
            let every = Duration::from_millis(every.max(1));
            while Instant::now() + every < end {
                self.conn.wait(every).await?;
                self.put(&comment(self.script)).await?;
            }
        }
        if duration.is_zero() {
            self.conn.check()?;
        } else {
            self.conn.wait_until(end).await?;
        }
        Ok(())
    }

    /// Sends a whole JSON body of an answer with so many tokens.
    pub async fn json(&mut self, body: &[u8], tokens: u64) -> Outcome {
        match self.json_inner(body, tokens).await {
            Ok(()) => Outcome::Complete,
            Err(ended) => ended,
        }
    }

    async fn json_inner(&mut self, body: &[u8], tokens: u64) -> Result<(), Ended> {
        let half = body.get(..body.len() / 2).unwrap_or_default();
        if self.script.stall_after_tokens.is_some() {
            self.put(half).await?;
            return Err(self.stall().await);
        }
        if self.script.cut_after_tokens.is_some() {
            self.put(half).await?;
            return Err(Outcome::Cut);
        }
        self.put(body).await?;
        self.finish().await?;
        self.sent.tokens = tokens;
        Ok(())
    }

    /// Sends a stream.
    pub async fn stream(&mut self, format: Format, framing: Framing, events: Events) -> Outcome {
        match self.stream_inner(format, framing, events).await {
            Ok(outcome) | Err(outcome) => outcome,
        }
    }

    async fn stream_inner(
        &mut self,
        format: Format,
        framing: Framing,
        events: Events,
    ) -> Result<Outcome, Ended> {
        let script = self.script;
        self.pause(
            Duration::from_millis(script.first_token_ms),
            framing == Framing::Sse,
        )
        .await?;
        let pace = Duration::from_millis(script.token_ms);
        // Paced from the first token on, so that delays do not add up.
        let mut due: Option<Instant> = None;
        let mut seen = 0u64;
        let mut begun = false;
        for event in events {
            if let Some(outcome) = self
                .due_fault(format, framing, begun, event.tokens > 0)
                .await?
            {
                return Ok(outcome);
            }
            if event.tokens > 0 {
                if let Some(last) = due.filter(|_| !pace.is_zero()) {
                    let next = last + pace;
                    let wait = next.saturating_duration_since(Instant::now());
                    self.pause(wait, framing == Framing::Sse).await?;
                    due = Some(next);
                } else {
                    due = Some(Instant::now());
                    self.conn.check()?;
                }
            }
            if event.closes && script.no_done {
                continue;
            }
            seen += 1;
            if framing == Framing::Sse
                && script
                    .comment_every
                    .is_some_and(|every| every > 0 && seen.is_multiple_of(every))
            {
                self.put(&comment(script)).await?;
            }
            let frame = frame(script, framing, begun, event.name, &event.data);
            begun = true;
            self.put(&frame).await?;
            self.sent.tokens += event.tokens;
        }
        if framing == Framing::Array {
            self.put(b"]").await?;
        }
        self.finish().await?;
        Ok(Outcome::Complete)
    }

    /// Does what the script wants done before the next event.
    async fn due_fault(
        &mut self,
        format: Format,
        framing: Framing,
        begun: bool,
        carries_tokens: bool,
    ) -> Result<Option<Outcome>, Ended> {
        let script = self.script;
        let sent = self.sent.tokens;
        // At zero the opening events still go out: the fault stands where
        // the first token would.
        let reached =
            |at: Option<u64>| at.is_some_and(|at| sent >= at && (at > 0 || carries_tokens));
        if reached(script.cut_after_tokens) {
            return Ok(Some(Outcome::Cut));
        }
        if reached(script.stall_after_tokens) {
            return Ok(Some(self.stall().await));
        }
        if script.malformed_after_tokens == Some(sent) && carries_tokens {
            let broken = frame(
                script,
                framing,
                begun,
                None,
                "{\"choices\":[{\"delta\":{\"con",
            );
            self.put(&broken).await?;
        }
        if reached(script.error_after_tokens) {
            let body = stream_error(format, script);
            let name = match format {
                Format::Anthropic | Format::OpenaiResponses => Some("error"),
                Format::Cohere => Some("message-end"),
                Format::Bedrock => {
                    let status = script.error_status.unwrap_or(503);
                    Some(crate::bedrock::exception_name(status))
                }
                _ => None,
            };
            let bytes = frame(script, framing, begun, name, &body.to_string());
            self.put(&bytes).await?;
            self.finish().await?;
            return Ok(Some(Outcome::Failed));
        }
        Ok(None)
    }
}

/// The error that a vendor sends within a stream that began with 200.
#[must_use]
pub fn stream_error(format: Format, script: &Script) -> serde_json::Value {
    let status = script.error_status.unwrap_or(match format {
        // The documented in-stream example is an overload.
        Format::Anthropic => 529,
        Format::Gemini
        | Format::GeminiEmbeddings
        | Format::Imagen
        | Format::Veo
        | Format::Bedrock => 503,
        _ => 500,
    });
    let body = error_body(format, status, script, 0);
    match format {
        Format::OpenaiResponses => crate::openai_responses::stream_error(&body),
        Format::Cohere => crate::cohere::stream_error(&body),
        _ => body,
    }
}

/// A vendor's error body.
#[must_use]
pub fn error_body(format: Format, status: u16, script: &Script, id: u64) -> serde_json::Value {
    let (code, message) = (
        script.error_code.as_deref(),
        script.error_message.as_deref(),
    );
    match format {
        Format::OpenaiChat
        | Format::OpenaiText
        | Format::OpenaiResponses
        | Format::OpenaiEmbeddings
        | Format::OpenaiImages
        | Format::OpenaiImageEdits
        | Format::Rerank
        | Format::Moderations
        | Format::OpenaiSpeech
        | Format::Voices
        | Format::OpenaiTranscription
        | Format::OpenaiVideos => crate::openai_chat::error_body(status, code, message),
        Format::Anthropic => crate::anthropic::error_body(status, code, message, id),
        Format::Bedrock => crate::bedrock::error_body(status, message),
        Format::Cohere => crate::cohere::error_body(status, message),
        Format::Ollama | Format::OllamaEmbeddings => crate::ollama::error_body(status, message),
        Format::Gemini | Format::GeminiEmbeddings | Format::Imagen | Format::Veo => {
            let retry_s = script.retry_after.map(|after| match after {
                crate::script::RetryAfter::Seconds(s)
                | crate::script::RetryAfter::HttpDateIn(s) => s,
                crate::script::RetryAfter::Ms(ms) => ms.div_ceil(1000),
            });
            crate::gemini::error_body(status, code, message, retry_s)
        }
    }
}

fn newline(script: &Script) -> &'static str {
    if script.crlf { "\r\n" } else { "\n" }
}

fn comment(script: &Script) -> Vec<u8> {
    format!(": keep-alive{0}{0}", newline(script)).into_bytes()
}

fn frame(
    script: &Script,
    framing: Framing,
    begun: bool,
    name: Option<&str>,
    data: &str,
) -> Vec<u8> {
    let end = newline(script);
    match (framing, name) {
        (Framing::Sse, Some(name)) => format!("event: {name}{end}data: {data}{end}{end}"),
        (Framing::Sse, None) => format!("data: {data}{end}{end}"),
        (Framing::Array, _) => format!("{}{data}", if begun { ",\r\n" } else { "[" }),
        (Framing::Lines, _) => format!("{data}{end}"),
        (Framing::Messages, name) => {
            return crate::bedrock::message(name.unwrap_or("contentBlockDelta"), data);
        }
    }
    .into_bytes()
}

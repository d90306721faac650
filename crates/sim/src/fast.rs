//! The benchmark upstream: answers prepared once, written from memory.
//!
//! It shares two cores with what it measures, so it parses no JSON,
//! keeps no log entry, and allocates nothing per chunk. Each chunk is its
//! own HTTP chunk in its own write, as real vendors send them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use memchr::memmem;
use tokio::time::Instant;

use crate::ask::{Format, Request};
use crate::conn::{Conn, Gone};
use crate::log::Counters;
use crate::reply::Reply;
use crate::script::{Script, TOKENS_MAX, UsageFault};
use crate::truth::{Choice, Completion, Finish, Truth};
use crate::words::Pieces;

/// What a fast answer claims the prompt was.
pub const FAST_PROMPT_TOKENS: u64 = 20;
/// Words in a reply without streaming; they make it about 1.4 KB.
pub const FAST_REPLY_TOKENS: u64 = 150;
/// Bytes of one content chunk as SSE, padded up to this.
pub const FAST_CHUNK_BYTES: usize = 290;
/// Chunks written before other connections get a turn.
const CHUNKS_A_TURN: u64 = 64;
/// Most chunks in one write.
const COALESCE_MAX: u64 = 1_000;

/// Prepared bytes of one format.
#[derive(Debug)]
pub struct Prepared {
    reply: Vec<u8>,
    opening: Vec<u8>,
    chunk: Vec<u8>,
    batch: Vec<u8>,
    closing: Vec<u8>,
    chunk_body_bytes: u64,
}

/// Prepared bytes of every format under one script.
#[derive(Debug)]
pub struct Fast {
    chat: Prepared,
    responses: Prepared,
    anthropic: Prepared,
    gemini: Prepared,
    chunks: u64,
    coalesce: u64,
    interval: Duration,
    latency: Duration,
    first: Duration,
}

impl Fast {
    /// Prepares the answers of a script.
    #[must_use]
    pub fn prepare(script: &Script) -> Self {
        let chunks = script.fast_chunks.min(TOKENS_MAX);
        let coalesce = script.fast_coalesce.clamp(1, COALESCE_MAX);
        let prepared = |format| prepare(format, chunks, coalesce);
        Self {
            chat: prepared(Format::OpenaiChat),
            responses: prepared(Format::OpenaiResponses),
            anthropic: prepared(Format::Anthropic),
            gemini: prepared(Format::Gemini),
            chunks,
            coalesce,
            interval: Duration::from_micros(script.fast_interval_us),
            latency: Duration::from_millis(script.latency_ms),
            first: Duration::from_millis(script.first_token_ms),
        }
    }

    /// Whether a body, or a window of it, asks for a stream. Within a JSON
    /// string the quote before the colon would be escaped, so text that
    /// only talks about streaming does not match.
    #[must_use]
    pub fn asks_for_stream(body: &[u8]) -> bool {
        memmem::find(body, b"\"stream\":true").is_some()
            || memmem::find(body, b"\"stream\": true").is_some()
    }

    /// Answers one request whose body was read.
    ///
    /// # Errors
    /// When the client leaves.
    pub async fn answer(
        &self,
        conn: &mut Conn,
        format: Format,
        stream: bool,
        counters: &Counters,
    ) -> Result<(), Gone> {
        let prepared = match format {
            Format::OpenaiChat
            | Format::OpenaiText
            | Format::OpenaiEmbeddings
            | Format::OpenaiImages
            | Format::OpenaiImageEdits
            | Format::Rerank
            | Format::Moderations
            | Format::OpenaiSpeech
            | Format::Voices
            | Format::OpenaiTranscription
            | Format::OpenaiVideos => &self.chat,
            Format::OpenaiResponses => &self.responses,
            Format::Anthropic => &self.anthropic,
            // Nobody asks for the others, of which none are prepared.
            Format::Gemini
            | Format::GeminiEmbeddings
            | Format::Imagen
            | Format::Bedrock
            | Format::Veo
            | Format::Ollama
            | Format::Cohere
            | Format::OllamaEmbeddings => &self.gemini,
        };
        if !self.latency.is_zero() {
            conn.wait(self.latency).await?;
        }
        if !stream {
            conn.write(&prepared.reply).await?;
            counters.sent_tokens.fetch_add(FAST_REPLY_TOKENS, Relaxed);
            counters
                .sent_bytes
                .fetch_add(prepared.reply.len() as u64, Relaxed);
            return Ok(());
        }
        conn.write(&prepared.opening).await?;
        if !self.first.is_zero() {
            conn.wait(self.first).await?;
        }
        let mut sent = 0;
        let result = self.chunks(conn, prepared, &mut sent).await;
        counters.sent_tokens.fetch_add(sent, Relaxed);
        counters
            .sent_bytes
            .fetch_add(sent * prepared.chunk_body_bytes, Relaxed);
        result?;
        conn.write(&prepared.closing).await
    }

    async fn chunks(&self, conn: &mut Conn, of: &Prepared, sent: &mut u64) -> Result<(), Gone> {
        let start = Instant::now();
        let mut turn = 0;
        while *sent < self.chunks {
            let now = self.coalesce.min(self.chunks - *sent);
            if !self.interval.is_zero() {
                let steps = u32::try_from(*sent).unwrap_or(u32::MAX);
                let due = start + self.interval.saturating_mul(steps);
                if due > Instant::now() {
                    conn.wait_until(due).await?;
                }
            }
            if now == self.coalesce {
                conn.write(&of.batch).await?;
            } else {
                for _ in 0..now {
                    conn.write(&of.chunk).await?;
                }
            }
            *sent += now;
            turn += 1;
            if turn >= CHUNKS_A_TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

fn reply_of(format: Format, content: Pieces, tokens: u64) -> Reply {
    let truth = Truth {
        prompt_tokens: FAST_PROMPT_TOKENS,
        completion_tokens: tokens,
        ..Truth::default()
    };
    let choice = Choice {
        thought: Pieces::EMPTY,
        content,
        calls: Vec::new(),
        finish: Finish::Stop,
    };
    let ask = Request {
        model: "sim-fast".to_owned(),
        stream: true,
        include_usage: format == Format::OpenaiChat,
        prompt_tokens: FAST_PROMPT_TOKENS,
        n: 1,
        ..Request::default()
    };
    let script = Script {
        usage: UsageFault::Honest,
        ..Script::default()
    };
    Reply::new(
        ask,
        Completion {
            choices: vec![choice],
            truth,
            key: 0xfa57,
        },
        Arc::new(script),
        0,
    )
}

fn http_chunk(data: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", data.len()).into_bytes();
    framed.extend_from_slice(data);
    framed.extend_from_slice(b"\r\n");
    framed
}

fn prepare(format: Format, chunks: u64, coalesce: u64) -> Prepared {
    let words = Pieces::words(7, FAST_REPLY_TOKENS);
    let body = reply_of(format, words, FAST_REPLY_TOKENS)
        .json(format)
        .to_string();
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes();

    let sse = |event: &crate::reply::Event| match event.name {
        Some(name) => format!("event: {name}\ndata: {}\n\n", event.data),
        None => format!("data: {}\n\n", event.data),
    };
    let token_frame = |word: &str| {
        let reply = Arc::new(reply_of(
            format,
            Pieces::Given(vec![word.to_owned()]),
            chunks,
        ));
        let events: Vec<_> = reply.events(format).collect();
        let at = events
            .iter()
            .position(|event| event.tokens > 0)
            .unwrap_or(0);
        (events, at)
    };
    let (events, at) = token_frame(" word");
    let bare = events
        .get(at)
        .map(|event| sse(event).len())
        .unwrap_or_default();
    let padding = FAST_CHUNK_BYTES.saturating_sub(bare);
    let (events, at) = token_frame(&format!(" word{}", "d".repeat(padding)));

    let mut opening =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let before: String = events.iter().take(at).map(sse).collect();
    if !before.is_empty() {
        opening.extend(http_chunk(before.as_bytes()));
    }
    let chunk_text = events.get(at).map(sse).unwrap_or_default();
    let chunk = http_chunk(chunk_text.as_bytes());
    let batch = chunk.repeat(usize::try_from(coalesce).unwrap_or(1));
    let mut closing: Vec<u8> = events
        .iter()
        .skip(at + 1)
        .flat_map(|event| http_chunk(sse(event).as_bytes()))
        .collect();
    closing.extend_from_slice(b"0\r\n\r\n");
    Prepared {
        reply,
        opening,
        chunk,
        batch,
        closing,
        chunk_body_bytes: chunk_text.len() as u64,
    }
}

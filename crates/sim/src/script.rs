//! What a simulated provider does, as data.
//!
//! A `Script` describes one provider's behaviour, faults included. A
//! `ScriptSet` holds many, so that one process plays many providers; it
//! is read from TOML or JSON. One request may lay an `x-sim-script`
//! header (a JSON object) over the script that applies to it.

mod allowance;
mod batches;
mod check;
mod schedule;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::film::Film;
pub use allowance::{LIMIT_MAX, Limits};
pub use batches::Batches;
pub use schedule::{Down, PHASES_MAX, Phase, Ramp, SCHEDULE_MS_MAX};

/// Most tokens in one answer. An endless stream stops here, so that a
/// forgotten client cannot keep the simulator busy for ever.
pub const TOKENS_MAX: u64 = 10_000_000;
/// Most tool calls in one answer.
pub const TOOL_CALLS_MAX: u64 = 64;
/// Most scripted turns.
pub const TURNS_MAX: usize = 64;
/// Largest `x-sim-script` header, in bytes; the whole head is bounded too.
pub const HEADER_SCRIPT_BYTES_MAX: usize = 8 * 1024;

/// One provider's behaviour. Every field has a harmless default: the
/// default script answers at once, correctly and completely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Varies content and token counts; same seed and bytes, same answer.
    pub seed: u64,
    /// Wait before the response head, in milliseconds.
    pub latency_ms: u64,
    /// Wait between the head and the first event, in milliseconds.
    pub first_token_ms: u64,
    /// Wait between two events that carry tokens, in milliseconds.
    pub token_ms: u64,
    /// For so long after it came up a provider is slower, in milliseconds.
    pub slow_start_ms: u64,
    /// How much slower at once, in milliseconds; nothing is left of it at
    /// the end.
    pub slow_start_latency_ms: u64,
    /// Share of requests whose first token is late, 0 to 1, drawn by (seed,
    /// ordinal).
    pub slow_rate: f64,
    /// How late, in milliseconds, in place of `first_token_ms`.
    pub slow_first_token_ms: u64,
    /// Content tokens a choice would have if nothing cut it short. Unset:
    /// 5 to 60, derived from the request.
    pub tokens: Option<u64>,
    /// Tokens of hidden thought. Unset: some when the request asks for it.
    pub reasoning_tokens: Option<u64>,
    /// Under which name OpenAI-shaped replies show their thoughts.
    pub show_reasoning: ShowReasoning,
    /// Tool calls made when the request offers tools, asked for or not.
    pub tool_calls: Option<u64>,
    /// What is said and called, turn by turn: the first answer of a conversation
    /// is the first of these, the answer to its tools' results the second, and
    /// what follows the last is an answer as always. For requests with tools.
    pub turns: Vec<Turn>,
    /// Refuses a round of the current turn whose thoughts do not come back with
    /// it, also where the vendor would only answer worse.
    pub wants_thoughts_back: bool,
    /// Prompt tokens read from the vendor's cache, at most the prompt.
    pub cached_tokens: Option<u64>,
    /// Says this instead of the finish reason that the answer would have.
    pub finish_reason: Option<String>,
    /// Refuses OpenAI and Gemini requests without a key (Anthropic ones always are).
    pub require_key: bool,
    /// The secret half of a pair of keys: Bedrock's requests must be signed with
    /// it, and are checked as Amazon checks them.
    pub aws_secret_access_key: Option<String>,
    /// The token of the session that the pair belongs to.
    pub aws_session_token: Option<String>,
    /// A provider takes only what a token service of a simulator has given and
    /// what has not ended: bearer tokens, or signatures.
    pub require_token: bool,
    /// How long what a token service gives is good, in seconds.
    pub token_life_s: u64,
    /// The public key, PKCS#1 in base64, that a token service confirms claims
    /// with.
    pub token_public_key: Option<String>,
    /// What a token service knows of whoever asks: a client's secret, a kept
    /// consent, the token of somebody who vouches. Unset: `sim-secret`.
    pub token_secret: Option<String>,
    /// How far the provider's clock is ahead of ours, in seconds.
    pub clock_ahead_s: i64,
    /// The answer depends on the seed and the turns before it alone, and an
    /// assistant turn at the end is its beginning: what follows continues it
    /// exactly. A turn that is no beginning of the answer is refused.
    pub prefill: bool,

    /// Share of requests that fail, 0 to 1, drawn by (seed, ordinal).
    /// Unset: 1 when `error_status` is set, otherwise 0.
    pub error_rate: Option<f64>,
    /// The first so many requests fail; those after draw by `error_rate`.
    pub fail_first: u64,
    /// Status of a failure; 500 when unset.
    pub error_status: Option<u16>,
    /// Vendor's machine-readable code, where the shape has one.
    pub error_code: Option<String>,
    /// Vendor's sentence.
    pub error_message: Option<String>,
    /// Fails with an HTML page, like a proxy in front of the vendor.
    pub html_error: bool,
    /// Sent with failures.
    pub retry_after: Option<RetryAfter>,

    /// How it treats batches.
    pub batches: Batches,
    /// What an account may do here; beyond, the vendor's 429 or 529.
    pub limits: Limits,
    /// Other behaviour at certain times.
    pub schedule: Vec<Phase>,

    /// Accepts the request and says nothing.
    pub never_answer: bool,
    /// Share of requests that are accepted and never answered, 0 to 1, drawn
    /// by (seed, ordinal).
    pub silent_rate: f64,
    /// Share of requests whose tool calls have arguments that are no JSON, 0 to
    /// 1, drawn by (seed, ordinal).
    pub bad_tool_calls: f64,
    /// Closes the connection instead of answering.
    pub close_before_headers: bool,
    /// Stops sending after so many tokens and keeps the connection open.
    pub stall_after_tokens: Option<u64>,
    /// Closes the connection after exactly so many body bytes (before
    /// chunk framing).
    pub cut_after_bytes: Option<u64>,
    /// Closes the connection after so many tokens.
    pub cut_after_tokens: Option<u64>,
    /// Cuts with a TCP reset instead of a plain close.
    pub cut_with_reset: bool,
    /// Sends one event of broken JSON after so many tokens, then goes on.
    /// A reply without streaming ends in the middle instead.
    pub malformed_after_tokens: Option<u64>,
    /// Sends the vendor's in-stream error after so many tokens, and ends.
    pub error_after_tokens: Option<u64>,
    /// How the reported usage strays from the truth.
    pub usage: UsageFault,
    /// How vectors, pictures and scores stray from what was asked.
    pub vectors: VectorFault,
    /// How films are made.
    pub film: Film,
    /// Leaves out `[DONE]`, `message_stop` or the final Gemini chunk's finish reason.
    pub no_done: bool,
    /// Writes the body in pieces of so many bytes, each its own HTTP chunk.
    pub slice_bytes: Option<usize>,
    /// Ends lines with CR LF.
    pub crlf: bool,
    /// Puts half a surrogate pair (`\ud83e`) into the first content token.
    pub half_surrogate: bool,
    /// Streams `TOKENS_MAX` tokens, whatever the request's limit says.
    pub oversize: bool,
    /// Sends an SSE comment every so many events.
    pub comment_every: Option<u64>,
    /// Sends SSE comments while waiting, every so many milliseconds.
    pub keepalive_ms: Option<u64>,
    /// Repeats header lines, with different values.
    pub duplicate_headers: bool,
    /// Answers `stream: true` with a plain JSON reply.
    pub ignore_stream: bool,

    /// Answers begin by saying that they are invented.
    pub announce: bool,

    /// Answers from prepared bytes; only the `fast_*` fields,
    /// `latency_ms` and `first_token_ms` apply then. Honoured for the
    /// default and for providers, which are known before the body is read;
    /// `/fast/…` paths answer so under the default script in any case.
    pub fast: bool,
    /// Content chunks in a fast stream.
    pub fast_chunks: u64,
    /// Pace of a fast stream, in microseconds; 0 is as fast as possible.
    /// The timer ticks in milliseconds, so chunks of finer pace come in bunches.
    pub fast_interval_us: u64,
    /// Chunks written with one system call.
    pub fast_coalesce: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            seed: 0,
            latency_ms: 0,
            first_token_ms: 0,
            token_ms: 0,
            slow_start_ms: 0,
            slow_start_latency_ms: 0,
            slow_rate: 0.0,
            slow_first_token_ms: 0,
            tokens: None,
            reasoning_tokens: None,
            show_reasoning: ShowReasoning::None,
            tool_calls: None,
            turns: Vec::new(),
            wants_thoughts_back: false,
            cached_tokens: None,
            finish_reason: None,
            require_key: false,
            aws_secret_access_key: None,
            aws_session_token: None,
            require_token: false,
            token_life_s: 3_600,
            token_public_key: None,
            token_secret: None,
            clock_ahead_s: 0,
            prefill: false,
            error_rate: None,
            fail_first: 0,
            error_status: None,
            error_code: None,
            error_message: None,
            html_error: false,
            retry_after: None,
            batches: Batches::default(),
            limits: Limits::default(),
            schedule: Vec::new(),
            never_answer: false,
            silent_rate: 0.0,
            bad_tool_calls: 0.0,
            close_before_headers: false,
            stall_after_tokens: None,
            cut_after_bytes: None,
            cut_after_tokens: None,
            cut_with_reset: false,
            malformed_after_tokens: None,
            error_after_tokens: None,
            usage: UsageFault::Honest,
            vectors: VectorFault::Honest,
            film: Film::default(),
            no_done: false,
            slice_bytes: None,
            crlf: false,
            half_surrogate: false,
            oversize: false,
            comment_every: None,
            keepalive_ms: None,
            duplicate_headers: false,
            ignore_stream: false,
            announce: false,
            fast: false,
            fast_chunks: 100,
            fast_interval_us: 0,
            fast_coalesce: 1,
        }
    }
}

/// One answer of a scripted conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// What is said, if anything.
    pub say: String,
    /// Which tools are called; those that the request does not offer are not.
    pub calls: Vec<TurnCall>,
}

/// One call of a scripted turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnCall {
    /// The tool, as the client names it.
    pub tool: String,
    /// What it is called with.
    pub arguments: Map<String, Value>,
}

/// The key under which an OpenAI-shaped reply shows thoughts, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowReasoning {
    /// Thoughts are counted and not shown, as OpenAI does.
    None,
    /// DeepSeek's and vLLM's name.
    ReasoningContent,
    /// OpenRouter's and newer vLLM's name.
    Reasoning,
}

/// How reported usage strays from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageFault {
    /// It does not.
    Honest,
    /// No usage at all.
    Missing,
    /// All zeros.
    Zero,
    /// Negative counts.
    Negative,
    /// Counts near the end of a 64-bit integer.
    Huge,
    /// More thought than output.
    ReasoningOverCompletion,
}

/// How vectors, pictures and scores stray from what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorFault {
    /// They do not.
    Honest,
    /// The last is missing.
    Fewer,
    /// There is one too many.
    More,
    /// They are numbered from the end.
    Reordered,
    /// The last is one number longer.
    Uneven,
    /// A number is none, or a picture.
    NotANumber,
}

/// When a failure says to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RetryAfter {
    /// `retry-after` in seconds.
    Seconds(u64),
    /// `retry-after` as an HTTP date, so many seconds ahead.
    HttpDateIn(u64),
    /// `retry-after-ms` in milliseconds (OpenAI on Azure).
    Ms(u64),
}

/// Many scripts, and which request gets which.
///
/// First match wins: the `x-sim-script` header laid over what follows;
/// `/p/<name>` in the path; the model in the request; `default`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptSet {
    /// For requests that nothing else claims.
    pub default: Script,
    /// By `/p/<name>` prefix.
    pub providers: BTreeMap<String, Script>,
    /// By upstream model.
    pub models: BTreeMap<String, Script>,
}

/// A script that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// Not TOML, a key or value that a script does not have, or a setting
    /// that makes no sense.
    #[error("line {line}: {message}")]
    Toml {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Not JSON, or a key or value that a script does not have.
    #[error("script is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A setting that makes no sense.
    #[error("{0}")]
    Absurd(String),
    /// JSON, but not an object, or too long.
    #[error("x-sim-script must be a JSON object of at most {HEADER_SCRIPT_BYTES_MAX} bytes")]
    Header,
}

impl ScriptError {
    /// The error of a file, as `FILE:LINE: what is wrong`.
    #[must_use]
    pub fn in_file(&self, file: &str) -> String {
        match self {
            Self::Toml { line, message } => format!("{file}:{line}: {message}"),
            other => format!("{file}: {other}"),
        }
    }
}

impl Script {
    /// Lays the fields of a JSON object over this script.
    ///
    /// # Errors
    /// When the text is no JSON object or holds an unknown field.
    pub fn overlaid(&self, header: &str) -> Result<Self, ScriptError> {
        if header.len() > HEADER_SCRIPT_BYTES_MAX {
            return Err(ScriptError::Header);
        }
        let Value::Object(over) = serde_json::from_str(header)? else {
            return Err(ScriptError::Header);
        };
        let script = self.with(over)?;
        script.check()?;
        Ok(script)
    }

    /// Reads one script from JSON.
    ///
    /// # Errors
    /// On bad syntax, an unknown key, or a setting that makes no sense.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ScriptError> {
        let script: Self = serde_json::from_slice(bytes)?;
        script.check()?;
        Ok(script)
    }

    /// The script with some settings replaced.
    fn with(&self, over: Map<String, Value>) -> Result<Self, ScriptError> {
        let Value::Object(mut base) = serde_json::to_value(self)? else {
            return Err(ScriptError::Header);
        };
        base.extend(over);
        Ok(serde_json::from_value(Value::Object(base))?)
    }

    /// Whether the request with this ordinal (from 0, per provider) fails.
    #[must_use]
    pub fn fails(&self, ordinal: u64) -> bool {
        if ordinal < self.fail_first {
            return true;
        }
        let by_default = if self.error_status.is_some() && self.fail_first == 0 {
            1.0
        } else {
            0.0
        };
        let rate = self.error_rate.unwrap_or(by_default);
        self.drawn(0x0e44_04a7, ordinal) < rate
    }

    /// Whether the request with this ordinal is never answered.
    #[must_use]
    pub fn is_silent(&self, ordinal: u64) -> bool {
        self.never_answer || self.drawn(0x51e7_7a1e, ordinal) < self.silent_rate
    }

    /// Whether the tool calls of the request with this ordinal are spoilt.
    #[must_use]
    pub fn spoils(&self, ordinal: u64) -> bool {
        self.drawn(0x7001_bad5, ordinal) < self.bad_tool_calls
    }

    /// The wait before the first event of the request with this ordinal, in
    /// milliseconds.
    #[must_use]
    pub fn first_token_ms_of(&self, ordinal: u64) -> u64 {
        if self.drawn(0x0010_57a7, ordinal) < self.slow_rate {
            self.slow_first_token_ms
        } else {
            self.first_token_ms
        }
    }

    /// A number from 0 up to and without 1 for a request.
    fn drawn(&self, purpose: u64, ordinal: u64) -> f64 {
        // 53 bits fill a float's mantissa: every value below 1 is exact.
        let draw = crate::words::mix(self.seed ^ purpose, ordinal) >> 11;
        #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let unit = draw as f64 / (1u64 << 53) as f64;
        unit
    }
}

impl ScriptSet {
    /// Reads a set from TOML.
    ///
    /// # Errors
    /// On bad syntax, an unknown key, or a setting that makes no sense, with
    /// the line.
    pub fn from_toml(text: &str) -> Result<Self, ScriptError> {
        check::from_toml(text)
    }

    /// Reads a set from JSON.
    ///
    /// # Errors
    /// On bad syntax, an unknown key, or a setting that makes no sense.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ScriptError> {
        let set: Self = serde_json::from_slice(bytes)?;
        set.check()?;
        Ok(set)
    }
}

//! Understanding what providers say when they fail.
//!
//! Every vendor has its own error body and most of them change it without
//! notice. What matters is the same everywhere: was it the request, the
//! provider, or our account there; and may another target do better? The
//! status decides, and where a status means several things (a 400 may be a
//! prompt that is too long or a bad parameter) codes and words do.
//!
//! A provider that refuses *our* key, quota or payment is, for the caller, a
//! provider that is unavailable: those failures never look like the
//! caller's own 401, 402 or 403.

mod rest;

use std::time::Duration;

use bourse_vocab::failure::UpstreamError;
use bourse_vocab::json::Value;
use bourse_vocab::{Blame, Failure, FailureKind, Next};

use crate::codec::ErrorReply;

/// The most of a provider's error body that a caller is shown, in bytes:
/// enough for any message, too little to flood a log.
pub const RAW_BYTES_MAX: usize = 2048;
/// The most of a provider's code for an error that a caller is shown, in
/// bytes: the longest known one has 40.
pub const CODE_BYTES_MAX: usize = 128;
/// The most of a provider's message that becomes ours, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Whether a member `error` reports one. Servers that have the member in
/// every answer fill it with `null`, `false`, `""`, `0`, `{}` or `[]`, and
/// clients look for its truth (openai-python, `_streaming.py`, 2026).
#[must_use]
pub fn says_something(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Number(_) => error.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }
}

/// What a provider said, whatever the shape it said it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Its sentence.
    pub message: Option<String>,
    /// Its code for the error: a `code`, or else a `status` or `type`.
    pub code: Option<String>,
    /// A code that is an HTTP status, which errors in streams carry.
    pub status: Option<u16>,
    /// For how long it wants to be left alone, where a member says so.
    rest: Option<Duration>,
    /// Every code-like text in the body, in lower case, for the heuristics.
    words: String,
}

impl Said {
    /// Reads an error body of any shape: `{"error": {…}}`, `{"error": "…"}`,
    /// `{"message": …}`, `{"detail": …}`, an array with one of these,
    /// or something that is not JSON at all.
    #[must_use]
    pub fn by_body(body: &[u8]) -> Self {
        match bourse_vocab::json::parse(body) {
            Ok(value) => Self::by_value(&value),
            Err(_) => Self::by_text(&String::from_utf8_lossy(body)),
        }
    }

    /// Reads a parsed error body.
    #[must_use]
    pub fn by_value(value: &Value) -> Self {
        let mut said = Self::default();
        said.read(value, 0);
        said
    }

    fn by_text(text: &str) -> Self {
        let text = text.trim();
        // A page of HTML is for people with browsers. Its title tells most.
        let message = if text.starts_with('<') {
            let lower = text.to_ascii_lowercase();
            lower
                .find("<title>")
                .and_then(|at| text.get(at + 7..))
                .and_then(|rest| rest.split('<').next())
                .map(str::trim)
        } else {
            Some(text)
        };
        Self {
            message: message.filter(|text| !text.is_empty()).map(Into::into),
            ..Self::default()
        }
    }

    /// Errors nest two or three levels deep; more is nonsense.
    fn read(&mut self, value: &Value, depth: u8) {
        const DEPTH_MAX: u8 = 4;
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::String(text) => self.message_is(text),
            Value::Array(items) => {
                if let Some(first) = items.first() {
                    self.read(first, depth + 1);
                }
            }
            Value::Object(members) => {
                self.rest = self.rest.or_else(|| rest::by_members(members));
                for name in ["metadata", "availability"] {
                    let within = members.get(name).and_then(Value::as_object);
                    self.rest = self.rest.or_else(|| rest::by_members(within?));
                }
                if let Some(error) = members.get("error").or_else(|| members.get("errors")) {
                    self.read(error, depth + 1);
                }
                for name in ["message", "detail", "msg", "error_message"] {
                    match members.get(name) {
                        Some(Value::String(text)) => self.message_is(text),
                        Some(nested @ (Value::Object(_) | Value::Array(_))) => {
                            self.read(nested, depth + 1);
                        }
                        _ => {}
                    }
                }
                for name in ["code", "status", "type", "error_type", "reason"] {
                    if let Some(code) = members.get(name) {
                        self.code_is(code);
                    }
                }
                if let Some(metadata @ Value::Object(_)) = members.get("metadata") {
                    // OpenRouter and its like keep the finer code here.
                    for name in ["error_type", "provider_code"] {
                        if let Some(code) = metadata.get(name) {
                            self.code_is(code);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// For how long the provider wants to be left alone, by a member or by its
    /// sentence.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        self.rest.or_else(|| {
            let message = cut(self.message.as_deref()?, MESSAGE_BYTES_MAX);
            rest::by_sentence(&message.to_ascii_lowercase())
        })
    }

    fn message_is(&mut self, text: &str) {
        let text = text.trim();
        if self.message.is_none() && !text.is_empty() {
            self.message = Some(text.to_owned());
        }
    }

    fn code_is(&mut self, code: &Value) {
        let text = match code {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return,
        };
        match text.parse::<u16>() {
            Ok(status) if (400..=599).contains(&status) => {
                self.status.get_or_insert(status);
                // A number that repeats the status says nothing new.
                return;
            }
            _ => {}
        }
        self.words.push_str(&text.to_ascii_lowercase());
        self.words.push(' ');
        self.code.get_or_insert(text);
    }
}

/// Understands an error reply of a vendor whose errors follow no scheme that
/// is worth a reader of its own.
#[must_use]
pub fn read(reply: &ErrorReply<'_>) -> Failure {
    let said = Said::by_body(reply.body);
    let raw = String::from_utf8_lossy(reply.body);
    failure(reply.status, &said, &raw, reply.retry_after)
}

/// Understands an error that arrived inside a stream or a reply whose status
/// was 200: the status, if any, is in the body.
#[must_use]
pub fn read_late(value: &Value) -> Failure {
    let said = Said::by_value(value);
    let status = said.status.unwrap_or_else(|| status_by_words(&said.words));
    failure(status, &said, &value.to_string(), None)
}

/// The failure that a status and what was said amount to.
#[must_use]
pub fn failure(status: u16, said: &Said, raw: &str, retry_after: Option<Duration>) -> Failure {
    let message = said.message.as_deref().unwrap_or_default();
    let verdict = judge(status, &said.words, &message.to_ascii_lowercase());
    // Of anything else a sentence may say so of what the caller sent.
    let is_rest = matches!(
        verdict.kind,
        FailureKind::RateLimited | FailureKind::Overloaded | FailureKind::Unavailable
    );
    let retry_after = retry_after.or_else(|| said.rest().filter(|_| is_rest));
    let mut upstream = UpstreamError {
        provider: None,
        status: Some(status),
        code: said.code.as_deref().map(code),
        request_id: None,
        raw: None,
        refused_us: verdict.ours,
        is_unpaid: verdict.ours && is_unpaid(status, &said.words, &message.to_ascii_lowercase()),
    };
    // Cut before and after: redacting a long text only to drop most of it is
    // wasted, and redacting may shorten it.
    let raw = redact(cut(raw, 2 * RAW_BYTES_MAX));
    let raw = Some(cut(&raw, RAW_BYTES_MAX).to_owned()).filter(|raw| !raw.is_empty());
    if verdict.ours {
        // What is wrong with our account there is no business of the
        // caller's: it names organisations, balances and parts of keys.
        let mut failure = Failure::new(
            FailureKind::Unavailable,
            "The provider could not serve this request",
        );
        failure.retry_after = retry_after;
        let story = format!(
            "the provider refused our account with status {status}: {}",
            raw.unwrap_or_default()
        );
        upstream.code = None;
        return failure.inside(story).upstream(upstream);
    }
    upstream.raw = raw;
    let message = match cut(
        &redact(cut(message, 2 * MESSAGE_BYTES_MAX)),
        MESSAGE_BYTES_MAX,
    ) {
        "" => format!("Provider returned error {status}"),
        message => message.to_owned(),
    };
    let mut failure = Failure::new(verdict.kind, message).upstream(upstream);
    failure.retry_after = retry_after;
    if let Some(blame) = verdict.blame {
        failure.blame = blame;
    }
    if let Some(next) = verdict.next {
        failure.next = next;
    }
    failure
}

/// What an error amounts to, where it differs from the kind's usual.
struct Verdict {
    kind: FailureKind,
    blame: Option<Blame>,
    next: Option<Next>,
    /// Our account at the provider is the trouble.
    ours: bool,
}

impl Verdict {
    const fn usual(kind: FailureKind) -> Self {
        Self {
            kind,
            blame: None,
            next: None,
            ours: false,
        }
    }

    /// The provider's trouble although the kind is usually the caller's.
    const fn upstream(kind: FailureKind) -> Self {
        Self {
            kind,
            blame: Some(Blame::Upstream),
            next: Some(Next::TryAnother),
            ours: false,
        }
    }

    const fn ours() -> Self {
        Self {
            kind: FailureKind::Unavailable,
            blame: None,
            next: None,
            ours: true,
        }
    }
}

/// Prompt too long, in the words that vendors and inference servers use;
/// `exceed_context_size_error` is llama.cpp's (ggml-org/llama.cpp#15780,
/// September 2025).
const CONTEXT: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size_error",
    "model_context_window_exceeded",
    "context length",
    "context window",
    "context limit",
    "context size",
    "maximum context",
    "prompt is too long",
    "input is too long",
    "prompt too long",
    "too many tokens",
    "too many input tokens",
    "input token count",
    "exceeds the maximum number of tokens",
    "maximum prompt length",
    "string_above_max_length",
    "reduce the length of",
];

/// Requests per minute and the like, which also speak of too many tokens.
const RATE: &[&str] = &[
    "rate_limit",
    "rate limit",
    "tokens per min",
    "requests per min",
    "too many requests",
    "throttl",
];

/// Our account is empty, capped or not paid.
const UNPAID: &[&str] = &[
    "insufficient_quota",
    "exceeded your current quota",
    "credit balance",
    // Anthropic's word for a limit that the account's owner set.
    "usage limits",
    "spend limit",
    "insufficient balance",
    "insufficient_balance",
    "insufficient credits",
    "insufficient funds",
    "billing_hard_limit",
    "billing hard limit",
    "billing_not_active",
    "billing_error",
    "account is not active",
    "account has been suspended",
    "payment required",
    "arrearage",
];

/// Our key is wrong.
const KEY: &[&str] = &[
    "invalid_api_key",
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "api_key_invalid",
    "authentication_error",
];

/// The prompt was refused for what it says.
const POLICY: &[&str] = &[
    "content_policy",
    "content_filter",
    "content filtering",
    "content policy",
    "content management policy",
    "content_moderation",
    "content exists risk",
    "data_inspection_failed",
    "datainspectionfailed",
    "responsibleai",
    "moderation",
    "safety system",
    "usage policies",
    "usage policy",
    "flagged",
    "prohibited_content",
    "sensitive_words",
];

/// The output limit was set too high.
const MAX_TOKENS: &[&str] = &[
    "max_tokens is too large",
    "max_tokens: ",
    "max_tokens must be",
    "`max_tokens` must be",
    "max_completion_tokens is too large",
    "maximum allowed number of output tokens",
    "maximum number of output tokens",
];

/// The provider does not have the model.
const MODEL: &[&str] = &[
    "model_not_found",
    "model not found",
    "model_not_available",
    "unknown_model",
    "unknown model",
    "invalid_model",
    "not a valid model",
    "no such model",
    "model does not exist",
    "model has been deprecated",
    "model has been decommissioned",
    "model_decommissioned",
];

/// A picture could not be used.
const IMAGE: &[&str] = &[
    "invalid_image",
    "image_parse_error",
    "invalid image",
    "could not process image",
    "unsupported image",
    "unable to process input image",
    "failed to download image",
    "error while downloading",
    "invalid_base64_image",
];

/// Whether any of these is among the codes or in the sentence.
fn is_said(needles: &[&str], words: &str, message: &str) -> bool {
    let mut needles = needles.iter();
    needles.any(|needle| words.contains(needle) || message.contains(needle))
}

/// Whether a refusal of our account is for want of money, or of leave to spend
/// it, and not for a key that is wrong.
fn is_unpaid(status: u16, words: &str, message: &str) -> bool {
    status == 402 || is_said(UNPAID, words, message)
}

fn judge(status: u16, words: &str, message: &str) -> Verdict {
    use FailureKind as Kind;
    let says = |needles: &[&str]| is_said(needles, words, message);
    let too_long = || says(CONTEXT) && !says(RATE);
    match status {
        401 | 402 => Verdict::ours(),
        403 if says(POLICY) => Verdict::usual(Kind::ContentPolicy),
        403 => Verdict::ours(),
        429 | 400 | 404 | 413 | 422 if says(UNPAID) || says(KEY) => Verdict::ours(),
        429 => Verdict::usual(Kind::RateLimited),
        400 | 413 | 422 | 500 if too_long() => Verdict::usual(Kind::ContextLengthExceeded),
        404 | 410 => Verdict::upstream(Kind::NotFound),
        400 | 422 if says(POLICY) => Verdict::usual(Kind::ContentPolicy),
        400 | 422 if says(MAX_TOKENS) => Verdict::usual(Kind::MaxTokensExceeded),
        400 | 422 if says(MODEL) || is_missing_model(message) => Verdict::upstream(Kind::NotFound),
        400 | 415 | 422 if says(IMAGE) => Verdict::usual(Kind::InvalidImage),
        // Groq answers so when one request exceeds its tokens a minute.
        413 if says(RATE) => Verdict::usual(Kind::RateLimited),
        413 => Verdict {
            // Limits differ from vendor to vendor.
            next: Some(Next::TryAnother),
            ..Verdict::usual(Kind::PayloadTooLarge)
        },
        422 => Verdict::usual(Kind::Unprocessable),
        408 | 504 | 524 => Verdict::usual(Kind::Timeout),
        // 498: Groq's flex capacity (console.groq.com/docs/flex-processing,
        // November 2026). 529: Anthropic's overload.
        498 | 503 | 529 => Verdict::usual(Kind::Overloaded),
        409 => Verdict::upstream(Kind::Conflict),
        412 => Verdict::upstream(Kind::PreconditionFailed),
        405 | 407 | 421 | 425 | 426 | 451 | 499 => Verdict::usual(Kind::Unavailable),
        400..=499 => Verdict::usual(Kind::InvalidRequest),
        _ => Verdict::usual(Kind::Unavailable),
    }
}

/// "The model `x` does not exist or you do not have access to it."
fn is_missing_model(message: &str) -> bool {
    message.contains("model")
        && (message.contains("does not exist") || message.contains("is not found"))
}

/// The status that a code in words stands for: OpenAI's and Anthropic's
/// `type`, Google's `status`, OpenRouter's `error_type`.
fn status_by_words(words: &str) -> u16 {
    const TABLE: &[(&[&str], u16)] = &[
        (&["rate_limit", "resource_exhausted", "throttl"], 429),
        (&["overloaded", "capacity"], 529),
        (&["timeout", "deadline_exceeded"], 504),
        (
            &[
                "authentication",
                "permission",
                "unauthenticated",
                "billing",
                "insufficient",
                "payment",
            ],
            403,
        ),
        (&["not_found"], 404),
        (
            &[
                "invalid_request",
                "invalid_argument",
                "context_length",
                "context_size",
                "content_policy",
                "content_filter",
                "badrequest",
                "bad_request",
            ],
            400,
        ),
        (&["unavailable"], 503),
    ];
    TABLE
        .iter()
        .find(|(needles, _)| needles.iter().any(|needle| words.contains(needle)))
        .map_or(502, |(_, status)| *status)
}

/// A provider's code as a caller is shown it: a word, and not the message
/// once more.
pub(crate) fn code(text: &str) -> String {
    let shown: String = cut(text, 2 * CODE_BYTES_MAX)
        .chars()
        .filter(|char| !char.is_control())
        .collect();
    cut(&redact(&shown), CODE_BYTES_MAX).to_owned()
}

/// Cuts a text to at most `max` bytes, between characters.
#[must_use]
pub fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Replaces whatever looks like a key: providers quote the key that they
/// refuse, and some proxies quote the whole request.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    // Whether what stands before is part of a word: `task-1` holds no key.
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        if !in_word && let Some((shown, secret)) = secret(rest) {
            clean.push_str(rest.get(..shown).unwrap_or_default());
            clean.push_str("***");
            rest = rest.get(shown + secret..).unwrap_or_default();
            in_word = true;
            continue;
        }
        clean.push(first);
        in_word = first.is_ascii_alphanumeric();
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    clean
}

/// The lengths of the visible prefix and the secret at the beginning of
/// `text`, if a key begins there.
fn secret(text: &str) -> Option<(usize, usize)> {
    /// Prefixes of keys and how long what follows is at least, in bytes.
    /// Keys that are quoted in part (`sk-abc***xyz`) count too.
    const PREFIXES: &[(&str, usize)] = &[
        ("Bearer ", 8),
        ("bearer ", 8),
        ("Basic ", 8),
        ("sk-", 6),
        ("sk_", 6),
        ("AIza", 10),
        ("ya29.", 10),
        ("xai-", 10),
        ("gsk_", 10),
        ("hf_", 10),
        ("pplx-", 10),
        ("nvapi-", 10),
        ("r8_", 10),
        ("fw_", 10),
        ("tgp_v1_", 6),
        ("csk-", 10),
        ("eyJ", 20),
        ("AKIA", 12),
        ("ASIA", 12),
        // Not secret, but ours: who has the account.
        ("org-", 8),
        ("org_", 8),
        ("proj_", 8),
    ];
    let is_secret = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'*' | b'.' | b'+' | b'/' | b'=')
    };
    PREFIXES.iter().find_map(|(prefix, min)| {
        let rest = text.strip_prefix(prefix)?;
        let length = rest.bytes().take_while(|byte| is_secret(byte)).count();
        // A full stop after the key ends the sentence.
        let length = rest
            .get(..length)
            .map_or(0, |key| key.trim_end_matches('.').len());
        (length >= *min).then_some((prefix.len(), length))
    })
}

#[cfg(test)]
mod tests;

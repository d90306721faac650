//! What the simulator will answer, and what that truly costs.
//!
//! Pure: seed, path and request bytes decide everything, so that a
//! checker computes the true usage without asking the server.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ask::{CHOICES_MAX, Format, JsonWant, Refusal, Request, ToolChoice};
use crate::prefill;
use crate::replay;
use crate::schema;
use crate::script::{Script, TOKENS_MAX, TOOL_CALLS_MAX, Turn};
use crate::words::{ANNOUNCEMENT_TOKENS, Pieces, hash, mix};

/// Characters of JSON in one token.
const JSON_TOKEN_CHARS: usize = 6;
/// Tokens of one generated image: Gemini 2.5 Flash Image's documented
/// count (Gemini API pricing page, 2026-10).
pub const IMAGE_OUTPUT_TOKENS: u64 = 1290;
/// Content longer than this is not searched for stop texts; only
/// oversize answers are longer.
const STOP_SEARCH_TOKENS_MAX: u64 = 100_000;

/// The true usage and text of one request's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// All input tokens, cached and written ones included.
    pub prompt_tokens: u64,
    /// All output tokens of all choices, thoughts and images included.
    pub completion_tokens: u64,
    /// Input tokens read from the cache.
    pub cached_tokens: u64,
    /// Input tokens written to a five-minute cache.
    pub cache_write_5m_tokens: u64,
    /// Input tokens written to a one-hour cache.
    pub cache_write_1h_tokens: u64,
    /// Output tokens that are thought.
    pub reasoning_tokens: u64,
    /// Output tokens that are image.
    pub image_tokens: u64,
    /// Content of the first choice. Empty in log entries.
    pub text: String,
}

/// One tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Position-stable id without the vendor's prefix.
    pub id: u64,
    /// The tool.
    pub name: String,
    /// Arguments as JSON, in tokens.
    pub arguments: Pieces,
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// It met a stop text.
    StopText(String),
    /// It met the limit.
    Length,
    /// It wants tools called.
    Tools,
}

/// One choice of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Thoughts.
    pub thought: Pieces,
    /// Content.
    pub content: Pieces,
    /// Tool calls.
    pub calls: Vec<Call>,
    /// Why it ends.
    pub finish: Finish,
}

/// A whole answer, before any format writes it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// At least one.
    pub choices: Vec<Choice>,
    /// Its true usage, without the text.
    pub truth: Truth,
    /// Identifies the answer; ids in replies derive from it.
    pub key: u64,
}

/// Computes what a request truly costs and says.
///
/// # Errors
/// When the vendor would refuse the request.
pub fn truth(format: Format, path: &str, body: &[u8], script: &Script) -> Result<Truth, Refusal> {
    let ask = format.read(path, body)?;
    let answer = answer(format, &ask, body, script)?;
    let text = answer
        .choices
        .first()
        .map(|choice| choice.content.text())
        .unwrap_or_default();
    Ok(Truth {
        text,
        ..answer.truth
    })
}

/// Composes the answer to a request that was read from `body`.
///
/// # Errors
/// When it hands in a beginning that this answer does not have, or leaves out
/// thoughts that the script wants back.
pub fn answer(
    format: Format,
    ask: &Request,
    body: &[u8],
    script: &Script,
) -> Result<Completion, Refusal> {
    let key = if script.prefill {
        prefill::check(format, ask)?;
        mix(script.seed, ask.conversation.key)
    } else {
        // The model joins because Gemini names it in the path.
        mix(mix(script.seed, hash(body)), hash(ask.model.as_bytes()))
    };
    if script.wants_thoughts_back {
        replay::check_thoughts(&ask.replay)?;
    }
    let n = ask.n.clamp(1, CHOICES_MAX);
    let choices = (0..n)
        .map(|at| choice(ask, script, mix(key, at)))
        .collect::<Result<Vec<Choice>, Refusal>>()?;
    let image_tokens = if ask.wants_image {
        IMAGE_OUTPUT_TOKENS
    } else {
        0
    };
    let truth = Truth {
        prompt_tokens: ask.prompt_tokens,
        completion_tokens: choices.iter().map(Choice::tokens).sum::<u64>() + image_tokens,
        reasoning_tokens: choices.iter().map(|choice| choice.thought.len()).sum(),
        image_tokens,
        ..cache(ask, script)
    };
    Ok(Completion {
        choices,
        truth,
        key,
    })
}

impl Choice {
    /// All output tokens of the choice.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        let calls: u64 = self.calls.iter().map(|call| call.arguments.len()).sum();
        self.thought.len() + self.content.len() + calls
    }
}

fn choice(ask: &Request, script: &Script, key: u64) -> Result<Choice, Refusal> {
    let begun = ask.conversation.prefill.as_deref();
    let begun = begun.filter(|_| script.prefill);
    let mut left = if script.oversize {
        TOKENS_MAX
    } else {
        ask.max_tokens.unwrap_or(TOKENS_MAX)
    };
    let asked = if ask.thinks { 3 + mix(key, 1) % 18 } else { 0 };
    // An answer that has begun was thought about.
    let thoughts = match begun {
        None => script.reasoning_tokens.unwrap_or(asked).min(TOKENS_MAX),
        Some(_) => 0,
    };
    let thought = Pieces::words(mix(key, 2), thoughts);
    let mut cut = thought.len() > left;
    let thought = thought.truncated(left);
    left -= thought.len();

    let mut calls = Vec::new();
    for (at, (name, arguments)) in wanted_calls(ask, script).into_iter().enumerate() {
        let mut arguments = arguments.to_string();
        if script.bad_tool_calls >= 1.0 {
            spoil(&mut arguments);
        }
        let pieces = Pieces::of_text(&arguments, JSON_TOKEN_CHARS);
        cut |= pieces.len() > left;
        let arguments = pieces.truncated(left);
        left -= arguments.len();
        calls.push(Call {
            id: mix(key, 100 + at as u64),
            name,
            arguments,
        });
        if cut {
            break;
        }
    }

    let said = turn(ask, script).map(|turn| turn.say.as_str());
    let content = match said.filter(|said| !said.is_empty()) {
        Some(said) => Pieces::of_text(said, JSON_TOKEN_CHARS),
        None if calls.is_empty() => full_content(ask, script, key),
        None => Pieces::EMPTY,
    };
    let (content, stopped) = stop_at(content, &ask.stops);
    let content = match begun {
        None => content,
        Some(begun) => prefill::rest(&content, begun).ok_or_else(|| {
            Refusal::bad("the last assistant turn is not a beginning of this answer")
        })?,
    };
    let length = content.len() > left || cut;
    let finish = match stopped {
        _ if length => Finish::Length,
        Some(stop) => Finish::StopText(stop),
        None if !calls.is_empty() => Finish::Tools,
        None => Finish::Stop,
    };
    Ok(Choice {
        thought,
        content: content.truncated(left),
        calls,
        finish,
    })
}

fn full_content(ask: &Request, script: &Script, key: u64) -> Pieces {
    let json = match &ask.json {
        Some(JsonWant::Object) => {
            Some(serde_json::json!({ "answer": Pieces::words(key, 3).text() }))
        }
        Some(JsonWant::Schema(of)) => Some(schema::minimal(of)),
        None => None,
    };
    if let Some(json) = json {
        return Pieces::of_text(&json.to_string(), JSON_TOKEN_CHARS);
    }
    let announced = if script.announce {
        ANNOUNCEMENT_TOKENS
    } else {
        0
    };
    let derived = announced + 5 + mix(key, 3) % 56;
    let len = if script.oversize {
        TOKENS_MAX
    } else {
        script.tokens.unwrap_or(derived).min(TOKENS_MAX)
    };
    Pieces::Words {
        seed: mix(key, 4),
        len,
        announced: script.announce,
    }
}

/// Makes arguments no JSON, of as many tokens as before.
fn spoil(arguments: &mut String) {
    arguments.pop();
    arguments.push('!');
}

/// The turn that the script has for this point of the conversation. None for
/// who offers no tools: agents ask for a title of what they do beside it.
fn turn<'a>(ask: &Request, script: &'a Script) -> Option<&'a Turn> {
    let offers = !ask.tools.is_empty() && ask.tool_choice != ToolChoice::Never;
    script.turns.get(ask.replay.rounds).filter(|_| offers)
}

/// The calls of a turn, of tools that are on offer.
fn scripted_calls(ask: &Request, turn: Option<&Turn>) -> Vec<(String, Value)> {
    let calls = turn.map_or(&[][..], |turn| &turn.calls);
    let most = if ask.one_call { 1 } else { calls.len() };
    calls
        .iter()
        .filter(|call| ask.tools.iter().any(|tool| tool.name == call.tool))
        .map(|call| (call.tool.clone(), Value::Object(call.arguments.clone())))
        .take(most)
        .collect()
}

fn wanted_calls(ask: &Request, script: &Script) -> Vec<(String, Value)> {
    if !script.turns.is_empty() {
        return scripted_calls(ask, turn(ask, script));
    }
    let told = ask.last_user.to_ascii_lowercase().contains("use the tool");
    let forced = matches!(ask.tool_choice, ToolChoice::Any | ToolChoice::Named(_));
    let mut count = script
        .tool_calls
        .unwrap_or(u64::from(told || forced))
        .min(TOOL_CALLS_MAX);
    if ask.tool_choice == ToolChoice::Never {
        count = 0;
    } else if ask.one_call {
        count = count.min(1);
    }
    let offered: Vec<_> = match &ask.tool_choice {
        ToolChoice::Named(name) => ask.tools.iter().filter(|tool| tool.name == *name).collect(),
        _ => ask.tools.iter().collect(),
    };
    let count = usize::try_from(count).unwrap_or_default();
    offered
        .into_iter()
        .cycle()
        .take(count)
        .map(|tool| (tool.name.clone(), schema::minimal(&tool.schema)))
        .collect()
}

/// Cuts content before the first stop text. The token that holds the cut
/// is kept in part, and counts as one.
fn stop_at(content: Pieces, stops: &[String]) -> (Pieces, Option<String>) {
    if stops.is_empty() || content.len() > STOP_SEARCH_TOKENS_MAX {
        return (content, None);
    }
    let text = content.text();
    let first = stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop)))
        .min_by_key(|(at, _)| *at);
    let Some((at, stop)) = first else {
        return (content, None);
    };
    let mut kept = Vec::new();
    let mut length = 0;
    for mut piece in content.iter() {
        if length + piece.len() > at {
            piece.truncate(at - length);
            if !piece.is_empty() {
                kept.push(piece);
            }
            break;
        }
        length += piece.len();
        kept.push(piece);
    }
    (Pieces::Given(kept), Some(stop.clone()))
}

fn cache(ask: &Request, script: &Script) -> Truth {
    let marked = ask.mark_5m.max(ask.mark_1h);
    let by_default = if ask.uses_cache {
        ask.prompt_tokens / 2
    } else {
        0
    };
    let readable = if marked > 0 {
        marked
    } else {
        ask.prompt_tokens
    };
    let read = script.cached_tokens.unwrap_or(by_default).min(readable);
    // One-hour entries must come before five-minute ones, so the hour
    // covers the prompt up to its mark and the minutes what follows.
    let hour = ask.mark_1h.saturating_sub(read);
    let minutes = ask.mark_5m.saturating_sub(read.max(ask.mark_1h));
    Truth {
        cached_tokens: read,
        cache_write_1h_tokens: hour,
        cache_write_5m_tokens: minutes,
        ..Truth::default()
    }
}

/// Token counts as a reply reports them, true or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are Truth's")]
pub struct Reported {
    pub prompt: i64,
    pub completion: i64,
    pub cached: i64,
    pub write_5m: i64,
    pub write_1h: i64,
    pub reasoning: i64,
    pub image: i64,
}

impl Reported {
    /// What a reply says of `truth` under a script; nothing when usage is missing.
    #[must_use]
    pub fn of(truth: &Truth, script: &Script) -> Option<Self> {
        use crate::script::UsageFault as Fault;
        let int = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        let honest = Self {
            prompt: int(truth.prompt_tokens),
            completion: int(truth.completion_tokens),
            cached: int(truth.cached_tokens),
            write_5m: int(truth.cache_write_5m_tokens),
            write_1h: int(truth.cache_write_1h_tokens),
            reasoning: int(truth.reasoning_tokens),
            image: int(truth.image_tokens),
        };
        let none = Self {
            prompt: 0,
            completion: 0,
            cached: 0,
            write_5m: 0,
            write_1h: 0,
            reasoning: 0,
            image: 0,
        };
        match script.usage {
            Fault::Honest => Some(honest),
            Fault::Missing => None,
            Fault::Zero => Some(none),
            Fault::Negative => Some(Self {
                prompt: -honest.prompt,
                completion: -honest.completion,
                ..none
            }),
            Fault::Huge => Some(Self {
                prompt: i64::MAX - 1,
                completion: i64::MAX - 1,
                ..honest
            }),
            Fault::ReasoningOverCompletion => Some(Self {
                reasoning: honest.completion.saturating_mul(2) + 1,
                ..honest
            }),
        }
    }
}

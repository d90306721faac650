//! Top-level members of a request: what each must look like, and what becomes
//! of it on the way to a provider that speaks the same format.
//!
//! Sources: the Messages API reference (platform.claude.com, November 2026) and
//! the schema `MessagesRequest` of OpenRouter's API document (27 October 2026).

use std::borrow::Cow;

use bourse_vocab::Failure;
use bourse_vocab::json::Value;

use crate::dialect::members as others;
use crate::dialect::parameters::TOKENS_MAX;
use crate::json::{Kind, folded, text};

/// What becomes of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes to the provider as it is.
    Forward,
    /// It is for the gateway, and has done its work there.
    Ours,
    /// It is written anew for each target.
    Rewritten,
    /// It asks for something that nobody here does, or that costs money in a
    /// way that no price covers. Where it asks for anything it is refused with
    /// this remedy; otherwise it is left out.
    Refused(&'static str),
}

/// What a member must look like. `null` counts as absent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Check {
    Any,
    Number(f64, f64),
    Whole(u64, u64),
    Bool,
    /// A text of at most so many characters.
    Text(usize),
    Filled,
    Array,
    Object,
    TextOrArray,
    Texts,
}

/// A member that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether the model may read it, so that it counts as prompt.
    pub is_prompt: bool,
    check: Check,
}

const fn forward(name: &'static str, check: Check) -> Known {
    Known {
        name,
        fate: Fate::Forward,
        is_prompt: false,
        check,
    }
}

const fn prompt(name: &'static str, check: Check) -> Known {
    Known {
        is_prompt: true,
        ..forward(name, check)
    }
}

const fn ours(name: &'static str, check: Check) -> Known {
    Known {
        fate: Fate::Ours,
        ..forward(name, check)
    }
}

const fn rewritten(name: &'static str, check: Check) -> Known {
    Known {
        fate: Fate::Rewritten,
        ..forward(name, check)
    }
}

const fn refused(name: &'static str, remedy: &'static str) -> Known {
    Known {
        fate: Fate::Refused(remedy),
        ..forward(name, Check::Any)
    }
}

/// Length of a name, and of a user or session (OpenRouter's document).
const NAME_CHARS_MAX: usize = 256;
/// Length of a word.
const WORD_CHARS_MAX: usize = 64;

/// Every member that is known.
const KNOWN: &[Known] = &[
    rewritten("model", Check::Text(NAME_CHARS_MAX)),
    rewritten("max_tokens", Check::Whole(1, TOKENS_MAX)),
    rewritten("metadata", Check::Object),
    rewritten("service_tier", Check::Text(WORD_CHARS_MAX)),
    prompt("messages", Check::Filled),
    prompt("system", Check::TextOrArray),
    prompt("tools", Check::Array),
    prompt("output_config", Check::Object),
    prompt("output_format", Check::Object),
    forward("tool_choice", Check::Object),
    forward("thinking", Check::Object),
    forward("context_management", Check::Object),
    forward("cache_control", Check::Object),
    forward("stop_sequences", Check::Texts),
    forward("stream", Check::Bool),
    forward("temperature", Check::Number(0.0, 2.0)),
    forward("top_p", Check::Number(0.0, 1.0)),
    forward("top_k", Check::Whole(0, TOKENS_MAX)),
    ours("models", Check::Any),
    ours("fallbacks", Check::Array),
    ours("provider", Check::Object),
    ours("plugins", Check::Array),
    ours("session_id", Check::Text(NAME_CHARS_MAX)),
    ours("trace", Check::Object),
    ours("user", Check::Text(NAME_CHARS_MAX)),
    ours("route", Check::Text(WORD_CHARS_MAX)),
    ours("transforms", Check::Array),
    ours("preset", Check::Text(NAME_CHARS_MAX)),
    ours("debug", Check::Object),
    ours("usage", Check::Object),
    // Nothing of the sort is run here that would have to be stopped.
    ours("stop_server_tools_when", Check::Array),
    refused(
        "speed",
        "buys a service at another price; remove it, or send service_tier",
    ),
    refused(
        "inference_geo",
        "buys a place at another price; remove it, or send provider",
    ),
    refused(
        "container",
        "makes the provider run code, which has no price here; remove it",
    ),
    refused(
        "mcp_servers",
        "makes the provider call tools, which have no price here; remove it, and offer functions",
    ),
    refused(
        "compaction",
        "makes the provider write a summary in place of an answer, which no price here covers; \
         remove it",
    ),
    refused(
        "billing_policy",
        "would have the provider bill somebody else; remove it",
    ),
    refused(
        "thread",
        "message threads are not kept here; send the whole conversation in messages",
    ),
    refused(
        "deferred_tools",
        "this server runs no search for tools; offer them in tools",
    ),
    refused(
        "safeguards",
        "this server has no safeguards evaluated; remove it",
    ),
];

/// Values with which a member asks for no more than is given anyway.
const USUAL: &[(&str, &str)] = &[("speed", "\"standard\""), ("inference_geo", "\"global\"")];

/// The member of this name.
#[must_use]
pub fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

fn must_be(name: &str, what: &str) -> Failure {
    Failure::invalid(format!("{name}: must be {what}"))
}

impl Known {
    /// Whether the value has to be seen to be checked, or its kind says enough.
    #[must_use]
    pub const fn needs_value(&self) -> bool {
        matches!(
            self.check,
            Check::Number(..) | Check::Whole(..) | Check::Text(_) | Check::Texts
        ) || matches!(self.fate, Fate::Refused(_))
    }

    /// Checks a value, which is not `null`.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub fn check(&self, kind: Kind, value: &[u8]) -> Result<(), Failure> {
        if let Fate::Refused(remedy) = self.fate {
            return self.refuse(remedy, value);
        }
        let fits = match self.check {
            Check::Any => true,
            Check::Number(min, max) => {
                kind == Kind::Number
                    && text::f64(value).is_some_and(|number| min <= number && number <= max)
            }
            Check::Whole(min, max) => text::whole(value)
                .is_some_and(|number| (i128::from(min)..=i128::from(max)).contains(&number)),
            Check::Bool => matches!(kind, Kind::True | Kind::False),
            Check::Text(max) => text::string(value).is_some_and(|text| text.chars().count() <= max),
            Check::Filled | Check::Array => kind == Kind::Array,
            Check::Object => kind == Kind::Object,
            Check::TextOrArray => matches!(kind, Kind::String | Kind::Array),
            Check::Texts => {
                kind == Kind::Array && serde_json::from_slice::<Vec<Cow<'_, str>>>(value).is_ok()
            }
        };
        if fits {
            return Ok(());
        }
        Err(match self.check {
            Check::Any => must_be(self.name, "as it is documented"),
            Check::Number(min, max) => must_be(self.name, &format!("a number from {min} to {max}")),
            Check::Whole(min, max) => {
                must_be(self.name, &format!("a whole number from {min} to {max}"))
            }
            Check::Bool => must_be(self.name, "true or false"),
            Check::Text(max) => {
                must_be(self.name, &format!("a string of at most {max} characters"))
            }
            Check::Filled => must_be(self.name, "an array with at least one message"),
            Check::Array => must_be(self.name, "an array"),
            Check::Object => must_be(self.name, "an object"),
            Check::TextOrArray => must_be(self.name, "a string or an array of blocks"),
            Check::Texts => must_be(self.name, "an array of strings"),
        })
    }

    /// Refuses a value, however it was read, where the member asks for what
    /// nobody here does.
    ///
    /// # Errors
    /// Names the member and the remedy.
    pub(in crate::anthropic) fn refuse_by_value(&self, value: &Value) -> Result<(), Failure> {
        match self.fate {
            Fate::Refused(remedy) => self.refuse(remedy, value.to_string().as_bytes()),
            Fate::Forward | Fate::Ours | Fate::Rewritten => Ok(()),
        }
    }

    fn refuse(&self, remedy: &str, value: &[u8]) -> Result<(), Failure> {
        let nothing = [&b"null"[..], b"false", b"\"\"", b"[]", b"{}"];
        let value = value.trim_ascii();
        let is_usual = USUAL
            .iter()
            .any(|(name, usual)| *name == self.name && usual.as_bytes() == value);
        if is_usual || nothing.contains(&value) {
            return Ok(());
        }
        let failure = Failure::invalid(format!("{}: {remedy}", self.name));
        Err(if self.name == "thread" {
            in_words_of_sdks(failure)
        } else {
            failure
        })
    }
}

/// The SDKs' tool runners fall back to sending the whole conversation when they
/// are told in these words (anthropic-sdk 2.x, October 2026).
fn in_words_of_sdks(failure: Failure) -> Failure {
    failure.metadata(
        "details",
        serde_json::json!({
            "error_code": "thread_unsupported_request",
            "unsupported": ["thread"],
        }),
    )
}

/// Refuses a member that is not known where a lenient parser takes it for one
/// that is, or where other vendors know it as something that costs money.
/// `value` gives its JSON text, unless it is very long.
///
/// # Errors
/// Names the member and the remedy.
pub fn check_unknown<'a>(
    name: &str,
    value: impl FnOnce() -> Option<Cow<'a, [u8]>>,
) -> Result<(), Failure> {
    let folded_name = folded(name);
    if let Some(known) = KNOWN.iter().find(|known| folded(known.name) == folded_name) {
        let known = known.name;
        return Err(Failure::invalid(format!(
            "{}: spelled almost like `{known}`, and some providers would take it for that; write \
             `{known}` or remove it",
            name.escape_default()
        )));
    }
    others::check(name, value)
}

//! Who goes on with an answer that has begun, and how they are told to.
//!
//! Most servers take an assistant's message at the end of a conversation and
//! answer it like any other turn. A few document that they go on with it, from
//! its last letter on; only these are asked to continue an answer that broke
//! elsewhere, or a token would be doubled or missing and nobody could tell.
//!
//! | who | says so | how | what comes back |
//! |---|---|---|---|
//! | Anthropic, models before 4.6 | "Prefill Claude's response" (docs.claude.com, 2026) | the last message is the assistant's and ends in no white space; not with thinking, not with a JSON schema | what follows |
//! | Mistral | `prefix` of assistant messages (docs.mistral.ai, API, 2026) | `prefix: true` | the prefix again, and what follows (Vercel's AI SDK, provider for Mistral, 2026) |
//! | DeepSeek, at its beta address | "Chat Prefix Completion" (api-docs.deepseek.com, 2026) | `prefix: true` | what follows |
//! | vLLM, SGLang | `continue_final_message` (their references of chat completions, 2026) | that, and no new turn | what follows |
//!
//! `OpenAI` documents nothing of the kind, Gemini takes such a turn without saying
//! what comes of it, and OpenRouter hands it to models of which some do and
//! some do not: they are not asked. An operator says of a server of their own
//! what it does.

use bourse_vocab::chat::{Message, Part, Request, ResponseFormat, Role};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Failure, Format, Next};

use super::Dialect;
use crate::anthropic;

/// The member of an assistant's message that says that it is a beginning.
const PREFIX: &str = "prefix";

/// How a vendor is told to go on with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefill {
    /// Not at all, or nothing is documented.
    #[default]
    None,
    /// By an assistant's message at the end.
    Last,
    /// By `prefix: true` on it.
    Prefix,
    /// The same, and the answer begins with the prefix.
    PrefixRepeated,
    /// By `continue_final_message`, a member of the request.
    FinalMessage,
}

impl Prefill {
    /// Every way, with its name in the configuration.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("last-message", Self::Last),
        ("prefix", Self::Prefix),
        ("prefix-repeated", Self::PrefixRepeated),
        ("continue-final-message", Self::FinalMessage),
    ];

    /// What the vendor of a dialect takes for `model`.
    #[must_use]
    pub fn of(format: Format, dialect: &Dialect, model: &str) -> Self {
        match format {
            Format::Anthropic if anthropic::takes_prefill(model) => Self::Last,
            Format::Anthropic | Format::OpenAiChat => dialect.prefill,
            // Which models go on in Converse is not documented.
            Format::OpenAiResponses
            | Format::Gemini
            | Format::Bedrock
            | Format::Ollama
            | Format::Cohere => Self::None,
        }
    }
}

/// Whether a vendor that is strict about messages knows this member of one.
pub(crate) fn knows(dialect: &Dialect, name: &str) -> bool {
    let by_member = matches!(dialect.prefill, Prefill::Prefix | Prefill::PrefixRepeated);
    by_member && name == PREFIX
}

/// A request that goes on with an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Continued {
    /// The request.
    pub request: Request,
    /// What the answer begins with that was said already.
    pub repeats: String,
}

/// Asks to go on with `begun`, at a vendor of whom [`Prefill::of`] said `way`.
/// It is told not to think: it would think about an answer that has begun.
///
/// # Errors
/// It cannot be asked.
pub fn go_on(
    asked: &Request,
    (format, way): (Format, Prefill),
    begun: &str,
) -> Result<Continued, Failure> {
    let cannot = |why: &str| {
        Err(
            Failure::unavailable(format!("The answer cannot be continued: {why}"))
                .next(Next::TryAnother),
        )
    };
    if way == Prefill::None {
        return cannot("the provider documents no way to");
    }
    if asked
        .messages
        .last()
        .is_some_and(|last| last.role == Role::Assistant)
    {
        return cannot("the conversation ends with a beginning already");
    }
    let is_json = !matches!(asked.response_format, None | Some(ResponseFormat::Text));
    if format == Format::Anthropic && is_json {
        return cannot("the provider continues no JSON");
    }
    let (kept, repeats) = match (format, way) {
        (_, Prefill::PrefixRepeated) => (begun, begun),
        (Format::Anthropic, _) => begun.split_at(begun.trim_end().len()),
        _ => (begun, ""),
    };
    if kept.trim().is_empty() {
        return cannot("nothing but white space was said");
    }
    let mut request = asked.clone();
    let mut parts = vec![Part::text(kept)];
    match way {
        Prefill::Prefix | Prefill::PrefixRepeated => parts.push(Part::Opaque {
            format: Format::OpenAiChat,
            value: Value::Object(Map::from_iter([(PREFIX.to_owned(), Value::Bool(true))])),
        }),
        Prefill::FinalMessage => {
            let members = &mut request.extras.members;
            members.insert("continue_final_message".to_owned(), Value::Bool(true));
            members.insert("add_generation_prompt".to_owned(), Value::Bool(false));
        }
        Prefill::None | Prefill::Last => {}
    }
    request.messages.push(Message {
        role: Role::Assistant,
        name: None,
        parts,
    });
    if let Some(reasoning) = &mut request.reasoning {
        reasoning.enabled = Some(false);
        reasoning.effort = None;
        reasoning.max_tokens = None;
    }
    Ok(Continued {
        request,
        repeats: repeats.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::WriteTarget;
    use crate::formats::codec;

    fn asked() -> Request {
        let hello = Message {
            role: Role::User,
            name: None,
            parts: vec![Part::text("Hello")],
        };
        Request::new(Format::OpenAiChat, "m", vec![hello])
    }

    const STRICT: Dialect = Dialect {
        prefill: Prefill::PrefixRepeated,
        strict_messages: true,
        ..Dialect::PLAIN
    };

    fn written(format: Format, dialect: &Dialect, model: &str, begun: &str) -> (String, String) {
        let way = Prefill::of(format, dialect, model);
        let continued = go_on(&asked(), (format, way), begun).unwrap();
        let target = WriteTarget {
            model,
            max_output: None,
            limit: None,
            efforts: bourse_vocab::chat::Efforts::default(),
            tier: bourse_vocab::TierWish::None,
            dialect,
        };
        let written = codec(format)
            .write_request(&continued.request, &target)
            .unwrap();
        assert_eq!(written.losses, [], "{format:?}");
        (String::from_utf8(written.body).unwrap(), continued.repeats)
    }

    #[test]
    fn each_is_told_in_its_own_words_and_what_it_repeats_is_known() {
        let plain = |prefill| Dialect {
            prefill,
            ..Dialect::PLAIN
        };
        let chat = Format::OpenAiChat;
        let (body, repeats) = written(chat, &STRICT, "mistral-large", "one two ");
        assert!(
            body.contains(r#"{"role":"assistant","content":"one two ","prefix":true}"#),
            "{body}"
        );
        assert_eq!(repeats, "one two ");
        let (body, repeats) = written(chat, &plain(Prefill::Prefix), "deepseek-chat", "one two ");
        assert!(
            body.contains(r#""content":"one two ","prefix":true}"#),
            "{body}"
        );
        assert_eq!(repeats, "");
        let (body, repeats) = written(chat, &plain(Prefill::FinalMessage), "m", "one");
        assert!(
            body.contains(r#""continue_final_message":true,"add_generation_prompt":false"#),
            "{body}"
        );
        assert_eq!(repeats, "");
        // White space at the end is refused there, and comes again.
        let claude = "claude-sonnet-4-5";
        let (body, repeats) = written(Format::Anthropic, &Dialect::PLAIN, claude, "one two \n");
        assert!(
            body.contains(r#"{"type":"text","text":"one two"}"#),
            "{body}"
        );
        assert_eq!(repeats, " \n");
    }

    #[test]
    fn who_does_not_document_it_is_not_asked() {
        let of = |format, model| Prefill::of(format, &Dialect::PLAIN, model);
        assert_eq!(of(Format::OpenAiChat, "gpt-5"), Prefill::None);
        assert_eq!(of(Format::Gemini, "gemini-2.5-pro"), Prefill::None);
        assert_eq!(of(Format::Anthropic, "claude-opus-4-6"), Prefill::None);
        assert_eq!(of(Format::Anthropic, "somebody-elses-model"), Prefill::None);
        assert_eq!(of(Format::Anthropic, "claude-haiku-4-5"), Prefill::Last);
        assert!(go_on(&asked(), (Format::OpenAiChat, Prefill::None), "one").is_err());
    }

    #[test]
    fn what_cannot_be_continued_is_not() {
        let way = (Format::OpenAiChat, Prefill::Last);
        assert!(go_on(&asked(), way, " \n").is_err(), "nothing was said");
        let mut begun = asked();
        begun.messages.push(Message {
            role: Role::Assistant,
            name: None,
            parts: vec![Part::text("So")],
        });
        assert!(
            go_on(&begun, way, "one").is_err(),
            "the caller's own beginning"
        );
        let mut json = asked();
        json.response_format = Some(ResponseFormat::JsonObject);
        assert!(go_on(&json, way, "{").is_ok());
        assert!(go_on(&json, (Format::Anthropic, Prefill::Last), "{").is_err());
    }

    #[test]
    fn whoever_goes_on_does_not_think_again() {
        let mut thinks = asked();
        thinks.reasoning = Some(bourse_vocab::chat::ReasoningRequest {
            effort: Some(bourse_vocab::chat::Effort::High),
            ..Default::default()
        });
        let way = (Format::OpenAiChat, Prefill::Last);
        let continued = go_on(&thinks, way, "one").unwrap().request;
        assert!(continued.reasoning.unwrap().is_off());
    }
}

//! OpenAI: chat completions, Responses, embeddings, images, speech and transcripts
//! (platform.openai.com/docs/api-reference, November 2026).
//!
//! Models that think are spoken to in Responses by clients of that format, for
//! only there their thoughts come back sealed and can be replayed; some are
//! sold in no other way. The chat models are the same in both, and some of
//! them (search, audio) are in chat completions alone.

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, images, moderations, speech, transcription, videos};
use bourse_wire::Dialect;
use bourse_wire::dialect::{
    BatchApi, CacheMarks, CallIds, MaxTokensName, ReasoningStyle, Thoughts,
};

use crate::provider::{Address, Attempt, Interface, Provider, like_openai, responses};

/// OpenAI.
pub struct OpenAi;

/// `max_tokens` is deprecated and refused by reasoning models, its successor
/// is understood by all; sampling parameters of open models are refused as
/// unknown, and so is every member that the reference does not have
/// ("Unrecognized request argument").
const CHAT: Dialect = Dialect {
    batches: Some(BatchApi::OpenAi),
    max_tokens: MaxTokensName::MaxCompletionTokens,
    reasoning: ReasoningStyle::Unsupported,
    rejects: OPEN_MODELS_ONLY,
    accepts: &[],
    parts: &[],
    developer_role: true,
    thoughts: Thoughts::Refused,
    call_ids: CallIds::UpToForty,
    ..Dialect::PLAIN
};

/// Reasoning models take an effort, and refuse most sampling parameters and
/// `stop` (platform.openai.com/docs, guides/reasoning and the reference of
/// chat completions, November 2026). From GPT-5.1 on, temperature, `top_p` and
/// log probabilities are accepted with effort `none` only
/// (developers.openai.com/api/docs/guides/latest-model, parameter
/// compatibility, 2026), and GPT-5.6 refuses them again. Leaving them out
/// always works, and is reported as a loss.
const REASONING: Dialect = Dialect {
    batches: Some(BatchApi::OpenAi),
    max_tokens: MaxTokensName::MaxCompletionTokens,
    reasoning: ReasoningStyle::Effort,
    rejects: &[
        "top_k",
        "min_p",
        "top_a",
        "repetition_penalty",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "stop",
        "web_search_options",
    ],
    accepts: &[],
    parts: &[],
    developer_role: true,
    thoughts: Thoughts::Refused,
    ..Dialect::PLAIN
};

/// What all others of the chat models speak.
static CHATTING: Dialect = CHAT;

/// The same of the generations before and from GPT-5.6 on. The latter cache up
/// to breakpoints of the caller's (prompt caching guide, 2026).
static OLDER: Dialect = REASONING;
static NEWER: Dialect = Dialect {
    cache: CacheMarks::Breakpoint,

    accepts: &["prompt_cache_options"],
    ..REASONING
};

/// Models that search before they answer, asked to or not. They refuse what
/// steers sampling ("Model incompatible request arguments supplied",
/// vercel/ai pull request 5647, April 2025; docs.litellm.ai/docs/completion/web_search
/// and developers.openai.com/api/docs/guides/tools-web-search, 2026), and no
/// other model of chat completions takes `web_search_options`.
static SEARCHING: Dialect = Dialect {
    rejects: &[
        "top_k",
        "min_p",
        "top_a",
        "repetition_penalty",
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
    ],
    always_searches: true,
    ..CHAT
};

const OPEN_MODELS_ONLY: &[&str] = &[
    "top_k",
    "min_p",
    "top_a",
    "repetition_penalty",
    "web_search_options",
];

/// Whether a model searches, by its name: `gpt-4o-search-preview`,
/// `gpt-5-search-api` (the documents of [`SEARCHING`]).
fn searches(model: &str) -> bool {
    model.starts_with("gpt-") && model.contains("-search-")
}

/// The generation of a model of the GPT line: `gpt-5.6-mini` is (5, 6).
fn generation(model: &str) -> Option<(u32, u32)> {
    let name = model.strip_prefix("gpt-")?;
    let end = name.find(|c: char| !c.is_ascii_digit() && c != '.');
    let mut numbers = name.get(..end.unwrap_or(name.len()))?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().map_or(Some(0), |minor| minor.parse().ok())?;
    Some((major, minor))
}

/// Whether a model thinks: the o series, codex-mini, and GPT-5 and later,
/// except the chat-tuned variants.
fn thinks(model: &str) -> bool {
    let o_series = model
        .strip_prefix('o')
        .is_some_and(|rest| rest.bytes().next().is_some_and(|b| b.is_ascii_digit()));
    o_series
        || model.starts_with("codex-mini")
        || (generation(model).is_some_and(|g| g >= (5, 0)) && !model.contains("-chat"))
}

/// How models are asked that hear or speak, by their names
/// (platform.openai.com/docs/models, November 2026); `None` of any other.
/// Whisper and the first models of speech are sold by the second and the
/// character; those after them by the token, and stream events that say how
/// many.
pub(crate) fn hears_or_speaks(model: &str) -> Option<&'static [Interface]> {
    const WHISPER: &[Interface] = &[
        Interface::transcription(transcription::Shape::Whisper),
        Interface::spoken_translation(transcription::Shape::Whisper),
    ];
    const REALTIME: &[Interface] = &[Interface::realtime()];
    const TRANSCRIBE: &[Interface] = &[Interface::transcription(transcription::Shape::Gpt)];
    const TTS: &[Interface] = &[Interface::speech(speech::Shape::OpenAi)];
    const TOKEN_TTS: &[Interface] = &[Interface::speech(speech::Shape::OpenAiEvents)];
    let is_gpt = model.starts_with("gpt-");
    if model.starts_with("whisper-") {
        Some(WHISPER)
    } else if is_gpt && model.contains("realtime") {
        Some(REALTIME)
    } else if is_gpt && model.contains("transcribe") {
        Some(TRANSCRIBE)
    } else if model.starts_with("tts-") {
        Some(TTS)
    } else if is_gpt && model.contains("-tts") {
        Some(TOKEN_TTS)
    } else {
        None
    }
}

impl Provider for OpenAi {
    fn slug(&self) -> &str {
        "openai"
    }

    fn name(&self) -> &str {
        "OpenAI"
    }

    fn env(&self) -> &[&'static str] {
        &["OPENAI_API_KEY"]
    }

    fn base_url(&self) -> Option<&str> {
        Some("https://api.openai.com/v1")
    }

    fn interfaces(&self, model: &str) -> &[Interface] {
        const THINKING: &[Interface] = &[
            Interface::chat(Format::OpenAiChat),
            Interface::chat(Format::OpenAiResponses),
        ];
        const OTHERS: &[Interface] = &[
            Interface::chat(Format::OpenAiChat),
            Interface::embeddings(Shape::OpenAi, Format::OpenAiChat),
            Interface::images(images::Shape::OpenAi, Format::OpenAiChat),
            Interface::image_edits(images::Shape::OpenAi),
            Interface::moderations(moderations::Shape::OpenAi),
            Interface::videos(videos::Shape::OpenAi, Format::OpenAiChat),
        ];
        match hears_or_speaks(model) {
            Some(interfaces) => interfaces,
            None if thinks(model) && !searches(model) => THINKING,
            None => OTHERS,
        }
    }

    fn dialect(&self, _format: Format, model: &str) -> &Dialect {
        match generation(model) {
            _ if searches(model) => &SEARCHING,
            _ if !thinks(model) => &CHATTING,
            Some(generation) if generation >= (5, 6) => &NEWER,
            _ => &OLDER,
        }
    }

    fn dialects(&self, _format: Format) -> Vec<&Dialect> {
        vec![&CHATTING, &SEARCHING, &OLDER, &NEWER]
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        match attempt.interface.format {
            Format::OpenAiResponses => responses(attempt),
            _ => like_openai(attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::Operation;

    use super::*;

    #[test]
    fn breakpoints_are_for_the_latest_generations() {
        for (model, newer) in [
            ("gpt-5", false),
            ("gpt-5.2-mini", false),
            ("gpt-5.6", true),
            ("gpt-5.10-mini", true),
            ("gpt-6-sol", true),
            ("o3", false),
        ] {
            let dialect = OpenAi.dialect(Format::OpenAiChat, model);
            assert_eq!(dialect == &NEWER, newer, "{model}");
            // Where the caller's options for caching are understood.
            let is_told = dialect.accepts.contains(&"prompt_cache_options");
            assert_eq!(is_told, newer, "{model}");
        }
    }

    #[test]
    fn models_that_search_do_so_always_and_the_others_are_not_asked_to() {
        for (model, always) in [
            ("gpt-4o-search-preview", true),
            ("gpt-4o-mini-search-preview-2025-03-11", true),
            ("gpt-5-search-api", true),
            ("gpt-4o", false),
            ("gpt-5.5", false),
            ("o3-deep-research", false),
        ] {
            let dialect = OpenAi.dialect(Format::OpenAiChat, model);
            assert_eq!(dialect.always_searches, always, "{model}");
            assert_eq!(
                dialect.takes_searches(Format::OpenAiChat),
                always,
                "{model}"
            );
        }
    }

    #[test]
    fn models_that_hear_or_speak_are_asked_for_nothing_else() {
        let operations = |model| {
            let interfaces = OpenAi.interfaces(model).iter();
            let names = interfaces.map(|interface| interface.operation.name());
            names.collect::<Vec<_>>().join(" ")
        };
        for (model, expected) in [
            ("whisper-1", "transcription translation"),
            ("gpt-4o-mini-transcribe", "transcription"),
            ("gpt-transcribe", "transcription"),
            ("tts-1-hd", "speech"),
            ("gpt-4o-mini-tts-2025-12-15", "speech"),
            ("gpt-realtime-2.1-mini", "realtime"),
            (
                "gpt-4o",
                "chat embeddings images image_edits moderations videos",
            ),
            (
                "gpt-4o-audio-preview",
                "chat embeddings images image_edits moderations videos",
            ),
            (
                "omni-moderation-latest",
                "chat embeddings images image_edits moderations videos",
            ),
        ] {
            assert_eq!(operations(model), expected, "{model}");
        }
        // What is sold by the token is asked for events.
        let shape = |model| OpenAi.interfaces(model)[0].operation;
        let (events, sound) = (speech::Shape::OpenAiEvents, speech::Shape::OpenAi);
        assert_eq!(shape("gpt-4o-mini-tts"), Operation::Speech(events));
        assert_eq!(shape("tts-1"), Operation::Speech(sound));
    }

    #[test]
    fn models_that_think_are_told_apart() {
        for model in [
            "o1",
            "o3-mini",
            "o4-mini",
            "gpt-5",
            "gpt-5.2",
            "gpt-5-mini",
            "gpt-12",
            "codex-mini-latest",
        ] {
            assert!(thinks(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1",
            "gpt-3.5-turbo",
            "gpt-5-chat-latest",
            "omni",
            "gpt-oss-20b",
        ] {
            assert!(!thinks(model), "{model}");
        }
    }
}

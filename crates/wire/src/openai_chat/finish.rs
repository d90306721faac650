//! Why an answer ended, in everybody's words.

use bourse_vocab::chat::Finish;

/// Finds a finish by any word that a vendor speaking this format uses
/// (documentation of OpenAI, Mistral, Together, Zhipu, Baidu, DeepSeek,
/// vLLM, Cohere, Google's and Anthropic's compatible endpoints, October
/// 2026).
///
/// No word, an empty one, and the words for "not finished" that some send
/// with every chunk are `None`. An unknown word is a `Stop`: the vendor
/// did say that the answer is complete.
pub fn read(word: Option<&str>) -> Option<Finish> {
    let word = word?.to_ascii_lowercase();
    Some(match word.as_str() {
        // Baidu says `normal` while it goes on.
        "" | "null" | "none" | "normal" | "finish_reason_unspecified" => return None,
        "length"
        | "max_tokens"
        | "max_output_tokens"
        | "model_length"
        | "token_limit"
        | "max_length"
        | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "tool_call" | "function_call" | "function_calls" | "tool_use" => {
            Finish::ToolCalls
        }
        "content_filter" | "content_filtered" | "safety" | "sensitive" | "refusal" | "blocked"
        | "blocklist" | "recitation" | "prohibited_content" | "spii" | "image_safety" => {
            Finish::ContentFilter
        }
        // Zhipu's and DeepSeek's words for a failure on the way.
        "error"
        | "network_error"
        | "insufficient_system_resource"
        | "abort"
        | "aborted"
        | "cancelled"
        | "malformed_function_call" => Finish::Error,
        _ => Finish::Stop,
    })
}

/// An answer that calls tools waits for them, whatever word ended it:
/// OpenAI itself says `stop` when the caller named the tool.
pub const fn with_calls(finish: Finish, calls: bool) -> Finish {
    match finish {
        Finish::Stop if calls => Finish::ToolCalls,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_name_is_read_as_itself() {
        for name in ["stop", "length", "tool_calls", "content_filter", "error"] {
            assert_eq!(read(Some(name)).map(Finish::name), Some(name));
        }
    }

    #[test]
    fn synonyms_are_understood() {
        for (word, finish) in [
            ("eos", Some(Finish::Stop)),
            ("END_TURN", Some(Finish::Stop)),
            ("max_tokens", Some(Finish::Length)),
            ("function_call", Some(Finish::ToolCalls)),
            ("SAFETY", Some(Finish::ContentFilter)),
            ("insufficient_system_resource", Some(Finish::Error)),
            ("", None),
            ("normal", None),
        ] {
            assert_eq!(read(Some(word)), finish, "{word}");
        }
        assert_eq!(read(None), None);
    }
}

//! Why a model stopped, in one set of words.

use bourse_vocab::chat::Finish;

/// Understands a vendor's own word. A word that nobody has seen is taken
/// for a regular end: the vendor did finish, and the caller is given the
/// native word beside it.
#[must_use]
pub fn by_native(native: &str) -> Finish {
    match native {
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "MAX_TOKENS" => {
            Finish::Length
        }
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => Finish::ToolCalls,
        // `sensitive` is Zhipu's word (docs.bigmodel.cn, chat completion).
        "content_filter" | "safety" | "SAFETY" | "sensitive" | "refusal" | "RECITATION" => {
            Finish::ContentFilter
        }
        // `insufficient_system_resource` is DeepSeek's word for giving up
        // (api-docs.deepseek.com, chat completion), `network_error` Zhipu's.
        "error" | "network_error" | "insufficient_system_resource" | "abort" => Finish::Error,
        _ => Finish::Stop,
    }
}

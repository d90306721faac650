//! Top-level members that are no parameter of ours.
//!
//! What a provider is sent decides what it bills, so nothing goes on that is
//! on no list. Three sorts of names are known here besides the parameters of
//! [`super::parameters`]:
//!
//! - [`OPEN_SERVERS`]: what servers of open models take, and what costs
//!   nothing beside the tokens that it makes. A dialect says which of them its
//!   vendor is sent;
//! - [`PAID`]: what makes somebody spend money that nothing here would see, or
//!   spend it elsewhere. Where it asks for anything it is refused, with the
//!   remedy;
//! - names that a lenient parser takes for another. Go's `encoding/json`
//!   matches names without regard to case and folds U+017F and U+212A, other
//!   parsers drop dashes and underscores: `Model` beside `model` would be read
//!   as the model there, and as nothing here. They are refused as well.
//!
//! Everything else is left out and reported as a loss.

use std::borrow::Cow;

use bourse_vocab::Failure;

use super::parameters::Param;
use crate::json::folded;

/// Members that vLLM, SGLang, llama.cpp, text-generation-inference and the
/// hosts that run them take, and some makers' switches for thinking (their
/// references of chat completions, 2026). Each shapes an answer whose tokens
/// are counted and limited as ever.
pub const OPEN_SERVERS: &[&str] = &[
    "add_generation_prompt",
    "add_special_tokens",
    "bad_words",
    "cache_prompt",
    "cache_salt",
    "chat_template_kwargs",
    "continue_final_message",
    "documents",
    "dry_allowed_length",
    "dry_base",
    "dry_multiplier",
    "dry_penalty_last_n",
    "dry_sequence_breakers",
    "dynatemp_exponent",
    "dynatemp_range",
    "ebnf",
    "enable_thinking",
    "grammar",
    "guided_choice",
    "guided_decoding_backend",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "guided_whitespace_pattern",
    "ignore_eos",
    "include_stop_str_in_output",
    "json_schema",
    "length_penalty",
    "min_tokens",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "mm_processor_kwargs",
    "no_stop_trim",
    "preserve_thinking",
    "prompt_logprobs",
    "reasoning_format",
    "reasoning_split",
    "regex",
    "return_token_ids",
    "return_tokens_as_token_ids",
    "samplers",
    "separate_reasoning",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop_regex",
    "stop_token_ids",
    "stream_reasoning",
    "structural_tag",
    "thinking",
    "thinking_budget",
    "thinking_token_budget",
    "timings_per_token",
    "truncate_prompt_tokens",
    "typical_p",
    "xtc_probability",
    "xtc_threshold",
];

/// Members that cost money in a way that no price here covers, with the
/// sentence that says what to do instead.
const PAID: &[(&[&str], &str)] = &[
    (
        &[
            "max_new_tokens",
            "max_output_tokens",
            "max_tokens_to_sample",
            "max_gen_len",
            "max_length",
            "num_predict",
            "n_predict",
            "max_generated_tokens",
            "maximum_tokens",
        ],
        "is another limit than the one that is paid for; send max_tokens",
    ),
    (
        &[
            "best_of",
            "candidate_count",
            "num_beams",
            "num_completions",
            "num_generations",
            "num_return_sequences",
            "use_beam_search",
        ],
        "makes answers that are billed and not shown; send n",
    ),
    (
        &[
            "speed",
            "performance",
            "latency",
            "priority",
            "quality_tier",
        ],
        "buys a service at another price; send service_tier",
    ),
    (
        &[
            "citations_config",
            "data_sources",
            "enable_search",
            "enable_search_classifier",
            "grounding",
            "live_search",
            "online",
            "retrieval",
            "search",
            "search_mode",
            "search_options",
            "search_parameters",
            "search_settings",
            "search_context_size",
            "web_search",
        ],
        "makes the provider search, which has no price here; send web_search_options to a \
         model that lists a price for it",
    ),
    (
        &[
            "agents",
            "builtin_tools",
            "code_execution",
            "code_interpreter",
            "compound_custom",
            "connectors",
            "container",
            "deep_research",
            "mcp_servers",
            "server_tools",
            "tool_resources",
        ],
        "makes the provider run tools, which have no price here; remove it",
    ),
    (
        &[
            "context_window_fallbacks",
            "default_fallbacks",
            "fallback",
            "fallback_models",
            "fallbacks",
            "gateway",
            "num_retries",
            "provider_options",
            "providers",
            "retries",
            "router",
            "routing",
            "targets",
        ],
        "would let the provider call others at their prices; send models or provider",
    ),
    (
        &[
            "api_base",
            "api_key",
            "api_keys",
            "api_type",
            "api_version",
            "auth",
            "authorization",
            "aws_access_key_id",
            "aws_secret_access_key",
            "azure_ad_token",
            "base_url",
            "credentials",
            "custom_llm_provider",
            "endpoint",
            "extra_body",
            "extra_headers",
            "headers",
            "organization",
            "proxy",
            "upstream",
            "vertex_credentials",
            "webhook",
            "webhook_url",
        ],
        "would make the provider call an address or use a key of the caller's; remove it",
    ),
];

/// Whoever writes nothing in more bytes than this is not believed.
pub const NOTHING_BYTES_MAX: usize = 1_024;
/// Values with which a member of [`PAID`] asks for nothing.
const ASKS_FOR_NOTHING: &[&str] = &["null", "false", "\"\"", "[]", "{}", "0"];

/// The same for single members.
const USUAL: &[(&str, &str)] = &[
    ("best_of", "1"),
    ("candidate_count", "1"),
    ("num_beams", "1"),
    ("num_completions", "1"),
    ("num_generations", "1"),
    ("num_return_sequences", "1"),
    ("speed", "\"standard\""),
    ("search_mode", "\"off\""),
    ("search_parameters", "{\"mode\":\"off\"}"),
];

/// Refuses a member that is no parameter, if sending it on would cost money,
/// or if it is spelled like a member that is known. `value` gives its JSON
/// text, unless it is longer than [`NOTHING_BYTES_MAX`].
///
/// # Errors
/// Names the member and the remedy.
pub fn check<'a>(name: &str, value: impl FnOnce() -> Option<Cow<'a, [u8]>>) -> Result<(), Failure> {
    if OPEN_SERVERS.contains(&name) {
        return Ok(());
    }
    let folded = folded(name);
    if let Some(known) = known(&folded) {
        if known != name {
            return Err(Failure::invalid(format!(
                "{}: spelled almost like `{known}`, and some providers would take it for that; \
                 write `{known}` or remove it",
                name.escape_default()
            )));
        }
        if let Some(remedy) = remedy(known)
            && !value().is_some_and(|value| asks_for_nothing(known, &value))
        {
            return Err(Failure::invalid(format!("{known}: {remedy}")));
        }
    }
    Ok(())
}

/// The member that has this name when both are folded.
fn known(folded_name: &str) -> Option<&'static str> {
    let params = Param::ALL.iter().map(|param| param.name());
    let paid = PAID.iter().flat_map(|(names, _)| names.iter().copied());
    params
        .chain(OPEN_SERVERS.iter().copied())
        .chain(paid)
        .find(|known| is_folded(known, folded_name))
}

/// Whether a known name, which is in small letters of ASCII, folds to this.
fn is_folded(known: &str, folded_name: &str) -> bool {
    let letters = known.bytes().filter(|byte| *byte != b'_');
    letters.eq(folded_name.bytes())
}

fn remedy(name: &str) -> Option<&'static str> {
    let row = PAID.iter().find(|(names, _)| names.contains(&name));
    row.map(|(_, remedy)| *remedy)
}

fn asks_for_nothing(name: &str, value: &[u8]) -> bool {
    let value: Vec<u8> = value
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let says = |text: &str| text.as_bytes() == value;
    ASKS_FOR_NOTHING.iter().any(|text| says(text))
        || USUAL
            .iter()
            .any(|(usual, text)| *usual == name && says(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> Option<String> {
        check(name, || Some(value.as_bytes().into()))
            .err()
            .map(|failure| failure.message.to_string())
    }

    #[test]
    fn every_known_name_is_its_own_fold_and_nobody_elses() {
        let mut seen = std::collections::BTreeMap::new();
        let params = Param::ALL.iter().map(|param| param.name());
        let paid = PAID.iter().flat_map(|(names, _)| names.iter().copied());
        for name in params.chain(OPEN_SERVERS.iter().copied()).chain(paid) {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
                "{name}"
            );
            assert_eq!(seen.insert(folded(name), name), None, "{name}");
            assert_eq!(known(&folded(name)), Some(name));
        }
        for (name, _) in USUAL {
            assert!(remedy(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_name_that_a_lenient_parser_takes_for_a_known_one_is_refused() {
        for (name, known) in [
            ("Model", "model"),
            ("MAX_TOKENS", "max_tokens"),
            ("maxTokens", "max_tokens"),
            ("max-tokens", "max_tokens"),
            ("me\u{17f}\u{17f}ages", "messages"),
            ("max_to\u{212a}ens", "max_tokens"),
            ("serv\u{130}ce_tier", "service_tier"),
            ("\u{ff2d}odel", "model"),
            (" model", "model"),
            ("model\u{200b}", "model"),
            ("mod\u{1}el", "model"),
            ("N", "n"),
            ("Thinking", "thinking"),
            ("Best_Of", "best_of"),
            ("providerOptions", "provider_options"),
        ] {
            let refused = refusal(name, "1");
            let refused = refused.unwrap_or_default();
            assert!(refused.contains(&format!("`{known}`")), "{name}: {refused}");
        }
        for name in ["models_x", "modle", "unknown_to_us", "thinking", "x_model"] {
            assert_eq!(refusal(name, "1"), None, "{name}");
        }
    }

    #[test]
    fn what_costs_money_unseen_is_refused_unless_it_asks_for_nothing() {
        for (name, value) in [
            ("best_of", "2"),
            ("max_output_tokens", "9999"),
            ("fallbacks", "[\"dear\"]"),
            ("api_base", "\"http://x.example\""),
            ("enable_search", "true"),
            ("search_parameters", "{\"mode\":\"on\"}"),
            ("speed", "\"fast\""),
        ] {
            let refused = refusal(name, value).unwrap_or_default();
            assert!(refused.starts_with(&format!("{name}: ")), "{refused}");
        }
        for (name, value) in [
            ("best_of", "1"),
            ("best_of", "null"),
            ("fallbacks", "[ ]"),
            ("enable_search", "false"),
            ("search_parameters", "{ \"mode\": \"off\" }"),
            ("speed", "\"standard\""),
        ] {
            assert_eq!(refusal(name, value), None, "{name}");
        }
    }
}

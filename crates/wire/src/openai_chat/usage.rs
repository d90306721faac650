//! Token counts, as OpenAI-compatible vendors report them and as clients
//! are told.
//!
//! Vendors agree on `prompt_tokens` and `completion_tokens` and on little
//! else, so reading knows every spelling at once: no vendor uses a name of
//! another with a different meaning, and a proxy in between may have mixed
//! them anyway. The one real disagreement, whether reasoning is part of
//! `completion_tokens`, is settled by the vendor's own `total_tokens`.

use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Bill, Nanos, Usage, UsageReport};

use crate::json::walk::{self, Entry};
use crate::json::{Kind, Reader, text};

/// One count: a whole number, nothing, or nonsense.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Count {
    #[default]
    Absent,
    Tokens(u64),
    Nonsense,
}

impl Count {
    /// The first of two spellings that says anything.
    fn or(self, other: Self) -> Self {
        if self == Self::Absent { other } else { self }
    }

    fn take(self, nonsense: &mut bool) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Tokens(count) => Some(count),
            Self::Nonsense => {
                *nonsense = true;
                None
            }
        }
    }
}

impl Count {
    /// Reads a value. Anything that is neither a whole number nor `null` is
    /// nonsense, and hides nothing but itself.
    fn read(value: &Entry<'_>) -> Self {
        match value.kind {
            Kind::Null => Self::Absent,
            // Some servers print counts as floats: `10.0`.
            Kind::Number => text::whole(value.value)
                .and_then(|count| u64::try_from(count).ok())
                .filter(|count| *count <= TOKENS_MAX)
                .map_or(Self::Nonsense, Self::Tokens),
            _ => Self::Nonsense,
        }
    }
}

/// Every spelling of the members that matter; the rest is skipped.
#[derive(Debug, Default)]
struct WireUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    prompt: PromptDetails,
    completion: CompletionDetails,
    /// DeepSeek (api-docs.deepseek.com, chat completion, August 2026):
    /// part of `prompt_tokens`.
    prompt_cache_hit_tokens: Count,
    /// Moonshot and others that report it beside the totals.
    cached_tokens: Count,
    /// SGLang and Perplexity, beside the totals of which it is part
    /// (docs.sglang.ai, reasoning; docs.perplexity.ai, chat completions, 2026).
    reasoning_tokens: Count,
    /// Anthropic's names, which gateways in between leave beside the totals;
    /// in this format they are part of the prompt.
    cache_read_input_tokens: Count,
    cache_write: CacheWrites,
    /// OpenRouter's shape, for upstreams that are gateways themselves.
    web_search_requests: Count,
}

/// What was written to a cache, by lifetime if that is told.
#[derive(Debug, Default)]
struct CacheWrites {
    all: Count,
    short: Count,
    long: Count,
}

impl CacheWrites {
    /// Reads one of the members that Anthropic and those who copied them
    /// have: Alibaba reports explicit caches so (alibabacloud.com,
    /// model-studio/context-cache, 2026).
    fn read(&mut self, entry: &Entry<'_>) -> Option<()> {
        match entry.name {
            b"cache_write_tokens" | b"cache_creation_input_tokens" => {
                self.all = Count::read(entry);
            }
            b"cache_creation" => {
                return details(entry, |entry| match entry.name {
                    b"ephemeral_5m_input_tokens" => self.short = Count::read(entry),
                    b"ephemeral_1h_input_tokens" => self.long = Count::read(entry),
                    _ => {}
                });
            }
            _ => {}
        }
        Some(())
    }

    /// Tokens written for five minutes, which is what everybody means who
    /// does not say, and for an hour.
    fn take(self, nonsense: &mut bool) -> (Option<u64>, Option<u64>) {
        let all = self.all.take(nonsense);
        let (short, long) = (self.short.take(nonsense), self.long.take(nonsense));
        match (all, long) {
            (Some(all), Some(long)) => (Some(all.saturating_sub(long)), Some(long.min(all))),
            (Some(all), None) => (Some(all), None),
            (None, long) => (short, long),
        }
    }
}

#[derive(Debug, Default)]
struct PromptDetails {
    cached_tokens: Count,
    cache_write: CacheWrites,
    audio_tokens: Count,
}

#[derive(Debug, Default)]
struct CompletionDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

impl WireUsage {
    /// `None` if the value is not an object or not JSON.
    fn read(value: &[u8]) -> Option<Self> {
        let mut usage = Self::default();
        each_member(value, |entry| {
            match entry.name {
                b"prompt_tokens" => usage.prompt_tokens = Count::read(entry),
                b"completion_tokens" => usage.completion_tokens = Count::read(entry),
                // The names of OpenAI's other interface, which servers that
                // speak both mix up.
                b"input_tokens" => usage.input_tokens = Count::read(entry),
                b"output_tokens" => usage.output_tokens = Count::read(entry),
                b"total_tokens" => usage.total_tokens = Count::read(entry),
                b"prompt_cache_hit_tokens" => usage.prompt_cache_hit_tokens = Count::read(entry),
                b"cached_tokens" => usage.cached_tokens = Count::read(entry),
                b"reasoning_tokens" => usage.reasoning_tokens = Count::read(entry),
                b"cache_read_input_tokens" => {
                    usage.cache_read_input_tokens = Count::read(entry);
                }
                b"cache_creation_input_tokens" | b"cache_creation" => {
                    return usage.cache_write.read(entry);
                }
                b"prompt_tokens_details" | b"input_tokens_details" => {
                    let prompt = &mut usage.prompt;
                    return details(entry, |entry| match entry.name {
                        b"cached_tokens" => prompt.cached_tokens = Count::read(entry),
                        b"audio_tokens" => prompt.audio_tokens = Count::read(entry),
                        _ => {
                            // Nonsense in there hides nothing but itself.
                            let _ = prompt.cache_write.read(entry);
                        }
                    });
                }
                b"completion_tokens_details" | b"output_tokens_details" => {
                    let completion = &mut usage.completion;
                    return details(entry, |entry| match entry.name {
                        b"reasoning_tokens" => completion.reasoning_tokens = Count::read(entry),
                        b"audio_tokens" => completion.audio_tokens = Count::read(entry),
                        b"image_tokens" => completion.image_tokens = Count::read(entry),
                        _ => {}
                    });
                }
                b"server_tool_use" => {
                    return details(entry, |entry| {
                        if entry.name == b"web_search_requests" {
                            usage.web_search_requests = Count::read(entry);
                        }
                    });
                }
                _ => {}
            }
            Some(())
        })?;
        Some(usage)
    }
}

/// Calls `each` for the members of an object; `None` if it is none.
fn each_member(object: &[u8], mut each: impl FnMut(&Entry<'_>) -> Option<()>) -> Option<()> {
    let mut reader = Reader::new(object);
    reader.enter_object().ok()?;
    while let Some(name) = reader.next_member().ok()? {
        each(&reader.entry(name).ok()?)?;
    }
    reader.finish().ok()
}

/// Calls `each` for the members of an object of details. `null` has none,
/// and neither has an empty list, which is how PHP prints an empty map.
fn details(value: &Entry<'_>, mut each: impl FnMut(&Entry<'_>)) -> Option<()> {
    let is_empty_list = || walk::elements(value.value).next().is_none();
    match value.kind {
        Kind::Null => Some(()),
        Kind::Array => is_empty_list().then_some(()),
        _ => each_member(value.value, |entry| {
            each(entry);
            Some(())
        }),
    }
}

/// Reads a `usage` object. What cannot be read is noted as nonsense, never
/// taken for zero.
#[must_use]
pub fn read_usage(value: &bourse_vocab::json::Value) -> UsageReport {
    read_usage_text(value.to_string().as_bytes())
}

/// Reads a `usage` object from its JSON text; `null` reports nothing.
#[must_use]
pub fn read_usage_text(text: &[u8]) -> UsageReport {
    if text == b"null" {
        return UsageReport::default();
    }
    let Some(wire) = WireUsage::read(text) else {
        return UsageReport {
            nonsense: true,
            ..UsageReport::default()
        };
    };
    let WireUsage {
        prompt,
        completion: output,
        ..
    } = wire;
    let mut nonsense = false;
    let written = match prompt.cache_write.take(&mut nonsense) {
        (None, None) => wire.cache_write.take(&mut nonsense),
        written => written,
    };
    let mut report = UsageReport {
        prompt: wire.prompt_tokens.or(wire.input_tokens).take(&mut nonsense),
        cache_read: prompt
            .cached_tokens
            .or(wire.prompt_cache_hit_tokens)
            .or(wire.cached_tokens)
            .or(wire.cache_read_input_tokens)
            .take(&mut nonsense),
        cache_write_5m: written.0,
        cache_write_1h: written.1,
        prompt_audio: prompt.audio_tokens.take(&mut nonsense),
        completion: wire
            .completion_tokens
            .or(wire.output_tokens)
            .take(&mut nonsense),
        reasoning: output
            .reasoning_tokens
            .or(wire.reasoning_tokens)
            .take(&mut nonsense),
        completion_audio: output.audio_tokens.take(&mut nonsense),
        completion_image: output.image_tokens.take(&mut nonsense),
        web_searches: wire.web_search_requests.take(&mut nonsense),
        nonsense,
    };
    // xAI counts reasoning beside `completion_tokens`, and only its total
    // gives that away (docs.x.ai, consumption and rate limits: "counted
    // separately", seen August 2026: 10120 + 1499 + 2809 = 14428). The sum
    // can only come out so if reasoning is not part of the completion.
    let mut ignored = false;
    if let (Some(prompt), Some(completion), Some(reasoning), Some(total)) = (
        report.prompt,
        report.completion,
        report.reasoning,
        wire.total_tokens.take(&mut ignored),
    ) {
        let apart = completion.saturating_add(reasoning);
        if reasoning > 0 && prompt.saturating_add(apart) == total {
            report.completion = Some(apart);
        }
    }
    report
}

/// Writes usage and price as clients read them, appending a JSON object to
/// `out` (openrouter.ai/docs, usage accounting, August 2026).
///
/// Amounts are decimal literals with every digit; they never pass through
/// a float.
pub fn write_usage(usage: &Usage, bill: &Bill, out: &mut Vec<u8>) {
    let Usage {
        prompt,
        cache_read,
        prompt_audio,
        completion,
        reasoning,
        completion_audio,
        completion_image,
        web_searches,
        ..
    } = usage;
    let mut text = UsageText(out);
    text.count("{\"prompt_tokens\":", *prompt);
    text.count(",\"completion_tokens\":", *completion);
    text.count(",\"total_tokens\":", usage.total());
    text.amount(",\"cost\":", bill.total);
    text.count(
        ",\"is_byok\":false,\"prompt_tokens_details\":{\"cached_tokens\":",
        *cache_read,
    );
    text.count(",\"cache_write_tokens\":", usage.cache_write());
    text.count(",\"audio_tokens\":", *prompt_audio);
    text.amount(
        ",\"video_tokens\":0},\"cost_details\":{\"upstream_inference_cost\":",
        bill.upstream(),
    );
    text.amount(",\"upstream_inference_prompt_cost\":", bill.upstream_prompt);
    text.amount(
        ",\"upstream_inference_completions_cost\":",
        bill.upstream_completion,
    );
    text.count(
        "},\"completion_tokens_details\":{\"reasoning_tokens\":",
        *reasoning,
    );
    text.count(",\"audio_tokens\":", *completion_audio);
    text.count(",\"image_tokens\":", *completion_image);
    if *web_searches > 0 {
        text.count(
            "},\"server_tool_use\":{\"web_search_requests\":",
            *web_searches,
        );
    }
    text.0.extend_from_slice(b"}}");
}

/// Every answer carries some fifteen numbers; written through `fmt` they
/// would be a tenth of what a call computes.
struct UsageText<'a>(&'a mut Vec<u8>);

impl UsageText<'_> {
    fn count(&mut self, before: &str, count: u64) {
        self.0.extend_from_slice(before.as_bytes());
        let mut digits = itoa::Buffer::new();
        self.0.extend_from_slice(digits.format(count).as_bytes());
    }

    fn amount(&mut self, before: &str, amount: Nanos) {
        self.0.extend_from_slice(before.as_bytes());
        self.0.extend_from_slice(amount.decimal().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::json;

    use super::*;

    /// Both ways of reading must agree.
    fn read(value: &bourse_vocab::json::Value) -> UsageReport {
        let report = read_usage(value);
        assert_eq!(read_usage_text(value.to_string().as_bytes()), report);
        report
    }

    #[test]
    fn openai_reports_cached_and_reasoning_as_parts() {
        let report = read(&json!({
            "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
        }));
        assert_eq!(
            report,
            UsageReport {
                prompt: Some(2006),
                cache_read: Some(1920),
                prompt_audio: Some(0),
                completion: Some(300),
                reasoning: Some(192),
                completion_audio: Some(0),
                ..Default::default()
            }
        );
    }

    #[test]
    fn every_spelling_of_cached_tokens_is_read() {
        let deepseek = json!({"prompt_tokens": 100, "completion_tokens": 5,
            "prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20});
        let moonshot = json!({"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 80});
        let both = json!({"prompt_tokens": 100, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 80}, "cached_tokens": 80});
        for usage in [deepseek, moonshot, both] {
            let report = read(&usage);
            assert_eq!((report.prompt, report.cache_read), (Some(100), Some(80)));
        }
    }

    #[test]
    fn written_caches_are_found_under_every_name() {
        let alibaba = json!({"prompt_tokens": 2000, "completion_tokens": 10,
            "prompt_tokens_details": {"cache_creation_input_tokens": 1889, "cache_type": "ephemeral",
                "cached_tokens": 0, "cache_creation": {"ephemeral_5m_input_tokens": 1889}}});
        let openai = json!({"prompt_tokens": 2000, "completion_tokens": 10,
            "prompt_tokens_details": {"cache_write_tokens": 1889}});
        let between = json!({"prompt_tokens": 2000, "completion_tokens": 10,
            "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1889,
            "cache_creation": {"ephemeral_1h_input_tokens": 89}});
        for (usage, written) in [
            (alibaba, (Some(1889), None)),
            (openai, (Some(1889), None)),
            (between, (Some(1800), Some(89))),
        ] {
            let report = read(&usage);
            assert_eq!((report.cache_write_5m, report.cache_write_1h), written);
            assert!(!report.nonsense);
        }
    }

    #[test]
    fn counts_beside_the_details_and_under_other_names_are_read() {
        let sglang = read(&json!({"prompt_tokens": 10.0, "completion_tokens": 30,
            "total_tokens": 40, "reasoning_tokens": 20}));
        assert_eq!((sglang.prompt, sglang.reasoning), (Some(10), Some(20)));
        assert_eq!(sglang.completion, Some(30));
        let mixed = read(&json!({"input_tokens": 10, "output_tokens": 30,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 20}}));
        assert_eq!((mixed.prompt, mixed.completion), (Some(10), Some(30)));
        assert_eq!((mixed.cache_read, mixed.reasoning), (Some(4), Some(20)));
    }

    #[test]
    fn reasoning_counted_beside_the_completion_is_added_to_it() {
        let xai = read(&json!({
            "prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428,
            "completion_tokens_details": {"reasoning_tokens": 2809}
        }));
        assert_eq!(
            (xai.completion, xai.reasoning),
            (Some(1499 + 2809), Some(2809))
        );
        let openai = read(&json!({
            "prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40,
            "completion_tokens_details": {"reasoning_tokens": 20}
        }));
        assert_eq!(openai.completion, Some(30));
    }

    #[test]
    fn a_zero_is_a_report_and_null_is_none() {
        let report = read(&json!({"prompt_tokens": 0, "completion_tokens": null,
            "prompt_tokens_details": null}));
        assert_eq!((report.prompt, report.completion), (Some(0), None));
        assert!(!report.nonsense);
        assert_eq!(read(&json!(null)), UsageReport::default());
    }

    #[test]
    fn one_absurd_count_is_noted_and_the_others_are_kept() {
        for absurd in [
            json!(-1),
            json!(1.5),
            json!("7"),
            json!(true),
            json!([1]),
            json!({"a": 1}),
            json!(u64::MAX),
        ] {
            let report = read(&json!({"prompt_tokens": absurd, "completion_tokens": 3}));
            assert!(report.nonsense, "{absurd}");
            assert_eq!((report.prompt, report.completion), (None, Some(3)));
        }
        assert!(read(&json!("lots")).nonsense);
        assert!(read_usage_text(b"{").nonsense);
    }

    #[test]
    fn an_empty_list_stands_for_no_details() {
        let report = read(&json!({"prompt_tokens": 1, "completion_tokens": 2,
            "prompt_tokens_details": []}));
        assert_eq!((report.prompt, report.nonsense), (Some(1), false));
    }

    #[test]
    fn a_bill_is_written_with_every_digit() {
        let usage = Usage {
            prompt: 194,
            cache_read: 10,
            cache_write_5m: 3,
            cache_write_1h: 4,
            completion: 2,
            reasoning: 1,
            web_searches: 2,
            ..Default::default()
        };
        let bill = Bill {
            total: Nanos(950_000),
            upstream_prompt: Nanos(900_000),
            upstream_completion: Nanos(1),
            estimated: false,
        };
        let mut out = Vec::new();
        write_usage(&usage, &bill, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"prompt_tokens":194,"completion_tokens":2,"total_tokens":196,"cost":0.00095,"is_byok":false,"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":7,"audio_tokens":0,"video_tokens":0},"cost_details":{"upstream_inference_cost":0.000900001,"upstream_inference_prompt_cost":0.0009,"upstream_inference_completions_cost":0.000000001},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"image_tokens":0},"server_tool_use":{"web_search_requests":2}}"#
        );
    }
}

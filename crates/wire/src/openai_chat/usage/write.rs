//! Writing usage and its price as clients read them.

use bourse_vocab::{Bill, Nanos, Usage};

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
        accepted_prediction,
        rejected_prediction,
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
    if accepted_prediction | rejected_prediction > 0 {
        text.count(",\"accepted_prediction_tokens\":", *accepted_prediction);
        text.count(",\"rejected_prediction_tokens\":", *rejected_prediction);
    }
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

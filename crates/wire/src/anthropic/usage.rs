//! Token counts, both ways.
//!
//! Anthropic's `input_tokens` leaves out what was read from and written to
//! the cache; the whole prompt is the sum of the three (Messages API
//! reference, `usage`, November 2026). `output_tokens` includes thinking,
//! and `output_tokens_details.thinking_tokens` is the part of it.

use std::fmt::Write as _;

use bourse_vocab::json::Value;
use bourse_vocab::service::public_name;
use bourse_vocab::{Bill, Usage, UsageReport};

/// Counts as a stream reports them bit by bit: `message_delta` repeats some
/// of what `message_start` said. They are cumulative (docs.claude.com,
/// streaming, 2026), so the highest word on each counts: compatible servers
/// send zeros where they have nothing to say, at the start or at the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counter {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    web_searches: Option<u64>,
    nonsense: bool,
}

impl Counter {
    /// Takes over what `usage` says.
    pub fn read(&mut self, usage: &Value) {
        let mut report = UsageReport::default();
        let mut take = |slot: &mut Option<u64>, pointer: &str| {
            if let Some(count) = usage.pointer(pointer).and_then(|value| report.count(value)) {
                *slot = Some(slot.map_or(count, |before| before.max(count)));
            }
        };
        take(&mut self.input, "/input_tokens");
        take(&mut self.cache_read, "/cache_read_input_tokens");
        take(&mut self.cache_write, "/cache_creation_input_tokens");
        take(
            &mut self.cache_write_5m,
            "/cache_creation/ephemeral_5m_input_tokens",
        );
        take(
            &mut self.cache_write_1h,
            "/cache_creation/ephemeral_1h_input_tokens",
        );
        take(&mut self.output, "/output_tokens");
        take(&mut self.thinking, "/output_tokens_details/thinking_tokens");
        take(
            &mut self.web_searches,
            "/server_tool_use/web_search_requests",
        );
        self.nonsense |= report.nonsense;
    }

    /// What is known so far.
    pub fn report(&self) -> UsageReport {
        // Without the split by lifetime, five minutes is what was asked for
        // by default.
        let (short, long) = match self.cache_write {
            Some(all) => {
                let long = self.cache_write_1h.unwrap_or(0).min(all);
                (Some(all - long), self.cache_write_1h.map(|_| long))
            }
            None => (self.cache_write_5m, self.cache_write_1h),
        };
        let prompt = self.input.map(|input| {
            [self.cache_read, short, long]
                .into_iter()
                .flatten()
                .fold(input, u64::saturating_add)
        });
        UsageReport {
            prompt,
            cache_read: self.cache_read,
            cache_write_5m: short,
            cache_write_1h: long,
            completion: self.output,
            reasoning: self.thinking,
            web_searches: self.web_searches,
            nonsense: self.nonsense,
            ..UsageReport::default()
        }
    }
}

/// Reads a whole `usage` object.
pub(super) fn read(usage: &Value) -> UsageReport {
    let mut counter = Counter::default();
    counter.read(usage);
    counter.report()
}

/// The tier of service that a `usage` object names, in public words.
pub(super) fn tier(usage: &Value) -> Option<String> {
    let word = usage.get("service_tier")?.as_str()?;
    Some(public_name(word).into_owned())
}

/// What a report says, with zeros where it is silent.
pub(super) fn known(report: &UsageReport) -> Usage {
    report.resolve(&Usage::default()).0
}

/// Writes a `usage` object with OpenRouter's `cost` beside Anthropic's
/// counts. As text, because money must not pass through a float.
pub(super) fn write(usage: &Usage, bill: Option<&Bill>, service_tier: Option<&str>) -> String {
    let cached = usage.cache_read.saturating_add(usage.cache_write());
    // The usual service has another name here.
    let tier = service_tier.filter(|tier| !matches!(*tier, "default" | "auto"));
    let tier = Value::from(tier.unwrap_or("standard"));
    let mut text = format!(
        "{{\"input_tokens\":{},\"cache_creation_input_tokens\":{},\"cache_read_input_tokens\":{},\
         \"cache_creation\":{{\"ephemeral_5m_input_tokens\":{},\"ephemeral_1h_input_tokens\":{}}},\
         \"output_tokens\":{},\"output_tokens_details\":{{\"thinking_tokens\":{}}},\
         \"server_tool_use\":",
        usage.prompt.saturating_sub(cached),
        usage.cache_write(),
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.completion,
        usage.reasoning,
    );
    // Writing to a `String` cannot fail.
    let _ = match usage.web_searches {
        0 => write!(text, "null"),
        searches => write!(
            text,
            "{{\"web_search_requests\":{searches},\"web_fetch_requests\":0}}"
        ),
    };
    let _ = write!(text, ",\"inference_geo\":null,\"service_tier\":{tier}");
    if let Some(bill) = bill {
        let [(cost, total), (cost_details, details)] = costs(bill);
        let _ = write!(text, ",\"{cost}\":{total},\"{cost_details}\":{details}");
    }
    text.push('}');
    text
}

/// What OpenRouter adds to a `usage` object: names and JSON texts.
pub(super) fn costs(bill: &Bill) -> [(&'static str, String); 2] {
    let details = format!(
        "{{\"upstream_inference_cost\":{},\"upstream_inference_prompt_cost\":{},\
         \"upstream_inference_completions_cost\":{}}}",
        bill.upstream(),
        bill.upstream_prompt,
        bill.upstream_completion,
    );
    [("cost", bill.total.to_string()), ("cost_details", details)]
}

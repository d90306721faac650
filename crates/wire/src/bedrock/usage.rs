//! Token counts, both ways (`TokenUsage`, November 2026).
//!
//! `inputTokens` leaves out what was read from and written to the cache: the
//! whole prompt is the sum of the three ("Prompt caching", docs.aws.amazon.com,
//! 2026). Thinking is part of `outputTokens` and is not counted apart.

use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Usage, UsageReport};

/// Reads what was counted.
pub fn read(usage: &Value) -> UsageReport {
    let mut report = UsageReport::default();
    let mut count = |name: &str| usage.get(name).and_then(|value| report.count(value));
    let input = count("inputTokens");
    let read = count("cacheReadInputTokens");
    let written = count("cacheWriteInputTokens");
    let output = count("outputTokens");
    let long = written_for_an_hour(usage, &mut report);
    report.prompt = input.map(|input| {
        let cached = [read, written].into_iter().flatten();
        cached.fold(input, u64::saturating_add)
    });
    report.cache_read = read;
    // Without the split by lifetime, five minutes is what was asked for by
    // default.
    report.cache_write_5m = written.map(|all| all.saturating_sub(long.unwrap_or(0)));
    report.cache_write_1h = long.map(|long| long.min(written.unwrap_or(long)));
    report.completion = output;
    report
}

/// What of the cache was written to stay for an hour, where that is told.
fn written_for_an_hour(usage: &Value, report: &mut UsageReport) -> Option<u64> {
    let details = usage.get("cacheDetails").and_then(Value::as_array)?;
    let detail = details
        .iter()
        .find(|detail| super::text(detail, "ttl") == Some("1h"))?;
    report.count(detail.get("inputTokens")?)
}

/// Writes what a call used.
pub fn write(usage: &Usage) -> Value {
    let mut told = Map::new();
    let mut put = |name: &str, value: u64| told.insert(name.to_owned(), json!(value));
    let cached = usage.cache_read.saturating_add(usage.cache_write());
    put("inputTokens", usage.prompt.saturating_sub(cached));
    put("outputTokens", usage.completion);
    put("totalTokens", usage.total());
    put("cacheReadInputTokens", usage.cache_read);
    put("cacheWriteInputTokens", usage.cache_write());
    let written = [("1h", usage.cache_write_1h), ("5m", usage.cache_write_5m)];
    let details: Vec<Value> = written
        .into_iter()
        .filter(|(_, tokens)| *tokens > 0)
        .map(|(ttl, tokens)| json!({"ttl": ttl, "inputTokens": tokens}))
        .collect();
    told.insert("cacheDetails".to_owned(), Value::Array(details));
    Value::Object(told)
}

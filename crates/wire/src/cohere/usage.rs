//! Token counts, both ways (`Usage`, August 2026).
//!
//! `billed_units` is what is paid for; `tokens` has what Cohere's own template
//! adds as well, which nobody pays.

use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Usage, UsageReport};

/// Reads what was counted.
pub fn read(usage: &Value) -> UsageReport {
    let mut report = UsageReport::default();
    let mut count = |name: &str| {
        let parts = ["/billed_units/", "/tokens/"];
        let mut told = parts
            .iter()
            .filter_map(|part| usage.pointer(&format!("{part}{name}")));
        told.next().and_then(|value| report.count(value))
    };
    let (prompt, completion) = (count("input_tokens"), count("output_tokens"));
    let cached = usage
        .get("cached_tokens")
        .and_then(|value| report.count(value));
    report.prompt = prompt;
    report.completion = completion;
    // It may count what the template adds, too.
    report.cache_read = cached.map(|cached| cached.min(prompt.unwrap_or(cached)));
    report
}

/// Writes what a call used.
pub fn write(usage: &Usage) -> Value {
    let counts = json!({"input_tokens": usage.prompt, "output_tokens": usage.completion});
    json!({
        "billed_units": counts,
        "tokens": counts,
        "cached_tokens": usage.cache_read,
    })
}

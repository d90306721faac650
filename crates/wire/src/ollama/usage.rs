//! Token counts, both ways (`Metrics` of api/types.go, August 2026).
//!
//! Counts of zero are left out. Thinking is part of `eval_count`, and what a
//! prompt shares with the one before is not counted apart.

use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Usage, UsageReport};

/// Reads what was counted, if anything was.
pub fn read(reply: &Value) -> Option<UsageReport> {
    let mut report = UsageReport::default();
    let mut count = |name: &str| reply.get(name).and_then(|value| report.count(value));
    let (prompt, completion) = (count("prompt_eval_count"), count("eval_count"));
    report.prompt = prompt;
    report.completion = completion;
    (prompt.is_some() || completion.is_some() || report.nonsense).then_some(report)
}

/// Writes what a call used.
pub fn write(usage: &Usage, into: &mut Map) {
    into.insert("prompt_eval_count".to_owned(), json!(usage.prompt));
    into.insert("eval_count".to_owned(), json!(usage.completion));
}

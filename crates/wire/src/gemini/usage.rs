//! `usageMetadata` (GenerateContentResponse, November 2026).
//!
//! Google counts thoughts beside the answer, and what its own tools read
//! beside the prompt; we count both as parts of the larger whole.

use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};
use bourse_vocab::service::public_name;
use bourse_vocab::{Bill, Nanos, Usage, UsageReport};

/// Reads what the provider counted.
pub fn read(metadata: &Value) -> UsageReport {
    let mut report = UsageReport::default();
    let mut count = |name: &str| metadata.get(name).and_then(|value| report.count(value));
    let prompt = count("promptTokenCount");
    let tools = count("toolUsePromptTokenCount");
    let cached = count("cachedContentTokenCount");
    let answer = count("candidatesTokenCount");
    let thoughts = count("thoughtsTokenCount");
    let total = count("totalTokenCount");
    report.prompt = sum(prompt, tools);
    report.cache_read = cached;
    report.reasoning = thoughts;
    // A count of zero is left out, so an answer without a count is told from
    // the total: a prompt that was refused is not an unknown number of words.
    report.completion = sum(answer, thoughts).or_else(|| {
        let rest = total?.saturating_sub(report.prompt?);
        Some(rest)
    });
    report.prompt_audio = modality(metadata, "promptTokensDetails", "AUDIO", &mut report);
    report.completion_audio = modality(metadata, "candidatesTokensDetails", "AUDIO", &mut report);
    report.completion_image = modality(metadata, "candidatesTokensDetails", "IMAGE", &mut report);
    report
}

/// The tier of service that is named beside the counts, in public words
/// (UsageMetadata, Gemini API reference, 2026).
pub fn tier(metadata: &Value) -> Option<String> {
    let word = super::text(metadata, "serviceTier")?;
    let is_named = !word.is_empty() && !word.ends_with("UNSPECIFIED");
    is_named.then(|| public_name(word).into_owned())
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(0).saturating_add(other.unwrap_or(0))),
    }
}

fn modality(metadata: &Value, list: &str, kind: &str, report: &mut UsageReport) -> Option<u64> {
    let details = metadata.get(list).and_then(Value::as_array)?;
    let detail = details
        .iter()
        .find(|detail| super::text(detail, "modality") == Some(kind))?;
    report.count(detail.get("tokenCount")?)
}

/// Writes what the call used, the tier of service that answered, and what it
/// cost, in OpenRouter's words.
pub fn write(usage: &Usage, tier: Option<&str>, bill: Option<&Bill>) -> Value {
    let mut metadata = Map::new();
    let mut put = |name: &str, value: Value| metadata.insert(name.to_owned(), value);
    let answer = usage.completion.saturating_sub(usage.reasoning);
    put("promptTokenCount", json!(usage.prompt));
    put("candidatesTokenCount", json!(answer));
    put("totalTokenCount", json!(usage.total()));
    if let Some(tier) = tier {
        // The usual service has another name here.
        let tier = if tier == "default" { "standard" } else { tier };
        put("serviceTier", json!(tier));
    }
    if usage.cache_read > 0 {
        put("cachedContentTokenCount", json!(usage.cache_read));
    }
    if usage.reasoning > 0 {
        put("thoughtsTokenCount", json!(usage.reasoning));
    }
    if usage.prompt_audio > 0 {
        let parts = [
            ("TEXT", usage.prompt.saturating_sub(usage.prompt_audio)),
            ("AUDIO", usage.prompt_audio),
        ];
        put("promptTokensDetails", details(&parts));
    }
    if usage.completion_audio > 0 || usage.completion_image > 0 {
        let media = usage
            .completion_audio
            .saturating_add(usage.completion_image);
        let parts = [
            ("TEXT", answer.saturating_sub(media)),
            ("AUDIO", usage.completion_audio),
            ("IMAGE", usage.completion_image),
        ];
        put("candidatesTokensDetails", details(&parts));
    }
    if let Some(bill) = bill {
        for (name, value) in costs(bill) {
            put(name, value);
        }
    }
    Value::Object(metadata)
}

/// What OpenRouter adds to counts of tokens. Amounts keep every digit: they
/// go through their decimals and never through a float.
pub fn costs(bill: &Bill) -> [(&'static str, Value); 2] {
    let amount =
        |nanos: Nanos| bourse_vocab::json::parse(nanos.decimal().as_bytes()).unwrap_or(Value::Null);
    let details = json!({
        "upstream_inference_cost": amount(bill.upstream()),
        "upstream_inference_prompt_cost": amount(bill.upstream_prompt),
        "upstream_inference_completions_cost": amount(bill.upstream_completion),
    });
    [("cost", amount(bill.total)), ("cost_details", details)]
}

fn details(parts: &[(&str, u64)]) -> Value {
    parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(modality, count)| json!({"modality": modality, "tokenCount": count}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_part_of_the_completion_and_tools_of_the_prompt() {
        let report = read(&json!({
            "promptTokenCount": 100, "toolUsePromptTokenCount": 11,
            "cachedContentTokenCount": 60, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 30, "totalTokenCount": 161,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 90},
                {"modality": "AUDIO", "tokenCount": 10}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 15}],
        }));
        assert_eq!((report.prompt, report.completion), (Some(111), Some(50)));
        assert_eq!((report.cache_read, report.reasoning), (Some(60), Some(30)));
        assert_eq!(
            (report.prompt_audio, report.completion_image),
            (Some(10), Some(15))
        );
        assert!(report.is_complete());
    }

    #[test]
    fn a_zero_that_was_left_out_is_told_from_the_total() {
        let report = read(&json!({"promptTokenCount": 9, "totalTokenCount": 9}));
        assert_eq!(report.completion, Some(0));
        assert_eq!(read(&json!({"promptTokenCount": 9})).completion, None);
    }

    #[test]
    fn nonsense_is_left_out_and_noted() {
        let report = read(&json!({"promptTokenCount": -3, "candidatesTokenCount": 1.5}));
        assert!(report.nonsense);
        assert_eq!((report.prompt, report.completion), (None, None));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let usage = Usage {
            prompt: 111,
            cache_read: 60,
            prompt_audio: 10,
            completion: 50,
            reasoning: 30,
            completion_image: 15,
            ..Usage::default()
        };
        let (back, mended) = read(&write(&usage, None, None)).resolve(&Usage::default());
        assert_eq!((back, mended), (usage, false));
    }
}

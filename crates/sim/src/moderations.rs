//! Verdicts, in OpenAI's and Mistral's shape.
//!
//! A text that has the word "harm" in it is flagged, in the one kind that both
//! vendors have a word for.
//!
//! Facts: openai-python 2, `types/moderation*.py`, read 2026-11: thirteen kinds,
//! each a verdict, a score and the kinds of input; parts are judged together.
//! mistralai, `ModerationResponse`, read 2026-11: `categories` and
//! `category_scores` alone.

use serde_json::{Map, Value, json};

use crate::ask::{Refusal, Request, required_str, words_within};
use crate::reply::Reply;
use crate::script::VectorFault;

/// OpenAI's kinds of harm.
const KINDS: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];
/// Mistral's.
const MISTRALS: [&str; 9] = [
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous_and_criminal_content",
    "selfharm",
    "health",
    "financial",
    "law",
    "pii",
];
/// The word that is found to be harmful.
const HARMFUL: &str = "harm";

/// Reads a request.
///
/// # Errors
/// When the vendor would refuse it.
pub fn read(body: &Value) -> Result<Request, Refusal> {
    let input = body.get("input");
    let texts = match input {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) if items.iter().any(Value::is_object) => {
            vec![items.iter().map(said).collect::<Vec<_>>().join(" ")]
        }
        Some(Value::Array(items)) => items.iter().map(said).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() {
        return Err(Refusal::bad("input: Field required"));
    }
    Ok(Request {
        model: required_str(body, "model")?.to_owned(),
        n: 1,
        // No token is said.
        max_tokens: Some(0),
        prompt_tokens: input.map_or(0, words_within),
        judged: texts,
        ..Request::default()
    })
}

/// What an item says.
fn said(item: &Value) -> String {
    let text = item.as_str().or_else(|| item.get("text")?.as_str());
    text.unwrap_or_default().to_owned()
}

/// A vendor's reply: Mistral's for its own models.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let is_mistrals = reply.ask.model.starts_with("mistral-");
    let verdicts = reply.ask.judged.iter();
    let mut results: Vec<Value> = verdicts
        .map(|text| verdict(text, is_mistrals, reply.script.vectors))
        .collect();
    match reply.script.vectors {
        VectorFault::Fewer => {
            results.pop();
        }
        VectorFault::More => results.extend(results.first().cloned()),
        _ => {}
    }
    let mut whole = json!({
        "id": format!("modr-{:016x}", reply.id), "model": reply.ask.model, "results": results,
    });
    if let (true, Some(told), Some(members)) = (is_mistrals, &reply.reported, whole.as_object_mut())
    {
        let usage = json!({
            "prompt_tokens": told.prompt, "completion_tokens": 0, "total_tokens": told.prompt,
        });
        members.insert("usage".to_owned(), usage);
    }
    whole
}

fn verdict(text: &str, is_mistrals: bool, fault: VectorFault) -> Value {
    let is_harmful = text.split_whitespace().any(|word| word == HARMFUL);
    let (kinds, worst): (&[&str], _) = if is_mistrals {
        (&MISTRALS, "violence_and_threats")
    } else {
        (&KINDS, "violence")
    };
    let of = |value: &dyn Fn(bool) -> Value| -> Map<String, Value> {
        let values = kinds.iter().map(|kind| {
            let is_found = is_harmful && *kind == worst;
            ((*kind).to_owned(), value(is_found))
        });
        values.collect()
    };
    let categories = of(&|is_found| json!(is_found));
    let scores = of(&|is_found| match fault {
        VectorFault::NotANumber => json!("high"),
        _ => json!(if is_found { 0.97 } else { 0.000_01 }),
    });
    let mut verdict = json!({ "categories": categories, "category_scores": scores });
    if let (false, Some(members)) = (is_mistrals, verdict.as_object_mut()) {
        members.insert("flagged".to_owned(), json!(is_harmful));
        let applied = of(&|_| json!(["text"]));
        members.insert("category_applied_input_types".to_owned(), json!(applied));
    }
    if let (VectorFault::Uneven, Some(members)) = (fault, verdict.as_object_mut()) {
        members.remove("categories");
    }
    verdict
}

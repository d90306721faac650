//! Reading a vendor's order.

use std::borrow::Cow;

use bourse_vocab::json::{Value, parse};
use bourse_vocab::rerank::{Ranked, Reply};
use bourse_vocab::{Failure, UsageReport};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::asked::Asked;

/// Bytes of a report of usage that is read: known ones have some hundred.
const USAGE_BYTES_MAX: usize = 16 * 1024;

/// Every vendor's reply, as far as it is read: `results` at Cohere and Jina,
/// `data` at Voyage.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    results: Option<Vec<Item<'a>>>,
    #[serde(borrow, default)]
    data: Option<Vec<Item<'a>>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    /// Cohere's counts.
    #[serde(borrow, default)]
    meta: Option<&'a RawValue>,
    /// Everyone else's.
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    index: usize,
    #[serde(borrow)]
    relevance_score: &'a RawValue,
}

/// Reads a reply to `asked`.
pub(super) fn reply(body: &Bytes, asked: &Asked) -> Result<Reply, Failure> {
    let whole: Whole<'_> = serde_json::from_slice(body).map_err(|error| {
        broken("it is not in the documented shape").inside(format!("a reply of ranks: {error}"))
    })?;
    let items = whole
        .results
        .or(whole.data)
        .ok_or_else(|| broken("it has no results"))?;
    let mut seen = vec![false; asked.documents.len()];
    let mut scored = Vec::with_capacity(items.len());
    for item in &items {
        match seen.get_mut(item.index) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return Err(broken("a document is in it twice")),
            None => return Err(broken("a document is in it that was not sent")),
        }
        let text = item.relevance_score.get();
        let score: f64 = text.parse().unwrap_or(f64::NAN);
        if !score.is_finite() {
            return Err(broken("a score is no number"));
        }
        let ranked = Ranked {
            index: item.index,
            score: text.to_owned(),
        };
        scored.push((score, ranked));
    }
    if scored.len() < asked.wanted() {
        return Err(broken("documents are missing in it"));
    }
    // Whoever takes the first takes the best, whatever order they came in.
    scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    scored.truncate(asked.wanted());
    Ok(Reply {
        results: scored.into_iter().map(|(_, ranked)| ranked).collect(),
        usage: usage(whole.meta, whole.usage),
        upstream_id: whole.id.map(Cow::into_owned),
    })
}

/// What was counted: search units, or tokens of the input. No output is.
fn usage(meta: Option<&RawValue>, usage: Option<&RawValue>) -> UsageReport {
    let mut report = UsageReport::default();
    let read = |raw: Option<&RawValue>| {
        let text = raw.map(|raw| raw.get().as_bytes())?;
        let text = (text.len() <= USAGE_BYTES_MAX).then_some(text)?;
        parse(text).ok()
    };
    if let Some(meta) = read(meta) {
        let billed = meta.as_object().and_then(|meta| meta.get("billed_units"));
        let units = billed
            .and_then(Value::as_object)
            .and_then(|billed| billed.get("search_units"));
        if let Some(units) = units {
            report.units.search_units = report.count(units);
        }
    }
    if let Some(usage) = read(usage) {
        let members = usage.as_object();
        for name in ["total_tokens", "prompt_tokens"] {
            let Some(count) = members.and_then(|members| members.get(name)) else {
                continue;
            };
            report.prompt = report.count(count);
            if report.prompt.is_some() {
                break;
            }
        }
    }
    if report.prompt.is_some() {
        report.completion = Some(0);
    }
    report
}

/// A reply that is none, for a reason.
fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's ranking cannot be used: {why}"))
}

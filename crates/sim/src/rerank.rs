//! Rankings, in Cohere's, Voyage's and Jina's shape.
//!
//! A document scores by the words that it shares with the question.
//!
//! Facts: docs.cohere.com, `/v2/rerank`, read 2026-11: `results` and
//! `meta.billed_units.search_units`, one for a hundred documents.
//! docs.voyageai.com, reranker, read 2026-11: `top_k`, `data` and
//! `usage.total_tokens`. jina.ai, reranker, read 2026-11: `top_n`, `results` and
//! `usage.total_tokens`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ask::{Rank, Ranker, Refusal, Request, required_str, words_within};
use crate::reply::Reply;
use crate::script::VectorFault;

/// Documents of one search unit.
const UNIT_DOCUMENTS: usize = 100;
/// Most documents.
const DOCUMENTS_MAX: usize = 1_000;

/// Reads a request.
///
/// # Errors
/// When the vendor would refuse it.
pub fn read(path: &str, body: &Value) -> Result<Request, Refusal> {
    let query = required_str(body, "query")?;
    let documents = body.get("documents").and_then(Value::as_array);
    let documents = documents
        .filter(|all| (1..=DOCUMENTS_MAX).contains(&all.len()))
        .ok_or_else(|| Refusal::bad("documents: 1 to 1000 are required"))?;
    let speech = if path.ends_with("/v2/rerank") {
        Ranker::Cohere
    } else if body.get("truncation").is_some() {
        Ranker::Voyage
    } else {
        Ranker::Jina
    };
    let top = ["top_n", "top_k"];
    let top = top.iter().find_map(|name| body.get(*name)?.as_u64());
    let top = top.and_then(|count| usize::try_from(count).ok());
    let asked: BTreeSet<&str> = query.split_whitespace().collect();
    let shared = documents.iter().map(|document| {
        let text = match document {
            Value::String(text) => text.as_str(),
            other => other.get("text").and_then(Value::as_str).unwrap_or(""),
        };
        let words: BTreeSet<&str> = text.split_whitespace().collect();
        words.intersection(&asked).count() as u64
    });
    let words = words_within(&json!(query)) * documents.len() as u64;
    Ok(Request {
        model: required_str(body, "model")?.to_owned(),
        n: 1,
        // No token is said.
        max_tokens: Some(0),
        prompt_tokens: words + documents.iter().map(words_within).sum::<u64>(),
        rank: Rank {
            shared: shared.collect(),
            top: top.unwrap_or(documents.len()).min(documents.len()),
            speech,
        },
        ..Request::default()
    })
}

/// A vendor's reply.
#[must_use]
pub fn reply(reply: &Reply) -> Value {
    let rank = &reply.ask.rank;
    let mut order: Vec<usize> = (0..rank.shared.len()).collect();
    let shared = |at: usize| rank.shared.get(at).copied().unwrap_or(0);
    order.sort_by_key(|at| std::cmp::Reverse(shared(*at)));
    order.truncate(rank.top);
    let mut results: Vec<Value> = order
        .iter()
        .map(|at| json!({ "index": at, "relevance_score": score(shared(*at)) }))
        .collect();
    match reply.script.vectors {
        VectorFault::Fewer => {
            results.pop();
        }
        VectorFault::More => {
            results.push(json!({ "index": rank.shared.len(), "relevance_score": 0.1 }));
        }
        VectorFault::Uneven => results.extend(results.first().cloned()),
        VectorFault::NotANumber => {
            if let Some(first) = results.first_mut() {
                *first = json!({ "index": 0, "relevance_score": Value::Null });
            }
        }
        VectorFault::Reordered => results.reverse(),
        VectorFault::Honest => {}
    }
    let told = reply.reported.as_ref();
    let tokens = told.map(|told| json!({ "total_tokens": told.prompt }));
    match rank.speech {
        Ranker::Cohere => {
            let units = rank.shared.len().div_ceil(UNIT_DOCUMENTS);
            let meta = told.map(|_| json!({ "billed_units": { "search_units": units } }));
            json!({ "id": format!("{:016x}", reply.id), "results": results, "meta": meta })
        }
        Ranker::Voyage => {
            json!({ "object": "list", "data": results, "model": reply.ask.model, "usage": tokens })
        }
        Ranker::Jina => json!({ "model": reply.ask.model, "results": results, "usage": tokens }),
    }
}

/// More words are a better answer, and none is a certain one.
fn score(shared: u64) -> f64 {
    let shared = u32::try_from(shared).unwrap_or(u32::MAX);
    f64::from(shared) / (f64::from(shared) + 1.0)
}

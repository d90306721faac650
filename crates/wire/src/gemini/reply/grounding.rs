//! `groundingMetadata` and OpenAI's `annotations` ("Grounding with Google
//! Search", ai.google.dev, October 2026).

use bourse_vocab::json;
use bourse_vocab::json::{Map, Value};

use super::super::text;

/// More citations than any answer has; what comes after is left out.
const CITATIONS_MAX: usize = 1024;

/// How many searches the provider ran for a candidate.
pub fn searches(candidate: &Value) -> u64 {
    let queries = candidate
        .get("groundingMetadata")
        .and_then(|metadata| metadata.get("webSearchQueries"))
        .and_then(Value::as_array);
    queries.map_or(0, |queries| u64::try_from(queries.len()).unwrap_or(0))
}

/// The sources of a candidate as OpenAI's citations: one for each source of
/// each stretch of the answer; without stretches, one for each source.
pub fn annotations(candidate: &Value) -> Option<Value> {
    let metadata = candidate.get("groundingMetadata")?;
    let chunks = metadata.get("groundingChunks")?.as_array()?;
    let supports = metadata.get("groundingSupports").and_then(Value::as_array);
    let mut citations: Vec<Value> = Vec::new();
    for support in supports.into_iter().flatten() {
        let segment = support.get("segment").unwrap_or(&Value::Null);
        let indices = support
            .get("groundingChunkIndices")
            .and_then(Value::as_array);
        for index in indices.into_iter().flatten().filter_map(Value::as_u64) {
            let chunk = usize::try_from(index)
                .ok()
                .and_then(|index| chunks.get(index));
            citations.extend(chunk.and_then(|chunk| citation(chunk, segment)));
        }
    }
    if citations.is_empty() {
        citations = chunks
            .iter()
            .filter_map(|chunk| citation(chunk, &Value::Null))
            .collect();
    }
    citations.truncate(CITATIONS_MAX);
    (!citations.is_empty()).then_some(Value::Array(citations))
}

fn citation(chunk: &Value, segment: &Value) -> Option<Value> {
    let web = chunk.get("web")?;
    let url = text(web, "uri")?;
    let at = |name: &str| segment.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut citation = Map::new();
    citation.insert("url".to_owned(), json!(url));
    citation.insert(
        "title".to_owned(),
        json!(text(web, "title").unwrap_or_default()),
    );
    citation.insert("start_index".to_owned(), json!(at("startIndex")));
    citation.insert("end_index".to_owned(), json!(at("endIndex")));
    if let Some(content) = text(segment, "text") {
        citation.insert("content".to_owned(), json!(content));
    }
    Some(json!({"type": "url_citation", "url_citation": citation}))
}

/// Citations as Google's metadata.
pub fn write(annotations: &Value) -> Option<Value> {
    let mut chunks = Vec::new();
    let mut supports = Vec::new();
    for annotation in annotations.as_array()?.iter().take(CITATIONS_MAX) {
        let citation = annotation.get("url_citation")?;
        let position = chunks.len();
        chunks.push(json!({"web": {
            "uri": text(citation, "url"), "title": text(citation, "title")}}));
        let end = citation.get("end_index").and_then(Value::as_u64);
        if end.is_some_and(|end| end > 0) {
            supports.push(json!({
                "segment": {
                    "startIndex": citation.get("start_index"),
                    "endIndex": end,
                    "text": text(citation, "content"),
                },
                "groundingChunkIndices": [position],
            }));
        }
    }
    Some(json!({"groundingChunks": chunks, "groundingSupports": supports}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_of_each_stretch_is_a_citation() {
        let candidate = json!({"groundingMetadata": {
            "webSearchQueries": ["a", "b"],
            "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"maps": {}}],
            "groundingSupports": [{"segment": {"endIndex": 5, "text": "Hello"},
                "groundingChunkIndices": [0, 1, 99]}]}});
        let citations = annotations(&candidate).unwrap();
        assert_eq!(
            citations,
            json!([{"type": "url_citation", "url_citation": {"url": "https://a.example",
                "title": "A", "start_index": 0, "end_index": 5, "content": "Hello"}}])
        );
        assert_eq!(searches(&candidate), 2);
        let back = json!({ "groundingMetadata": write(&citations) });
        assert_eq!(annotations(&back), Some(citations));
    }
}

//! Citations: flat here, nested in chat completions, whose shape the
//! vocabulary has.

use bourse_vocab::json::{Map, Value};

const CITATION: &str = "url_citation";

/// An annotation of this format as chat completions have it.
pub fn read(annotation: &Value) -> Value {
    let Value::Object(members) = annotation else {
        return annotation.clone();
    };
    if members.get("type").and_then(Value::as_str) != Some(CITATION) {
        return annotation.clone();
    }
    let mut inner = members.clone();
    inner.remove("type");
    let mut outer = Map::new();
    outer.insert("type".to_owned(), CITATION.into());
    outer.insert(CITATION.to_owned(), Value::Object(inner));
    Value::Object(outer)
}

/// Annotations of chat completions as this format has them.
pub fn write(annotations: &Value) -> Vec<Value> {
    let list = annotations.as_array().into_iter().flatten();
    list.map(|annotation| {
        let Some(Value::Object(inner)) = annotation.get(CITATION) else {
            return annotation.clone();
        };
        let mut flat = Map::new();
        flat.insert("type".to_owned(), CITATION.into());
        for (name, value) in inner {
            flat.insert(name.clone(), value.clone());
        }
        // What the SDKs insist on (openrouter.ai/docs, API document, 2026).
        for (name, usual) in [
            ("url", Value::from("")),
            ("title", Value::from("")),
            ("start_index", Value::from(0_u64)),
            ("end_index", Value::from(0_u64)),
        ] {
            if flat.get(name).is_none_or(Value::is_null) {
                flat.insert(name.to_owned(), usual);
            }
        }
        Value::Object(flat)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use bourse_vocab::json;

    use super::*;

    #[test]
    fn a_citation_is_nested_and_laid_flat_again() {
        let flat = json!({"type": "url_citation", "url": "https://a.example", "title": "A",
            "start_index": 1, "end_index": 2});
        let nested = read(&flat);
        assert_eq!(nested["url_citation"]["url"], json!("https://a.example"));
        assert_eq!(write(&Value::Array(vec![nested])), [flat]);
    }
}

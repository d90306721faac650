//! Reasoning in OpenRouter's shape: `reasoning` as one text, and
//! `reasoning_details` as pieces that must be replayed unmodified
//! (openrouter.ai/docs, reasoning tokens, October 2026).

use bourse_vocab::Format;
use bourse_vocab::chat::{Part, Reasoning, ReasoningKind};
use bourse_vocab::json::{Map, Value};

use crate::object::Object;

/// One piece without a signature, as vendors with a plain text send it.
pub fn plain(text: String) -> Part {
    Part::Reasoning(Reasoning {
        kind: ReasoningKind::Text {
            text,
            signature: None,
        },
        id: None,
        scheme: None,
        replayed: None,
    })
}

/// Reads one item of `reasoning_details`. An item of an unknown type is kept
/// whole.
pub fn read(item: Value) -> Part {
    match read_known(&item) {
        Some(reasoning) => Part::Reasoning(reasoning),
        None => Part::Opaque {
            format: Format::OpenAiChat,
            value: item,
        },
    }
}

/// Reads one item of `reasoning_details` of an earlier answer, which is to go
/// back as it is.
pub fn read_replayed(item: Value) -> Part {
    let Some(mut piece) = read_known(&item) else {
        return Part::Opaque {
            format: Format::OpenAiChat,
            value: item,
        };
    };
    if let Value::Object(mut more) = item {
        // What the piece says already; an empty text says that it was there.
        let (own, is_signed) = match piece.kind {
            ReasoningKind::Text { .. } => ("text", true),
            ReasoningKind::Summary(_) => ("summary", false),
            ReasoningKind::Encrypted(_) => ("data", false),
        };
        more.retain(|name, value| match name.as_str() {
            "type" => false,
            name if name == own => value.as_str().is_none_or(str::is_empty),
            "signature" if is_signed => !value.is_string(),
            "id" => !value.is_string(),
            "format" => value.as_str() != piece.scheme.as_deref() || piece.scheme.is_none(),
            _ => true,
        });
        more.retain(|_, value| !value.is_null());
        piece.replayed = Some(more);
    }
    Part::Reasoning(piece)
}

/// Reads one item of `reasoning_details` if its type is known.
pub fn read_known(item: &Value) -> Option<Reasoning> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = match item.get("type").and_then(Value::as_str)? {
        "reasoning.text" => ReasoningKind::Text {
            text: text("text").unwrap_or_default(),
            signature: text("signature"),
        },
        "reasoning.summary" => ReasoningKind::Summary(text("summary").unwrap_or_default()),
        "reasoning.encrypted" => ReasoningKind::Encrypted(text("data").unwrap_or_default()),
        _ => return None,
    };
    Some(Reasoning {
        kind,
        id: text("id"),
        // `unknown` is how OpenRouter prints that there is none.
        scheme: text("format").filter(|format| format != "unknown"),
        replayed: None,
    })
}

/// The text of a piece that people can read.
pub fn readable(kind: &ReasoningKind) -> Option<&str> {
    match kind {
        ReasoningKind::Text { text, .. } | ReasoningKind::Summary(text) => {
            Some(text.as_str()).filter(|text| !text.is_empty())
        }
        ReasoningKind::Encrypted(_) => None,
    }
}

/// Everything that people can read in the reasoning of `parts`, joined.
pub fn joined(parts: &[Part]) -> Option<String> {
    let mut joined = String::new();
    for part in parts {
        if let Part::Reasoning(piece) = part {
            joined.push_str(readable(&piece.kind).unwrap_or_default());
        }
    }
    (!joined.is_empty()).then_some(joined)
}

/// Whether `first` is a text that a caller of this format sent beside pieces,
/// `rest`, and that is in none of them.
pub fn is_told_beside(first: &Part, rest: &[&Part]) -> bool {
    let is_of_caller = |part: &&Part| match part {
        Part::Reasoning(piece) => piece.replayed.is_some() && readable(&piece.kind).is_none(),
        Part::Opaque { .. } => true,
        _ => false,
    };
    let Part::Reasoning(piece) = first else {
        return false;
    };
    let is_plain = matches!(
        piece.kind,
        ReasoningKind::Text {
            signature: None,
            ..
        }
    );
    let is_plain = is_plain && piece.replayed.is_none() && piece.id.is_none();
    is_plain && !rest.is_empty() && rest.iter().all(is_of_caller)
}

/// Whether an opaque value is an item of `reasoning_details`.
pub fn is_detail(value: &Value) -> bool {
    value
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.starts_with("reasoning."))
}

/// Writes one item of `reasoning_details`.
pub fn write(
    out: &mut Vec<u8>,
    kind: &ReasoningKind,
    id: Option<&str>,
    scheme: Option<&str>,
    index: u64,
) {
    let mut object = Object::open(out);
    match kind {
        ReasoningKind::Text { text, signature } => {
            object.put("type", "reasoning.text");
            // A bit of a stream that only brings the signature has no text.
            if !text.is_empty() || signature.is_none() {
                object.put("text", text);
            }
            object.put_some("signature", signature.as_ref());
        }
        ReasoningKind::Summary(summary) => {
            object
                .put("type", "reasoning.summary")
                .put("summary", summary);
        }
        ReasoningKind::Encrypted(data) => {
            object.put("type", "reasoning.encrypted").put("data", data);
        }
    }
    object
        .put_some("id", id.as_ref())
        .put("format", scheme.unwrap_or("unknown"))
        .put("index", &index);
    object.close();
}

/// Writes a piece that goes back to where it came from, or to somebody who
/// writes pieces the same way.
pub fn write_replayed(out: &mut Vec<u8>, piece: &Reasoning, index: u64) {
    let Some(more) = &piece.replayed else {
        let (id, scheme) = (piece.id.as_deref(), piece.scheme.as_deref());
        return write(out, &piece.kind, id, scheme, index);
    };
    let filled = |text: &str| !text.is_empty();
    let mut object = Object::open(out);
    match &piece.kind {
        ReasoningKind::Text { text, signature } => {
            object
                .put("type", "reasoning.text")
                .put_some("text", Some(text).filter(|text| filled(text)))
                .put_some("signature", signature.as_ref());
        }
        ReasoningKind::Summary(summary) => {
            object
                .put("type", "reasoning.summary")
                .put_some("summary", Some(summary).filter(|text| filled(text)));
        }
        ReasoningKind::Encrypted(data) => {
            object
                .put("type", "reasoning.encrypted")
                .put_some("data", Some(data).filter(|text| filled(text)));
        }
    }
    object
        .put_some("id", piece.id.as_ref())
        .put_some("format", piece.scheme.as_ref());
    for (name, value) in more {
        object.put(name, value);
    }
    object.close();
}

/// Writes the item that was kept whole, with its place in the list.
pub fn write_opaque(out: &mut Vec<u8>, value: &Value, index: u64) {
    let empty = Map::new();
    let mut object = Object::open(out);
    for (name, value) in value.as_object().unwrap_or(&empty) {
        if name != "index" {
            object.put(name, value);
        }
    }
    object.put("index", &index);
    object.close();
}

#[cfg(test)]
mod tests {
    use bourse_vocab::json;

    use super::*;

    #[test]
    fn members_of_another_sort_of_piece_ride_along() {
        for item in [
            r#"{"type":"reasoning.text","text":"hm","data":"c2","summary":"s"}"#,
            r#"{"type":"reasoning.encrypted","data":"c2","text":"hm","signature":"S"}"#,
            r#"{"type":"reasoning.summary","summary":"s","signature":"S","data":"c2"}"#,
        ] {
            let item = bourse_vocab::json::parse(item.as_bytes()).unwrap();
            let Part::Reasoning(piece) = read_replayed(item.clone()) else {
                panic!("{item}");
            };
            let more = piece.replayed.unwrap();
            let own = match piece.kind {
                ReasoningKind::Text { .. } => "text",
                ReasoningKind::Summary(_) => "summary",
                ReasoningKind::Encrypted(_) => "data",
            };
            for (name, value) in item.as_object().unwrap() {
                let is_own = name == own || name == "type";
                assert_eq!(more.get(name).is_none(), is_own, "{name} of {item}");
                assert!(is_own || more.get(name) == Some(value));
            }
        }
    }

    #[test]
    fn a_piece_goes_back_as_it_came() {
        for text in [
            r#"{"type":"reasoning.text","text":"hm"}"#,
            r#"{"type":"reasoning.text","text":"hm","signature":"S","id":"i","format":"anthropic-claude-v1","index":3}"#,
            r#"{"type":"reasoning.text","text":""}"#,
            r#"{"type":"reasoning.summary","summary":"s","format":"unknown","index":0,"hint":{"b":1,"a":2}}"#,
            r#"{"type":"reasoning.encrypted","data":"D","id":7,"format":0}"#,
            r#"{"type":"reasoning.encrypted"}"#,
        ] {
            let value = json::parse(text.as_bytes()).unwrap();
            let Part::Reasoning(piece) = read_replayed(value.clone()) else {
                panic!("{text}");
            };
            let mut out = Vec::new();
            write_replayed(&mut out, &piece, 9);
            assert_eq!(json::parse(&out).unwrap(), value, "{text}");
        }
        // Whoever has other pieces gets one with everything that ours have.
        let mut out = Vec::new();
        let Part::Reasoning(piece) = plain("hm".to_owned()) else {
            panic!("no reasoning");
        };
        write_replayed(&mut out, &piece, 9);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"type":"reasoning.text","text":"hm","format":"unknown","index":9}"#
        );
    }
}

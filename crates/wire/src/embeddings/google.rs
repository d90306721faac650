//! Google's `:embedContent` and `:batchEmbedContents` for clients
//! (ai.google.dev/api/embeddings, November 2026; what google-genai 3.6.1
//! writes).
//!
//! A request is said in OpenAI's words, in which every vendor is asked for
//! vectors, and its answer is told in Google's.

use bourse_vocab::chat::Loss;
use bourse_vocab::embeddings::{Encoding, Reply};
use bourse_vocab::json::{Map, Value};
use bourse_vocab::{Bill, Failure, Usage, json};
use bytes::Bytes;

use super::survey::INPUTS_MAX;
use super::{Asked, read, vector};
use crate::codec::{Stamp, not_json};
use crate::fields::{Fields, Path};
use crate::gemini::{fields, usage_costs};
use crate::json::{Outline, count_values, parse_scanned, scan};
use crate::object::{Object, object};

/// The most values of a request: each input has some eight.
const VALUES_MAX: usize = 16 * INPUTS_MAX;
/// Parts of one input.
const PARTS_MAX: usize = 1_024;
/// Members between client and gateway, and what they are called there.
const GATEWAYS: [(&str, &str); 6] = [
    ("provider", "provider"),
    ("sessionId", "session_id"),
    ("trace", "trace"),
    ("user", "user"),
    ("labels", "metadata"),
    ("debug", "debug"),
];
/// Google's purposes that have a word elsewhere; the others go on as they are
/// (`TaskType`, the same document).
const PURPOSES: [(&str, &str); 5] = [
    ("RETRIEVAL_QUERY", "search_query"),
    ("RETRIEVAL_DOCUMENT", "search_document"),
    ("SEMANTIC_SIMILARITY", "semantic_similarity"),
    ("CLASSIFICATION", "classification"),
    ("CLUSTERING", "clustering"),
];
/// A purpose that says nothing.
const UNSPECIFIED: &str = "TASK_TYPE_UNSPECIFIED";

/// Reads a request for vectors of `model`. In a batch each input is a request
/// of its own.
///
/// # Errors
/// Names the member and the remedy.
pub fn asked(
    outline: &Outline,
    segments: &[Bytes],
    model: &str,
    is_batch: bool,
) -> Result<Asked, Failure> {
    if count_values(segments, VALUES_MAX) > VALUES_MAX {
        return Err(Failure::invalid(format!(
            "requests: at most {INPUTS_MAX} in one batch; send several"
        )));
    }
    let whole = parse_scanned(outline, segments).map_err(not_json)?;
    let mut members = fields(whole, &Path::Root)?;
    let mut said = Map::new();
    for (own, name) in GATEWAYS {
        if let Some(value) = members.take(own) {
            said.insert(name.to_owned(), value);
        }
    }
    said.insert("model".to_owned(), json!(model));
    let mut losses = Vec::new();
    let mut wish = Wish::default();
    let inputs = if is_batch {
        let requests = members.array("requests", INPUTS_MAX)?;
        let requests = requests.ok_or_else(|| members.invalid("requests", "is required"))?;
        let list = Path::Member(&Path::Root, "requests");
        let one = |(index, request): (usize, Value)| {
            let path = Path::Item(&list, index);
            let mut request = fields(request, &path)?;
            let input = wish.input(&mut request, index == 0)?;
            losses.extend(lost(request));
            Ok(input)
        };
        let inputs = requests.into_iter().enumerate().map(one);
        inputs.collect::<Result<Vec<_>, Failure>>()?
    } else {
        vec![wish.input(&mut members, true)?]
    };
    losses.extend(lost(members));
    said.insert("input".to_owned(), told(inputs));
    wish.say(&mut said);
    let body = Bytes::from(Value::Object(said).to_string());
    let mut asked = Asked::read(scan(&body)?, vec![body])?;
    asked.unknown.extend(losses);
    Ok(asked)
}

/// What all inputs of a request have in common, because it is asked for once.
#[derive(Debug, Default)]
struct Wish {
    purpose: Option<String>,
    dimensions: Option<u64>,
}

impl Wish {
    /// Takes the content of one request and what is wished for it; the `first`
    /// says what holds for all.
    fn input(&mut self, request: &mut Fields<'_>, first: bool) -> Result<Vec<Value>, Failure> {
        // SDKs repeat the model of the address.
        request.text("model")?;
        if request.take("title").is_some() {
            return Err(request.invalid("title", "is told to no vendor; put it into the text"));
        }
        let purpose = request.text("taskType")?;
        let dimensions = request.count("outputDimensionality", 1, u64::from(u32::MAX))?;
        let wish = Self {
            purpose: purpose.filter(|purpose| purpose != UNSPECIFIED),
            dimensions,
        };
        if first {
            *self = wish;
        } else if (&self.purpose, self.dimensions) != (&wish.purpose, wish.dimensions) {
            return Err(request.path().invalid(
                "all requests of a batch must have one taskType and one outputDimensionality",
            ));
        }
        let Some(content) = request.take("content") else {
            return Err(request.invalid("content", "is required"));
        };
        let place = Path::Member(request.path(), "content");
        parts(content, &place)
    }

    fn say(self, said: &mut Map) {
        if let Some(purpose) = self.purpose {
            let row = PURPOSES.iter().find(|(own, _)| *own == purpose);
            let word = row.map_or(purpose.as_str(), |(_, word)| word);
            said.insert("input_type".to_owned(), json!(word));
        }
        if let Some(dimensions) = self.dimensions {
            said.insert("dimensions".to_owned(), json!(dimensions));
        }
    }
}

/// What no vendor is told.
fn lost(rest: Fields<'_>) -> impl Iterator<Item = Loss> {
    let mut extras = Map::new();
    rest.rest_into(&mut extras);
    extras
        .into_iter()
        .map(|(path, _)| Loss::new(path, "is no parameter of embeddings"))
}

/// The parts of a content, in OpenAI's words.
fn parts(content: Value, path: &Path<'_>) -> Result<Vec<Value>, Failure> {
    // What `content` says besides its parts is whose it is.
    let mut content = fields(content, path)?;
    let place = Path::Member(path, "parts");
    let parts = match content.take("parts") {
        Some(part @ Value::Object(_)) => vec![part],
        Some(parts) => place.array(parts, PARTS_MAX)?,
        None => Vec::new(),
    };
    if parts.is_empty() {
        return Err(place.invalid("at least one part is required"));
    }
    let parts = parts.into_iter().enumerate();
    parts
        .map(|(index, part)| one(part, &Path::Item(&place, index)))
        .collect()
}

fn one(part: Value, path: &Path<'_>) -> Result<Value, Failure> {
    let mut part = fields(part, path)?;
    let said = match (part.text("text")?, part.take("inlineData")) {
        (Some(text), None) => json!({"type": "text", "text": text}),
        (None, Some(data)) => {
            let place = Path::Member(path, "inlineData");
            let mut data = fields(data, &place)?;
            let (mime, bytes) = (data.required_text("mimeType")?, data.required_text("data")?);
            if !mime.starts_with("image/") {
                return Err(place.invalid("must be a picture"));
            }
            json!({"type": "image_url", "image_url": {"url": format!("data:{mime};base64,{bytes}")}})
        }
        _ => return Err(path.invalid("must have text, or a picture in inlineData")),
    };
    match part.rest().keys().next() {
        None => Ok(said),
        Some(other) => Err(Path::Member(path, other).invalid("cannot be made a vector of here")),
    }
}

/// Inputs as OpenAI takes them: texts, where all are one text each.
fn told(inputs: Vec<Vec<Value>>) -> Value {
    let text = |parts: &Vec<Value>| match parts.as_slice() {
        [part] => part.get("text").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let texts: Option<Vec<String>> = inputs.iter().map(text).collect();
    match texts {
        Some(texts) => json!(texts),
        None => inputs
            .into_iter()
            .map(|parts| json!({ "content": parts }))
            .collect(),
    }
}

/// A reply that only lacks its bill.
#[derive(Debug, Clone)]
pub struct Begun(Vec<u8>);

/// Writes the vectors.
///
/// # Errors
/// One of them cannot be converted.
pub fn begin(reply: &Reply, is_batch: bool, stamp: &Stamp<'_>) -> Result<Begun, Failure> {
    let mut out = Vec::new();
    let write_one = |item, out: &mut Vec<u8>| {
        out.extend_from_slice(b"{\"values\":");
        let written = vector::write(item, Encoding::Float, out);
        out.push(b'}');
        written.map_err(read::broken)
    };
    if is_batch {
        out.extend_from_slice(b"{\"embeddings\":[");
        for (index, item) in reply.vectors.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_one(item, &mut out)?;
        }
        out.push(b']');
    } else {
        out.extend_from_slice(b"{\"embedding\":");
        match reply.vectors.first() {
            Some(item) => write_one(item, &mut out)?,
            None => return Err(read::broken("there is none")),
        }
    }
    let mut rest = Object::resume(&mut out);
    rest.put("modelVersion", stamp.model)
        .put("responseId", stamp.id)
        .put("provider", stamp.provider);
    if let Some(metadata) = stamp.metadata {
        rest.raw("openrouter_metadata", metadata);
    }
    Ok(Begun(out))
}

impl Begun {
    /// The whole reply, with what it used and what that costs.
    #[must_use]
    pub fn finish(self, used: &Usage, bill: &Bill) -> Vec<u8> {
        let mut out = self.0;
        let mut rest = Object::resume(&mut out);
        rest.nested("usageMetadata", |out| {
            object(out, |told| {
                told.put("promptTokenCount", &used.prompt);
                for (name, value) in usage_costs(bill) {
                    told.nested(name, |out| {
                        out.extend_from_slice(value.to_string().as_bytes());
                    });
                }
            });
        });
        rest.close();
        out
    }
}

#[cfg(test)]
mod tests {
    use bourse_vocab::Nanos;
    use bourse_vocab::embeddings::Vector;

    use super::*;

    fn read(body: &str, is_batch: bool) -> Result<Asked, Failure> {
        let outline = scan(body.as_bytes()).unwrap();
        let segments: Vec<Bytes> = body
            .as_bytes()
            .chunks(7)
            .map(Bytes::copy_from_slice)
            .collect();
        asked(&outline, &segments, "google/gemini-embedding-001", is_batch)
    }

    fn said(asked: &Asked) -> String {
        String::from_utf8(asked.segments.concat()).unwrap()
    }

    #[test]
    fn a_request_is_said_in_the_words_of_which_every_vendor_has_some() {
        let one = read(
            r#"{"model":"models/x","content":{"role":"user","parts":[{"text":"a\"b"}]},
                "task_type":"RETRIEVAL_QUERY","outputDimensionality":64,"provider":{"only":["p"]}}"#,
            false,
        )
        .unwrap();
        assert_eq!(
            said(&one),
            r#"{"provider":{"only":["p"]},"model":"google/gemini-embedding-001","input":["a\"b"],"input_type":"search_query","dimensions":64}"#
        );
        assert_eq!(one.unknown, []);
        let two = read(
            r#"{"requests":[{"content":{"parts":{"text":"a"}}},
                {"content":{"parts":[{"text":"b"},{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},"autoTruncate":true}]}"#,
            true,
        )
        .unwrap();
        assert!(said(&two).contains(r#""input":[{"content":[{"type":"text","text":"a"}]}"#));
        assert!(said(&two).contains(r#""url":"data:image/png;base64,QUJD""#));
        assert_eq!(two.survey.inputs, 2);
        assert_eq!(two.unknown[0].field, "requests[1].autoTruncate");
    }

    #[test]
    fn what_cannot_be_said_of_all_inputs_at_once_or_at_all_is_refused() {
        let text = r#""content":{"parts":[{"text":"a"}]}"#;
        for (body, is_batch, path) in [
            ("{}".to_owned(), false, "content: "),
            ("{}".to_owned(), true, "requests: "),
            (
                r#"{"requests":[]}"#.to_owned(),
                true,
                "input: must not be empty",
            ),
            (format!(r#"{{{text},"title":"t"}}"#), false, "title: "),
            (
                format!(r#"{{{text},"taskType":"A","task_type":"B"}}"#),
                false,
                "taskType: is there twice",
            ),
            (
                format!(r#"{{"requests":[{{{text}}},{{{text},"taskType":"CLUSTERING"}}]}}"#),
                true,
                "requests[1]: all requests",
            ),
            (
                r#"{"content":{"parts":[{"fileData":{"fileUri":"https://a.example"}}]}}"#
                    .to_owned(),
                false,
                "content.parts[0]: must have text",
            ),
            (
                r#"{"content":{"parts":[{"text":"a","videoMetadata":{}}]}}"#.to_owned(),
                false,
                "content.parts[0].videoMetadata: ",
            ),
        ] {
            let failure = read(&body, is_batch).unwrap_err();
            assert!(
                failure.message.starts_with(path),
                "{body}: {}",
                failure.message
            );
        }
    }

    #[test]
    fn vectors_are_told_as_they_were_written_with_what_they_cost() {
        let reply = Reply {
            vectors: vec![Vector::Numbers(Bytes::from_static(b"[0.10,-2e-3]"))],
            length: 2,
            usage: bourse_vocab::UsageReport::default(),
            upstream_id: None,
        };
        let stamp = Stamp {
            id: "gen-1",
            model: "m",
            provider: "p",
            created: 1,
            metadata: None,
        };
        let bill = Bill {
            total: Nanos(1_500),
            upstream_prompt: Nanos(1_500),
            upstream_completion: Nanos(0),
            estimated: false,
        };
        let used = Usage {
            prompt: 7,
            ..Usage::default()
        };
        let told = |is_batch| {
            let begun = begin(&reply, is_batch, &stamp).unwrap();
            String::from_utf8(begun.finish(&used, &bill)).unwrap()
        };
        assert!(
            told(false).starts_with(r#"{"embedding":{"values":[0.10,-2e-3]},"modelVersion":"m""#)
        );
        assert!(told(true).starts_with(r#"{"embeddings":[{"values":[0.10,-2e-3]}],"#));
        assert!(
            told(true).contains(r#""usageMetadata":{"promptTokenCount":7,"cost":0.0000015,"#),
            "{}",
            told(true)
        );
    }
}

//! Calls that are there already: a request of every endpoint, and every way in
//! which a provider may be asked it. What is fuzzed is the answer.

use std::sync::{Arc, LazyLock};

use bourse_dataplane::endpoints::{ClientRequest, Endpoint, Scanned, ScannedForm};
use bourse_dataplane::identity::{Caller, Identity};
use bourse_dataplane::way::Way;
use bourse_net::Origin;
use bourse_providers::{Credential, Key, Provider};
use bourse_vocab::json::Value;
use bourse_vocab::{AccountId, StoreId, TierWish};
use bourse_wire::WriteTarget;
use bourse_wire::multipart::{Boundary, Form, Reader};
use bytes::Bytes;

/// How the answer to a request is told.
#[derive(Debug, Clone, Copy)]
pub enum Telling {
    /// As server-sent events.
    Events,
    /// As one JSON array.
    Array,
    /// As sound.
    Sound,
    /// Whole, as JSON that is more than JSON.
    Whole(fn(&Value) -> Result<(), String>),
    /// Whole, as a text.
    Text,
}

/// A request, and the ways in which it may be put.
pub struct Call {
    /// Its path, and what is asked for.
    pub path: &'static str,
    /// How its answer is told.
    pub telling: Telling,
    /// The request.
    pub request: Arc<dyn ClientRequest>,
    /// The ways, each sort once.
    pub ways: Vec<Arc<Way>>,
}

/// Paths, how the answer is told, and bodies.
const REQUESTS: &[(&str, Telling, &str)] = &[
    (
        "/v1/chat/completions",
        Telling::Events,
        r#"{"model":"acme/m","messages":[{"role":"user","content":"q"}],"stream":true}"#,
    ),
    (
        "/v1/chat/completions",
        Telling::Events,
        r#"{"model":"acme/m","messages":[{"role":"user","content":"q"}],"stream":true,"reasoning":{"exclude":true}}"#,
    ),
    (
        "/v1/chat/completions",
        Telling::Whole(anything),
        r#"{"model":"acme/m","messages":[{"role":"user","content":"q"}]}"#,
    ),
    (
        "/v1/completions",
        Telling::Events,
        r#"{"model":"acme/m","prompt":"q","stream":true}"#,
    ),
    (
        "/v1/completions",
        Telling::Whole(anything),
        r#"{"model":"acme/m","prompt":"q"}"#,
    ),
    (
        "/v1/messages",
        Telling::Events,
        r#"{"model":"acme/m","max_tokens":9,"messages":[{"role":"user","content":"q"}],"stream":true}"#,
    ),
    (
        "/v1/messages",
        Telling::Whole(anything),
        r#"{"model":"acme/m","max_tokens":9,"messages":[{"role":"user","content":"q"}]}"#,
    ),
    (
        "/v1/responses",
        Telling::Events,
        r#"{"model":"acme/m","input":"q","stream":true}"#,
    ),
    (
        "/v1/responses",
        Telling::Whole(anything),
        r#"{"model":"acme/m","input":"q"}"#,
    ),
    (
        "/v1/models/acme/m:generateContent",
        Telling::Whole(anything),
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]}]}"#,
    ),
    (
        "/v1/models/acme/m:streamGenerateContent",
        Telling::Array,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}"#,
    ),
    (
        "/v1/models/acme/m:streamGenerateContent?alt=sse",
        Telling::Events,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]}]}"#,
    ),
    (
        "/v1/embeddings",
        Telling::Whole(two_vectors),
        r#"{"model":"acme/m","input":["one","two"]}"#,
    ),
    (
        "/v1/embeddings",
        Telling::Whole(two_texts),
        r#"{"model":"acme/m","input":["one","two"],"encoding_format":"base64"}"#,
    ),
    (
        "/v1/models/acme/m:batchEmbedContents",
        Telling::Whole(anything),
        r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"one"}]}},{"model":"models/m","content":{"parts":[{"text":"two"}]}}]}"#,
    ),
    (
        "/v1/images/generations",
        Telling::Whole(some_data),
        r#"{"model":"acme/m","prompt":"q","n":2}"#,
    ),
    (
        "/v1/images",
        Telling::Whole(some_data),
        r#"{"model":"acme/m","prompt":"q"}"#,
    ),
    (
        "/v1/images/generations",
        Telling::Events,
        r#"{"model":"acme/m","prompt":"q","stream":true,"partial_images":1}"#,
    ),
    ("/v1/images/edits", Telling::Whole(some_data), EDIT),
    (
        "/v1/moderations",
        Telling::Whole(two_verdicts),
        r#"{"model":"acme/m","input":["one","two"]}"#,
    ),
    (
        "/v1/rerank",
        Telling::Whole(an_order),
        r#"{"model":"acme/m","query":"q","documents":["one",{"text":"two"},"three"],"top_n":2}"#,
    ),
    (
        "/v1/audio/speech",
        Telling::Sound,
        r#"{"model":"acme/m","input":"hello","voice":"v"}"#,
    ),
    (
        "/v1/audio/speech",
        Telling::Events,
        r#"{"model":"acme/m","input":"hello","voice":"v","stream_format":"sse"}"#,
    ),
    (
        "/v1/audio/transcriptions",
        Telling::Events,
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"},"stream":true}"#,
    ),
    (
        "/v1/audio/transcriptions",
        Telling::Whole(anything),
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"}}"#,
    ),
    (
        "/v1/audio/transcriptions",
        Telling::Whole(anything),
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"},"response_format":"verbose_json"}"#,
    ),
    (
        "/v1/audio/transcriptions",
        Telling::Text,
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"},"response_format":"srt"}"#,
    ),
    (
        "/v1/audio/transcriptions",
        Telling::Text,
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"},"response_format":"vtt"}"#,
    ),
    (
        "/v1/audio/translations",
        Telling::Text,
        r#"{"model":"acme/m","input_audio":{"data":"AAAA","format":"mp3"},"response_format":"text"}"#,
    ),
    // The client is told of the job, and nothing of what the provider says.
    (
        "/v1/videos",
        Telling::Text,
        r#"{"model":"acme/m","prompt":"a river","duration":8}"#,
    ),
];

/// The boundary of what is a form.
const FORM: &str = "multipart/form-data; boundary=b";

/// A form with a picture of 64 times 64 points: a header of WebP, which has no
/// byte that is no text.
const EDIT: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nacme/m\r\n\
    --b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nq\r\n\
    --b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.webp\"\r\n\r\n\
    RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x3f\0\0\r\n--b--\r\n";

/// Names that some vendor knows another interface for.
const MODELS: [&str; 10] = [
    "m",
    "gpt-5.5",
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-tts",
    "tts-1",
    "grok-2-image",
    "gemini-2.5-pro",
    "gpt-image-1",
    "omni-moderation-latest",
];

/// All of them.
pub static CALLS: LazyLock<Result<Vec<Call>, String>> =
    LazyLock::new(|| REQUESTS.iter().map(call).collect());

/// A call, the way in which it was put, and the answer.
pub type Answered<'a> = (&'static Call, &'static Way, &'a [u8]);

/// The call and the way that the first two bytes of an answer name, and the
/// rest of it.
pub fn of(input: &[u8], wanted: fn(Telling) -> bool) -> Result<Option<Answered<'_>>, String> {
    let calls = CALLS.as_ref().map_err(Clone::clone)?;
    let [first, second, body @ ..] = input else {
        return Ok(None);
    };
    let at = |byte: u8, of: usize| usize::from(byte.wrapping_sub(b'0')) % of.max(1);
    let call = calls.get(at(*first, calls.len()));
    let call = call.filter(|call| wanted(call.telling));
    let way = call.and_then(|call| call.ways.get(at(*second, call.ways.len())));
    Ok(call.zip(way).map(|(call, way)| (call, &**way, body)))
}

/// An answer, with the bytes before it that name its call and its way.
pub fn tagged(call: usize, way: usize, body: &[u8]) -> Vec<u8> {
    let digit = |number: usize| b'0'.wrapping_add(u8::try_from(number).unwrap_or(0));
    [&[digit(call), digit(way)], body].concat()
}

fn call(&(target, telling, body): &(&'static str, Telling, &str)) -> Result<Call, String> {
    static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::of(StoreId([1; 16])));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let found = bourse_dataplane::endpoints::at(path);
    let endpoint = found.ok_or_else(|| format!("{path}: nobody serves it"))?;
    let endpoint = endpoint.with_query(query).unwrap_or(endpoint);
    let (head, ()) = http::Request::post(target)
        .body(())
        .map_err(|error| error.to_string())?
        .into_parts();
    let segments = vec![Bytes::copy_from_slice(body.as_bytes())];
    let caller = Caller::new(&IDENTITY, AccountId(1));
    let incoming = match endpoint.forms().filter(|_| body.starts_with("--")) {
        Some(forms) => {
            let form = form(&segments)?;
            forms.read_form(&head, ScannedForm { form, segments }, caller)
        }
        None => {
            let outline = bourse_wire::json::scan(body.as_bytes()).map_err(|e| e.to_string())?;
            endpoint.read(&head, Scanned { outline, segments }, caller)
        }
    };
    let request = incoming
        .map_err(|failure| format!("{target}: {failure:?}"))?
        .request;
    let mut ways = ways(endpoint)?;
    // What cannot be asked is not answered.
    ways.retain(|way| {
        let to = WriteTarget {
            model: "up",
            max_output: Some(8_000),
            limit: None,
            efforts: way.efforts,
            tier: TierWish::None,
            dialect: &way.dialect,
        };
        request.write(way, &to).is_ok()
    });
    Ok(Call {
        path: target,
        telling,
        request,
        ways,
    })
}

fn form(segments: &[Bytes]) -> Result<Form, String> {
    let boundary = Boundary::of_content_type(FORM).map_err(|error| error.to_string())?;
    let boundary = boundary.ok_or("the boundary is none")?;
    let mut reader = Reader::new(&boundary, 1 << 20);
    for segment in segments {
        reader.push(segment).map_err(|error| error.to_string())?;
    }
    reader.finish().map_err(|error| error.to_string())
}

/// The ways in which any provider can be asked what an endpoint asks, those
/// that differ in nothing but the dialect once.
pub fn ways(endpoint: &dyn Endpoint) -> Result<Vec<Arc<Way>>, String> {
    let (origin, base) =
        Origin::parse("https://x.example/v1").map_err(|error| error.to_string())?;
    let mut ways: Vec<Arc<Way>> = Vec::new();
    for provider in bourse_providers::all() {
        let provider: Arc<dyn Provider> = Arc::new(provider);
        let credential = Credential::bearer(Key::new("sk"));
        for model in MODELS {
            for interface in provider.interfaces(model) {
                let is_new = ways.iter().all(|way| {
                    (way.operation, way.format, way.framing)
                        != (interface.operation, interface.format, interface.framing)
                });
                if !is_new {
                    continue;
                }
                let way = Way::new(&provider, *interface, model, (&origin, &base), &credential)?;
                if endpoint.rank(&way).is_some() {
                    ways.push(Arc::new(way));
                }
            }
        }
    }
    Ok(ways)
}

/// That every endpoint is called.
#[cfg(test)]
#[test]
fn every_endpoint_has_a_call_and_every_call_a_way() {
    let calls = CALLS.as_ref().unwrap();
    for endpoint in bourse_dataplane::endpoints::ENDPOINTS {
        let is_called = |call: &Call| {
            let path = call.path.split('?').next().unwrap();
            endpoint.serves(path)
        };
        assert!(calls.iter().any(is_called), "{}", endpoint.path());
    }
    for call in calls {
        assert!(!call.ways.is_empty(), "{}", call.path);
    }
}

#[allow(clippy::unnecessary_wraps, reason = "one of several laws")]
fn anything(_: &Value) -> Result<(), String> {
    Ok(())
}

fn list<'a>(told: &'a Value, name: &str) -> &'a [Value] {
    told.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Two vectors in the order of what they are of, equally long and of numbers.
fn two_vectors(told: &Value) -> Result<(), String> {
    let lengths = vectors(told, |vector| {
        let numbers = vector.as_array()?;
        let are_numbers = numbers.iter().all(|one| one.as_number().is_some());
        are_numbers.then_some(numbers.len())
    })?;
    match lengths {
        [one, two] if one == two && one > 0 => Ok(()),
        lengths => Err(format!("vectors have {lengths:?} numbers")),
    }
}

/// The same in base64: four bytes are a number.
fn two_texts(told: &Value) -> Result<(), String> {
    let lengths = vectors(told, |vector| {
        let text = vector.as_str()?.trim_end_matches('=');
        Some(text.len() * 3 / 4)
    })?;
    match lengths {
        [one, two] if one == two && one > 0 && one % 4 == 0 => Ok(()),
        lengths => Err(format!("vectors have {lengths:?} bytes")),
    }
}

fn vectors(told: &Value, length: fn(&Value) -> Option<usize>) -> Result<[usize; 2], String> {
    let mut lengths = Vec::new();
    for (at, item) in (0_u64..).zip(list(told, "data")) {
        if item.get("index").and_then(Value::as_u64) != Some(at) {
            return Err("a vector is in another place".to_owned());
        }
        let vector = item.get("embedding").and_then(length);
        lengths.push(vector.ok_or("a vector is none")?);
    }
    <[usize; 2]>::try_from(lengths).map_err(|other| format!("there are {} vectors", other.len()))
}

fn some_data(told: &Value) -> Result<(), String> {
    match list(told, "data").is_empty() {
        true => Err("pictures without a picture".to_owned()),
        false => Ok(()),
    }
}

/// Two of three documents, the better first.
fn an_order(told: &Value) -> Result<(), String> {
    let mut seen = Vec::new();
    let mut last = f64::INFINITY;
    for item in list(told, "results") {
        let index = item.get("index").and_then(Value::as_u64);
        let score = item.get("relevance_score").and_then(Value::as_number);
        let score = score.and_then(|score| score.to_string().parse::<f64>().ok());
        let (Some(index), Some(score)) = (index, score) else {
            return Err("a rank is none".to_owned());
        };
        if index > 2 || seen.contains(&index) || score > last || !score.is_finite() {
            return Err("an order is none".to_owned());
        }
        seen.push(index);
        last = score;
    }
    match seen.len() {
        2 => Ok(()),
        other => Err(format!("{other} of two documents are ranked")),
    }
}

/// A verdict on each of two texts.
fn two_verdicts(told: &Value) -> Result<(), String> {
    let verdicts = list(told, "results");
    let says = |verdict: &Value| verdict.get("flagged").and_then(Value::as_bool).is_some();
    match verdicts.len() == 2 && verdicts.iter().all(says) {
        true => Ok(()),
        false => Err("there are not two verdicts".to_owned()),
    }
}

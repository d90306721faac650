//! Whole answers on their way through the data plane: of every operation, to
//! every endpoint that has whole answers.

use bourse_vocab::{Format, Operation, Usage, embeddings, images};
use bytes::Bytes;

use super::calls::{self, CALLS, Telling};
use super::{BILL, STAMP, Target, fixtures};
use crate::sign::Sign;

/// Whole answers, of every operation.
pub struct Answers;

const OPENAI_VECTORS: &str = r#"{"object":"list","id":"x","data":[{"object":"embedding","embedding":[0.10,-1e-3],"index":0},{"object":"embedding","embedding":[2,3.5],"index":1}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
const BASE64_VECTORS: &str = r#"{"data":[{"index":0,"embedding":"AACAPwAAIMA="},{"index":1,"embedding":"AAAAAAAAAAA="}],"usage":{"prompt_tokens":0,"total_tokens":3}}"#;
const GEMINI_VECTORS: &str = r#"{"embeddings":[{"values":[0.10,-1e-3]},{"values":[2,3.5]}],"usageMetadata":{"promptTokenCount":5}}"#;
const COHERE_VECTORS: &str = r#"{"id":"c","embeddings":{"float":[[0.10,-1e-3],[2,3.5]]},"texts":["one","two"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":5}}}"#;
const OPENAI_PICTURES: &str = r#"{"created":1,"data":[{"b64_json":"iVBORw0KGgo=","revised_prompt":"a cat"},{"b64_json":"\/9j\/AA=="}],"size":"1024x1024","quality":"low","output_format":"png","background":"opaque","usage":{"input_tokens":5,"output_tokens":272,"total_tokens":277,"input_tokens_details":{"text_tokens":5,"image_tokens":0}}}"#;
const XAI_PICTURES: &str =
    r#"{"data":[{"url":"https://x.example/1.jpg"}],"usage":{"cost_in_usd_ticks":200000000}}"#;
const IMAGEN_PICTURES: &str = r#"{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"iVBORw0KGgo="},{"raiFilteredReason":"no"}]}"#;
const VERDICTS: [&str; 2] = [
    r#"{"id":"m","model":"x","results":[{"flagged":false,"categories":{"hate":false,"illicit":null},"category_scores":{"hate":1.0e-5,"illicit":null},"category_applied_input_types":{"hate":["text"]}},{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":0.90}}]}"#,
    r#"{"id":"m","model":"x","results":[{"categories":{"pii":true},"category_scores":{"pii":0.9}},{"categories":{"pii":false},"category_scores":{"pii":0.1}}],"usage":{"prompt_tokens":7}}"#,
];
const RANKS: [&str; 2] = [
    r#"{"id":"x","results":[{"index":2,"relevance_score":0.10},{"index":0,"relevance_score":9.5e-1},{"index":1,"relevance_score":0.2}],"meta":{"billed_units":{"search_units":1}}}"#,
    r#"{"object":"list","data":[{"index":1,"relevance_score":-1},{"index":0,"relevance_score":1e308}],"usage":{"total_tokens":26,"prompt_tokens":26}}"#,
];
const TRANSCRIPTS: [&str; 3] = [
    r#"{"text":"a","usage":{"type":"duration","seconds":9.2001}}"#,
    r#"{"text":"a","logprobs":[{"token":"a","logprob":-0.10}],"usage":{"type":"tokens","input_tokens":83,"output_tokens":30,"input_token_details":{"audio_tokens":80}}}"#,
    r#"{"task":"transcribe","text":"Hi. Bye.","duration":2.5,"language":"en","x_groq":{"id":"1"},"segments":[{"start":0,"end":1.5,"text":" Hi.\n\n"},{"start":3661.25,"end":3662,"text":"--> Bye."}]}"#,
];

const JOBS: [&str; 2] = [
    r#"{"id":"video_123","object":"video","status":"queued","progress":0}"#,
    r#"{"name":"models/veo-3.1-generate-preview/operations/abc"}"#,
];

/// Answers of an operation.
fn samples(operation: Operation) -> Vec<&'static str> {
    match operation {
        Operation::Embeddings(embeddings::Shape::Gemini) => vec![GEMINI_VECTORS],
        Operation::Embeddings(embeddings::Shape::Cohere) => vec![COHERE_VECTORS],
        Operation::Embeddings(_) => vec![OPENAI_VECTORS, BASE64_VECTORS],
        Operation::Images(images::Shape::Imagen) => vec![IMAGEN_PICTURES],
        Operation::Images(_) => vec![OPENAI_PICTURES, XAI_PICTURES],
        Operation::ImageEdits(_) => vec![OPENAI_PICTURES],
        Operation::Moderations(_) => VERDICTS.to_vec(),
        Operation::Rerank(_) => RANKS.to_vec(),
        Operation::Transcription(_) | Operation::Translation(_) => TRANSCRIPTS.to_vec(),
        // A name, under which the job is asked after.
        Operation::Videos(_) => JOBS.to_vec(),
        Operation::Chat | Operation::Text | Operation::Speech(_) | Operation::Realtime => {
            Vec::new()
        }
    }
}

const fn is_whole(telling: Telling) -> bool {
    matches!(telling, Telling::Whole(_) | Telling::Text)
}

impl Target for Answers {
    fn name(&self) -> &'static str {
        "answers"
    }

    fn held_to(&self) -> &'static str {
        "a whole answer of any operation is the provider's failure, or is told to the endpoint's \
         clients as JSON that has what was asked for"
    }

    fn seeds(&self) -> Result<Vec<Vec<u8>>, String> {
        let replies = fixtures(".reply.json")?;
        let mut seeds = Vec::new();
        for (at, call) in CALLS.as_ref().map_err(Clone::clone)?.iter().enumerate() {
            if !is_whole(call.telling) {
                continue;
            }
            for (number, way) in call.ways.iter().enumerate() {
                let tagged = |body: &[u8]| calls::tagged(at, number, body);
                let samples = samples(way.operation);
                seeds.extend(samples.iter().map(|body| tagged(body.as_bytes())));
                if way.operation == Operation::Chat {
                    let alike = replies.iter().filter(|(format, _)| *format == way.format);
                    seeds.extend(alike.map(|(_, body)| tagged(body)));
                }
            }
        }
        Ok(seeds)
    }

    fn execute(&self, input: &[u8]) -> Result<u64, String> {
        let mut sign = Sign::default();
        let Some((call, way, body)) = calls::of(input, is_whole)? else {
            return Ok(sign.get());
        };
        sign.text(call.path);
        sign.text(&format!("{:?} {}", way.operation, way.format.slug()));
        let is_readable = bourse_vocab::json::parse(body).is_ok();
        let body = Bytes::copy_from_slice(body);
        let reply = match call.request.whole(way, &STAMP, &body) {
            Err(failure) => {
                // Nothing that a provider answers is a success of ours.
                if !(400..600).contains(&failure.kind.status()) {
                    return Err(format!("a failure has a status of a success\n{failure:?}"));
                }
                sign.failure(&failure);
                return Ok(sign.get());
            }
            Ok(reply) => reply,
        };
        let used = reply.report.usage.resolve(&Usage::default()).0;
        sign.text(reply.report.finish.unwrap_or_default());
        sign.text(&format!("{}", reply.report.usage.prompt.is_some()));
        sign.text(&format!("{}", reply.report.usage.nonsense));
        let told = (reply.render)(&used, &BILL);
        sign.count(told.len() / 64);
        match call.telling {
            Telling::Whole(law) => {
                let value = bourse_vocab::json::parse(&told);
                match value {
                    Ok(value) => law(&value)?,
                    // What is wrong inside of what passes is left to whoever
                    // reads it (decision 7).
                    Err(_) if way.operation == Operation::Chat && !is_readable => {}
                    Err(error) => {
                        let text = String::from_utf8_lossy(&told);
                        return Err(format!(
                            "an answer for a client is no JSON: {error}\n{text}"
                        ));
                    }
                }
                reads_back(call.path, way.format, &told, is_readable)?;
            }
            _ => drop(std::str::from_utf8(&told).map_err(|_| "a text for a client is none")?),
        }
        Ok(sign.get())
    }
}

/// That whoever speaks the format understands what it is told.
fn reads_back(path: &str, from: Format, told: &[u8], is_readable: bool) -> Result<(), String> {
    let own = match path {
        "/v1/chat/completions" => Format::OpenAiChat,
        "/v1/messages" => Format::Anthropic,
        "/v1/models/acme/m:generateContent" => Format::Gemini,
        _ => return Ok(()),
    };
    // A translation may have nothing to say that this format has a word for.
    if own != from || !is_readable {
        return Ok(());
    }
    let read = bourse_wire::codec(own).read_reply(told);
    read.map(drop).map_err(|failure| {
        format!(
            "our own reply is not read: {failure:?}\n{}",
            String::from_utf8_lossy(told)
        )
    })
}

//! Speech and transcripts, described.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{Anything, Call};
use crate::route::{Content, Operation};
use crate::schema::{Dollars, Schemas};

/// The calls.
pub(super) fn operations() -> [Call; 3] {
    let heard = |summary| {
        Operation::new("Calls", summary).about(
            "Takes a form (multipart/form-data) with a file of at most 25 MB and the members below \
             as its other parts, or JSON with input_audio in its place. With response_format \
             text, srt or vtt the answer is plain text; with stream it is OpenAI's events \
             transcript.text.delta and transcript.text.done.",
        )
        .form("file")
    };
    [
        Call {
            path: "/audio/speech",
            operation: Operation::new("Calls", "Reads a text aloud").about(
                "The answer is the sound, passed on as it comes, with the provider's media type; \
                 with stream_format sse it is OpenAI's events speech.audio.delta and \
                 speech.audio.done. A sound that breaks off ends with its connection.",
            ),
            content: speech,
        },
        Call {
            path: "/audio/transcriptions",
            operation: heard("Writes down what is said"),
            content: super::content::<TranscriptionRequest, Transcript>,
        },
        Call {
            path: "/audio/translations",
            operation: heard("Writes down in English what is said"),
            content: super::content::<TranscriptionRequest, Transcript>,
        },
    ]
}

fn speech(schemas: &mut Schemas) -> Content {
    Content {
        body: Some(schemas.request::<SpeechRequest>()),
        status: 200,
        media: "audio/*",
        reply: Value::Object(bytes()),
    }
}

/// Bytes of any kind: no schema describes them (OpenAPI 3.1, section 4.8.14).
fn bytes() -> serde_json::Map<String, Value> {
    match json!({ "contentMediaType": "application/octet-stream" }) {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    }
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum SoundFormat {
    Mp3,
    Opus,
    Aac,
    Flac,
    Wav,
    Pcm,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum StreamFormat {
    Audio,
    Sse,
}

/// A text to read aloud.
#[derive(JsonSchema)]
struct SpeechRequest {
    /// A model whose output is speech
    model: String,
    /// At most 4096 characters
    #[schemars(length(min = 1, max = 4096))]
    input: String,
    /// A voice of the provider's, or an object with the id of one's own
    voice: Value,
    /// How to read, where the model is told
    instructions: Option<String>,
    /// mp3 unless stated
    response_format: Option<SoundFormat>,
    #[schemars(range(min = 0.25, max = 4.0))]
    speed: Option<f64>,
    stream_format: Option<StreamFormat>,
    provider: Option<Anything>,
    user: Option<String>,
    session_id: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "snake_case")]
enum TranscriptForm {
    Json,
    Text,
    Srt,
    VerboseJson,
    Vtt,
    DiarizedJson,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum Granularity {
    Word,
    Segment,
}

/// A sound in base64.
#[derive(JsonSchema)]
#[schemars(inline)]
struct InputAudio {
    data: String,
    /// wav, mp3, flac, m4a, ogg or webm
    format: String,
}

/// A sound to write down.
#[derive(JsonSchema)]
struct TranscriptionRequest {
    /// A model whose output is transcription
    model: String,
    /// In JSON; a form has file in its place
    input_audio: Option<InputAudio>,
    /// ISO 639-1
    language: Option<String>,
    prompt: Option<String>,
    #[schemars(range(min = 0.0, max = 1.0))]
    temperature: Option<f64>,
    response_format: Option<TranscriptForm>,
    /// With verbose_json only
    timestamp_granularities: Option<Vec<Granularity>>,
    /// logprobs, where the model tells them
    include: Option<Vec<String>>,
    stream: Option<bool>,
    provider: Option<Anything>,
    user: Option<String>,
    session_id: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum CountedBy {
    Duration,
    Tokens,
}

/// What a transcript used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct TranscriptUsage {
    #[schemars(rename = "type")]
    kind: CountedBy,
    seconds: f64,
    #[schemars(with = "Dollars")]
    cost: (),
    #[schemars(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    total_tokens: Option<u64>,
}

/// What was said. With verbose_json and diarized_json there are language,
/// duration, segments and words as well.
#[derive(JsonSchema)]
struct Transcript {
    text: String,
    usage: TranscriptUsage,
}

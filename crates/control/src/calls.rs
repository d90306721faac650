//! Calls to models, described for `/openapi.json`. The data plane serves
//! them; its requests are passed on as they come, so only what every model
//! shares is described.
#![expect(dead_code, reason = "these types are only described")]

mod audio;
mod google;
mod images;
mod moderations;
mod rerank;
mod videos;

use schemars::JsonSchema;
use serde_json::Value;

use crate::route::{Content, Operation};
use crate::schema::{Dollars, Schemas, inline};

/// A kind of call; all are `POST`.
pub(crate) struct Call {
    /// Below the API's prefixes.
    pub(crate) path: &'static str,
    pub(crate) operation: Operation,
    pub(crate) content: fn(&mut Schemas) -> Content,
}

/// Paths whose `GET` switches to WebSocket: OpenAPI has no words for what follows,
/// so the document's description names them.
pub(crate) const SESSIONS: &[&str] = &["/realtime"];

/// Every kind of call.
pub(crate) fn operations() -> Vec<Call> {
    let mut calls = conversations();
    calls.extend(others());
    calls
}

/// Those that are chat.
fn conversations() -> Vec<Call> {
    let operation = |summary| {
        Operation::new("Calls", summary).about(
            "With stream, the answer is a stream of server-sent events, each a chunk of the same \
             shape with delta in place of message, and [DONE] at the end. Members that are not \
             listed here go to the provider as they are.",
        )
    };
    let mut calls = vec![
        Call {
            path: "/chat/completions",
            operation: operation("Asks a model to continue a conversation"),
            content: content::<ChatRequest, ChatCompletion>,
        },
        Call {
            path: "/completions",
            operation: operation("Asks a model to continue a text"),
            content: content::<TextRequest, TextCompletion>,
        },
        Call {
            path: "/messages",
            operation: Operation::new(
                "Calls",
                "Asks a model for a message, as Anthropic's API does",
            )
            .about(
                "With stream, the answer is a stream of Anthropic's events, and errors have \
                     Anthropic's shape. The key may be in x-api-key. Members that are not listed \
                     here and that Anthropic's API has go to its models as they are.",
            ),
            content: content::<MessagesRequest, MessagesReply>,
        },
        Call {
            path: "/messages/count_tokens",
            operation: Operation::new("Calls", "Estimates the tokens of a message's prompt").about(
                "No provider is asked and nothing is charged. It is an estimate, which for most \
                 texts is up to a quarter less than what the model's tokenizer counts.",
            ),
            content: content::<MessagesRequest, TokenCount>,
        },
        Call {
            path: "/responses",
            operation: Operation::new("Calls", "Creates a response").about(
                "OpenAI's Responses, without anything that is stored: input is the whole \
                 conversation. With stream, the answer is a stream of server-sent events, each \
                 with its type and sequence_number; response.completed, response.incomplete or \
                 response.failed is the last before [DONE].",
            ),
            content: content::<ResponseRequest, Response>,
        },
    ];
    calls.extend(audio::operations());
    calls.extend(of_google());
    calls
}

/// Those in the words of Google's API.
fn of_google() -> Vec<Call> {
    vec![
        Call {
            path: "/models/{model}:generateContent",
            operation: googles("Asks a model for content, as Google's API does").about(
                "Also below /v1beta, as Google's SDKs ask. The model is named by its id, with or \
                 without %2F for the slash, or without google/ in front; the key may be in \
                 x-goog-api-key. Errors have Google's shape.",
            ),
            content: content::<google::GenerateContentRequest, google::GenerateContentReply>,
        },
        Call {
            path: "/models/{model}:streamGenerateContent",
            operation: googles("Streams content, as Google's API does")
                .about(
                    "The same, in responses that come one by one: an array of them, or with alt \
                     server-sent events. The last says what it cost.",
                )
                .query("alt", "sse for server-sent events", &inline::<String>()),
            content: content::<google::GenerateContentRequest, google::GenerateContentReply>,
        },
        Call {
            path: "/models/{model}:countTokens",
            operation: googles("Estimates the tokens of a prompt, as Google's API does")
                .about("No provider is asked and nothing is charged; it is an estimate."),
            content: content::<google::CountTokensRequest, google::TotalTokens>,
        },
        Call {
            path: "/models/{model}:embedContent",
            operation: googles("Turns a text into a vector, as Google's API does")
                .about("Any model that makes vectors answers, as at /embeddings."),
            content: content::<google::EmbedContentRequest, google::EmbedContentReply>,
        },
        Call {
            path: "/models/{model}:batchEmbedContents",
            operation: googles("Turns texts into vectors, as Google's API does")
                .about("Any model that makes vectors answers, as at /embeddings."),
            content: content::<google::BatchEmbedContentsRequest, google::BatchEmbedContentsReply>,
        },
    ]
}

/// Those that are no chat, and whose answers come whole.
fn others() -> Vec<Call> {
    vec![
        Call {
            path: "/embeddings",
            operation: Operation::new("Calls", "Turns texts into vectors").about(
                "One vector for each input, in their order, all at once. Members that are not \
                 listed here are not sent on.",
            ),
            content: content::<EmbeddingsRequest, EmbeddingsReply>,
        },
        Call {
            path: "/images",
            operation: Operation::new("Calls", "Makes pictures").about(
                "All of them in the answer, as base64, and all at once: stream is taken and \
                 answered with the whole reply. A provider may make fewer than n, and what it \
                 made is charged. Members that are not listed here are not sent on.",
            ),
            content: content::<images::Request, images::Reply>,
        },
        Call {
            path: "/images/generations",
            operation: Operation::new("Calls", "Makes pictures, as OpenAI's API does").about(
                "The same request as /images and OpenAI's reply. With stream, the answer is a \
                 stream of server-sent events: partial_images beginnings of one picture, and the \
                 whole one with its usage.",
            ),
            content: content::<images::Request, images::OpenAiReply>,
        },
        Call {
            path: "/images/edits",
            operation: Operation::new("Calls", "Changes pictures, as OpenAI's API does").about(
                "A form (multipart/form-data) with image, or up to 16 of image[], in png, jpeg or \
                 webp, a mask, and the members of /images/generations. The same reply, and the \
                 same stream.",
            )
            .form("image"),
            content: content::<images::Edit, images::OpenAiReply>,
        },
        Call {
            path: "/videos",
            operation: Operation::new("Calls", "Has a film made").about(
                "Answered at once, with the id of the job and where it is asked after. What the \
                 film can cost is set aside until it is made. A callback_url is told when it has \
                 ended, signed with the account's secret (/webhooks/secret). Members that are not \
                 listed here are refused.",
            ),
            content: |schemas| Content {
                status: 202,
                ..content::<videos::Request, videos::Reply>(schemas)
            },
        },
        Call {
            path: "/rerank",
            operation: Operation::new("Calls", "Orders documents by how well they answer").about(
                "The best first, all at once, with the documents. Members that are not listed here \
                 are not sent on.",
            ),
            content: content::<rerank::Request, rerank::Reply>,
        },
        Call {
            path: "/moderations",
            operation: Operation::new("Calls", "Judges what is written or shown").about(
                "A verdict on each text, or one on all parts, in the kinds of harm that the model \
                 knows. A verdict that a provider leaves out is its failure, and the next is asked. \
                 Members that are not listed here are not sent on.",
            ),
            content: content::<moderations::Request, moderations::Reply>,
        },
    ]
}

/// A call whose address names the model.
fn googles(summary: &'static str) -> Operation {
    Operation::new("Calls", summary).segment("model", "An id of /models")
}

fn content<Request: JsonSchema, Reply: JsonSchema>(schemas: &mut Schemas) -> Content {
    Content {
        body: Some(schemas.request::<Request>()),
        status: 200,
        media: "application/json",
        reply: schemas.reply::<Reply>(),
    }
}

/// An object that goes to the provider as it is.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Anything {}

/// A text or several.
#[derive(JsonSchema)]
#[schemars(inline, untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What every model understands.
#[derive(JsonSchema)]
struct Common {
    /// An id of /models
    model: Option<String>,
    models: Option<Vec<String>>,
    provider: Option<Anything>,
    stream: Option<bool>,
    max_tokens: Option<i64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    stop: Option<OneOrMany>,
    seed: Option<i64>,
    tools: Option<Vec<Anything>>,
    tool_choice: Option<Value>,
    response_format: Option<Anything>,
    reasoning: Option<Anything>,
    user: Option<String>,
}

/// A conversation to continue.
#[derive(JsonSchema)]
struct ChatRequest {
    messages: Vec<Message>,
    #[schemars(flatten)]
    common: Common,
}

/// A text to continue.
#[derive(JsonSchema)]
struct TextRequest {
    prompt: String,
    #[schemars(flatten)]
    common: Common,
}

/// A turn of a conversation.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Message {
    #[schemars(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[schemars(skip_serializing_if = "Option::is_none")]
    /// A text, or a list of parts
    content: Option<Value>,
}

/// What a call used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// What both kinds of completions have.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Completion<Object, Choice> {
    id: String,
    object: Object,
    created: u64,
    model: String,
    provider: String,
    choices: Vec<Choice>,
    usage: Usage,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum ChatObject {
    #[schemars(rename = "chat.completion")]
    ChatCompletion,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct ChatChoice {
    index: u64,
    finish_reason: Option<String>,
    message: Message,
}

/// A continued conversation.
#[derive(JsonSchema)]
struct ChatCompletion(Completion<ChatObject, ChatChoice>);

#[derive(JsonSchema)]
#[schemars(inline)]
enum TextObject {
    #[schemars(rename = "text_completion")]
    TextCompletion,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct TextChoice {
    index: u64,
    finish_reason: Option<String>,
    text: String,
}

/// A continued text.
#[derive(JsonSchema)]
struct TextCompletion(Completion<TextObject, TextChoice>);

/// A conversation to answer with a message.
#[derive(JsonSchema)]
struct MessagesRequest {
    /// An id of /models
    model: Option<String>,
    models: Option<Vec<String>>,
    messages: Vec<Message>,
    max_tokens: Option<i64>,
    /// A text, or a list of blocks
    system: Option<Value>,
    stream: Option<bool>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<i64>,
    stop_sequences: Option<Vec<String>>,
    tools: Option<Vec<Anything>>,
    tool_choice: Option<Anything>,
    thinking: Option<Anything>,
    output_config: Option<Anything>,
    metadata: Option<Anything>,
    provider: Option<Anything>,
    session_id: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum MessageKind {
    #[schemars(rename = "message")]
    Message,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum AssistantRole {
    #[schemars(rename = "assistant")]
    Assistant,
}

/// What a message used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct MessageUsage {
    input_tokens: u64,
    output_tokens: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// A message.
#[derive(JsonSchema)]
struct MessagesReply {
    id: String,
    #[schemars(rename = "type")]
    kind: MessageKind,
    role: AssistantRole,
    model: String,
    provider: String,
    content: Vec<Anything>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: MessageUsage,
}

/// How many tokens a prompt has.
#[derive(JsonSchema)]
struct TokenCount {
    input_tokens: u64,
}

/// What is to be answered.
#[derive(JsonSchema)]
struct ResponseRequest {
    /// A text, or a list of items
    input: Value,
    instructions: Option<String>,
    /// An id of /models
    model: Option<String>,
    models: Option<Vec<String>>,
    provider: Option<Anything>,
    stream: Option<bool>,
    max_output_tokens: Option<i64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    tools: Option<Vec<Anything>>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    /// The form of the answer, and how much is said
    text: Option<Anything>,
    reasoning: Option<Anything>,
    include: Option<Vec<String>>,
    metadata: Option<Anything>,
    /// Only false
    store: Option<bool>,
    user: Option<String>,
}

/// What a response used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct ResponseUsage {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum ResponseObject {
    #[schemars(rename = "response")]
    Response,
}

/// An answer in items.
#[derive(JsonSchema)]
struct Response {
    id: String,
    object: ResponseObject,
    created_at: u64,
    /// completed, incomplete or failed
    status: String,
    model: String,
    provider: String,
    error: Option<Anything>,
    incomplete_details: Option<Anything>,
    output: Vec<Anything>,
    usage: Option<ResponseUsage>,
}

/// How vectors are written.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
enum Encoding {
    Float,
    Base64,
}

/// Texts to turn into vectors.
#[derive(JsonSchema)]
struct EmbeddingsRequest {
    /// An id of /embeddings/models
    model: String,
    /// A text, texts, the numbers of a text's tokens, several of these, or
    /// objects with content as in messages; at most 2048 inputs
    input: Value,
    /// How long the vectors are to be, where the model leaves a choice
    #[schemars(range(min = 1))]
    dimensions: Option<u32>,
    /// Numbers unless stated; base64 is that of 32-bit floats, lowest byte first
    encoding_format: Option<Encoding>,
    /// What the texts are for, such as search_query or search_document
    input_type: Option<String>,
    provider: Option<Anything>,
    user: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum ListObject {
    #[schemars(rename = "list")]
    List,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum EmbeddingObject {
    #[schemars(rename = "embedding")]
    Embedding,
}

#[derive(JsonSchema)]
#[schemars(inline)]
struct Embedding {
    object: EmbeddingObject,
    index: u64,
    /// An array of numbers, or base64
    embedding: Value,
}

/// What a call for vectors used.
#[derive(JsonSchema)]
#[schemars(inline)]
struct EmbeddingsUsage {
    prompt_tokens: u64,
    total_tokens: u64,
    #[schemars(with = "Dollars")]
    cost: (),
}

/// Vectors.
#[derive(JsonSchema)]
struct EmbeddingsReply {
    object: ListObject,
    data: Vec<Embedding>,
    model: String,
    id: String,
    provider: String,
    usage: EmbeddingsUsage,
}

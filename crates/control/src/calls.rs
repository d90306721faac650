//! Calls to models, described for `/openapi.json`. The data plane serves
//! them; its requests are passed on as they come, so only what every model
//! shares is described.

use serde_json::{Value, json};

use crate::schema::{
    Operation, boolean, dollars, integer, list, named, nullable, number, object, partial, text,
    text_about,
};

/// Paths below the API's prefixes, with their operations; all are `POST`.
pub(crate) fn operations() -> [(&'static str, Operation); 2] {
    let about = "With stream, the answer is a stream of server-sent events, each a chunk of the \
                 same shape with delta in place of message, and [DONE] at the end. Members that \
                 are not listed here go to the provider as they are.";
    let call = |summary, answer| Operation::new("Calls", summary, named(answer)).about(about);
    [
        (
            "/chat/completions",
            call("Asks a model to continue a conversation", "ChatCompletion")
                .body(named("ChatRequest")),
        ),
        (
            "/completions",
            call("Asks a model to continue a text", "TextCompletion").body(named("TextRequest")),
        ),
    ]
}

fn request(input: &'static str, schema: Value) -> Value {
    let mut request = partial([
        (input, schema),
        ("model", text_about("An id of /models")),
        ("models", list(text())),
        ("provider", partial([])),
        ("stream", boolean()),
        ("max_tokens", integer()),
        ("temperature", number()),
        ("top_p", number()),
        ("stop", json!({"anyOf": [text(), list(text())]})),
        ("seed", integer()),
        ("tools", list(partial([]))),
        ("tool_choice", json!({})),
        ("response_format", partial([])),
        ("reasoning", partial([])),
        ("user", text()),
    ]);
    if let Some(members) = request.as_object_mut() {
        members.insert("required".into(), json!([input]));
    }
    request
}

fn completion(kind: &str, choice: (&'static str, Value)) -> Value {
    object([
        ("id", text()),
        ("object", json!({"type": "string", "enum": [kind]})),
        ("created", integer()),
        ("model", text()),
        ("provider", text()),
        (
            "choices",
            list(object([
                ("index", integer()),
                ("finish_reason", nullable(text())),
                choice,
            ])),
        ),
        (
            "usage",
            object([
                ("prompt_tokens", integer()),
                ("completion_tokens", integer()),
                ("total_tokens", integer()),
                ("cost", dollars()),
            ]),
        ),
    ])
}

/// Describes the shapes.
pub(crate) fn schemas() -> Vec<(&'static str, Value)> {
    let message = partial([
        ("role", text()),
        (
            "content",
            json!({"description": "A text, or a list of parts"}),
        ),
    ]);
    vec![
        ("ChatRequest", request("messages", list(message.clone()))),
        ("TextRequest", request("prompt", text())),
        (
            "ChatCompletion",
            completion("chat.completion", ("message", message)),
        ),
        (
            "TextCompletion",
            completion("text_completion", ("text", text())),
        ),
    ]
}

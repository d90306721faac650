//! Who asks: the chat APIs that clients speak, each through its endpoint.

use bourse_dataplane::endpoints::{self, Endpoint, Incoming, Scanned};
use bourse_dataplane::identity::{Caller, Identity};
use bourse_vocab::{AccountId, Failure, StoreId};
use bourse_wire::json::scan;
use bytes::Bytes;
use serde_json::{Value, json};

/// A client API.
pub struct Client {
    /// The name in features.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    path: &'static str,
    /// The member of the gateway's own that asks for a stream there.
    base: fn() -> Value,
}

/// The APIs, in the order of the page.
pub const CLIENTS: &[Client] = &[
    Client {
        id: "chat",
        name: "OpenAI chat completions",
        path: "/v1/chat/completions",
        base: || json!({"model": "acme/m", "messages": [{"role": "user", "content": "Hello"}]}),
    },
    Client {
        id: "messages",
        name: "Anthropic Messages",
        path: "/v1/messages",
        base: || {
            json!({"model": "acme/m", "max_tokens": 4000,
                "messages": [{"role": "user", "content": "Hello"}]})
        },
    },
    Client {
        id: "responses",
        name: "OpenAI Responses",
        path: "/v1/responses",
        base: || json!({"model": "acme/m", "input": [{"role": "user", "content": "Hello"}]}),
    },
    Client {
        id: "gemini",
        name: "Gemini generateContent",
        path: "/v1beta/models/acme/m:generateContent",
        base: || json!({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
    },
    Client {
        id: "text",
        name: "OpenAI text completions",
        path: "/v1/completions",
        base: || json!({"model": "acme/m", "prompt": "Hello"}),
    },
];

/// The mark in a feature of a client whose address asks for a stream.
const STREAM: &str = "$stream";

impl Client {
    /// What it sends to use a feature: the least that is a request, with the
    /// feature's members over it. And whether its address asks for a stream.
    pub fn body(&self, feature: &Value) -> (Value, bool) {
        let mut body = (self.base)();
        let members = feature.as_object().unwrap();
        for (name, value) in members.iter().filter(|(name, _)| *name != STREAM) {
            body[name] = value.clone();
        }
        (body, members.contains_key(STREAM))
    }

    /// The endpoint that serves it.
    pub fn endpoint(&self, stream: bool) -> &'static dyn Endpoint {
        if stream {
            let path = self.path.replace(":generate", ":streamGenerate");
            let endpoint = endpoints::at(&path).unwrap();
            endpoint.with_query("alt=sse").unwrap_or(endpoint)
        } else {
            endpoints::at(self.path).unwrap()
        }
    }

    /// Has the endpoint read a request.
    pub fn read(&self, body: &Value, stream: bool) -> Result<Incoming, Failure> {
        let path = if stream {
            self.path.replace(":generate", ":streamGenerate") + "?alt=sse"
        } else {
            self.path.to_owned()
        };
        let (head, ()) = http::Request::builder()
            .uri(path)
            .body(())
            .unwrap()
            .into_parts();
        let bytes = Bytes::from(body.to_string());
        let caller = Caller {
            identity: &Identity::of(StoreId([7; 16])),
            account: AccountId(1),
        };
        let scanned = Scanned {
            outline: scan(&bytes).unwrap(),
            segments: vec![bytes],
        };
        self.endpoint(stream).read(&head, scanned, caller)
    }
}

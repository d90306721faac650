//! Pairs of what goes in and what comes out, through the whole codec.

mod reading;
mod replies;
mod streams;
mod writing;

use bourse_vocab::chat::{Loss, Message, Part, Request, Role};
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Format, Nanos};

use super::Gemini;
use crate::codec::{Codec, Stamp, WriteTarget};
use crate::dialect::Dialect;
use crate::openai_chat::OpenAiChat;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "google/gemini-3.8-flash",
    provider: "Google",
    created: 1,
    metadata: None,
};

fn write(request: &Request, model: &str) -> (Value, Vec<Loss>) {
    let target = WriteTarget {
        model,
        max_output: Some(65_536),
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &Dialect::PLAIN,
    };
    let written = Gemini.write_request(request, &target).unwrap();
    (
        bourse_vocab::json::parse(&written.body).unwrap(),
        written.losses,
    )
}

/// A chat completion request as Google gets it.
fn from_chat(body: &Value, model: &str) -> (Value, Vec<String>) {
    let request = OpenAiChat
        .read_request(body.to_string().as_bytes())
        .unwrap();
    let (body, losses) = write(&request, model);
    (body, losses.into_iter().map(|loss| loss.field).collect())
}

/// A request in Google's format, through the vocabulary, for Google.
fn again(body: &Value, model: &str) -> (Value, Vec<Loss>) {
    let request = Gemini.read_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(request.extras.format, Format::Gemini);
    write(&request, model)
}

fn message(role: Role, text: &str) -> Message {
    Message {
        role,
        name: None,
        parts: vec![Part::text(text)],
    }
}

fn bill() -> Bill {
    Bill {
        total: Nanos(3),
        upstream_prompt: Nanos(1),
        upstream_completion: Nanos(2),
        estimated: false,
    }
}

// Bodies are written in place, by value.
#![allow(clippy::needless_pass_by_value)]

mod completions;
mod dialects;
mod requests;
mod streams;

use bourse_vocab::Failure;
use bourse_vocab::chat::Request;
use bourse_vocab::json::Value;

use super::OpenAiChat;
use crate::{Codec, Stamp};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1-000000000000000",
    model: "acme/model",
    provider: "Acme",
    created: 7,
    metadata: None,
};

fn read(body: &Value) -> Result<Request, Failure> {
    OpenAiChat.read_request(body.to_string().as_bytes())
}

/// Checks that a request is refused with exactly this sentence.
fn refused(body: &Value, message: &str) {
    let failure = read(body).expect_err("a request to be refused");
    assert_eq!((failure.status(), &*failure.message), (400, message));
}

//! Golden pairs: bytes in, vocabulary, bytes out.

mod failures;
mod reading;
mod replies;
mod streams;
mod writing;

use bourse_vocab::TierWish;
use bourse_vocab::chat::{Loss, Request};
use bourse_vocab::json::Value;

use super::Anthropic;
use crate::codec::{Codec, Stamp, WriteTarget};
use crate::dialect::{Dialect, TierWords};

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "anthropic/claude-sonnet-4.5",
    provider: "Anthropic",
    created: 1_700_000_000,
    metadata: None,
};

fn target(model: &str) -> WriteTarget<'_> {
    WriteTarget {
        model,
        max_output: None,
        limit: None,
        efforts: bourse_vocab::chat::Efforts::default(),
        tier: bourse_vocab::TierWish::None,
        dialect: &Dialect::PLAIN,
    }
}

/// Reads a request of Anthropic's.
fn read(body: &Value) -> Request {
    Anthropic.read_request(body.to_string().as_bytes()).unwrap()
}

/// Writes a request for `model`; returns the body and the fields lost.
fn write(request: &Request, model: &str) -> (Value, Vec<String>) {
    write_for(request, model, TierWish::None)
}

/// The same for a target that is told so of the tier.
fn write_for(request: &Request, model: &str, tier: TierWish) -> (Value, Vec<String>) {
    const OWN: Dialect = Dialect {
        tiers: TierWords::ANTHROPIC,
        ..Dialect::PLAIN
    };
    let target = WriteTarget {
        tier,
        dialect: &OWN,
        ..target(model)
    };
    let written = Anthropic.write_request(request, &target).unwrap();
    (
        bourse_vocab::json::parse(&written.body).unwrap(),
        fields(&written.losses),
    )
}

fn fields(losses: &[Loss]) -> Vec<String> {
    losses.iter().map(|loss| loss.field.clone()).collect()
}

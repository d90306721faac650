use bourse_vocab::chat::{Finish, Loss};
use bourse_vocab::json;
use bourse_vocab::json::Value;
use bourse_vocab::{Bill, Failure, FailureKind, Nanos, Next, ServiceTier, TierWish, Usage};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::codec::{Stamp, WriteTarget};
use crate::dialect::{Dialect, MaxTokensName, ReasoningStyle, StreamUsage, TierWords};
use crate::json::Scanner;

mod relay;
mod reply;
mod request;

const STAMP: Stamp<'static> = Stamp {
    id: "gen-1",
    model: "acme/m",
    provider: "Acme",
    created: 7,
    metadata: None,
};

const BILL: Bill = Bill {
    total: Nanos(1_000),
    upstream_prompt: Nanos(600),
    upstream_completion: Nanos(400),
    estimated: false,
};

fn usage() -> Usage {
    Usage {
        prompt: 3,
        completion: 2,
        ..Usage::default()
    }
}

fn segments(text: &str, cut: usize) -> Vec<Bytes> {
    text.as_bytes()
        .chunks(cut)
        .map(Bytes::copy_from_slice)
        .collect()
}

fn envelope(text: &str) -> Result<(Envelope, Vec<Bytes>), Failure> {
    let segments = segments(text, 11);
    let mut scanner = Scanner::new();
    for segment in &segments {
        scanner.push(segment)?;
    }
    let envelope = Envelope::read(scanner.finish()?, &segments)?;
    Ok((envelope, segments))
}

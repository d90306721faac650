//! The facts of a prompt by both roads: noted by the scanner, and counted
//! from the vocabulary. They must agree on every case of `fixtures/chat`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;

use bourse_vocab::chat::{Part, Request};
use bourse_vocab::{Format, PromptFacts};
use bourse_wire::openai_chat::passthrough::Envelope;
use bourse_wire::{codec, json};
use bytes::Bytes;

/// Members of requests that no model reads.
const NO_PROMPT: &[&str] = &[
    "model",
    "metadata",
    "thinking",
    "tool_choice",
    "toolConfig",
    "plugins",
    "provider",
    "cache_control",
    "service_tier",
    "stop_sequences",
    "safetySettings",
];

fn scanned(format: Format, body: &Bytes) -> PromptFacts {
    let outline = json::scan(body).unwrap();
    let segments = [body.clone()];
    if format == Format::OpenAiChat {
        return *Envelope::read(outline, &segments).unwrap().facts;
    }
    let written = outline
        .iter()
        .filter(|(name, _)| !NO_PROMPT.contains(name))
        .map(|(_, member)| member.value.len() as u64)
        .sum();
    outline.facts(written, &segments)
}

/// How many parts a request has: each may be written with other words
/// around it.
fn parts(request: &Request) -> u64 {
    fn inside(parts: &[Part]) -> u64 {
        parts
            .iter()
            .map(|part| match part {
                Part::ToolResult { parts, .. } => 1 + inside(parts),
                _ => 1,
            })
            .sum()
    }
    let messages = request.messages.iter();
    let said: u64 = messages.map(|message| 1 + inside(&message.parts)).sum();
    said + request.tools.len() as u64 + request.extras.members.len() as u64
}

/// Bytes of names and brackets around a part that formats differ in.
const AROUND_PART: u64 = 64;

#[test]
fn both_roads_agree_on_every_fixture() {
    let mut compared = 0;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/chat");
    for case in std::fs::read_dir(fixtures).unwrap() {
        let folder = case.unwrap().path();
        for format in Format::ALL {
            let Ok(bytes) = std::fs::read(folder.join(format!("{format}.request.json"))) else {
                continue;
            };
            // Without white space, and with members in another order.
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let sorted = Bytes::from(serde_json::to_vec(&value).unwrap());
            let Ok(request) = codec(format).read_request(&bytes) else {
                continue;
            };
            let name = folder.join(format.slug());
            let read = PromptFacts::of(&request);
            for body in [Bytes::from(bytes), sorted] {
                let mut scanned = scanned(format, &body);
                if body.first_chunk::<2>() != Some(b"{\n") {
                    let apart = scanned.text_bytes.abs_diff(read.text_bytes);
                    let around = AROUND_PART * (1 + parts(&request));
                    assert!(
                        apart <= around,
                        "{}: {} and {}",
                        name.display(),
                        scanned.text_bytes,
                        read.text_bytes
                    );
                }
                // Only one road knows the places in the body.
                scanned.texts = read.texts;
                scanned.text_bytes = read.text_bytes;
                assert_eq!(scanned, read, "{}", name.display());
            }
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

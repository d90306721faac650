//! Writing a request for one target, out of slices of the client's bytes.

use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::Envelope;
use super::members::Fate;
use crate::codec::WriteTarget;
use crate::dialect::service;
use crate::json::Kind;
use crate::json::splice::Splice;

/// Writes a request for one target. Returns the pieces of the body and what
/// the vendor cannot be told. The model and whether to stream go into the
/// address.
#[must_use]
pub fn splice_request(
    envelope: &Envelope,
    segments: &[Bytes],
    target: &WriteTarget<'_>,
) -> (Vec<Bytes>, Vec<Loss>) {
    let outline = &envelope.outline;
    let dialect = target.dialect;
    let mut splice = Splice::new(outline);
    let mut losses = envelope.losses.clone();
    if envelope.has("user") {
        losses.push(Loss::new("user", "Gemini has no such parameter"));
    }
    for (at, (member, known)) in outline.members().iter().zip(&envelope.known).enumerate() {
        match known {
            Some(known) if dialect.rejects.contains(&known.name) => {
                splice.remove_at(at);
                if member.kind != Kind::Null {
                    losses.push(Loss::new(known.name, "the provider does not take it"));
                }
            }
            Some(known) if matches!(known.fate, Fate::Prompt | Fate::Forward) => {
                let name = outline.name(member);
                // Servers that imitate Google's know the one style only.
                if name != known.name {
                    splice.rename(name, known.name);
                }
            }
            Some(_) | None => splice.remove_at(at),
        }
    }
    if let Some(config) = envelope.config.generation_for(target, &mut losses) {
        splice.set("generationConfig", config);
    }
    if let Some(config) = envelope.config.tools_for_target() {
        splice.set("toolConfig", config);
    }
    // What it is told of the tier of service is what is paid for.
    if let Some(word) = dialect.tier_word(target.tier) {
        splice.set(service::MEMBER, format!("\"{word}\""));
    }
    (splice.write(segments), losses)
}

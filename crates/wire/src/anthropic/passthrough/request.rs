//! Writing a request for one target, out of slices of the client's bytes.

use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::Envelope;
use super::members::Fate;
use crate::anthropic::request::OUTPUT_DEFAULT;
use crate::codec::WriteTarget;
use crate::dialect::service;
use crate::json::Kind;
use crate::json::splice::Splice;
use crate::json::text::write_string;

/// Writes a request for one target. Returns the pieces of the body and what
/// the vendor cannot be told.
#[must_use]
pub fn splice_request(
    envelope: &Envelope,
    segments: &[Bytes],
    target: &WriteTarget<'_>,
) -> (Vec<Bytes>, Vec<Loss>) {
    let outline = &envelope.outline;
    let dialect = target.dialect;
    let mut splice = Splice::new(outline);
    let mut losses = Vec::new();
    for (at, (member, known)) in outline.members().iter().zip(&envelope.known).enumerate() {
        let name = outline.name(member);
        let lost = match known.map(|known| known.fate) {
            None => Some("no provider is told it"),
            Some(_) if dialect.rejects.contains(&name) => Some("the provider does not take it"),
            Some(Fate::Forward) => continue,
            Some(Fate::Ours | Fate::Rewritten | Fate::Refused(_)) => None,
        };
        splice.remove_at(at);
        if let Some(reason) = lost.filter(|_| member.kind != Kind::Null) {
            losses.push(Loss::new(name, reason));
        }
    }
    let (named, text) = dialect.instead_of_model.unwrap_or(("model", target.model));
    let mut model = Vec::with_capacity(text.len().saturating_add(2));
    write_string(text, &mut model);
    if named != "model" {
        splice.remove("model");
    }
    splice.set(named, model);
    // The format insists on a limit.
    let limit = target.limit_of(envelope.max_tokens).or(target.max_output);
    splice.set("max_tokens", limit.unwrap_or(OUTPUT_DEFAULT).to_string());
    if let Some(user) = &envelope.told_user {
        let mut metadata = b"{\"user_id\":".to_vec();
        write_string(user, &mut metadata);
        metadata.push(b'}');
        splice.set("metadata", metadata);
    }
    // What it is told of the tier of service is what is paid for.
    if let Some(word) = dialect.tier_word(target.tier) {
        splice.set(service::MEMBER, format!("\"{word}\""));
    }
    for name in dialect.rejects {
        splice.remove(name);
    }
    for (ours, theirs) in dialect.renames {
        splice.rename(ours, theirs);
    }
    (splice.write(segments), losses)
}

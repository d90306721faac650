//! Writing a request for one target.

use bourse_vocab::chat::Loss;
use bytes::Bytes;

use super::envelope::Envelope;
use super::params::{Fate, Param};
use super::reasoning;
use crate::codec::WriteTarget;
use crate::dialect::{Dialect, MaxTokensName, StreamUsage};
use crate::json::splice::Splice;
use crate::json::text::write_string;
use crate::json::{Features, Kind};

const ASK_FOR_USAGE: &[u8] = br#"{"include_usage":true}"#;
/// Members with this prefix are spoken between clients and gateways.
const PRIVATE_PREFIX: &str = "x_";

/// What the gateway itself wants changed. Applied last, so it always wins.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestEdits<'a> {
    /// Members to set: names as the provider knows them, JSON texts.
    pub set: &'a [(&'a str, &'a str)],
    /// Members to leave out.
    pub remove: &'a [&'a str],
}

/// Whether a request must be rewritten through `vocab`, because the vendor
/// does not understand something inside its messages.
#[must_use]
pub const fn needs_rewrite(dialect: &Dialect, features: Features) -> bool {
    (features.developer_role && !dialect.developer_role)
        || (features.message_name && !dialect.names)
        || (dialect.strict_messages
            && (features.reasoning_details
                || features.reasoning_text
                || (features.cache_control && !dialect.cache_control)))
}

/// Writes a request for one target, out of slices of the client's bytes.
/// Returns the pieces of the body and what the vendor cannot be told.
#[must_use]
pub fn splice_request(
    envelope: &Envelope,
    segments: &[Bytes],
    target: &WriteTarget<'_>,
    edits: &RequestEdits<'_>,
) -> (Vec<Bytes>, Vec<Loss>) {
    let dialect = target.dialect;
    let mut losses = Vec::new();
    let mut splice = Splice::new(&envelope.outline);
    drop_what_is_not_for_the_provider(envelope, &mut splice, &mut losses);

    let mut model = Vec::with_capacity(target.model.len().saturating_add(2));
    write_string(target.model, &mut model);
    splice.set("model", model);

    if envelope.stream && dialect.stream_usage == StreamUsage::OnRequest {
        splice.set("stream_options", ASK_FOR_USAGE);
    }
    if let Some(max_tokens) = envelope.max_tokens {
        let name = match dialect.max_tokens {
            MaxTokensName::MaxTokens => "max_tokens",
            MaxTokensName::MaxCompletionTokens => "max_completion_tokens",
        };
        splice.set(name, max_tokens.to_string());
    }
    if let Some(request) = &envelope.reasoning {
        let limit = envelope.max_tokens.or(target.max_output);
        for (name, value) in reasoning::members(dialect.reasoning, request, limit, &mut losses) {
            // Whoever speaks the vendor's own words knows what they want.
            if !envelope.unknown.iter().any(|sent| sent == name) {
                splice.set(name, value);
            }
        }
    }
    for name in dialect.rejects {
        splice.remove(name);
        let sent = envelope.outline.get(name);
        let reported = Param::by_name(name).is_some_and(|param| param.fate() != Fate::Forward);
        if !reported && sent.is_some_and(|member| member.kind != Kind::Null) {
            losses.push(Loss::new(*name, "the provider does not accept it"));
        }
    }
    for (ours, theirs) in dialect.renames {
        splice.rename(ours, theirs);
    }
    for name in edits.remove {
        splice.remove(name);
    }
    for (name, value) in edits.set {
        splice.set(name, *value);
    }
    (splice.write(segments), losses)
}

fn drop_what_is_not_for_the_provider(
    envelope: &Envelope,
    splice: &mut Splice<'_>,
    losses: &mut Vec<Loss>,
) {
    let outline = &envelope.outline;
    let members = outline.members().iter().zip(&envelope.known);
    for (at, (member, param)) in members.enumerate() {
        let reason = match param.map(Param::fate) {
            Some(Fate::Forward) => continue,
            None if !outline.name(member).starts_with(PRIVATE_PREFIX) => continue,
            None => Some("it is private between client and gateway"),
            Some(Fate::Lost(reason)) => Some(reason),
            Some(Fate::Ours | Fate::Rewritten) => None,
        };
        splice.remove_at(at);
        if let (Some(reason), true) = (reason, member.kind != Kind::Null) {
            losses.push(Loss::new(outline.name(member), reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strict_vendors_have_replayed_reasoning_taken_out() {
        let strict = Dialect {
            strict_messages: true,
            ..Dialect::PLAIN
        };
        let features = |set: fn(&mut Features)| {
            let mut features = Features::default();
            set(&mut features);
            features
        };
        for features in [
            features(|f| f.reasoning_text = true),
            features(|f| f.reasoning_details = true),
            features(|f| f.cache_control = true),
        ] {
            assert!(needs_rewrite(&strict, features), "{features:?}");
            assert!(!needs_rewrite(&Dialect::PLAIN, features), "{features:?}");
        }
        let cached = Dialect {
            cache_control: true,
            ..strict
        };
        assert!(!needs_rewrite(
            &cached,
            features(|f| f.cache_control = true)
        ));
        assert!(!needs_rewrite(&strict, features(|f| f.image = true)));
    }
}

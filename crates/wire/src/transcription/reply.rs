//! The transcript as clients read it: OpenAI's, with what OpenRouter adds to
//! its usage (openrouter.ai/docs, `STTResponse`, October 2026).

use bourse_vocab::json::{Map, Value};
use bourse_vocab::transcription::{Form, Reply};
use bourse_vocab::{Bill, Usage};

use super::subtitles;
use crate::object::{Object, object, write};

/// The media type of a transcript that is no JSON. OpenAI sends all of them as
/// plain text.
#[must_use]
pub const fn media_type(form: Form) -> Option<&'static str> {
    match form.is_json() {
        true => None,
        false => Some("text/plain; charset=utf-8"),
    }
}

/// Whether the transcript can be told in a form.
#[must_use]
pub fn has(reply: &Reply, form: Form) -> bool {
    let needs_segments = matches!(form, Form::Srt | Form::Vtt);
    !needs_segments || !reply.segments.is_empty() || reply.text.trim().is_empty()
}

/// Writes a transcript, with what it used and what that costs.
#[must_use]
pub fn whole(reply: &Reply, form: Form, usage: &Usage, bill: &Bill) -> Vec<u8> {
    match form {
        Form::Text => format!("{}\n", reply.text).into_bytes(),
        Form::Srt => subtitles::srt(&reply.segments).into_bytes(),
        Form::Vtt => subtitles::vtt(&reply.segments).into_bytes(),
        Form::Json => {
            let is_shown = |name: &str| matches!(name, "text" | "logprobs" | "languages");
            json(&reply.members, is_shown, usage, bill)
        }
        Form::VerboseJson | Form::DiarizedJson => json(&reply.members, |_| true, usage, bill),
    }
}

fn json(members: &Map, is_shown: impl Fn(&str) -> bool, usage: &Usage, bill: &Bill) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |told| {
        let shown = members.iter().filter(|(name, _)| is_shown(name));
        put_all(told, shown);
        put_usage(told, usage, bill);
    });
    out
}

fn put_all<'m>(told: &mut Object<'_>, members: impl Iterator<Item = (&'m String, &'m Value)>) {
    for (name, value) in members {
        told.nested(name, |out| write(out, value));
    }
}

/// Writes `usage`: OpenAI's by tokens or by seconds, and OpenRouter's, which
/// has both and the price.
pub(super) fn put_usage(told: &mut Object<'_>, usage: &Usage, bill: &Bill) {
    told.nested("usage", |out| {
        object(out, |told| {
            if usage.total() > 0 {
                let text = usage.prompt.saturating_sub(usage.prompt_audio);
                told.put("type", "tokens")
                    .put("input_tokens", &usage.prompt)
                    .put("output_tokens", &usage.completion)
                    .put("total_tokens", &usage.total())
                    .nested("input_token_details", |out| {
                        object(out, |details| {
                            details
                                .put("audio_tokens", &usage.prompt_audio)
                                .put("text_tokens", &text);
                        });
                    });
            } else {
                told.put("type", "duration");
            }
            told.nested("seconds", |out| seconds(usage.units.audio_ms, out));
            told.nested("cost", |out| {
                out.extend_from_slice(bill.total.decimal().as_bytes());
            });
        });
    });
}

/// Milliseconds as a number of seconds, with every digit.
fn seconds(ms: u64, out: &mut Vec<u8>) {
    let (whole, rest) = (ms / 1_000, ms % 1_000);
    let digits = format!("{rest:03}");
    let digits = digits.trim_end_matches('0');
    let text = match digits {
        "" => whole.to_string(),
        digits => format!("{whole}.{digits}"),
    };
    out.extend_from_slice(text.as_bytes());
}

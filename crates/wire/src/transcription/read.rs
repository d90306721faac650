//! Reading a vendor's transcript, and what it says of usage.

use bourse_vocab::json::{Map, Value, parse};
use bourse_vocab::money::parse_scaled_up;
use bourse_vocab::transcription::{Reply, Segment};
use bourse_vocab::usage::TOKENS_MAX;
use bourse_vocab::{Failure, UsageReport};
use bytes::Bytes;

/// Reads OpenAI's reply; so many milliseconds are billed at least.
pub(super) fn whole(body: &Bytes, billed_ms_min: u64) -> Result<Reply, Failure> {
    let value = parse(body).map_err(|error| broken("it is no JSON").inside(error.to_string()))?;
    let Value::Object(mut members) = value else {
        return Err(broken("it is no object"));
    };
    if members.contains_key("error") {
        return Err(broken("it is an error"));
    }
    let text = members.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| broken("it has no text"))?.to_owned();
    let told = members.remove("usage");
    members.remove("x_groq");
    let mut usage = told.as_ref().map(usage).unwrap_or_default();
    if !usage.units.any() && usage.prompt.is_none() {
        // Verbose JSON says how long the sound is.
        usage.units.audio_ms = members.get("duration").and_then(milliseconds);
    }
    if let Some(ms) = &mut usage.units.audio_ms {
        *ms = (*ms).max(billed_ms_min);
    }
    let segments = segments(&members)?;
    Ok(Reply {
        text,
        segments,
        members,
        usage,
    })
}

/// Reads OpenAI's usage: by tokens, or by seconds
/// (`TranscriptTextUsageTokens`, `TranscriptTextUsageDuration`).
pub(super) fn usage(value: &Value) -> UsageReport {
    let mut report = UsageReport::default();
    let Some(members) = value.as_object() else {
        return report;
    };
    // Mistral's: the tokens beside it cost nothing.
    let heard = members.get("prompt_audio_seconds");
    if let Some(seconds) = heard.filter(|seconds| !seconds.is_null()) {
        report.units.audio_ms = milliseconds(seconds);
        report.nonsense |= report.units.audio_ms.is_none();
        return report;
    }
    let is_duration = members.get("type").and_then(Value::as_str) == Some("duration");
    if let Some(seconds) = members.get("seconds").filter(|_| is_duration) {
        report.units.audio_ms = milliseconds(seconds);
        report.nonsense |= report.units.audio_ms.is_none();
        return report;
    }
    let count = |report: &mut UsageReport, name| {
        let value = members.get(name)?;
        report.count(value)
    };
    report.prompt = count(&mut report, "input_tokens");
    report.completion = count(&mut report, "output_tokens");
    let audio = members
        .get("input_token_details")
        .and_then(|details| details.get("audio_tokens"));
    report.prompt_audio = audio.and_then(|audio| report.count(audio));
    report
}

/// A number of seconds in milliseconds, rounded up.
pub(super) fn milliseconds(value: &Value) -> Option<u64> {
    let number = value.as_number()?.to_string();
    let ms = parse_scaled_up(&number, 3).ok()?;
    u64::try_from(ms).ok().filter(|ms| *ms <= TOKENS_MAX)
}

/// The segments of verbose JSON.
fn segments(members: &Map) -> Result<Vec<Segment>, Failure> {
    let Some(Value::Array(items)) = members.get("segments") else {
        return Ok(Vec::new());
    };
    items
        .iter()
        .map(|item| {
            let ms = |name| item.get(name).and_then(milliseconds);
            let text = item.get("text").and_then(Value::as_str);
            match (ms("start"), ms("end"), text) {
                (Some(start_ms), Some(end_ms), Some(text)) => Ok(Segment {
                    start_ms,
                    end_ms,
                    text: text.to_owned(),
                }),
                _ => Err(broken("a segment has no times or no text")),
            }
        })
        .collect()
}

/// A transcript that is none, for a reason.
pub(super) fn broken(why: &str) -> Failure {
    Failure::unavailable(format!("The provider's transcript cannot be used: {why}"))
}

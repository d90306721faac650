//! What a provider tells: when answers begin and end, and what they used.

use bourse_vocab::UsageReport;

use super::members::Members;

/// What an event says of answers and their cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Told {
    /// The session is as it says, in so many bytes.
    Session(u64),
    /// An answer begins.
    Began(String),
    /// More of an answer: whose, and how much of it.
    More {
        /// The answer's id.
        answer: String,
        /// Bytes of text.
        text: u64,
        /// Characters of base64.
        sound: u64,
    },
    /// An answer has ended.
    Ended(Box<End>),
    /// An error, of no answer.
    Error,
    /// Anything else.
    #[default]
    Other,
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct End {
    /// The answer's id.
    pub answer: String,
    /// How it ended: `completed`, `cancelled`, `incomplete`, `failed`.
    pub status: String,
    /// Why, where that is said.
    pub reason: String,
    /// What it used.
    pub usage: UsageReport,
}

/// Reads an event of a provider; what is none says nothing.
#[must_use]
pub fn read(text: &str) -> Told {
    let Ok(event) = Members::read(text) else {
        return Told::Other;
    };
    let kind = event.text("type").unwrap_or_default();
    match kind.as_str() {
        "session.created" | "session.updated" => Told::Session(text.len() as u64),
        "response.created" => match event.object("response") {
            Some(answer) => Told::Began(answer.text("id").unwrap_or_default()),
            None => Told::Other,
        },
        "response.done" => Told::Ended(Box::new(end(&event))),
        "error" => Told::Error,
        kind if kind.starts_with("response.") && kind.ends_with(".delta") => more(&event, kind),
        _ => Told::Other,
    }
}

/// Sounds come in `response.output_audio.delta`; their transcripts, texts and
/// arguments of functions in events of other names.
fn more(event: &Members<'_>, kind: &str) -> Told {
    // Without its quotes.
    let bytes = event
        .get("delta")
        .map_or(0, |text| (text.len() as u64).saturating_sub(2));
    let is_sound = kind == "response.output_audio.delta";
    Told::More {
        answer: event.text("response_id").unwrap_or_default(),
        text: if is_sound { 0 } else { bytes },
        sound: if is_sound { bytes } else { 0 },
    }
}

fn end(event: &Members<'_>) -> End {
    let answer = event.object("response").unwrap_or_default();
    let details = answer.object("status_details").unwrap_or_default();
    End {
        answer: answer.text("id").unwrap_or_default(),
        status: answer.text("status").unwrap_or_default(),
        reason: details.text("reason").unwrap_or_default(),
        usage: match answer.get("usage") {
            Some(text) => usage(text),
            None => UsageReport::default(),
        },
    }
}

/// Reads a `RealtimeResponseUsage`: cached tokens are a part of the input, and
/// say apart what of them was heard.
fn usage(text: &str) -> UsageReport {
    let mut report = UsageReport::default();
    let Ok(told) = Members::read(text) else {
        report.nonsense = true;
        return report;
    };
    let input = told.object("input_token_details").unwrap_or_default();
    let cached = input.object("cached_tokens_details").unwrap_or_default();
    let output = told.object("output_token_details").unwrap_or_default();
    report.prompt = count(&mut report, &told, "input_tokens");
    report.completion = count(&mut report, &told, "output_tokens");
    report.cache_read = count(&mut report, &input, "cached_tokens");
    report.prompt_audio = count(&mut report, &input, "audio_tokens");
    report.cache_read_audio = count(&mut report, &cached, "audio_tokens");
    report.completion_audio = count(&mut report, &output, "audio_tokens");
    report.reasoning = count(&mut report, &output, "reasoning_tokens");
    report
}

fn count(report: &mut UsageReport, of: &Members<'_>, name: &str) -> Option<u64> {
    let text = of.get(name)?;
    match bourse_vocab::json::parse(text.as_bytes()) {
        Ok(value) => report.count(&value),
        Err(_) => {
            report.nonsense = true;
            None
        }
    }
}

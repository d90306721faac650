//! Transcripts that come as words with their times: what OpenAI's clients read
//! is made of them, segments too.

use bourse_vocab::json::{Map, Value};
use bourse_vocab::transcription::{Reply, Segment};
use bourse_vocab::{Failure, UsageReport};

use super::read::{broken, milliseconds};

/// A pause between two words from which on another segment begins.
const PAUSE_MS: u64 = 800;
/// How long a segment is at most: two lines of subtitles are read in it.
const SEGMENT_MS_MAX: u64 = 7_000;

/// A transcript in a vendor's words.
pub(super) struct Heard<'a> {
    /// All that was said.
    pub text: &'a str,
    /// In which language, if that is told.
    pub language: Option<&'a Value>,
    /// How long the sound is, in seconds, if that is told.
    pub duration: Option<&'a Value>,
    /// The words, where they are told.
    pub words: Vec<Word<'a>>,
}

/// A word, and when it was said.
pub(super) struct Word<'a> {
    /// As it stands in the text.
    pub text: &'a str,
    /// Seconds from the beginning.
    pub start: &'a Value,
    /// The same.
    pub end: &'a Value,
}

impl Heard<'_> {
    /// OpenAI's reply.
    ///
    /// # Errors
    /// A time is none.
    pub fn reply(&self) -> Result<Reply, Failure> {
        let mut usage = UsageReport::default();
        if let Some(seconds) = self.duration {
            usage.units.audio_ms = milliseconds(seconds);
            usage.nonsense = usage.units.audio_ms.is_none();
        }
        let segments = segments(&self.words)?;
        let mut members = Map::default();
        members.insert("text".to_owned(), self.text.into());
        for (name, value) in [("language", self.language), ("duration", self.duration)] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.clone());
            }
        }
        let told = segments.iter().enumerate().map(|(at, segment)| {
            object([
                ("id", Value::from(at as u64)),
                ("start", seconds(segment.start_ms)?),
                ("end", seconds(segment.end_ms)?),
                ("text", segment.text.as_str().into()),
            ])
        });
        let told = told.collect::<Option<Vec<_>>>().unwrap_or_default();
        members.insert("segments".to_owned(), Value::Array(told));
        let words = self.words.iter().map(|word| {
            object([
                ("word", word.text.into()),
                ("start", word.start.clone()),
                ("end", word.end.clone()),
            ])
        });
        let words = words.collect::<Option<Vec<_>>>().unwrap_or_default();
        members.insert("words".to_owned(), Value::Array(words));
        Ok(Reply {
            text: self.text.to_owned(),
            segments,
            members,
            usage,
        })
    }
}

/// An object of these members; `None` if one has no value.
fn object<const N: usize>(members: [(&str, Value); N]) -> Option<Value> {
    let mut map = Map::default();
    for (name, value) in members {
        map.insert(name.to_owned(), value);
    }
    Some(Value::Object(map))
}

/// Milliseconds as a number of seconds.
fn seconds(ms: u64) -> Option<Value> {
    let text = format!("{}.{:03}", ms / 1_000, ms % 1_000);
    bourse_vocab::json::parse(text.as_bytes()).ok()
}

/// Words that are said without a pause, a sentence at most.
fn segments(words: &[Word<'_>]) -> Result<Vec<Segment>, Failure> {
    let mut all: Vec<Segment> = Vec::new();
    for word in words {
        let times = milliseconds(word.start).zip(milliseconds(word.end));
        let (start_ms, end_ms) = times.ok_or_else(|| broken("a word has no times"))?;
        let goes_on = all.last().is_some_and(|last| {
            let is_sentence = last.text.ends_with(['.', '!', '?']);
            start_ms.saturating_sub(last.end_ms) < PAUSE_MS
                && end_ms.saturating_sub(last.start_ms) <= SEGMENT_MS_MAX
                && !is_sentence
        });
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.end_ms = last.end_ms.max(end_ms);
                last.text.push(' ');
                last.text.push_str(word.text);
            }
            None => all.push(Segment {
                start_ms,
                end_ms,
                text: word.text.to_owned(),
            }),
        }
    }
    Ok(all)
}

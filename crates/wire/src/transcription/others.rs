//! Vendors whose transcripts do not look like OpenAI's: xAI, ElevenLabs and
//! Deepgram. Each tells the words with their times, of which OpenAI's forms are
//! made ([`super::words`]), and how long the sound was, which is what it bills.

use bourse_vocab::chat::Loss;
use bourse_vocab::json::{Value, parse};
use bourse_vocab::transcription::{Form, Reply, Shape, Task};
use bourse_vocab::{Failure, Next};
use bytes::Bytes;

use super::asked::Asked;
use super::read::broken;
use super::words::{Heard, Word};
use super::{Codec, Written};
use crate::multipart::Boundary;
use crate::multipart::write::{Field, write};

/// Characters of a language's name that stands in an address.
const LANGUAGE_CHARS_MAX: usize = 16;

/// xAI (docs.x.ai, rest-api-reference/inference/voice, `POST /v1/stt`, 2026): a
/// form that names no model, with the file last; answered with `text`,
/// `language`, `duration` and `words`.
pub(super) struct Xai;

/// ElevenLabs (elevenlabs 2.78, `speech_to_text/raw_client.py` and
/// `SpeechToTextChunkResponseModel`, November 2026).
pub(super) struct ElevenLabs;

/// Deepgram (deepgram-sdk 7.17, `listen/v1/media/raw_client.py` and
/// `ListenV1Response`, November 2026): the sound itself is the body, and all that
/// is said of it is in the query.
pub(super) struct Deepgram;

/// A vendor that cannot be asked this; another may.
fn cannot(what: &str) -> Failure {
    Failure::invalid(what.to_owned()).next(Next::TryAnother)
}

/// Refuses what none of them does here, and tells what they are not told.
fn losses(asked: &Asked, takes: &[&str]) -> Result<Vec<Loss>, Failure> {
    if asked.stream {
        return Err(cannot(
            "stream: the transcripts of this provider are not streamed here; remove it",
        ));
    }
    if asked.task == Task::Translate {
        return Err(cannot("model: does not translate; choose another"));
    }
    if asked.form == Form::DiarizedJson {
        return Err(cannot(
            "response_format: who speaks is not told here; choose `verbose_json`, or another model",
        ));
    }
    let mut losses = asked.unknown().to_vec();
    for (name, _) in asked.fields() {
        // Words come with their times, whatever is asked for.
        if !takes.contains(&name) && name != "timestamp_granularities[]" {
            losses.push(Loss::new(name, "the model has no parameter of this name"));
        }
    }
    Ok(losses)
}

fn said<'a>(asked: &'a Asked, wanted: &str) -> Option<&'a str> {
    let mut fields = asked.fields();
    fields
        .find(|(name, _)| *name == wanted)
        .map(|(_, text)| text)
}

/// A form with these words and the sound.
fn form(
    asked: &Asked,
    words: Vec<Field<'_>>,
    boundary: &Boundary,
    losses: Vec<Loss>,
) -> Result<Written, Failure> {
    let sound = &asked.sound;
    let known = sound.measured.format.map(crate::sound::Format::media_type);
    let mut fields = words;
    fields.push(Field {
        name: "file",
        file_name: Some(&sound.file_name),
        media_type: sound.media_type.as_deref().or(known),
        value: sound.pieces()?,
    });
    Ok(Written {
        body: write(fields, boundary),
        content_type: boundary.content_type(),
        losses,
    })
}

/// A whole reply, which is an object and no error.
fn object(body: &Bytes) -> Result<Value, Failure> {
    let value = parse(body).map_err(|error| broken("it is no JSON").inside(error.to_string()))?;
    match value.get("error") {
        None | Some(Value::Null) if value.as_object().is_some() => Ok(value),
        _ => Err(broken("it is an error")),
    }
}

/// The words of a list, by the members that a vendor has for them.
fn words<'a>(list: Option<&'a Value>, names: &[&str]) -> Result<Vec<Word<'a>>, Failure> {
    let Some(Value::Array(items)) = list else {
        return Ok(Vec::new());
    };
    let is_word = |item: &&Value| {
        let kind = item.get("type").and_then(Value::as_str);
        kind.is_none_or(|kind| kind == "word")
    };
    let words = items.iter().filter(is_word).map(|item| {
        let text = names.iter().find_map(|name| item.get(name)?.as_str());
        match (text, item.get("start"), item.get("end")) {
            (Some(text), Some(start), Some(end)) => Ok(Word { text, start, end }),
            _ => Err(broken("a word has no times or no text")),
        }
    });
    words.collect()
}

fn text_of<'a>(value: &'a Value, name: &str) -> Result<&'a str, Failure> {
    let text = value.get(name).and_then(Value::as_str);
    text.ok_or_else(|| broken("it has no text"))
}

impl Codec for Xai {
    fn shape(&self) -> Shape {
        Shape::Xai
    }

    fn write(&self, asked: &Asked, _: &str, boundary: &Boundary) -> Result<Written, Failure> {
        let losses = losses(asked, &["language"])?;
        let language = said(asked, "language");
        let words = language.map(|text| Field::text("language", text.to_owned()));
        form(asked, words.into_iter().collect(), boundary, losses)
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        let whole = object(body)?;
        let heard = Heard {
            text: text_of(&whole, "text")?,
            language: whole.get("language"),
            duration: whole.get("duration"),
            words: words(whole.get("words"), &["text", "word"])?,
        };
        heard.reply()
    }
}

impl Codec for ElevenLabs {
    fn shape(&self) -> Shape {
        Shape::ElevenLabs
    }

    fn write(&self, asked: &Asked, model: &str, boundary: &Boundary) -> Result<Written, Failure> {
        let losses = losses(asked, &["language", "temperature"])?;
        let mut words = vec![
            Field::text("model_id", model.to_owned()),
            // Laughter is no word.
            Field::text("tag_audio_events", "false"),
            Field::text("timestamps_granularity", "word"),
        ];
        for (name, theirs) in [
            ("language", "language_code"),
            ("temperature", "temperature"),
        ] {
            words.extend(said(asked, name).map(|text| Field::text(theirs, text.to_owned())));
        }
        form(asked, words, boundary, losses)
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        let whole = object(body)?;
        let heard = Heard {
            text: text_of(&whole, "text")?,
            language: whole.get("language_code"),
            duration: whole.get("audio_duration_secs").filter(|v| !v.is_null()),
            words: words(whole.get("words"), &["text"])?,
        };
        heard.reply()
    }
}

impl Codec for Deepgram {
    fn shape(&self) -> Shape {
        Shape::Deepgram
    }

    fn tail(&self, asked: &Asked) -> Result<Option<String>, Failure> {
        let Some(language) = said(asked, "language") else {
            return Ok(Some("&detect_language=true".to_owned()));
        };
        // It stands in an address: nothing else may be made of it.
        let is_name = (1..=LANGUAGE_CHARS_MAX).contains(&language.len())
            && language
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_name {
            return Err(Failure::invalid(
                "language: must be a tag such as `en` or `pt-BR`",
            ));
        }
        Ok(Some(format!("&language={language}")))
    }

    fn content_type(&self, asked: &Asked, _: &Boundary) -> String {
        let sound = &asked.sound;
        let known = sound.measured.format.map(crate::sound::Format::media_type);
        let told = known.unwrap_or("application/octet-stream");
        told.to_owned()
    }

    fn write(&self, asked: &Asked, _: &str, boundary: &Boundary) -> Result<Written, Failure> {
        self.tail(asked)?;
        Ok(Written {
            losses: losses(asked, &["language"])?,
            content_type: self.content_type(asked, boundary),
            body: asked.sound.pieces()?,
        })
    }

    fn read(&self, body: &Bytes) -> Result<Reply, Failure> {
        let whole = object(body)?;
        let channel = whole.pointer("/results/channels/0");
        let channel = channel.ok_or_else(|| broken("it has no channel"))?;
        let best = channel.pointer("/alternatives/0");
        let best = best.ok_or_else(|| broken("it has no alternative"))?;
        let heard = Heard {
            text: text_of(best, "transcript")?,
            language: channel.get("detected_language"),
            duration: whole.pointer("/metadata/duration"),
            words: words(best.get("words"), &["punctuated_word", "word"])?,
        };
        heard.reply()
    }
}

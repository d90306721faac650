//! `POST /audio/speech`: OpenAI's speech, with OpenRouter's additions.
//!
//! The answer is a sound, passed on as it comes, or events with pieces of it.
//! What it costs is known before it is asked for where it is sold by the
//! character; where it is sold by the token, the provider is asked for events
//! whatever the client wants, because only they say what was used.

mod feed;

use std::sync::Arc;

use bourse_catalog::{Interface, Modalities, Modality, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::speech::Shape;
use bourse_vocab::{Failure, Format, Operation, PromptFacts, TierWish, Units};
use bourse_wire::json::{self, Kind};
use bourse_wire::speech::{Asked, codec, is_sound};
use bourse_wire::{Stamp, WriteTarget};
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;

use super::event_feed::EventFeed;
use super::not_offered::NotOffered;
use super::{ClientRequest, Endpoint, Incoming, Prepared, Scanned, WholeReply};
use crate::ask::{self, Ask, Attribution, Labels, Thinking};
use crate::identity::Caller;
use crate::relay::Feed;
use crate::way::Way;
use feed::{Sound, SoundFeed};

/// Tokens of sound for a character at the usual speed, at most. Speech is 21
/// tokens a second (OpenAI's prices of gpt-4o-mini-tts: $12 a million and
/// $0.015 a minute, November 2026); a character is a fifteenth of a second in
/// English, and up to a third in Chinese.
const TOKENS_A_CHARACTER_MAX: u64 = 8;

/// Text read aloud.
pub struct Speech;

impl Endpoint for Speech {
    fn path(&self) -> &'static str {
        "/v1/audio/speech"
    }

    fn interface(&self) -> Interface {
        Interface::Speech
    }

    fn rank(&self, way: &Way) -> Option<u8> {
        shape_of(way).map(|_| 0)
    }

    fn read(&self, head: &Parts, body: Scanned, _: Caller<'_>) -> Result<Incoming, Failure> {
        let Scanned { outline, segments } = body;
        let asked = Asked::read(outline, segments)?;
        let ask = read(&head.headers, &asked)?;
        Ok(Incoming {
            ask,
            request: Arc::new(SpeechRequest(asked)),
        })
    }

    /// As chat completions do.
    fn failure(&self, failure: &Failure, _: &mut HeaderMap) -> Bytes {
        let codec = bourse_wire::codec(Format::OpenAiChat);
        codec.write_failure(failure).into()
    }
}

/// The shape in which a way is asked to read aloud, if it is.
const fn shape_of(way: &Way) -> Option<Shape> {
    match way.operation {
        Operation::Speech(shape) => Some(shape),
        _ => None,
    }
}

/// A request whose text was counted.
struct SpeechRequest(Asked);

/// A way was taken that the endpoint does not rank.
fn no_way() -> Failure {
    Failure::server("speech is asked of a way that does not speak")
}

impl ClientRequest for SpeechRequest {
    fn bytes(&self) -> usize {
        self.0.outline.len()
    }

    fn translates(&self, way: &Way) -> bool {
        shape_of(way).is_none()
    }

    fn write(&self, way: &Way, target: &WriteTarget<'_>) -> Result<Prepared, Failure> {
        let shape = shape_of(way).ok_or_else(no_way)?;
        let written = codec(shape).write(&self.0, target.model)?;
        Ok(Prepared {
            body: written.body.into_iter().collect(),
            losses: written.losses,
        })
    }

    fn tail(&self, way: &Way) -> Option<String> {
        codec(shape_of(way)?).tail(&self.0).ok().flatten()
    }

    fn is_announced_by(&self, way: &Way, content_type: &str) -> bool {
        match shape_of(way) {
            Some(shape) if codec(shape).source().is_none() => is_sound(content_type),
            _ => way.framing.is_announced_by(content_type),
        }
    }

    fn feed(&self, way: &Way, _: &Stamp<'_>) -> Box<dyn Feed> {
        let asked = &self.0;
        match shape_of(way).and_then(|shape| codec(shape).source()) {
            Some(source) => {
                let events = Sound::new(source, asked);
                let report = events.report();
                Box::new(EventFeed::new(way.framing, events, report))
            }
            None => Box::new(SoundFeed::new(asked)),
        }
    }

    /// Nothing but a sound is asked for, so that what comes whole is an error.
    fn whole(&self, _: &Way, _: &Stamp<'_>, _: &Bytes) -> Result<WholeReply, Failure> {
        Err(Failure::unavailable(
            "The provider did not answer with a sound",
        ))
    }
}

fn read(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    let raw = |name: &str| {
        let member = asked.outline.get(name)?;
        (member.kind != Kind::Null).then(|| json::raw(&asked.segments, &member.value))
    };
    if raw("models").is_some() {
        return Err(Failure::invalid(
            "models: voices of different models are not the same; name one in `model`",
        ));
    }
    NotOffered {
        debug: raw("debug").as_deref(),
        ..NotOffered::default()
    }
    .refuse()?;
    let wishes = match raw("provider") {
        Some(json) => Preferences::read(std::str::from_utf8(&json).unwrap_or(""))?,
        None => Preferences::default(),
    };
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = asked.text("session_id")? {
        attribution.session_id = session;
    }
    attribution.user = asked.text("user")?.unwrap_or_default();
    let labels = Labels {
        metadata: raw("metadata"),
        trace: raw("trace"),
    };
    attribution.labels = labels.write(headers)?;
    Ok(Box::new(Ask {
        models: ask::models(asked.text("model")?, &[])?,
        wishes,
        needs: Needs {
            input: Modalities::of(&[Modality::Text]),
            output: Modalities::of(&[Modality::Speech]),
            parameters: Parameters::EMPTY,
            text_bytes: asked.text_bytes,
            max_output: None,
        },
        stream: true,
        answers: 1,
        max_output: Some(tokens_max(asked)),
        units: Units {
            characters: asked.characters,
            ..Units::default()
        },
        form: Form::Media,
        thinking: Thinking::default(),
        tier: TierWish::default(),
        search: None,
        facts: PromptFacts {
            text_bytes: asked.text_bytes,
            ..PromptFacts::default()
        },
        options: ask::Options::by_headers(headers, 1)?,
        opener: None,
        attribution,
    }))
}

/// The most tokens of sound: who speaks slowly takes more.
fn tokens_max(asked: &Asked) -> u64 {
    let usual = asked.characters.saturating_mul(TOKENS_A_CHARACTER_MAX);
    usual.saturating_mul(100).div_ceil(asked.speed.max(1))
}

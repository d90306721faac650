//! What all phases must know of a request for a transcript.

use bourse_catalog::{Modalities, Modality, Parameters};
use bourse_routing::filter::Needs;
use bourse_routing::lengths::Form;
use bourse_routing::preferences::Preferences;
use bourse_vocab::{Failure, PromptFacts, TierWish, Units};
use bourse_wire::transcription::Asked;
use http::HeaderMap;

use crate::ask::{self, Ask, Attribution, Labels, Thinking};
use crate::endpoints::not_offered::NotOffered;

/// Tokens of a second that is heard: OpenAI counts one for each tenth
/// (platform.openai.com/docs/guides/realtime-costs, 2026; its example of
/// transcripts has 83 for 9.2 seconds).
const TOKENS_A_SECOND: u64 = 10;
/// Tokens of a second that is written down, at most: nobody speaks ten words
/// in it.
const WRITTEN_A_SECOND_MAX: u64 = 10;
/// Tokens of the shortest transcript.
const WRITTEN_MIN: u64 = 64;
/// How long a sample of a voice is at most (`createTranscription`:
/// `known_speaker_references[]` have 2 to 10 seconds each).
const SAMPLE_MS_MAX: u64 = 10_000;
/// What some vendors bill at least (Groq: ten seconds), so that as much is set
/// aside for any sound, and billed where nobody says how long it was.
const BILLED_MS_MIN: u64 = 10_000;

pub(super) fn read(headers: &HeaderMap, asked: &Asked) -> Result<Box<Ask>, Failure> {
    NotOffered {
        debug: asked.json("debug").map(str::as_bytes),
        ..NotOffered::default()
    }
    .refuse()?;
    let wishes = match asked.json("provider") {
        Some(json) => Preferences::read(json)?,
        None => Preferences::default(),
    };
    let mut attribution = Attribution::by_headers(headers);
    if let Some(session) = asked.text("session_id")? {
        session.clone_into(&mut attribution.session_id);
    }
    asked
        .text("user")?
        .unwrap_or_default()
        .clone_into(&mut attribution.user);
    let label = |name| asked.json(name).map(|json| json.as_bytes().into());
    let labels = Labels {
        metadata: label("metadata"),
        trace: label("trace"),
    };
    attribution.labels = labels.write(headers)?;
    let samples = asked.samples().saturating_mul(SAMPLE_MS_MAX);
    let heard_ms = asked.sound.measured.ms().saturating_add(samples);
    let seconds = heard_ms.div_ceil(1_000);
    Ok(Box::new(Ask {
        models: ask::models(asked.text("model")?.map(str::to_owned), &[])?,
        wishes,
        needs: Needs {
            input: Modalities::of(&[Modality::Audio]),
            output: Modalities::of(&[Modality::Transcription]),
            parameters: Parameters::EMPTY,
            text_bytes: asked.text_bytes(),
            max_output: None,
        },
        stream: asked.stream,
        answers: 1,
        max_output: Some(
            seconds
                .saturating_mul(WRITTEN_A_SECOND_MAX)
                .saturating_add(WRITTEN_MIN),
        ),
        units: Units {
            audio_ms: heard_ms.max(BILLED_MS_MIN),
            ..Units::default()
        },
        form: Form::Text,
        thinking: Thinking::default(),
        tier: TierWish::default(),
        search: None,
        facts: PromptFacts {
            text_bytes: asked.text_bytes(),
            token_ids: seconds.saturating_mul(TOKENS_A_SECOND),
            ..PromptFacts::default()
        },
        options: ask::Options::by_headers(headers, 1)?,
        opener: None,
        attribution,
    }))
}

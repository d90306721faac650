//! Vendors that speak a known format and take a bearer token, one row each.

mod cohere;
mod gateways;
mod hosts;
mod makers;
mod ollama;

use std::borrow::Cow;

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, images, moderations, rerank, speech, transcription, videos};
use bourse_wire::Dialect;
use bourse_wire::dialect::{Prefill, TierWords};

use crate::openai::hears_or_speaks;
use crate::provider::{
    Address, Attempt, Begins, Disconnect, Interface, Provider, like_openai, responses,
};
use crate::{Credential, Key, amazon_bedrock, anthropic, dialects, google_ai_studio};

/// A vendor, or an operator's own server, that speaks a known format and
/// takes its key as a bearer token.
#[derive(Debug, Clone)]
pub struct Compatible {
    slug: Cow<'static, str>,
    name: Cow<'static, str>,
    env: &'static [&'static str],
    base_url: Option<Cow<'static, str>>,
    format: Format,
    interfaces: &'static [Interface],
    dialect: Dialect,
    models: &'static [(&'static str, Dialect)],
    on_disconnect: Disconnect,
    begins: Begins,
    /// An operator's own server: what hears or speaks there goes by OpenAI's
    /// names, or else by those of its oldest models.
    is_own: bool,
}

const CHAT: &[Interface] = &[Interface::chat(Format::OpenAiChat)];
const RESPONSES: &[Interface] = &[Interface::chat(Format::OpenAiResponses)];
const MESSAGES: &[Interface] = &[Interface::chat(Format::Anthropic)];
/// What servers of models imitate of OpenAI's.
const CHAT_AND_EMBEDDINGS: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::embeddings(Shape::OpenAi, Format::OpenAiChat),
];
/// What servers do that imitate OpenAI.
const OWN_SERVER: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::embeddings(Shape::OpenAi, Format::OpenAiChat),
    Interface::images(images::Shape::OpenAi, Format::OpenAiChat),
    Interface::image_edits(images::Shape::OpenAi),
    Interface::rerank(rerank::Shape::Jina, Format::OpenAiChat),
    Interface::moderations(moderations::Shape::OpenAi),
    Interface::speech(speech::Shape::OpenAi),
    Interface::transcription(transcription::Shape::Whisper),
    Interface::spoken_translation(transcription::Shape::Whisper),
    Interface::realtime(),
    Interface::videos(videos::Shape::OpenAi, Format::OpenAiChat),
];

impl Compatible {
    /// A vendor that speaks the plain format and stops billing on close.
    #[must_use]
    pub const fn chat(
        slug: &'static str,
        name: &'static str,
        env: &'static [&'static str],
        base_url: &'static str,
    ) -> Self {
        Self {
            slug: Cow::Borrowed(slug),
            name: Cow::Borrowed(name),
            env,
            base_url: Some(Cow::Borrowed(base_url)),
            format: Format::OpenAiChat,
            interfaces: CHAT,
            dialect: Dialect::PLAIN,
            models: &[],
            on_disconnect: Disconnect::Cancel,
            begins: Begins::WithTheHead,
            is_own: false,
        }
    }

    /// A vendor that speaks Anthropic's format and stops billing on close.
    #[must_use]
    pub const fn messages(
        slug: &'static str,
        name: &'static str,
        env: &'static [&'static str],
        base_url: &'static str,
    ) -> Self {
        let mut row = Self::chat(slug, name, env, base_url);
        row.format = Format::Anthropic;
        row.interfaces = MESSAGES;
        row.dialect.tiers = TierWords::NONE;
        row
    }

    /// A vendor that speaks a format of its own, and stops billing on close.
    #[must_use]
    pub const fn native(
        slug: &'static str,
        name: &'static str,
        env: &'static [&'static str],
        base_url: &'static str,
        format: Format,
    ) -> Self {
        let mut row = Self::chat(slug, name, env, base_url);
        row.format = format;
        row
    }

    /// An operator's own server, from configuration: addressed like the
    /// vendor whose format it speaks.
    #[must_use]
    pub fn operators_own(slug: &str, base_url: &str, format: Format) -> Self {
        Self {
            slug: Cow::Owned(slug.to_owned()),
            name: Cow::Owned(slug.to_owned()),
            env: &[],
            base_url: Some(Cow::Owned(base_url.to_owned())),
            format,
            interfaces: match format {
                Format::OpenAiChat => OWN_SERVER,
                Format::OpenAiResponses => RESPONSES,
                Format::Anthropic => MESSAGES,
                Format::Gemini => google_ai_studio::INTERFACES,
                Format::Bedrock => amazon_bedrock::INTERFACES,
                Format::Ollama => ollama::INTERFACES,
                Format::Cohere => cohere::INTERFACES,
            },
            dialect: match format {
                Format::OpenAiChat | Format::OpenAiResponses => dialects::TEMPLATE,
                Format::Anthropic => anthropic::DIALECT,
                Format::Gemini => google_ai_studio::DIALECT.clone(),
                Format::Bedrock => amazon_bedrock::DIALECT.clone(),
                Format::Ollama => ollama::DIALECT,
                Format::Cohere => cohere::DIALECT,
            },
            models: &[],
            on_disconnect: Disconnect::Cancel,
            begins: Begins::WithTheHead,
            is_own: matches!(format, Format::OpenAiChat),
        }
    }

    /// Makes vectors too, as OpenAI does.
    #[must_use]
    pub const fn embeds(mut self) -> Self {
        self.interfaces = CHAT_AND_EMBEDDINGS;
        self
    }

    /// Does other things too, each in a way of its own.
    #[must_use]
    pub const fn does(mut self, interfaces: &'static [Interface]) -> Self {
        self.interfaces = interfaces;
        self
    }

    /// Makes vectors too, in a way of its own.
    #[must_use]
    pub const fn embeds_by(mut self, interfaces: &'static [Interface]) -> Self {
        self.interfaces = interfaces;
        self
    }

    /// Strays from the plain format.
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Goes on with an answer that has begun.
    #[must_use]
    pub const fn goes_on(mut self, how: Prefill) -> Self {
        self.dialect.prefill = how;
        self
    }

    /// Strays otherwise for models whose name begins so; the first that fits
    /// counts.
    #[must_use]
    pub const fn models(mut self, models: &'static [(&'static str, Dialect)]) -> Self {
        self.models = models;
        self
    }

    /// Answers at once, and lets requests wait for their turn after that.
    #[must_use]
    pub const fn queues_after_the_head(mut self) -> Self {
        self.begins = Begins::WithContent;
        self
    }

    /// Bills the whole answer even if the connection is closed.
    #[must_use]
    pub const fn bills_after_close(mut self) -> Self {
        self.on_disconnect = Disconnect::Drain;
        self
    }
}

impl Provider for Compatible {
    fn slug(&self) -> &str {
        &self.slug
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn env(&self) -> &[&'static str] {
        self.env
    }

    fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    fn interfaces(&self, model: &str) -> &[Interface] {
        let named = self.is_own.then(|| hears_or_speaks(model)).flatten();
        named.unwrap_or(self.interfaces)
    }

    fn dialect(&self, _format: Format, model: &str) -> &Dialect {
        self.models
            .iter()
            .find(|(prefix, _)| model.starts_with(prefix))
            .map_or(&self.dialect, |(_, dialect)| dialect)
    }

    fn dialects(&self, _format: Format) -> Vec<&Dialect> {
        let models = self.models.iter().map(|(_, dialect)| dialect);
        std::iter::once(&self.dialect).chain(models).collect()
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        match attempt.interface.format {
            Format::OpenAiChat => like_openai(attempt),
            Format::OpenAiResponses => responses(attempt),
            Format::Anthropic => anthropic::address(attempt),
            Format::Gemini => google_ai_studio::address(attempt),
            Format::Bedrock => amazon_bedrock::address(attempt),
            Format::Ollama => ollama::address(attempt),
            Format::Cohere => cohere::address(attempt),
        }
    }

    fn jobs_path(&self, base_path: &str) -> String {
        match self.format {
            Format::Gemini => google_ai_studio::jobs_path(base_path),
            _ => base_path.to_owned(),
        }
    }

    fn credential(&self, key: Key) -> Credential {
        match self.format {
            Format::OpenAiChat
            | Format::OpenAiResponses
            | Format::Bedrock
            | Format::Ollama
            | Format::Cohere => Credential::bearer(key),
            Format::Anthropic => anthropic::credential(key),
            Format::Gemini => google_ai_studio::credential(key),
        }
    }

    fn on_disconnect(&self) -> Disconnect {
        self.on_disconnect
    }

    fn begins(&self) -> Begins {
        self.begins
    }
}

/// The rows, by what the vendors do.
pub static COMPATIBLE: &[&[Compatible]] = &[makers::ROWS, hosts::ROWS, gateways::ROWS];

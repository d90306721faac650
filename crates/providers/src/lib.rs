//! Whom to call and how: address, authentication, dialect, reading errors.
//!
//! Only this crate names a vendor. A vendor that speaks OpenAI's format is
//! one row under `compatible/`; one with its own ways is a file and a row in
//! `PROVIDERS`. An operator's own server is a [`Compatible`] made at
//! start from configuration. Pure: keys and addresses are arguments.

mod amazon_bedrock;
mod anthropic;
pub mod azure;
mod compatible;
mod credential;
mod deepgram;
mod dialects;
mod elevenlabs;
mod google_ai_studio;
mod google_vertex;
pub mod identity;
mod key;
mod listing;
mod openai;
mod place;
mod provider;
mod secrets;
mod sigv4;
mod xai;

pub use bourse_wire::ErrorReply;
pub use bourse_wire::dialect::Prefill;
pub use compatible::{COMPATIBLE, Compatible};
pub use credential::{Credential, Headers, TokenFuture, TokenSource};
pub use identity::Identity;
pub use key::Key;
pub use listing::listing;
pub use place::Place;
pub use provider::{Address, Attempt, Begins, Disconnect, Interface, Provider, Signing, ToSign};
pub use secrets::Secrets;

/// Vendors with their own ways.
static PROVIDERS: &[&dyn Provider] = &[
    &openai::OpenAi,
    &anthropic::Anthropic,
    &google_ai_studio::GoogleAiStudio,
    &xai::Xai,
    &elevenlabs::ElevenLabs,
    &deepgram::Deepgram,
    &amazon_bedrock::AmazonBedrock::DEFAULT,
    &google_vertex::GoogleVertex::DEFAULT,
];

/// Models that a first request may be tried with: small, and offered by
/// vendors that most people begin with. Best known first.
pub const EXAMPLE_MODELS: [&str; 3] = [
    "openai/gpt-4o-mini",
    "anthropic/claude-haiku-4.5",
    "google/gemini-2.5-flash",
];

/// Every built-in provider: those with their own ways, then the rows.
pub fn all() -> impl Iterator<Item = &'static dyn Provider> {
    PROVIDERS.iter().copied().chain(
        COMPATIBLE
            .iter()
            .copied()
            .flatten()
            .map(|row| row as &dyn Provider),
    )
}

/// Finds a built-in provider.
#[must_use]
pub fn by_slug(slug: &str) -> Option<&'static dyn Provider> {
    all().find(|provider| provider.slug() == slug)
}

//! What the gateway must know to call one vendor.

use std::sync::Arc;

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{
    Failure, Format, Operation, images, moderations, rerank, speech, transcription, videos,
};
use bourse_wire::framing::Framing;
use bourse_wire::{Dialect, ErrorReply, codec};
use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::credential::{Credential, Headers};
use crate::identity::{Found, Surroundings, Wanted};
use crate::key::Key;
use crate::place::Place;

/// One of a vendor's interfaces: what it is for, and how it is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface {
    /// What it is for.
    pub operation: Operation,
    /// The wire shape of requests and replies, and of errors; of errors only
    /// where the operation has a shape of its own.
    pub format: Format,
    /// How its streams are cut into frames, where it has any.
    pub framing: Framing,
}

impl Interface {
    /// Chat in a format, streamed as those who invented it do.
    #[must_use]
    pub const fn chat(format: Format) -> Self {
        Self {
            operation: Operation::Chat,
            format,
            framing: Framing::of(format),
        }
    }

    /// Whether it is OpenAI's Responses, over which alone some models are sold.
    #[must_use]
    pub fn is_responses(&self) -> bool {
        self.format == Format::OpenAiResponses
    }

    /// Pictures in a shape; errors are those of a vendor of `format`.
    #[must_use]
    pub const fn images(shape: images::Shape, format: Format) -> Self {
        Self {
            operation: Operation::Images(shape),
            format,
            framing: Framing::Sse,
        }
    }

    /// Changed pictures in a shape; errors are those of OpenAI.
    #[must_use]
    pub const fn image_edits(shape: images::Shape) -> Self {
        Self {
            operation: Operation::ImageEdits(shape),
            ..Self::chat(Format::OpenAiChat)
        }
    }

    /// Rankings in a shape; errors are those of a vendor of `format`.
    #[must_use]
    pub const fn rerank(shape: rerank::Shape, format: Format) -> Self {
        Self {
            operation: Operation::Rerank(shape),
            format,
            framing: Framing::Sse,
        }
    }

    /// Vectors in a shape; errors are those of a vendor of `format`.
    #[must_use]
    pub const fn embeddings(shape: Shape, format: Format) -> Self {
        Self {
            operation: Operation::Embeddings(shape),
            format,
            framing: Framing::Sse,
        }
    }

    /// Verdicts in a shape; errors are those of OpenAI.
    #[must_use]
    pub const fn moderations(shape: moderations::Shape) -> Self {
        Self {
            operation: Operation::Moderations(shape),
            ..Self::chat(Format::OpenAiChat)
        }
    }

    /// Speech in a shape; errors are those of OpenAI.
    #[must_use]
    pub const fn speech(shape: speech::Shape) -> Self {
        Self {
            operation: Operation::Speech(shape),
            ..Self::chat(Format::OpenAiChat)
        }
    }

    /// Transcripts in a shape; errors are those of OpenAI.
    #[must_use]
    pub const fn transcription(shape: transcription::Shape) -> Self {
        Self {
            operation: Operation::Transcription(shape),
            ..Self::chat(Format::OpenAiChat)
        }
    }

    /// Conversations over one connection; errors are those of OpenAI.
    #[must_use]
    pub const fn realtime() -> Self {
        Self {
            operation: Operation::Realtime,
            ..Self::chat(Format::OpenAiChat)
        }
    }

    /// Films in a shape; errors are those of a vendor of `format`.
    #[must_use]
    pub const fn videos(shape: videos::Shape, format: Format) -> Self {
        Self {
            operation: Operation::Videos(shape),
            format,
            framing: Framing::Sse,
        }
    }

    /// Translations of what is said, in a shape; errors are those of OpenAI.
    #[must_use]
    pub const fn spoken_translation(shape: transcription::Shape) -> Self {
        Self {
            operation: Operation::Translation(shape),
            ..Self::chat(Format::OpenAiChat)
        }
    }
}

/// What the address of one attempt depends on.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Which of the vendor's interfaces.
    pub interface: Interface,
    /// The model as the vendor names it.
    pub model: &'a str,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Path of the base URL, without a trailing slash: `/v1`.
    pub base_path: &'a str,
}

/// Where to send an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Path and query.
    pub path: String,
    /// The vendor's own headers, besides credentials and what describes the
    /// body.
    pub headers: Headers,
}

/// A request as it will be sent, to be signed.
#[derive(Debug, Clone, Copy)]
pub struct ToSign<'a> {
    /// The method.
    pub method: &'a Method,
    /// The `host` header.
    pub authority: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Headers that will be sent besides `host`, `content-length` and those
    /// of the signature.
    pub headers: &'a HeaderMap,
    /// The body, in pieces.
    pub body: &'a [Bytes],
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// When a request can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signing {
    /// Once for all requests to an address: [`Provider::sign`] looks at
    /// neither body nor time, and is given none.
    Once,
    /// Each request anew.
    EachRequest,
}

/// What to do with the upstream when the client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disconnect {
    /// Close it: the vendor stops generating and billing.
    Cancel,
    /// Read on, within bounds, for the true usage: the vendor bills the
    /// whole answer anyway.
    Drain,
}

/// What shows that a vendor works on a request, so that its input is charged
/// even to a caller who has left since. `docs/money.md` has the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Begins {
    /// The head of its response: whoever has to refuse has refused by then.
    WithTheHead,
    /// The first content: it answers at once, and lets requests wait for
    /// their turn after that.
    WithContent,
}

/// How to call one vendor.
pub trait Provider: Send + Sync {
    /// The name in slugs, configuration and metrics.
    fn slug(&self) -> &str;

    /// The name that people see.
    fn name(&self) -> &str;

    /// Environment variables that may hold a key, preferred first.
    fn env(&self) -> &[&'static str];

    /// Where the vendor answers, unless configuration says otherwise.
    /// `None` if there is no default (an operator's own server).
    fn base_url(&self) -> Option<&str>;

    /// The same vendor in one of its places; `None` if it is this one.
    ///
    /// # Errors
    /// A sentence for the operator: it has no such place.
    fn placed(&self, place: &Place) -> Result<Option<Arc<dyn Provider>>, String> {
        if place.is_empty() {
            Ok(None)
        } else {
            Err(format!("{} has neither regions nor projects", self.slug()))
        }
    }

    /// Whether an identity that gets tokens is of no use without a project.
    fn needs_project(&self) -> bool {
        false
    }

    /// Makes sense of what an operator wrote of credentials that are not a key.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn find_credentials(
        &self,
        _wanted: &Wanted,
        _around: &dyn Surroundings,
    ) -> Result<Found, String> {
        Err(format!("{} takes keys alone; say `api_key`", self.slug()))
    }

    /// Whether a model that price lists have can be called here: some are sold
    /// in other places only.
    fn serves(&self, _model: &str) -> bool {
        true
    }

    /// The vendor's interfaces for `model`, preferred first.
    fn interfaces(&self, model: &str) -> &[Interface];

    /// How it strays from a format that it speaks for `model`.
    fn dialect(&self, format: Format, model: &str) -> &Dialect;

    /// Every way in which it strays from a format, whatever the model.
    fn dialects(&self, format: Format) -> Vec<&Dialect> {
        vec![self.dialect(format, "")]
    }

    /// Where a body for one of its interfaces goes.
    fn address(&self, attempt: &Attempt<'_>) -> Address;

    /// What stands in front of the paths by which a vendor's jobs are asked
    /// after.
    fn jobs_path(&self, base_path: &str) -> String {
        base_path.to_owned()
    }

    /// How an operator's key is carried. A bearer token unless the vendor
    /// wants it elsewhere.
    fn credential(&self, key: Key) -> Credential {
        Credential::bearer(key)
    }

    /// When a request can be signed.
    fn signing(&self) -> Signing {
        Signing::Once
    }

    /// The headers that prove who sends a request. A source of tokens has been
    /// replaced by one that is good now.
    ///
    /// # Errors
    /// The credential does not fit the vendor: our own fault.
    fn sign(&self, _request: &ToSign<'_>, credential: &Credential) -> Result<Headers, Failure> {
        credential.headers(self.slug())
    }

    /// What to do when the client has left. Vendors that stop billing on
    /// close are listed in openrouter.ai/docs, streaming (August 2026).
    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Cancel
    }

    /// What shows that it works on a request.
    fn begins(&self) -> Begins {
        Begins::WithTheHead
    }

    /// Understands an error reply in `format`.
    fn read_failure(&self, format: Format, reply: &ErrorReply<'_>) -> Failure {
        codec(format).read_failure(reply)
    }
}

/// Where OpenAI's operations are, at OpenAI and at those who imitate it.
pub(crate) fn like_openai(attempt: &Attempt<'_>) -> Address {
    let operation = match attempt.interface.operation {
        Operation::Chat | Operation::Text => "chat/completions",
        Operation::Embeddings(_) => "embeddings",
        Operation::Images(_) => "images/generations",
        Operation::ImageEdits(_) => "images/edits",
        Operation::Rerank(_) => "rerank",
        Operation::Moderations(_) => "moderations",
        Operation::Speech(_) => "audio/speech",
        Operation::Transcription(_) => "audio/transcriptions",
        Operation::Translation(_) => "audio/translations",
        Operation::Realtime => {
            return Address {
                path: format!("{}/realtime?model={}", attempt.base_path, attempt.model),
                headers: Headers::new(),
            };
        }
        Operation::Videos(_) => "videos",
    };
    Address {
        path: format!("{}/{operation}", attempt.base_path),
        headers: Headers::new(),
    }
}

/// Where OpenAI's Responses are.
pub(crate) fn responses(attempt: &Attempt<'_>) -> Address {
    Address {
        path: format!("{}/responses", attempt.base_path),
        headers: Headers::new(),
    }
}

/// A base path with its version. Vendors whose SDKs add the version by
/// themselves are known by addresses without it, so where a base path ends in
/// none, the `usual` one is added.
pub(crate) fn versioned(base_path: &str, usual: &str) -> String {
    let last = base_path.rsplit('/').next().unwrap_or("");
    let has_version = last
        .strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
    if has_version {
        base_path.to_owned()
    } else {
        format!("{base_path}/{usual}")
    }
}

/// Built-in providers live as long as the program; configured ones do not.
/// Both are held the same way.
impl Provider for &'static dyn Provider {
    fn slug(&self) -> &str {
        (**self).slug()
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn env(&self) -> &[&'static str] {
        (**self).env()
    }

    fn base_url(&self) -> Option<&str> {
        (**self).base_url()
    }

    fn placed(&self, place: &Place) -> Result<Option<Arc<dyn Provider>>, String> {
        (**self).placed(place)
    }

    fn needs_project(&self) -> bool {
        (**self).needs_project()
    }

    fn find_credentials(
        &self,
        wanted: &Wanted,
        around: &dyn Surroundings,
    ) -> Result<Found, String> {
        (**self).find_credentials(wanted, around)
    }

    fn serves(&self, model: &str) -> bool {
        (**self).serves(model)
    }

    fn interfaces(&self, model: &str) -> &[Interface] {
        (**self).interfaces(model)
    }

    fn dialect(&self, format: Format, model: &str) -> &Dialect {
        (**self).dialect(format, model)
    }

    fn dialects(&self, format: Format) -> Vec<&Dialect> {
        (**self).dialects(format)
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        (**self).address(attempt)
    }

    fn jobs_path(&self, base_path: &str) -> String {
        (**self).jobs_path(base_path)
    }

    fn credential(&self, key: Key) -> Credential {
        (**self).credential(key)
    }

    fn signing(&self) -> Signing {
        (**self).signing()
    }

    fn sign(&self, request: &ToSign<'_>, credential: &Credential) -> Result<Headers, Failure> {
        (**self).sign(request, credential)
    }

    fn on_disconnect(&self) -> Disconnect {
        (**self).on_disconnect()
    }

    fn begins(&self) -> Begins {
        (**self).begins()
    }

    fn read_failure(&self, format: Format, reply: &ErrorReply<'_>) -> Failure {
        (**self).read_failure(format, reply)
    }
}

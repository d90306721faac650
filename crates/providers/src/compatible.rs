//! Vendors that speak OpenAI's chat format, one row each.

use std::borrow::Cow;

use bourse_vocab::{Failure, Format};
use bourse_wire::Dialect;
use http::header::AUTHORIZATION;

use crate::Key;
use crate::provider::{Attempt, Disconnect, Outgoing, Provider};

/// A vendor, or an operator's own server, that speaks a known format and
/// takes its key as a bearer token.
#[derive(Debug, Clone)]
pub struct Compatible {
    slug: Cow<'static, str>,
    name: Cow<'static, str>,
    env: &'static [&'static str],
    base_url: Option<Cow<'static, str>>,
    dialect: Dialect,
    on_disconnect: Disconnect,
}

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
            dialect: Dialect::PLAIN,
            on_disconnect: Disconnect::Cancel,
        }
    }

    /// An operator's own server, from configuration.
    #[must_use]
    pub fn operators_own(slug: &str, base_url: &str) -> Self {
        Self {
            slug: Cow::Owned(slug.to_owned()),
            name: Cow::Owned(slug.to_owned()),
            env: &[],
            base_url: Some(Cow::Owned(base_url.to_owned())),
            dialect: Dialect::PLAIN,
            on_disconnect: Disconnect::Cancel,
        }
    }

    /// Strays from the plain format.
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
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

    fn speaks(&self, _model: &str) -> &[Format] {
        &[Format::OpenAiChat]
    }

    fn dialect(&self, _model: &str) -> &Dialect {
        &self.dialect
    }

    fn address(&self, attempt: &Attempt<'_>, key: &Key) -> Result<Outgoing, Failure> {
        Ok(Outgoing {
            path: format!("{}/chat/completions", attempt.base_path),
            headers: bearer(&self.slug, key)?,
        })
    }

    fn on_disconnect(&self) -> Disconnect {
        self.on_disconnect
    }
}

/// The header that carries a key as a bearer token; none if there is no key.
pub(crate) fn bearer(
    slug: &str,
    key: &Key,
) -> Result<Vec<(http::HeaderName, http::HeaderValue)>, Failure> {
    if key.is_empty() {
        return Ok(Vec::new());
    }
    let value = key
        .header("Bearer ")
        .ok_or_else(|| Failure::server(format!("the key of provider {slug} has odd characters")))?;
    Ok(vec![(AUTHORIZATION, value)])
}

/// The rows.
pub static COMPATIBLE: &[Compatible] = &[Compatible::chat(
    "groq",
    "Groq",
    &["GROQ_API_KEY"],
    "https://api.groq.com/openai/v1",
)
.bills_after_close()];

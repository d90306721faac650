//! Microsoft's cloud: Azure OpenAI, and Foundry, which has taken it in
//! (learn.microsoft.com: "Azure OpenAI in Foundry Models REST API reference",
//! "API version lifecycle", "Deploy and use Claude models", November 2026).
//!
//! Whoever has a resource there has an address of their own and chooses the
//! names of deployments, so that nothing of it is in price lists: it is a kind
//! of an operator's own provider. Two addresses are spoken: the one with a date
//! for a version, where a deployment is part of the path, and `v1`, where it is
//! the model of the body.

use bourse_vocab::embeddings::Shape;
use bourse_vocab::{Format, Operation, images};
use bourse_wire::Dialect;
use bourse_wire::dialect::TierWords;
use http::HeaderName;

use crate::identity::{self, Found, Surroundings, Wanted};
use crate::openai::{OpenAi, hears_or_speaks};
use crate::provider::{Address, Attempt, Disconnect, Interface, Provider, like_openai, responses};
use crate::sigv4::segment;
use crate::{Credential, Key, anthropic};

/// The name of this kind of provider in the configuration.
pub const KIND: &str = "azure-openai";
/// A version is a date, with a word behind it for previews.
const VERSION_BYTES_MAX: usize = 32;

/// A resource of an operator's.
#[derive(Debug, Clone)]
pub struct Azure {
    slug: String,
    base_url: String,
    /// `None` for `v1`.
    version: Option<String>,
    format: Format,
}

const DATED: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::embeddings(Shape::OpenAi, Format::OpenAiChat),
    Interface::images(images::Shape::OpenAi, Format::OpenAiChat),
];
const V1: &[Interface] = &[
    Interface::chat(Format::OpenAiChat),
    Interface::chat(Format::OpenAiResponses),
    Interface::embeddings(Shape::OpenAi, Format::OpenAiChat),
    Interface::images(images::Shape::OpenAi, Format::OpenAiChat),
];
const RESPONSES: &[Interface] = &[Interface::chat(Format::OpenAiResponses)];
const MESSAGES: &[Interface] = &[Interface::chat(Format::Anthropic)];

/// Claude in Foundry: Anthropic's own, without its tiers.
static CLAUDE: Dialect = Dialect {
    tiers: TierWords::NONE,
    ..anthropic::DIALECT
};

impl Azure {
    /// A resource at `base_url`.
    ///
    /// # Errors
    /// A sentence for the operator, behind the name of a member.
    pub fn new(
        slug: &str,
        base_url: &str,
        format: Option<Format>,
        version: Option<&str>,
    ) -> Result<Self, (&'static str, String)> {
        let format = format.unwrap_or(Format::OpenAiChat);
        let is_openais = match format {
            Format::OpenAiChat | Format::OpenAiResponses => true,
            Format::Anthropic => false,
            Format::Gemini | Format::Bedrock | Format::Ollama | Format::Cohere => {
                let known = "openai-chat, openai-responses, anthropic";
                return Err(("format", format!("there is none but {known} there")));
            }
        };
        if let Some(version) = version {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let is_sane = (1..=VERSION_BYTES_MAX).contains(&version.len());
            if !is_sane || !version.bytes().all(is_word) {
                let problem = format!("`{version}` is no version, such as \"2024-10-21\"");
                return Err(("api_version", problem));
            }
            if version == "v1" || !is_openais {
                let problem = "only addresses with deployments have one; leave it out for v1";
                return Err(("api_version", problem.to_owned()));
            }
            if format == Format::OpenAiResponses {
                let problem = "responses are spoken at v1 alone; leave api_version out";
                return Err(("format", problem.to_owned()));
            }
        }
        Ok(Self {
            slug: slug.to_owned(),
            base_url: base_url.to_owned(),
            version: version.map(str::to_owned),
            format,
        })
    }
}

impl Provider for Azure {
    fn slug(&self) -> &str {
        &self.slug
    }

    fn name(&self) -> &str {
        &self.slug
    }

    fn env(&self) -> &[&'static str] {
        &[]
    }

    fn base_url(&self) -> Option<&str> {
        Some(&self.base_url)
    }

    fn interfaces(&self, model: &str) -> &[Interface] {
        match (self.format, &self.version) {
            (Format::Anthropic, _) => MESSAGES,
            (Format::OpenAiResponses, _) => RESPONSES,
            // The dated address of Realtime is another, of its beta.
            (_, Some(_)) => hears_or_speaks(model)
                .filter(|found| *found != [Interface::realtime()])
                .unwrap_or(DATED),
            (_, None) => hears_or_speaks(model).unwrap_or(V1),
        }
    }

    /// Deployments are known by their names alone: one that is called like its
    /// model is spoken to like it.
    fn dialect(&self, format: Format, model: &str) -> &Dialect {
        match format {
            Format::Anthropic => &CLAUDE,
            other => OpenAi.dialect(other, model),
        }
    }

    fn dialects(&self, format: Format) -> Vec<&Dialect> {
        match format {
            Format::Anthropic => vec![&CLAUDE],
            other => OpenAi.dialects(other),
        }
    }

    fn address(&self, attempt: &Attempt<'_>) -> Address {
        let base_path = attempt.base_path;
        if attempt.interface.format == Format::Anthropic {
            return anthropic::address(attempt);
        }
        let place = match &self.version {
            Some(_) => {
                let deployment = segment(attempt.model);
                format!("{}/deployments/{deployment}", within(base_path, "/openai"))
            }
            None => within(base_path, "/openai/v1"),
        };
        let there = Attempt {
            base_path: &place,
            ..*attempt
        };
        let is_responses = attempt.interface.is_responses();
        let mut address = match attempt.interface.operation {
            Operation::Chat if is_responses => responses(&there),
            _ => like_openai(&there),
        };
        if let Some(version) = &self.version {
            address.path.push_str("?api-version=");
            address.path.push_str(version);
        }
        address
    }

    fn credential(&self, key: Key) -> Credential {
        Credential::header(HeaderName::from_static("api-key"), key)
    }

    fn find_credentials(
        &self,
        wanted: &Wanted,
        around: &dyn Surroundings,
    ) -> Result<Found, String> {
        identity::find_entra(wanted, around)
    }

    fn on_disconnect(&self) -> Disconnect {
        Disconnect::Cancel
    }
}

/// A path that ends with `wanted`, of one that may or may not: portals show the
/// address of a resource, documents the one of its API.
fn within(base_path: &str, wanted: &str) -> String {
    let mut end = wanted;
    loop {
        if !end.is_empty()
            && let Some(begin) = base_path.strip_suffix(end)
        {
            return format!("{begin}{wanted}");
        }
        match end.rfind('/') {
            Some(cut) if !end.is_empty() => end = end.get(..cut).unwrap_or_default(),
            _ => return format!("{base_path}{wanted}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base_path: &str, version: Option<&str>, nth: usize) -> String {
        let azure = Azure::new("my-azure", "https://r.example", None, version).unwrap();
        let attempt = Attempt {
            interface: azure.interfaces("my gpt")[nth],
            model: "my gpt",
            stream: true,
            base_path,
        };
        azure.address(&attempt).path
    }

    #[test]
    fn a_deployment_is_part_of_the_path_where_there_is_a_version() {
        let dated = Some("2024-10-21");
        for base_path in ["", "/openai"] {
            assert_eq!(
                path(base_path, dated, 0),
                "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"
            );
        }
        assert_eq!(
            path("", dated, 1),
            "/openai/deployments/my%20gpt/embeddings?api-version=2024-10-21"
        );
        for base_path in ["", "/openai", "/openai/v1"] {
            assert_eq!(path(base_path, None, 0), "/openai/v1/chat/completions");
            assert_eq!(path(base_path, None, 1), "/openai/v1/responses");
        }
        assert_eq!(
            path("/p/my-azure", dated, 2),
            "/p/my-azure/openai/deployments/my%20gpt/images/generations?api-version=2024-10-21"
        );
    }

    #[test]
    fn claude_in_foundry_is_spoken_to_as_anthropic_does() {
        let azure = Azure::new("a", "https://r.example", Some(Format::Anthropic), None).unwrap();
        let attempt = Attempt {
            interface: azure.interfaces("m")[0],
            model: "m",
            stream: false,
            base_path: "/anthropic",
        };
        assert_eq!(azure.address(&attempt).path, "/anthropic/v1/messages");
    }

    #[test]
    fn what_is_not_there_is_refused_by_its_member() {
        let member = |format, version| {
            let made = Azure::new("a", "https://r.example", format, version);
            made.err().map(|(member, _)| member)
        };
        assert_eq!(member(Some(Format::Gemini), None), Some("format"));
        assert_eq!(member(None, Some("v1")), Some("api_version"));
        assert_eq!(member(None, Some("2024&x=1")), Some("api_version"));
        assert_eq!(
            member(Some(Format::Anthropic), Some("2024-10-21")),
            Some("api_version")
        );
        let responses = Some(Format::OpenAiResponses);
        assert_eq!(member(responses, Some("2024-10-21")), Some("format"));
        assert_eq!(member(responses, None), None);
    }
}

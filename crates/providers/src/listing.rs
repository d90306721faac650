//! Where a vendor lists its models: the one question that costs nothing and
//! that most answer to good keys alone.

use crate::provider::{Address, Attempt, Provider};

/// Ends of the paths that chats are asked on, and of those that list models
/// beside them (platform.openai.com/docs/api-reference/models/list,
/// docs.claude.com/en/api/models-list, ai.google.dev/api/models, docs/api.md of
/// ollama/ollama, docs.cohere.com/reference/list-models; November 2026).
const BESIDE: [(&str, &str); 6] = [
    ("/models/model:generateContent", "/models?pageSize=1"),
    ("/chat/completions", "/models"),
    ("/responses", "/models"),
    ("/messages", "/models"),
    ("/api/chat", "/api/tags"),
    ("/v2/chat", "/v1/models"),
];

/// Where to list the models of a vendor; `None` where no such path is known.
#[must_use]
pub fn listing(provider: &dyn Provider, base_path: &str) -> Option<Address> {
    let interface = *provider.interfaces("").first()?;
    let mut address = provider.address(&Attempt {
        interface,
        model: "model",
        stream: false,
        base_path,
    });
    let list = |(chat, list): &(&str, &str)| {
        let before = address.path.strip_suffix(chat)?;
        // A deployment is one model, and lists none.
        (!before.contains("/deployments/")).then(|| format!("{before}{list}"))
    };
    address.path = BESIDE.iter().find_map(list)?;
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_beside_the_chats_of_each_format() {
        for (slug, base_path, path) in [
            ("openai", "/v1", "/v1/models"),
            ("anthropic", "/v1", "/v1/models"),
            ("groq", "/openai/v1", "/openai/v1/models"),
            ("google-ai-studio", "/v1beta", "/v1beta/models?pageSize=1"),
            ("cohere", "/compatibility/v1", "/v1/models"),
        ] {
            let provider = crate::by_slug(slug).unwrap();
            let address = listing(provider, base_path).unwrap();
            assert_eq!(address.path, path, "{slug}");
        }
        let anthropic = listing(crate::by_slug("anthropic").unwrap(), "").unwrap();
        let says_version = |(name, _): &(http::HeaderName, _)| name == "anthropic-version";
        assert!(anthropic.headers.iter().any(says_version));
        let bedrock = crate::by_slug("amazon-bedrock").unwrap();
        assert!(
            listing(bedrock, "").is_none(),
            "its list is at another host"
        );
    }
}
